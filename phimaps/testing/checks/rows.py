"""Laws of single rows: one set of features each, whatever stands beside it or came before."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ...drawn import generator
from ..check import register_check
from ..refits import fitted, rounding, same, taken
from ..subject import Instance
from ..trial import Trial

__all__ = [
    "check_batch_sizes",
    "check_deterministic",
    "check_finite",
    "check_rows",
    "check_same_fit",
    "check_width",
]

# Numbers of rows on both sides of where batches, blocks and threads begin.
SIZES = (1, 2, 7, 64, 65, 257, 1025)
# The largest batch that is tried, in numbers.
NUMBERS = 2**20
# How many rows of an example are taken alone.
ALONE = 6
# By how many units in the last place rows are moved to see the slope under the noise.
STEP = {"float64": 2.0**16, "float32": 2.0**10}


@register_check
def check_width(trial: Trial) -> None:
    """As many rows come out as go in, all with the same number of features."""
    instance, X = trial.fresh(), trial.rows()
    widths: dict[tuple[int, ...], int] = {}
    for n in sorted({1, min(2, len(X)), len(X)}):
        result = _called(trial, instance, taken(X, range(n)), n)
        shape = getattr(result, "shape", None)
        shape = np.shape(result) if shape is None else tuple(shape)
        if len(shape) < 2:
            trial.fail(
                f"What comes out for {n} rows is not a table of features.",
                got=f"{type(result).__name__} of shape {shape}",
                need=f"shape ({n}, number of features)",
                do="return a single feature as a column: values.reshape(-1, 1)",
            )
        if shape[0] != n:
            trial.fail(
                f"{n} rows went in, and {shape[0]} came out.",
                got=f"shape {shape}",
                need=f"{n} rows, each in the place of the row that it belongs to",
                do="drop no rows and add none: what cannot be computed is an error, or a feature",
            )
        widths.setdefault(shape[1:], n)
    if len(widths) > 1:
        (one, few), (other, many) = list(widths.items())[:2]
        trial.fail(
            "How many features there are depends on the rows.",
            got=f"{one} for {few} rows, {other} for {many} rows",
            need="the same for all rows",
            do="decide in fit how many there are (of levels, of powers), never in transform",
        )


@register_check
def check_deterministic(trial: Trial) -> None:
    """The same rows have the same features each time, whatever was asked before."""
    instance, X = trial.fresh(), trial.rows()
    Y = trial.rows(len(X), len(X))
    first = instance.features(X)
    judge = trial.fresh()
    same(
        trial,
        instance.features(X),
        first,
        lambda: _slope(judge, X),
        what="The same call, made twice, gives different features.",
        do="draw random numbers in fit and keep them; switch dropout off by model.eval()",
    )
    unused = trial.fresh().features(Y)
    remembered = "Features depend on what was transformed before."
    do = "keep nothing of a call: no caches by shape, no running statistics, no reused buffers"
    same(trial, instance.features(Y), unused, lambda: _slope(judge, Y), what=remembered, do=do)
    same(trial, instance.features(X), first, lambda: _slope(judge, X), what=remembered, do=do)


@register_check(needs=("fit",), once=True)
def check_same_fit(trial: Trial) -> None:
    """Two fits to the same data, with the same seed, give the same map."""
    X = trial.rows(12, 12)
    one, other = (fitted(trial, trial.fit_data) for _ in range(2))
    seeds = trial.subject.has("params") and any(
        name.rpartition("__")[2] == "random_state" for name in one.obj.get_params()
    )
    given = "with random_state=0, " if seeds else ""
    same(
        trial,
        other.features(X),
        one.features(X),
        lambda: rounding(trial, one, X),
        what=f"Two copies, {given}fitted to the same data, are different maps.",
        do="take a parameter random_state, and draw from check_random_state(self.random_state)"
        if not seeds
        else "draw all random numbers from check_random_state(self.random_state), none from "
        "np.random or torch's own generator",
    )


@register_check
def check_rows(trial: Trial) -> None:
    """A row's features do not depend on the other rows, nor on their order or number."""
    instance, X = trial.fresh(), trial.rows(2)
    far = _far_row(trial, X)
    n = len(X)
    expected = instance.features(X)
    allowed = cache(lambda: rounding(trial, trial.fresh(), X))
    if len(expected) != n:
        trial.fail(
            f"{n} rows went in, and {len(expected)} came out.",
            got=f"shape {expected.shape}",
            need=f"{n} rows",
            do="compute every row by itself",
        )
    mixed = generator((trial.seed, n)).permutation(n)
    ways = {
        "alone": [[int(i)] for i in mixed[:ALONE]],
        "in another order": [list(mixed)],
        "backwards": [list(range(n))[::-1]],
        "each of them twice": [list(np.repeat(np.arange(n), 2))],
        "beside a far row": [[*range(n), n]],
    }
    every = _joined(X, far)
    if hasattr(X, "iloc"):
        _labelled(trial, instance, X, expected, allowed)
    for way, groups in ways.items():
        for places in groups:
            found = _features(trial, instance, taken(every, places), way)
            kept = [k for k, place in enumerate(places) if place < n]
            at = [places[k] for k in kept]
            if len(found) != len(places):
                trial.fail(
                    f"{len(places)} rows, taken {way}, give {len(found)} rows of features.",
                    got=f"shape {found.shape}",
                    need=f"{len(places)} rows",
                    do="compute every row by itself",
                )
            same(
                trial,
                found[kept],
                expected[at],
                lambda at=at: allowed()[at],  # type: ignore[misc]
                what=f"A row taken {way} has other features than among the {n} rows drawn.",
                do=_BESIDE,
            )


@register_check(once=True)
def check_batch_sizes(trial: Trial) -> None:
    """A row has the same features in a batch of any size."""
    instance, X = trial.fresh(), trial.rows(24, 24)
    expected = instance.features(X)
    allowed = cache(lambda: rounding(trial, trial.fresh(), X))
    for size in SIZES:
        if size * max(int(np.prod(np.shape(X)[1:])), 1) > NUMBERS:
            break
        places = generator((trial.seed, size)).integers(len(X), size=size)
        found = _features(trial, instance, taken(X, places), f"in a batch of {size}")
        if len(found) != size:
            trial.fail(
                f"{size} rows went in, and {len(found)} came out.",
                got=f"shape {found.shape}",
                need=f"{size} rows",
                do="look at the last batch, which may be shorter than the others",
            )
        same(
            trial,
            found,
            expected[places],
            lambda places=places: allowed()[places],  # type: ignore[misc]
            what=f"A row has other features in a batch of size {size} than in one of {len(X)}.",
            do=_BESIDE,
        )


@register_check
def check_finite(trial: Trial) -> None:
    """The features are finite numbers everywhere on the domain."""
    instance = trial.fresh()
    _finite(trial, instance, trial.rows())
    edges = _edges(trial)
    if len(edges):
        _finite(trial, instance, edges)


_BESIDE = (
    "compute each row by itself: statistics (mean, minimum, norm, levels) belong in fit; "
    "batch normalisation needs model.eval()"
)


def _finite(trial: Trial, instance: Instance, X: Any) -> None:
    if hasattr(X, "iloc"):
        # What is missing may stay missing.
        X = taken(X, np.flatnonzero(~X.isna().any(axis=1)))
        if not len(X):
            return
    with np.errstate(all="ignore"):
        values = instance.features(X)
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = map(int, np.argwhere(bad)[0])
        point = X.iloc[row].to_dict() if hasattr(X, "iloc") else np.asarray(X)[row].tolist()
        text = str(point)
        trial.fail(
            f"A feature is {values[row, column]} at a point of the domain.",
            got=f"feature {column} at {text if len(text) < 400 else text[:400] + '...'}",
            need="finite features on all of the domain",
            do="guard the division, root or logarithm (log1p, a small constant, a flag for it), "
            "or give a domain without such points",
        )


def _edges(trial: Trial) -> Any:
    domain = trial.domain
    if hasattr(domain, "special"):
        return domain.special()
    rng = generator(trial.seed)
    # Where denominators vanish, and where squares cancel: simple numbers, and nearly equal ones.
    simple = np.array([0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 10.0, -10.0])
    shape = (1,) * len(domain.shape)
    equal = domain.sample(32, rng).reshape(32, -1)[:, 0].reshape(-1, *shape)
    ulps = np.finfo(np.float64).eps * rng.integers(-2, 3, (32, *domain.shape))
    same = np.broadcast_to(simple.reshape(-1, *shape), (len(simple), *domain.shape))
    mixed = rng.choice(simple, (16, *domain.shape))
    ends = np.stack([np.clip(end, -1e3, 1e3) for end in domain.bounds()])
    points = domain.nearest(np.concatenate([ends, same, mixed, equal * (1 + ulps)]))
    # Numbers that have lost their digits overflow wherever they are divided by.
    tiny = (points != 0) & (np.abs(points) < np.finfo(np.float32).tiny)
    good = domain.contains(points) & ~tiny.reshape(len(points), -1).any(axis=1)
    return points[good].astype(trial.subject.dtype)


def _far_row(trial: Trial, X: Any) -> Any:
    """A row of the domain far from the others: on the line through two of them, or on an edge."""
    if hasattr(X, "iloc"):
        edges = trial.domain.special()
        return taken(edges, [len(edges) - 1])
    flat = np.asarray(X, dtype=np.float64)
    middle = flat.mean(axis=0, keepdims=True)
    for factor in (1e6, 1e3, 30.0, 3.0):
        point = middle + factor * (flat[:1] - middle + (flat[:1] == middle))
        if trial.domain.contains(point).all():
            return point.astype(trial.subject.dtype)
    edges = _edges(trial)
    if not len(edges):
        return taken(X, [0])
    distance = np.abs(edges - middle).reshape(len(edges), -1).sum(axis=1)
    return edges[[int(distance.argmax())]]


def _labelled(
    trial: Trial,
    instance: Instance,
    X: Any,
    expected: np.ndarray,
    allowed: Callable[[], np.ndarray],
) -> None:
    """The features of a frame's rows do not depend on how the rows are labelled."""
    other = X.set_axis(np.arange(len(X))[::-1], axis=0)
    same(
        trial,
        _features(trial, instance, other, "with other labels"),
        expected,
        allowed,
        what="The rows of a data frame have other features when they have other labels.",
        do="a Series that is made without index=X.index meets the frame by label: go by position, "
        "to_numpy(), or keep the index",
    )


def _joined(X: Any, more: Any) -> Any:
    if hasattr(X, "iloc"):
        import pandas

        return pandas.concat([X, more], ignore_index=True)
    return np.concatenate([X, more])


def _slope(instance: Instance, X: Any) -> np.ndarray:
    """What rounding may do, measured by steps so long that chance and memory hardly count."""
    base = instance.features(X)
    eps = float(np.finfo(np.float64).eps)
    if hasattr(X, "iloc"):
        return 64 * eps * np.abs(base)
    array = np.asarray(X)
    step = STEP.get(array.dtype.name)
    if step is None:
        return 64 * eps * np.abs(base)
    eps = float(np.finfo(array.dtype).eps)
    size = np.maximum(np.abs(array), np.abs(array).max())
    spread = np.zeros_like(base)
    for k in range(4):
        signs = generator((5, k)).choice([-1.0, 1.0], array.shape)
        found = instance.features((array + step * eps * size * signs).astype(array.dtype))
        if found.shape == base.shape:
            with np.errstate(invalid="ignore"):
                spread = np.fmax(spread, np.abs(found - base))
    return 8 * spread / step + 64 * eps * np.abs(base)


def _called(trial: Trial, instance: Instance, X: Any, n: int) -> Any:
    try:
        return instance(X)
    except Exception as error:
        trial.fail(
            f"{n} rows of the domain are refused, though others are taken.",
            got=f"{type(error).__name__}: {error}",
            need="features for any number of rows, one among them",
            do="batch normalisation needs model.eval(); squeeze() also drops the axis of one row",
        )


def _features(trial: Trial, instance: Instance, X: Any, way: str) -> np.ndarray:
    try:
        found = instance.features(X)
    except Exception as error:
        trial.fail(
            f"Rows taken {way} are refused.",
            got=f"{type(error).__name__}: {error}",
            need="features for any number of rows, one among them",
            do="batch normalisation needs model.eval(); squeeze() also drops the axis of one row",
        )
    return found
