"""Pairs of points of a space, at which maps tend to fail, as a Hypothesis strategy."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from ..frames import Frame
from .drawing import REACH, Ground, byte_rows, checked, place_in, random_rows, sizes

__all__ = ["pairs", "random_pairs"]

# What may follow the two points in the bytes of a pair: its kind, a coordinate, a size, a sign.
EXTRA = 4
KINDS, LINE = 16, 11
# Shifts that are a period of many maps.
PERIODS = np.array([1.0, 2 * np.pi, np.pi, 0.5, 2.0, 24.0])
FACTORS = np.array([2.0, 0.5, -2.0, 10.0, 1e-3, 3.0, -0.5, 1.5])


@final
class _Pairs:
    """Pairs of points from bytes: those of a row, those of another, and how they are related."""

    def __init__(self, ground: Ground):
        self.ground = ground

    @property
    def length(self) -> int:
        return 2 * self.ground.length + EXTRA

    def pairs(self, drawn: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The pairs that strings of `length` bytes stand for."""
        ground, n = self.ground, self.ground.length
        x, z = (ground.points([row[i : i + n] for row in drawn]) for i in (0, n))
        if not drawn:
            return x, z
        extra = np.frombuffer(b"".join(row[2 * n :] for row in drawn), dtype=np.uint8)
        extra = extra.reshape(len(drawn), EXTRA)
        a, b = x.reshape(len(x), -1).copy(), z.reshape(len(z), -1).copy()
        kinds = extra[:, 0] % KINDS
        # The line comes last: it goes through the first point as that has become.
        for kind in sorted(set(kinds.tolist()), key=lambda kind: (kind == LINE, kind)):
            at = kinds == kind
            first = ground.arrive(a[:1]).reshape(1, -1) if kind == LINE else a[:1]
            a[at], b[at] = self._related(kind, a[at], b[at], extra[at], first)
        return ground.arrive(a), ground.arrive(b)

    def _related(
        self, kind: int, x: np.ndarray, z: np.ndarray, extra: np.ndarray, first: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Raw rows (x, y) of one kind of pairs, from the rows x and z."""
        ground, size = self.ground, self.ground.size
        axis = np.arange(size) == place_in(extra[:, 1:3], size)
        last = extra[:, 3:].astype(int)
        sign = np.where(last % 2, -1.0, 1.0)
        short = sign * 10.0 ** -(1.0 + last // 2 % 12)
        width = np.minimum(ground.high - ground.low, 1.0).max()
        short_way = short * np.maximum(np.abs(x).max(axis=1, keepdims=True), width)
        factor = FACTORS[last % len(FACTORS)]
        shift = np.where(last % 4 < 2, sign * PERIODS[last // 4 % len(PERIODS)], short_way)
        if kind == 0:
            return x, np.where(axis, z, x)
        if kind == 2:
            return np.where(axis, ground.low, x), np.where(axis, ground.high, x)
        if kind == 3:
            return x, -x
        if kind == 4:
            return x, np.where(axis, -x, x)
        if kind == 5:
            way = z - x
            greatest = np.abs(way).max(axis=1, keepdims=True)
            way = np.where(greatest > 0, way / np.where(greatest > 0, greatest, 1.0), 1.0)
            return x, x + short_way * way
        if kind == 6:
            return x, np.where(axis, x + np.where(last // 32 % 2, short_way, shift), x)
        if kind == 7:
            return x, np.where(last % 3 > 0, factor, 1 + short) * x
        if kind == 8:
            return x, self._moved(x, extra)
        if kind == 9:
            return x, x + shift
        if kind == 10:
            return x, np.where(axis, x + shift, np.where(np.roll(axis, 1, axis=1), x - shift, x))
        if kind == LINE:
            return x, first + factor * (x - first)
        if kind == 12:
            return ground.outward(x), ground.outward(2 * ground.middle - x)
        if kind == 13:
            edge = ground.arrive(ground.outward(x)).reshape(x.shape)
            return edge, edge + np.abs(short) * (ground.middle - edge)
        if kind == 14:
            return x, np.take_along_axis(x, np.argsort(z, axis=1, kind="stable"), axis=1)
        if kind == 15:
            return x, np.where(np.arange(size) % 2 == last % 2, x, z)
        return x, z

    def _moved(self, x: np.ndarray, extra: np.ndarray) -> np.ndarray:
        """The coordinates turned around or moved on, along one axis of the points."""
        shape = self.ground.on.shape
        out = x.reshape(-1, *shape).copy()
        for i, (_, _, place, how) in enumerate(extra):
            axis = int(place) % len(shape)
            out[i] = np.flip(out[i], axis) if how % 2 else np.roll(out[i], 1 + how // 2 % 3, axis)
        return out.reshape(x.shape)


def pairs(domain: Any, least: int = 1, most: int = 24, *, reach: float = REACH) -> Any:
    """Pairs of points of a space, paired row by row: (x, y).

    Beside independent points: pairs that agree in all coordinates but one, down to its two ends;
    mirrored ones, x and -x in one coordinate or in all; near ones, down to 1e-12 of their size,
    along an axis and in any direction; multiples; permuted coordinates; shifts of one coordinate or
    of all, by the periods that many maps have; shifts of one against another, which sums do not
    see; points on one line; points on opposite sides of the boundary. Some pairs coincide, as where
    a space has too few points. All lie in the space.

    Parameters
    ----------
    domain : Space or Frame
    least, most : int, default 1 and 24
        The number of pairs.
    reach : float, default 1e3
        How far out to draw where the space is unbounded.

    Returns
    -------
    SearchStrategy
        Of (x, y), two float64 arrays of shape (n, *shape); two data frames for a `Frame`.

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        As of `points`.

    Examples
    --------
    >>> import phimaps as pm
    >>> from hypothesis import given, settings
    >>> on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    >>> @settings(max_examples=20, database=None, derandomize=True)
    ... @given(pairs(on))
    ... def tanh_brings_nearer(pair):
    ...     x, y = pair
    ...     before, after = on.distance(x, y), on.distance(np.tanh(x), np.tanh(y))
    ...     assert (after <= before + 1e-15).all()
    >>> tanh_brings_nearer()
    """
    domain = checked(domain, "pairs")
    if isinstance(domain, Frame):
        frame = domain

        def framed(pair: tuple[np.ndarray, np.ndarray]) -> tuple[Any, Any]:
            return frame.rows(pair[0]), frame.rows(pair[1])

        return pairs(frame.codes, least, most).map(framed)
    least, most = sizes(least, most)
    drawing = _Pairs(Ground(domain, reach))
    return byte_rows(drawing.length, least, most).map(drawing.pairs)


def random_pairs(
    domain: Any,
    least: int = 1,
    most: int = 24,
    *,
    random_state: int | np.random.Generator = 0,
    reach: float = REACH,
) -> tuple[Any, Any]:
    """What `pairs` draws, once, without Hypothesis.

    Parameters
    ----------
    domain, least, most, reach
        As of `pairs`.
    random_state : int or numpy.random.Generator, default 0

    Returns
    -------
    x, y : ndarray of shape (n, *shape), or pandas.DataFrame

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        As of `points`.

    Examples
    --------
    >>> import phimaps as pm
    >>> x, y = random_pairs(pm.Sphere([0, 0], 1), 7, 7)
    >>> x.shape, y.shape
    ((7, 2), (7, 2))
    """
    domain = checked(domain, "random_pairs")
    if isinstance(domain, Frame):
        x, y = random_pairs(domain.codes, least, most, random_state=random_state)
        return domain.rows(x), domain.rows(y)
    drawing = _Pairs(Ground(domain, reach))
    return drawing.pairs(random_rows(drawing.length, *sizes(least, most), random_state))
