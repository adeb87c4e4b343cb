"""Points of a space from bytes, the simpler the smaller the bytes are.

Hypothesis draws and shrinks a row as one string of bytes, which is many times faster than number by
number. Every string stands for a point of the space, so nothing is ever filtered away.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np

from ...errors import DependencyError, InputTypeError, ParameterError, show
from ...spaces import Boxlike, Categories, Product, Space
from ..frames import Frame

__all__ = [
    "Ground",
    "byte_rows",
    "checked",
    "hypothesis_strategies",
    "place_in",
    "random_rows",
    "sizes",
]

REACH = 1e3
# Beyond this many coordinates a row is a pattern of PALETTE numbers: Hypothesis takes 8 KB a draw.
WIDE, PALETTE = 24, 8
# The numbers that most maps are used on.
CORE = 10.0
LONG = 500.0
TINY = float(np.finfo(np.float64).tiny)
GOLDEN = 0.6180339887498949
# Rows beyond these are drawn by a seed.
BY_HAND = 48


def hypothesis_strategies() -> Any:
    """The module ``hypothesis.strategies``.

    Raises
    ------
    DependencyError
        When Hypothesis is not installed.
    """
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise DependencyError(
            "Strategies are those of Hypothesis, which is not installed.",
            got=str(error).splitlines()[0],
            need="hypothesis",
            do="pip install 'phimaps[testing]'",
        ) from None
    return strategies


def sizes(least: Any, most: Any) -> tuple[int, int]:
    """How many rows at least and at most, checked."""
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in (least, most))
    if not whole or not 0 <= least <= most:
        raise ParameterError(
            f"Between {show(least)} and {show(most)} rows cannot be drawn.",
            got=f"least={show(least)}, most={show(most)}",
            need="ints with 0 <= least <= most",
            do="points(space, least=1, most=24)",
        )
    return int(least), int(most)


def byte_rows(length: int, least: int, most: int) -> Any:
    """Between `least` and `most` strings of `length` bytes, as a strategy of lists."""
    st = hypothesis_strategies()
    row = st.binary(min_size=length, max_size=length)
    # Of other lists most draws are copies of the one before, with one row put in another's place.
    drawn = st.lists(row, min_size=min(least, BY_HAND), max_size=min(most, BY_HAND), unique=True)
    if most <= BY_HAND:
        return drawn

    def filled(choice: tuple[list[bytes], int, int]) -> list[bytes]:
        rows, more, seed = choice
        rng = np.random.default_rng(seed)
        more = max(min(more, most - len(rows)), least - len(rows))
        return [*rows, *(rng.bytes(length) for _ in range(more))]

    return st.tuples(drawn, st.integers(0, most), st.integers(0, 2**16)).map(filled)


def random_rows(
    length: int, least: int, most: int, random_state: int | np.random.Generator
) -> list[bytes]:
    """The same, drawn once by a seed."""
    rng = np.random.default_rng(random_state)
    return [rng.bytes(length) for _ in range(int(rng.integers(least, most + 1)))]


def checked(domain: Any, owner: str) -> Space | Frame:
    """The domain, if points can be drawn from it."""
    if not isinstance(domain, Space | Frame):
        raise InputTypeError(
            f"{owner} of {show(domain)} cannot be drawn.",
            got=type(domain).__name__,
            need="a phimaps space, or a Frame for data frames",
            do=f"{owner}(pm.Box([0, 0], [1, 1]))",
        )
    return domain


def limits(on: Space, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of what is drawn, by coordinate: infinite where `nearest` sees to it."""
    if isinstance(on, Product):
        pieces = [limits(part, reach) for part in on.parts]
        low, high = (np.concatenate(ends) for ends in zip(*pieces, strict=True))
        return low, high
    low, high = on.bounds()
    low_far, high_far = np.isneginf(low), np.isposinf(high)
    # A side that is unbounded ends `reach` away from 0, or from the other end.
    start = np.where(low_far, np.where(high_far, -reach, np.minimum(high, 0) - reach), low)
    stop = np.where(high_far, np.where(low_far, reach, np.maximum(low, 0) + reach), high)
    if not isinstance(on, Boxlike):
        return np.where(low_far, start, -np.inf), np.where(high_far, stop, np.inf)
    # The numbers next to an open end are often too small to compute with, so keep a little away.
    low_in, high_in = on.attains()
    width = np.minimum(stop / 2 - start / 2, 0.5) * 2
    away = 1e-12 * np.maximum(width, np.maximum(np.abs(start), np.abs(stop)) * (width > 1e-6))
    least = np.where(low_in | low_far, start, start + away)
    greatest = np.where(high_in | high_far, stop, stop - away)
    room = (least < greatest) | (low == high)
    return np.where(room, least, start), np.where(room, greatest, stop)


def nearest(on: Space, points: np.ndarray) -> np.ndarray:
    """As `Space.nearest`, without looking at a thousand categories one by one."""
    if isinstance(on, Product):
        pieces = zip(on.parts, on.split(points), strict=True)
        return np.concatenate([nearest(part, x) for part, x in pieces], axis=1)
    if isinstance(on, Categories):
        return np.clip(np.rint(points), 0, on.n - 1)
    return on.nearest(points)


@final
class Ground:
    """A space as something to draw from: how bytes become numbers, and numbers points.

    Parameters
    ----------
    on : Space
    reach : float
        How far out to draw where the space is unbounded.
    """

    def __init__(self, on: Space, reach: float = REACH):
        self.on, self.size = on, on.size
        low, high = on.bounds()
        self.floor, self.ceiling = (v.ravel() for v in limits(on, reach))
        self.low = np.where(np.isinf(self.floor), low.ravel(), self.floor)
        self.high = np.where(np.isinf(self.ceiling), high.ravel(), self.ceiling)
        # Of long sides most numbers are drawn from the part that is near 0, where there is one.
        near, far = np.clip(self.low, -CORE, CORE), np.clip(self.high, -CORE, CORE)
        cut = (far - near > 0.1) & (self.high / 2 - self.low / 2 > LONG / 2)
        self.near, self.far = np.where(cut, near, self.low), np.where(cut, far, self.high)
        self.middle = self.low / 2 + self.high / 2
        self.wide = self.size > WIDE
        self.blocks = PALETTE if self.wide else self.size

    @property
    def length(self) -> int:
        """How many bytes make a row: its kind, a pattern, a place, and three for each number."""
        return 4 + 3 * self.blocks

    @cached_property
    def anchor(self) -> np.ndarray:
        """A point of the space, for those that do not arrive in it."""
        start = np.clip(np.zeros(self.size), self.floor, self.ceiling)
        found = self.on.nearest(start.reshape(1, *self.on.shape))
        found = np.concatenate([found, self.on.sample(16, 0)])
        good = self.on.contains(found)
        normal = good & ~_tiny(found).reshape(len(found), -1).any(axis=1)
        return found[int(np.argmax(normal if normal.any() else good))]

    def arrive(self, raw: np.ndarray) -> np.ndarray:
        """Points of the space near raw rows of shape (m, size), as (m, *shape)."""
        near = np.clip(np.nan_to_num(raw, posinf=1e300, neginf=-1e300), self.floor, self.ceiling)
        points = nearest(self.on, near.reshape(-1, *self.on.shape))
        points = np.where(_tiny(points), 0.0, points)
        # Adding 0 makes -0 and 0 one number.
        return self._chosen(self.on.contains(points), points, self.anchor) + 0.0

    def _chosen(self, which: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(which.reshape(-1, *[1] * len(self.on.shape)), a, b)

    def outward(self, raw: np.ndarray) -> np.ndarray:
        """Raw rows moved away from the middle, far enough to arrive at the boundary."""
        return self.middle + (raw - self.middle) * 1e3

    # --- from bytes ------------------------------------------------------------------------------
    def points(self, rows: list[bytes]) -> np.ndarray:
        """The points that strings of `length` bytes stand for, of shape (m, *shape)."""
        if not rows:
            return np.zeros((0, *self.on.shape))
        table = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), self.length)
        kind, raw = table[:, 0] % 16, self.numbers(table)
        raw = np.where((kind == 8)[:, None], raw[:, :1], raw)
        odd = self._spread(table, 2) % 2 == 1
        raw = np.where((kind == 9)[:, None] & odd, 0.0, raw)
        raw = np.where((kind == 10)[:, None], self.outward(raw), raw)
        axis = np.arange(self.size) == place_in(table[:, 2:4], self.size)
        one = np.where(axis, raw, self.middle)
        raw = np.where((kind == 11)[:, None], self.outward(one), raw)
        raw = np.where((kind == 12)[:, None], np.where(odd, self.high, self.low), raw)
        points = self.arrive(raw)
        for i in np.flatnonzero((kind == 13) | (kind == 14)):
            seed = int.from_bytes(rows[i][1:25], "big")
            points[i] = self.arrive(self.on.sample(1, seed).reshape(1, -1))[0]
        for i in np.flatnonzero(kind[1:] == 15) + 1:
            points[i] = points[i - 1]
        return points

    def numbers(self, table: np.ndarray) -> np.ndarray:
        """The raw numbers of rows of bytes, of shape (m, size), between `low` and `high`."""
        a, b, c = (self._spread(table, i) for i in range(3))
        low, high, near, far = self.low, self.high, self.near, self.far
        code = c.astype(np.uint32) * 256 + b
        kind = a % 16
        small = np.where(b < 192, b % 8, b.astype(int) - 184)
        found = np.where(small % 2, (small + 1) // 2, -(small // 2)).astype(float)
        found = np.where(kind == 5, low, np.where(kind == 6, high, found))
        # Bits turned around, so that small codes have few binary digits.
        share = _mirrored(np.where(kind < 9, b, code)) / 65536
        found = np.where((kind >= 7) & (kind <= 9), near + share * (far - near), found)
        ragged = np.modf((code + 1) * GOLDEN)[0]
        found = np.where((kind >= 10) & (kind <= 12), near + ragged * (far - near), found)
        found = np.where(kind == 13, low * (1 - ragged) + high * ragged, found)
        step = 10.0 ** -(1.0 + b % 12)
        width = np.minimum(high / 2 - low / 2, 0.5) * 2 * step
        found = np.where(kind == 14, np.where(c % 2, high - width, low + width), found)
        found = np.where(kind == 15, np.where(c % 2, -step, step) * (0.5 + ragged), found)
        return np.clip(found, low, high)

    def _spread(self, table: np.ndarray, i: int) -> np.ndarray:
        """The i-th byte of each coordinate's number, of shape (m, size)."""
        blocks = table[:, 4 + i :: 3]
        if not self.wide:
            return blocks
        out = blocks[np.arange(len(table))[:, None], self._patterns(table)]
        for row in np.flatnonzero(table[:, 1] % 8 >= 6):
            rng = np.random.default_rng([i, *table[row].tolist()])
            out[row] = rng.integers(0, 256, self.size, dtype=np.uint8)
        return out

    def _patterns(self, table: np.ndarray) -> np.ndarray:
        """Which of the numbers each coordinate of a wide row has, of shape (m, size)."""
        place = np.arange(self.size)
        start = place_in(table[:, 2:4], self.size)
        steps = np.indices(self.on.shape).sum(axis=0).ravel() % 2
        made = [
            np.zeros((len(table), self.size), dtype=int),
            (place == start).astype(int),
            (place >= start).astype(int),
            np.broadcast_to(steps, (len(table), self.size)),
            np.broadcast_to(place % PALETTE, (len(table), self.size)),
            np.broadcast_to(place * PALETTE // self.size, (len(table), self.size)),
        ]
        kind = table[:, 1] % 8
        return np.choose(np.where(kind < 6, kind, 0)[:, None], made)


def _tiny(points: np.ndarray) -> np.ndarray:
    return (points != 0) & (np.abs(points) < TINY)


@final
class Reader:
    """Choices from bytes, one after the other; the first ones when the bytes are used up."""

    def __init__(self, made: bytes):
        self._left = iter(made)

    def below(self, n: int) -> int:
        """One of 0, ..., n - 1, for n up to 256."""
        return next(self._left, 0) % n

    def pick(self, options: Any) -> Any:
        """One of the options, the first for the byte 0."""
        return options[self.below(len(options))]

    def numbers(self, n: int, unit: float = 0.5, most: int = 6) -> np.ndarray:
        """n multiples of `unit`: 0, then those of 1, -1, 2, ..., up to `most`."""
        steps = [self.below(2 * most + 1) for _ in range(n)]
        return unit * np.array([(k + 1) // 2 if k % 2 else -(k // 2) for k in steps], dtype=float)

    def bytes(self, n: int) -> bytes:
        """The next n bytes."""
        return bytes(self.below(256) for _ in range(n))


def place_in(two: np.ndarray, size: int) -> np.ndarray:
    """Places below `size` from two bytes each, of shape (m, 1)."""
    return (two[:, :1].astype(int) * 256 + two[:, 1:]) % size


def _mirrored(code: np.ndarray) -> np.ndarray:
    """16-bit numbers with their bits in the opposite order."""
    code = code.astype(np.uint32)
    for shift, mask in ((8, 0x00FF), (4, 0x0F0F), (2, 0x3333), (1, 0x5555)):
        code = ((code >> shift) & mask) | ((code & mask) << shift)
    return code
