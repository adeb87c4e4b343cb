"""How many features a kernel needs for a given error, and `kernel.features` itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log, prod, sqrt
from numbers import Real
from typing import Any, NoReturn, final

import numpy as np

from ..drawn import seed_of
from ..errors import ParameterError, show
from ..ingest import read
from ..kernels import Kernel
from ..kernels.base import joined
from ..kernels.error import ALL_PAIRS_UP_TO, KernelError, measure
from ..map import FeatureMap
from .empirical_kernel import EmpiricalKernelMap
from .kernel_plan import KernelFeatures, exact, features_of

__all__ = ["KernelFeatures", "features"]

# The widest map that is tried where no other limit is given.
WIDEST = 16384
# Random pairs at first and at most, for more rows than `ALL_PAIRS_UP_TO`.
FEW, MANY = 2**16, 2**20
# How often a narrower map is tried once one has been found.
TRIES = 4
# The pilot: rows, features at least, draws.
ROWS, WIDTH, DRAWS = 256, 256, 3


def features(
    kernel: Kernel,
    n_components: int | None = None,
    method: str = "auto",
    *,
    error: float | None = None,
    confidence: float = 0.95,
    on: Any = None,
    random_state: Any = 0,
    **options: Any,
) -> FeatureMap:
    """An open map whose inner products are, or estimate, the kernel; see `Kernel.features`.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.kernels.Linear().features(), pm.kernels.Cosine().features()
    (Identity(), UnitNorm())
    """
    kernel.check_parameters()
    if n_components is not None and (isinstance(n_components, bool) or int(n_components) < 1):
        raise ParameterError(
            f"A map cannot have {show(n_components)} features.",
            got=f"n_components={show(n_components)}",
            need="an int >= 1, or None",
            do="kernel.features(n_components=1000)",
        )
    if error is None:
        return features_of(kernel, n_components, method, random_state, options)
    _check(error, confidence, on)
    seed = seed_of(random_state)
    search = _Search(kernel, method, seed, options, float(error), float(confidence), on)
    return search.run(n_components)


def _check(error: Any, confidence: Any, on: Any) -> None:
    if not isinstance(error, Real) or isinstance(error, bool) or not 0 < float(error) < 1:
        raise ParameterError(
            f"The 'error' of features must be a number in (0, 1). Got {show(error)} instead.",
            got=f"error={show(error)}",
            need="0 < error < 1, relative to the kernel's own size √(Σ k(x, y)²)",
            do="kernel.features(error=0.05, on=X)",
        )
    if not isinstance(confidence, Real) or not 0 < float(confidence) < 1:
        raise ParameterError(
            f"The 'confidence' of features must be a number in (0, 1). Got {show(confidence)} "
            "instead.",
            got=f"confidence={show(confidence)}",
            need="0 < confidence < 1",
            do="kernel.features(error=0.05, confidence=0.95, on=X)",
        )
    if on is None:
        raise ParameterError(
            "The number of features for an error depends on the data, and there are none.",
            got="error=..., on=None",
            need="on=X, the rows between which the error counts",
            do="kernel.features(error=0.05, on=X)",
        )


@final
@dataclass
class _Search:
    """Widening a map until its error on the rows is at most what was asked, with confidence.

    Each width is judged on the very map that is returned, by pairs of its own, at a share
    (1 - confidence) / (r (r + 1)) of the risk in round r. The shares add up to at most the whole:
    the map that is accepted has a greater error with probability 1 - confidence at most, however
    many widths were tried.
    """

    kernel: Kernel
    method: str
    seed: int
    options: dict[str, Any]
    error: float
    confidence: float
    on: Any

    def run(self, limit: int | None) -> FeatureMap:
        probe = self.made(1 if limit is None else min(limit, WIDTH))._shallow_copy()
        rows = read(probe, self.on, reset=True).data
        target = self.kernel.bind(self.on)
        landmarks = self.method == "nystrom" or type(probe).__name__ == "Nystrom"
        most = WIDEST if limit is None else int(limit)
        if landmarks:
            most = min(most, rows.shape[0])
        power = 1.0 if landmarks else 2.0
        width = min(most, 32 if landmarks else self.predicted(target, rows, most))
        pairs, tried, failed = FEW, list[tuple[int, float]](), 0
        for turn in range(1, 30):
            phi = self.made(width)
            try:
                closed = phi.bind(self.on)
            except ParameterError:
                # Some maps have a least width.
                if width >= most:
                    raise
                width = min(most, 2 * width)
                continue
            if exact(closed):
                return phi
            found = self.judged(closed, target, rows, pairs, turn)
            if found.upper <= self.error:
                least = failed or int(width * (found.upper / self.error) ** power)
                return self.narrowed(phi, width, least, target, rows, pairs, turn)
            if not found.exact and found.value < 0.9 * self.error and pairs < MANY:
                pairs = min(MANY, 4 * pairs)
                continue
            reached = prod(closed.out_shape(tuple(rows.shape[1:])))
            # An error far below what is asked, of which few pairs cannot be sure, stays so.
            unsure = found.value < 0.5 * self.error
            if width >= most or unsure or (tried and tried[-1][0] == reached):
                break
            tried.append((reached, found.upper))
            more = self.wider(width, tried, power)
            if found.value < 0.9 * self.error:
                # What is missing is certainty, which a little more width does not bring.
                more = max(more, 2 * width)
            failed, width = width, min(most, more)
        self.refuse(found, width, limit)

    def narrowed(
        self,
        phi: FeatureMap,
        width: int,
        failed: int,
        target: Kernel,
        rows: Any,
        pairs: int,
        turn: int,
    ) -> FeatureMap:
        """The map, or a narrower one that serves, where there is much to gain."""
        for _ in range(TRIES if rows.shape[0] <= ALL_PAIRS_UP_TO else min(TRIES, 1)):
            middle = max(2, _even(sqrt(max(failed, 1) * width)))
            if failed > 0.8 * width or middle >= width:
                break
            turn += 1
            other = self.made(middle)
            try:
                serves = self.judged(other.bind(self.on), target, rows, pairs, turn).upper
            except ParameterError:
                serves = inf
            if serves <= self.error:
                phi, width = other, middle
            else:
                failed = middle
        return phi

    def made(self, width: int) -> FeatureMap:
        return features_of(self.kernel, width, self.method, self.seed, self.options)

    def judged(
        self, closed: FeatureMap, target: Kernel, rows: Any, pairs: int, turn: int
    ) -> KernelError:
        # Only the upper end counts, and an interval errs on either side with half of its risk.
        risk = 2 * (1 - self.confidence) / (turn * (turn + 1))
        return measure(
            closed,
            target,
            rows,
            confidence=1 - min(risk, 0.999),
            exact_rows=ALL_PAIRS_UP_TO,
            pairs=pairs,
            random_state=[self.seed, turn],
            # The features of landmarks are projections, so that what they miss is a kernel too.
            below=isinstance(closed, EmpiricalKernelMap),
        )

    def predicted(self, target: Kernel, rows: Any, most: int) -> int:
        """The width by a few draws on a few rows: the squared error falls like 1 / D."""
        rng = np.random.default_rng(self.seed)
        n, d = rows.shape[0], prod(rows.shape[1:])
        chosen = np.sort(rng.choice(n, min(n, ROWS), replace=False))
        few = rows[chosen]
        width = min(most, max(WIDTH, 2 * d))
        squares = []
        for _ in range(DRAWS):
            seed = int(rng.integers(2**31))
            phi = features_of(target, width, self.method, seed, self.options)
            found = measure(phi.bind(few), target, few, exact_rows=ROWS)
            squares.append(found.value**2)
        return max(2, _even(1.05 * width * float(np.mean(squares)) / self.error**2))

    def wider(self, width: int, tried: list[tuple[int, float]], power: float) -> int:
        """The next width, by the law of the last two where there are two."""
        if len(tried) > 1:
            (a, first), (b, second) = tried[-2:]
            fall = log(max(first / second, 1.0001)) / log(b / a) if b > a else 0.5
            power = 1 / min(max(fall, 0.25), 4.0)
        growth = (tried[-1][1] / self.error) ** power
        return _even(width * min(max(1.02 * growth, 1.05), 8.0))

    def refuse(self, found: KernelError, width: int, limit: int | None) -> NoReturn:
        shown = f"{found.value:.3g}"
        if not found.exact:
            shown += f", known to be at most {found.upper:.3g}"
        raise ParameterError(
            f"No map of at most {width} features was found to have an error of {self.error:g}.",
            got=f"error={self.error:g}; the widest one reached {shown}",
            need=f"error > {found.upper:.3g}, or a map that can be wider",
            do="a larger error, another method ('nystrom'), or more features: "
            "kernel.features(n_components=..., error=...)"
            if found.exact
            else f"on=X[:{ALL_PAIRS_UP_TO}], where all pairs are looked at, or a larger error",
        )


def _even(width: float) -> int:
    # Waves come in pairs.
    return 2 * ceil(min(width, 2.0**40) / 2)


joined["features"] = features
