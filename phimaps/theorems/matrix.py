"""Chains of affine maps as one matrix, and what a concatenated rectifier before them keeps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..interval import multiply, norm_bound, singular_values
from ..map import Compose, pipe
from ..maps.pointwise import CRelu
from ..maps.pool import AvgPool2d
from ..maps.vector import Flatten
from ..proof import Strength
from ..property import Affine, Lipschitz, LowerLipschitz
from ..search import Search
from ..spaces import Box, Euclidean
from ..theorem import TABLE, Case, Condition, Premise, theorem

# Beyond this many inputs or entries the matrix of a chain is not worked out.
WIDEST, LARGEST = 256, 2**18


def _column(case: Case, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An enclosure of the chain's value at a point."""
    space: Any = Box(x.reshape(case.on.shape), x.reshape(case.on.shape))
    for part in case.map.maps:
        space = part.image(space).outer
    low, high = space.bounds()
    return low.ravel(), high.ravel()


def _everywhere(case: Case) -> bool:
    """Whether the chain is affine on all of R^n, for that is where its columns are computed.

    A map may be affine on the space and not beyond it, as a rectifier on one side of its kink.
    """
    key = "affine everywhere"
    if key not in case.memo:
        n, whole = case.on.size, Euclidean(case.on.shape)
        case.memo[key] = (
            n <= WIDEST
            and case.map.closed
            and n * int(np.prod(case.map.out_shape(case.on.shape))) <= LARGEST
            and Search(TABLE).prove(case.map, Affine, whole) is not None
        )
    return case.memo[key]


def _no_narrower(case: Case) -> bool:
    return bool(np.prod(case.map.out_shape(case.on.shape)) >= case.on.size)


def _singular(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Certified bounds for the singular values of the chain's matrix.

    Each column is enclosed by interval arithmetic, and a matrix moves its singular values by at
    most its norm (Weyl), so half the widths of the enclosures are taken off and added.
    """
    key = "chain"
    if key not in case.memo:
        n = case.on.size
        zero = _column(case, np.zeros(n))
        columns = [_column(case, row) for row in np.eye(n)]
        with np.errstate(invalid="ignore", over="ignore"):
            low = np.stack([c[0] - zero[1] for c in columns])
            high = np.stack([c[1] - zero[0] for c in columns])
            middle = low / 2 + high / 2
            # The factor covers the rounding of these few operations themselves.
            size = np.maximum(np.abs(low), np.abs(high))
            radius = (high - low) + 8 * np.finfo(np.float64).eps * size
            slack = norm_bound(radius)
        if not np.isfinite(middle).all() or not np.isfinite(slack):
            least, most = np.zeros(n), np.full(n, np.inf)
        else:
            least, most = singular_values(middle)
            least, most = np.maximum(0.0, least - slack), most + slack
        case.memo[key] = (least, most)
    return case.memo[key]


LINEAR = Condition("the chain is affine on all of R^n, its matrix of a moderate size", _everywhere)
INTERIOR = Condition("the space has interior", lambda case: case.on.interior)
INJECTIVE_SHAPE = Condition("there are no fewer outputs than inputs", _no_narrower)
STATEMENT = "a chain of affine maps is one matrix, whose singular values are certified"
SOURCE = "columns enclosed by interval arithmetic; Weyl's inequality; Rump 2011"

theorem(
    "chain-lipschitz",
    Lipschitz,
    Compose,
    LINEAR,
    statement=STATEMENT,
    source=SOURCE,
    bound=lambda case, n: float(_singular(case)[1].max()),
    strength=Strength.COMPUTED,
    euclidean=True,
)
theorem(
    "chain-stretches",
    ~Lipschitz,
    Compose,
    LINEAR,
    INTERIOR,
    statement=STATEMENT,
    source=SOURCE,
    bound=lambda case, n: float(_singular(case)[0].max()),
    strength=Strength.COMPUTED,
)
theorem(
    "chain-lower-lipschitz",
    LowerLipschitz,
    Compose,
    LINEAR,
    INJECTIVE_SHAPE,
    statement=STATEMENT,
    source=SOURCE,
    bound=lambda case, n: float(_singular(case)[0].min()),
    strength=Strength.COMPUTED,
    euclidean=True,
)
theorem(
    "chain-shrinks",
    ~LowerLipschitz,
    Compose,
    LINEAR,
    INTERIOR,
    statement=STATEMENT,
    source=SOURCE,
    bound=lambda case, n: float(_singular(case)[1].min()),
    strength=Strength.COMPUTED,
)


def _halves_meet(case: Case) -> bool:
    """Whether a concatenated rectifier of images is followed only by averages, then Flatten."""
    parts = case.map.maps
    places = [i for i, m in enumerate(parts) if isinstance(m, CRelu)]
    if len(places) != 1 or places[0] in (0, len(parts) - 1) or not case.map.closed:
        return False
    shape = case.on.shape
    for part in parts[: places[0]]:
        shape = part.out_shape(shape)
    # A pool that reads a vector as an image might average over both halves.
    after = [isinstance(m, Flatten) for m in parts[places[0] + 1 :]]
    averages = all(isinstance(m, AvgPool2d | Flatten) for m in parts[places[0] + 1 :])
    return len(shape) == 3 and averages and after == sorted(after)


def _without_rectifier(case: Case) -> Any:
    kept = [m for m in case.map.maps if not isinstance(m, CRelu)]
    # Another map only if something was left out, so that the search ends.
    return pipe(*kept) if 0 < len(kept) < len(case.map.maps) else case.map


theorem(
    "crelu-averages-lower-lipschitz",
    LowerLipschitz,
    Compose,
    Condition("the concatenated rectifier of images is followed only by averages", _halves_meet),
    Premise("derived", LowerLipschitz, _without_rectifier),
    statement="the averages of relu(z) and relu(-z) differ by those of z",
    source=(
        "P relu(z) - P relu(-z) = P z for the linear average P, taken of each channel alike, and "
        "|u - v|² <= 2 (|u|² + |v|²)"
    ),
    bound=lambda case, n: multiply(
        [n["derived", "LowerLipschitz"][0], float(np.nextafter(np.sqrt(0.5), 0))], up=False
    ),
)
