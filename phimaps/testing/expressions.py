"""Random expressions of the algebra, each with a space on which it is defined."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .. import maps, models
from ..errors import PhimapsError
from ..map import Assume, FeatureMap, Scale, product
from ..maps import affine, pointwise, powers, vector
from ..models import Pullback
from ..property import Bounded, Continuous, Injective, Lipschitz
from ..spaces import (
    Ball,
    Box,
    Categories,
    Euclidean,
    Finite,
    Images,
    NonNegative,
    Product,
    Simplex,
    Space,
    Sphere,
    Subspace,
)

__all__ = ["expressions", "leaf_examples", "spaces", "surely_defined", "usable"]

WIDEST = 24


def leaf_examples(report: Callable[[str], None] = print) -> list[FeatureMap]:
    """An example of every concrete map of the library, found by walking the subclasses.

    Parameters
    ----------
    report : callable
        Is told which classes have no example, and why.

    Returns
    -------
    list of FeatureMap
    """
    found: list[FeatureMap] = []
    pending = [FeatureMap]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        # Others are parents, of which some lack no method.
        concrete = "__final__" in vars(kind) and not inspect.isabstract(kind)
        if not concrete or not kind.__module__.startswith(maps.__name__):
            continue
        try:
            found.append(kind.example())
        except (TypeError, PhimapsError) as error:
            report(f"{kind.__name__}: no example ({str(error).splitlines()[0]})")
    return sorted(found, key=lambda m: type(m).__name__)


def _chosen(rng: np.random.Generator, d: int) -> FeatureMap:
    """A closed map for points with d coordinates, its parameters drawn."""
    pick = int(rng.integers(0, 24))
    if pick < 5:
        return _affine(rng, d, int(rng.integers(1, 5)))
    if pick < 7:
        weight = rng.choice([0.0, 1.0, -1.0, 0.5, 3.0, rng.normal()], d)
        return affine.Diagonal(weight, rng.choice([0.0, 1.0, rng.normal()], d))
    if pick < 10:
        kept = rng.integers(0, d, int(rng.integers(1, d + 2)))
        return vector.Select([int(i) for i in kept])
    if pick < 13:
        return pointwise.LeakyRelu(float(rng.choice([0.01, 0.5, 1.0, 2.0, 0.0, -0.5, -1.0, 0.3])))
    if pick < 17:
        return powers.Power(float(rng.choice([0, 1, 2, 3, 4, -1, -2, 0.5, 1.5, -0.5])))
    fixed = (
        pointwise.CRelu, vector.Normalize, vector.Identity, powers.Log, powers.Sqrt,
        pointwise.Abs, pointwise.Relu,
    )  # fmt: skip
    return fixed[pick - 17]()


def _affine(rng: np.random.Generator, d: int, k: int) -> FeatureMap:
    weight = rng.normal(size=(d, k)) * rng.choice([0.1, 1.0, 3.0])
    kind = int(rng.integers(0, 5))
    if kind == 0:
        weight = np.round(weight)
    if kind == 1 and k > 1:
        weight[:, -1] = 2 * weight[:, 0]
    if kind == 2 and d > 1:
        weight[-1] = weight[0]
    if kind == 3:
        weight = np.eye(d, k)
    bias = rng.choice([0.0, 1.0], k) * rng.normal(size=k) if rng.random() < 0.7 else None
    return affine.Affine(weight, bias)


def spaces(rng: np.random.Generator, d: int) -> Space:
    """A random space of vectors with d coordinates.

    Parameters
    ----------
    rng : numpy.random.Generator
    d : int

    Returns
    -------
    Space
    """
    pick = int(rng.integers(0, 16))
    size = float(rng.choice([1e-3, 0.5, 1.0, 1.0, 3.0, 20.0]))
    if pick < 2:
        return (Euclidean, NonNegative)[pick]((d,))
    if pick < 7:
        return _curved(rng, d, size, pick)
    centre = rng.choice([0.0, 0.0, 1.0, -2.0], d) * size
    low, high = centre - size * rng.choice([1.0, 0.3], d), centre + size
    if pick in (7, 8, 9):
        # Away from 0, on the side where logarithms live.
        low, high = np.full(d, size * 0.25), np.full(d, size * 2.0)
    if pick == 10:
        low[int(rng.integers(d))] = -np.inf
    if pick == 11:
        side = int(rng.integers(d))
        high[side] = low[side]
    if pick == 12:
        low, high = np.zeros(d), np.full(d, size)
    if pick == 13:
        ends = (low, high) if rng.random() < 0.5 else (np.zeros(d), np.full(d, size))
        return Box(*ends, closed=str(rng.choice(["left", "right", "neither"])))
    return Box(low, high)


def _curved(rng: np.random.Generator, d: int, size: float, pick: int) -> Space:
    """A space that is no box: round, flat, finite, or a product."""
    centre = np.round(rng.normal(size=d), 2) * rng.choice([0.0, 1.0])
    if pick == 2:
        return Ball(centre, size)
    if pick == 3:
        return _finite(rng, d)
    if pick == 4 and d > 1:
        split = int(rng.integers(1, d))
        return Product((spaces(rng, split), spaces(rng, d - split)))
    if pick == 5 and d > 1:
        if rng.random() < 0.4:
            return Simplex(d, size)
        return Sphere(centre, size, str(rng.choice(["chordal", "chordal", "geodesic"])))
    # Rows with a 1 of their own are linearly independent.
    k = int(rng.integers(1, d + 1))
    basis = np.concatenate([np.eye(k), rng.choice([0.0, 1.0, -0.5, 0.3], (k, d - k))], axis=1)
    closed = str(rng.choice(["both", "both", "neither"]))
    within = Box(np.full(k, -size), np.full(k, size), closed=closed)
    return Subspace(basis[:, rng.permutation(d)], centre, within if rng.random() < 0.8 else None)


def _finite(rng: np.random.Generator, d: int) -> Space:
    if rng.random() < 0.3:
        codes = Categories(int(rng.integers(1, 6)))
        return codes if d == 1 else Product((codes, spaces(rng, d - 1)))
    members = np.round(rng.normal(size=(int(rng.integers(1, 7)), d)), 1)
    if rng.random() < 0.8:
        return Finite(members)
    # Square roots of distances are distances.
    gaps = np.linalg.norm(members[:, None] - members[None], axis=2)
    return Finite(members, np.sqrt(gaps))


class Grower:
    """Builds expressions bottom up, each tried on sample points before it is used.

    They are bound to these points, or left open where `bound` is False.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        examples: list[FeatureMap],
        euclidean: bool = True,
        bound: bool = True,
    ):
        self.rng, self.examples, self.euclidean, self.bound = rng, examples, euclidean, bound

    def leaf(self, x: np.ndarray) -> tuple[FeatureMap, np.ndarray] | None:
        if x.ndim > 2 or self.rng.random() < 0.4:
            phi = self.examples[int(self.rng.integers(len(self.examples)))]
        else:
            phi = _chosen(self.rng, x.shape[1])
        return self.tried(phi, x)

    def tried(self, phi: FeatureMap, x: np.ndarray) -> tuple[FeatureMap, np.ndarray] | None:
        """The map bound to the points, and its values; None where it cannot take them."""
        given = phi
        try:
            phi.check_parameters()
            phi = phi.bind(x) if not phi.closed else phi
            with torch.no_grad():
                y = phi.forward(torch.from_numpy(x)).numpy()
        except (PhimapsError, ValueError, TypeError, UserWarning):
            return None
        good = np.isfinite(y).all() and y.ndim > 1 and 0 < np.prod(y.shape[1:]) <= WIDEST * 6
        found = phi if self.bound else given
        return (found, y) if good and np.abs(y).max(initial=0.0) < 1e30 else None

    def grow(self, x: np.ndarray, depth: int) -> tuple[FeatureMap, np.ndarray] | None:
        if depth <= 0 or self.rng.random() < 0.12:
            return self.leaf(x)
        first = self.grow(x, depth - 1)
        if first is None:
            return None
        f, y = first
        pick = int(self.rng.integers(0, 16))
        if pick < 6:
            second = self.grow(y, depth - 1)
            return None if second is None else self.tried(second[0] @ f, x)
        if pick < 8:
            return self._beside(f, y, x, depth)
        if pick == 8:
            return self._times(f, y, x, depth)
        if pick < 11:
            return self._plus(f, y, x, depth)
        if pick < 13:
            factor = float(self.rng.choice([2.0, -1.0, 0.5, 0.0, -3.0, 0.3, 1e-3]))
            return self.tried(Scale(factor, f), x)
        if pick == 13 and x.ndim == 2 and x.shape[1] > 1:
            return self._product(x, depth)
        if pick == 14:
            return self.tried(self._assumed(f), x)
        return first

    def _beside(self, f: FeatureMap, y: np.ndarray, x: np.ndarray, depth: int) -> Any:
        second = self.grow(x, depth - 1)
        if second is None or y[0].size + second[1][0].size > WIDEST:
            return None
        return self.tried(f & second[0], x)

    def _times(self, f: FeatureMap, y: np.ndarray, x: np.ndarray, depth: int) -> Any:
        second = self.grow(x, depth - 1)
        if second is None or y[0].size * second[1][0].size > WIDEST:
            return None
        return self.tried(f * second[0], x)

    def _plus(self, f: FeatureMap, y: np.ndarray, x: np.ndarray, depth: int) -> Any:
        second = self.grow(x, depth - 1)
        if second is None:
            return None
        g, z = second
        if z.shape != y.shape:
            if z.ndim != 2 or y.ndim != 2:
                return None
            g = _affine(self.rng, z.shape[1], y.shape[1]) @ g
        return self.tried(f + g, x)

    def _product(self, x: np.ndarray, depth: int) -> Any:
        cut = int(self.rng.integers(1, x.shape[1]))
        a = self.grow(np.ascontiguousarray(x[:, :cut]), depth - 1)
        b = self.grow(np.ascontiguousarray(x[:, cut:]), depth - 1)
        if a is None or b is None or a[1][0].size + b[1][0].size > WIDEST:
            return None
        return self.tried(product(a[0], b[0], widths=(cut, x.shape[1] - cut)), x)

    def _assumed(self, f: FeatureMap) -> FeatureMap:
        """f with a true assumption, which `decide` could have found by itself."""
        true = {
            pointwise.Tanh: Injective,
            pointwise.Relu: Lipschitz(1.0),
            pointwise.Sigmoid: Bounded(8.0),
            pointwise.Silu: Continuous,
            vector.Select: Continuous,
        }
        claim = true.get(type(f))
        if isinstance(f, pointwise.Relu) and not self.euclidean:
            # Between categories, all at distance 1, it stretches more.
            return f
        return f if claim is None else Assume(f, claim, "it is true")


def surely_defined(phi: Any, on: Space) -> bool:
    """Whether every part is defined on all that may reach it.

    Parameters
    ----------
    phi : FeatureMap or Pullback
    on : Space

    Returns
    -------
    bool

    Examples
    --------
    >>> import phimaps as pm
    >>> surely_defined(pm.Log() @ pm.Relu(), pm.Box([-1.0], [1.0]))
    False
    """
    if phi.undefined(on) is not None:
        return False
    return all(surely_defined(p.map, p.arrives.outer) for p in phi.parts(on))


def expressions(
    n: int,
    random_state: int = 0,
    depth: int = 5,
    report: Callable[[str], None] | None = None,
) -> Iterator[tuple[Any, Space]]:
    """Yield random (map, space) pairs: every leaf map, every combinator, many kinds of spaces.

    The maps are closed, and surely defined on all of the space. About one in twenty is a model
    class pulled back, ``F @ phi``.

    Parameters
    ----------
    n : int
        How many.
    random_state : int, default 0
    depth : int, default 5
        How deep they nest at most; each depth from 1 on is drawn alike.
    report : callable, optional
        Is told which library maps take none of the spaces, and so never occur.

    Yields
    ------
    (FeatureMap or Pullback, Space)

    Examples
    --------
    >>> all(on.contains(on.sample(5)).all() for _, on in expressions(3, random_state=1))
    True
    """
    rng = np.random.default_rng(random_state)
    rows, images = usable(report or (lambda line: None))
    done = 0
    while done < n:
        if images and rng.random() < 0.08:
            on: Space = Images(1, 4, 4) if rng.random() < 0.5 else Images(2, 3, 4, -1.0, 1.0)
            grower = Grower(rng, images)
        else:
            on = spaces(rng, int(rng.integers(1, 5)))
            grower = Grower(rng, rows, on.euclidean)
        grown = grower.grow(on.sample(24, rng), int(rng.integers(1, depth + 1)))
        if grown is None or grown[1][0].size > WIDEST * 4:
            continue
        phi: Any = grown[0]
        if rng.random() < 0.08:
            phi = phi.on(on)
        if rng.random() < 0.06 and grown[1].ndim == 2:
            model = models.Linear() if rng.random() < 0.4 else models.MLP()
            phi = Pullback(model, phi)
        if surely_defined(phi, on):
            done += 1
            yield phi, on


def usable(report: Callable[[str], None]) -> tuple[list[FeatureMap], list[FeatureMap]]:
    """The examples that take rows, and those that take images."""
    rng = np.random.default_rng(0)
    points = [
        (rng.uniform(0.5, 1.5, (12, 2)), 0),
        (rng.uniform(0.5, 1.5, (12, 3)), 0),
        (rng.uniform(0.0, 1.0, (12, 1, 4, 4)), 1),
    ]
    found: tuple[list[FeatureMap], list[FeatureMap]] = ([], [])
    for phi in leaf_examples(report):
        taken = False
        for x, kind in points:
            if Grower(rng, []).tried(phi, x) is not None:
                taken = True
                if phi not in found[kind]:
                    found[kind].append(phi)
        if not taken:
            report(f"{type(phi).__name__}: {phi!r} takes none of the points tried")
    return found
