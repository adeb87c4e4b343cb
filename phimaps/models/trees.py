"""Decision trees, and sums of trees of a depth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import isfinite
from typing import Any, ClassVar, final

import numpy as np

from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import Universal
from ..spaces import Space
from ..witness import AnnihilatingMeasure
from .base import Model, Reach, count, discontinuous, every_sense, positive, sizes

__all__ = ["BoostedTrees", "Trees", "alternating"]

# Cubes of more vertices than 2 to this are not looked for.
DEEPEST = 11
# Finite spaces of up to this many points are searched through for a cube.
FEW = 64
FINITE = "boxes part finitely many points, and every function on them is continuous"


def alternating(on: Space, k: int, because: str) -> AnnihilatingMeasure | None:
    """±1 in turn on the 2^k vertices of a box of k coordinates in a space, the others held.

    It annihilates every sum of functions of fewer than k of the coordinates each: of two vertices
    that differ in a coordinate on which a summand does not depend, the signs are opposite.
    """
    if not 0 < k <= min(on.size, DEEPEST):
        return None
    signs = np.array([(-1.0) ** sum(v) for v in product((0, 1), repeat=k)])
    for x, y in _opposite(on, k):
        where = np.flatnonzero(x != y)[:k]
        vertices = np.tile(x, (2**k, 1))
        for row, choice in zip(vertices, product((0, 1), repeat=k), strict=True):
            row[where] = np.where(choice, y[where], x[where])
        points = vertices.reshape(-1, *on.shape)
        if bool(on.surely_contains(points).all()):
            return AnnihilatingMeasure(points, signs, because)
    return None


def _opposite(on: Space, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of vectors that differ in at least k coordinates, to span a box."""
    members = on.enumerate()
    if members is not None:
        if len(members) <= max(FEW, 2**k) and len(members) >= 2**k:
            rows = members.reshape(len(members), -1)
            for x, y in combinations(rows, 2):
                if np.count_nonzero(x != y) == k:
                    yield x, y
        return
    box = on.inner_box()
    for bounds in (on.bounds(), *([box.bounds()] if box is not None else [])):
        low, high = (np.ravel(v).tolist() for v in bounds)
        ends = [_ends(a, b) for a, b in zip(low, high, strict=True)]
        x, y = (np.array(side) for side in zip(*ends, strict=True))
        if np.count_nonzero(x != y) >= k:
            yield x, y


def _ends(low: float, high: float) -> tuple[float, float]:
    """Two numbers of an interval, its ends where they are finite."""
    low = low if isfinite(low) else min(high, 1.0) - 1.0
    return low, high if isfinite(high) else max(low, 0.0) + 1.0


@final
class Trees(Model):
    """F = {functions that are constant on each of finitely many boxes that part R^d}.

    Every continuous function is a uniform limit of members on each compact set: cut it into boxes
    on which the function varies little. Members are not continuous, so F is universal in the
    approximate sense, not in the strict one; of finite sets it is all functions. scikit-learn's
    trees round points to float32.

    Parameters
    ----------
    max_leaf_nodes : int, optional
        Boxes of the fitted member; None: until each has one value.
    random_state : int, default 0
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Breiman, Friedman, Olshen and Stone (1984), Classification and regression trees.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(Trees() @ pm.Identity(), pm.Universal, on=pm.Box([0.0], [1.0])).holds is None
    True
    >>> pm.decide(Trees() @ pm.Identity(), pm.ApproximatelyUniversal, on=pm.Box([0.0], [1.0])).holds
    True
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self, max_leaf_nodes: int | None = None, random_state: int = 0, task: str = "auto"
    ):
        self.max_leaf_nodes = max_leaf_nodes
        self.random_state = random_state
        self.task = task

    @property
    def universality(self) -> Reach:
        source = "a continuous function on a compact set varies little on each box of a fine grid"
        return Reach("approximate", "on every compact set of R^d", source)

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.max_leaf_nodes is not None:
            count(self, "max_leaf_nodes", 2)

    def facts(self, on: Space) -> Iterator[Fact]:
        if not on.infinite:
            yield from every_sense(FINITE)
        else:
            yield from discontinuous("a continuous g varies little on each box of a fine grid")

    def ladder(self, step: int) -> Trees:
        """2^(step + 1) boxes: functions of fewer boxes are functions of more."""
        return Trees(2 * sizes(step), self.random_state, self.task)

    def member(self, classify: bool) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        kind = DecisionTreeClassifier if classify else DecisionTreeRegressor
        return kind(max_leaf_nodes=self.max_leaf_nodes, random_state=self.random_state)


@final
class BoostedTrees(Model):
    """F = {sums of any number of trees of depth m}: each summand looks at m coordinates at most.

    In d <= m coordinates every continuous function is a uniform limit of members on each compact
    set, as differences of indicators of orthants are those of boxes; members are not continuous,
    so this is the approximate sense. On a box of d > m coordinates it is universal in no sense: the
    signs ±1 in turn on the 2^(m+1) vertices of a cube annihilate it, and the parity of m + 1 bits
    is missed by at least 1 after every number of rounds. scikit-learn's trees round points to
    float32; its default depth is 3.

    Parameters
    ----------
    depth : int, default 3
        m >= 1.
    n_estimators : int, default 100
        Rounds of the fitted member.
    learning_rate : float, default 0.1
    random_state : int, default 0
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Friedman (2001), Greedy function approximation: a gradient boosting machine.

    Examples
    --------
    >>> import phimaps as pm
    >>> cube = pm.Box([-1.0] * 3, [1.0] * 3)
    >>> verdict = pm.decide(BoostedTrees(2) @ pm.Identity(), pm.Universal, on=cube)
    >>> verdict.holds, len(verdict.witness.points)
    (False, 8)
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self,
        depth: int = 3,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        random_state: int = 0,
        task: str = "auto",
    ):
        self.depth = depth
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.task = task

    @property
    def universality(self) -> Reach:
        where = f"on compact sets of R^d with d <= {self.depth}; not on a box of more coordinates"
        source = (
            "the indicator of an orthant is a tree of depth d; the alternating signs on a cube of "
            "depth + 1 coordinates annihilate functions of fewer"
        )
        return Reach("approximate", where, source)

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "depth")
        count(self, "n_estimators")
        positive(self, "learning_rate")

    def facts(self, on: Space) -> Iterator[Fact]:
        if not on.infinite and on.size <= self.depth:
            yield from every_sense(FINITE)
        elif on.size <= self.depth:
            yield from discontinuous(
                "sums of indicators of orthants, which are trees of depth d, are all functions "
                "that are constant on each box of a grid"
            )
        elif (measure := self.annihilator(on)) is not None:
            yield ~Universal, Reason(measure.because, Strength.WITNESS, witness=measure)

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """±1 in turn on the 2^(m+1) vertices of a cube, where the space has one."""
        text = f"a tree of depth {self.depth} looks at no more coordinates than that"
        return alternating(on, int(self.depth) + 1, text)

    def ladder(self, step: int) -> BoostedTrees:
        """2^step rounds: a sum of fewer trees is one of more."""
        given = self.learning_rate, self.random_state, self.task
        return BoostedTrees(self.depth, sizes(step), *given)

    def member(self, classify: bool) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

        kind = GradientBoostingClassifier if classify else GradientBoostingRegressor
        return kind(
            max_depth=self.depth,
            n_estimators=self.n_estimators,
            learning_rate=self.learning_rate,
            random_state=self.random_state,
        )
