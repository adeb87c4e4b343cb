"""The claim that inner products of features are the values of a kernel, or estimate them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

from ...errors import PhimapsError
from ...kernels import as_kernel
from ..check import register_check
from ..frames import Frame
from ..trial import Trial

__all__ = ["check_kernel"]

# The probability with which a correct map fails by chance, over all pairs that are compared.
LEVEL = 1e-6
# Fits with other seeds, for a budget of 1, and pairs of points.
FITS, PAIRS = 40, 36
# Where so few summands make an inner product, its mean over few fits says nothing of its bias.
SHARE = 0.2


@register_check(claim="kernel", needs=("numbers", "space"), once=True)
def check_kernel(trial: Trial) -> None:
    """Inner products of features are the kernel; of random features, in the mean over seeds."""
    if isinstance(trial.domain, Frame):
        trial.skip("the kernel is one of points")
    try:
        kernel = as_kernel(trial.claim)
        kernel = kernel if kernel.closed else kernel.bind(np.asarray(trial.fit_data))
    except PhimapsError as error:
        trial.fail(
            "The claimed kernel cannot be evaluated.",
            got=str(error).splitlines()[0],
            need="a kernel of phimaps, or what as_kernel takes",
            do="claims={'kernel': pm.kernels.RBF(gamma=0.5)}",
        )
    x, y = _pairs(trial)
    wanted = _diagonal(kernel, x, y)
    if _seeds(trial) and trial.subject.has("fit"):
        _in_the_mean(trial, x, y, wanted)
    else:
        _exactly(trial, x, y, wanted)


def _pairs(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Pairs near and far, alike, opposite, and near the middle, where kernels are not small."""
    rng = np.random.default_rng((trial.seed, 43))
    base, other = (trial.domain.sample(PAIRS, rng) for _ in range(2))
    column = (PAIRS, *[1] * (base.ndim - 1))
    part = rng.choice([0.0, 0.05, 0.15, 0.3, 0.6, 1.0], column)
    shrunk = rng.choice([1.0, 0.5, 0.2, 0.05], column)
    y = np.where(rng.random(column) < 0.25, -base * part, base + part * (other - base))
    found = []
    for points, plain in ((base * shrunk, base), (y * shrunk, other)):
        inside = trial.domain.contains(points).reshape(column)
        found.append(np.where(inside, points, plain).astype(trial.subject.dtype))
    return found[0], found[1]


def _diagonal(kernel: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (np.asarray(p, dtype=np.float64) for p in (x, y))
    return np.array([float(kernel(x[i : i + 1], y[i : i + 1])[0, 0]) for i in range(len(x))])


def _seeds(trial: Trial) -> list[str]:
    """The parameters that are seeds."""
    if not trial.subject.has("params"):
        return []
    names = trial.subject.obj.get_params(deep=True)
    return [name for name in names if name.rpartition("__")[2] == "random_state"]


def _exactly(trial: Trial, x: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> None:
    instance = trial.fresh()
    fx, fy = instance.features(x), instance.features(y)
    found = (fx * fy).sum(axis=1)
    slack = (np.abs(fx) * trial.tolerance(instance, y)).sum(axis=1)
    slack = slack + (np.abs(fy) * trial.tolerance(instance, x)).sum(axis=1)
    eps = float(np.finfo(trial.subject.dtype).eps)
    size = np.sqrt((fx**2).sum(axis=1) * (fy**2).sum(axis=1))
    slack = 4 * slack + 64 * eps * (size + np.abs(wanted)) + 1e-10 * np.abs(wanted)
    off = np.nan_to_num(np.abs(found - wanted), nan=np.inf)
    i = int(np.where(off > slack, off, -1.0).argmax())
    if off[i] > slack[i]:
        _false(trial, x[i], y[i], found[i], wanted[i], f"{slack[i]:.3g}, which rounding explains")


def _in_the_mean(trial: Trial, x: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> None:
    """The mean over seeds against the kernel, by Student's test with a level for all pairs."""
    fits = max(16, int(FITS * min(trial.profile.budget, 5.0)))
    values = np.empty((fits, len(x)))
    judged = np.ones(len(x), dtype=bool)
    for k in range(fits):
        estimator = trial.unfitted().set_params(
            **{name: trial.seed + 1000 + k for name in _seeds(trial)}
        )
        fitted = trial.fit(estimator)
        both = np.asarray(fitted.transform(np.concatenate([x, y])), dtype=np.float64)
        terms = both[: len(x)] * both[len(x) :]
        values[k] = terms.sum(axis=1)
        total = np.abs(terms).sum(axis=1)
        share = np.abs(terms).max(axis=1, initial=0.0) / np.where(total > 0, total, 1.0)
        judged &= share <= max(SHARE, 3 / max(terms.shape[1], 1))
    if not judged.any():
        trial.skip("single features make up whole inner products, so no mean can be judged")
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    factor = float(student.ppf(1 - LEVEL / (2 * len(x)), fits - 1))
    size = np.abs(wanted) + np.abs(mean)
    allowed = factor * spread / np.sqrt(fits) + 1e-6 * size
    over = np.where(judged, np.abs(mean - wanted) / np.maximum(allowed, 1e-300), 0.0)
    i = int(np.nan_to_num(over, nan=np.inf).argmax())
    if not over[i] <= 1:
        _false(
            trial, x[i], y[i], mean[i], wanted[i],
            f"{allowed[i]:.3g}, which chance exceeds with probability below {LEVEL:g}",
            f"the mean over {fits} seeds ",
        )  # fmt: skip


def _false(
    trial: Trial,
    x: np.ndarray,
    y: np.ndarray,
    found: float,
    wanted: float,
    allowed: str,
    what: str = "",
) -> None:
    # A common factor has a name: it is mostly one that was forgotten.
    factor = f", {found / wanted:.4g} times that" if wanted else ""
    trial.fail(
        "The inner products of the features are not the claimed kernel.",
        got=f"{what}φ(x)·φ(y) = {found:.6g}, and k(x, y) = {wanted:.6g}{factor}, "
        f"at x = {np.array2string(x, precision=6)}, y = {np.array2string(y, precision=6)}",
        need=f"a difference of at most {allowed}",
        do="look at the scale of the features (√(2/D) for D cosines), at random phases, and at "
        "which of gamma, 1/(2 l²) and 1/l the parameter is",
    )
