"""Random expressions of the algebra, as a Hypothesis strategy."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...errors import InputTypeError, ParameterError, show
from ...map import FeatureMap
from ...maps import vector
from ...spaces import Space
from ..expressions import Grower, surely_defined, usable
from .any_space import BYTES, space_of
from .drawing import hypothesis_strategies

__all__ = ["feature_maps"]

# How often a map is grown anew that is not defined on all of the space.
TRIES = 40
# The bytes of the depth and of the seed.
RECIPE = 4
# More features than this are of no use to a test.
WIDEST = 96


def feature_maps(space: Space | None = None, depth: int = 3, *, closed: bool = True) -> Any:
    """Random expressions of the algebra: every map of the library, joined by every operator.

    Parameters
    ----------
    space : Space, optional
        Where the maps are defined. Default: a space of its own for each map, which is restricted to
        it: ``phi.domain``.
    depth : int, default 3
        How deep they nest at most; 0 for single maps.
    closed : bool, default True
        Whether all data are in them. Otherwise maps that are to be fitted occur too; each has been
        fitted to a sample of the space, and was defined on all of the space then.

    Returns
    -------
    SearchStrategy
        Of feature maps. Their depth shrinks, and the seed that they are grown from.

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        When `space` is no space, or `depth` no int from 0 on; when Hypothesis is not installed.

    Examples
    --------
    >>> import phimaps as pm
    >>> from hypothesis import given, settings
    >>> on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    >>> @settings(max_examples=20, database=None, derandomize=True, deadline=None)
    ... @given(feature_maps(on))
    ... def a_restriction_keeps_injectivity(phi):
    ...     whole = pm.decide(phi, pm.Injective, on=on)
    ...     part = pm.decide(phi, pm.Injective, on=pm.Box([0.0, 0.0], [1.0, 1.0]))
    ...     assert not (whole.holds is True and part.holds is False)
    >>> a_restriction_keeps_injectivity()
    """
    st = hypothesis_strategies()
    if space is not None and not isinstance(space, Space):
        raise InputTypeError(
            f"Maps on {show(space)} cannot be drawn.",
            got=type(space).__name__,
            need="a phimaps space, or None for spaces of their own",
            do="feature_maps(pm.Box([0, 0], [1, 1]))",
        )
    whole = isinstance(depth, int | np.integer) and not isinstance(depth, bool)
    if not whole or depth < 0:
        raise ParameterError(
            f"Maps of depth {show(depth)} cannot be drawn.",
            got=f"depth={show(depth)}",
            need="an int from 0 on",
            do="feature_maps(space, depth=3)",
        )
    # Looked for now, as Hypothesis minds when a draw takes long.
    _examples()
    own = 0 if space is not None else BYTES

    def grown(made: bytes) -> FeatureMap:
        on = space_of(made[RECIPE:]) if space is None else space
        phi = _grown(on, made[0] % (int(depth) + 1), list(made[1:RECIPE]), bool(closed))
        return phi.on(on) if space is None else phi

    # A single choice: of several, Hypothesis would try each in the other's place.
    return st.binary(min_size=RECIPE + own, max_size=RECIPE + own).map(grown)


@cache
def _examples() -> tuple[list[FeatureMap], list[FeatureMap]]:
    return usable(lambda line: None)


def _grown(on: Space, depth: int, seed: list[int], closed: bool) -> FeatureMap:
    rows, images = _examples()
    examples = {1: rows, 3: images}.get(len(on.shape), rows + images)
    points = on.sample(24, np.random.default_rng(seed))
    for attempt in range(TRIES):
        rng = np.random.default_rng([*seed, attempt])
        found = Grower(rng, examples, on.euclidean, bound=closed).grow(points, depth)
        if found is None or found[1][0].size > WIDEST:
            continue
        phi = found[0]
        if surely_defined(phi if closed else phi.bind(points), on):
            return phi
    return vector.Identity()
