"""Laws of gradients: they are derivatives, there is one, and rows keep to themselves."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import torch

from ...drawn import generator
from ..check import register_check
from ..subject import Instance
from ..tolerance import tolerance
from ..trial import Trial
from .precision import in_double

__all__ = ["check_gradient", "check_gradient_input", "check_gradient_rows"]

# Steps of the differences: 2^-k of the size of the columns.
STEPS = tuple(range(4, 28))
# Relative to the derivative: what the differences must be good to, and how far a gradient may be.
GOOD, WRONG = 1e-4, 1e-3
# Relative to the size of a feature: slopes across its columns that are as good as none.
NONE = 1e-9
# Rows, and directions through each, of a run; ways to split a direction whose slope is doubted.
ROWS, DIRECTIONS, PARTS = 24, 3, 8


@register_check(needs=("gradient", "space"), once=True)
def check_gradient(trial: Trial) -> None:
    """Gradients are the derivatives of the features wherever these are smooth, and never NaN.

    Central differences of many steps, refined by Richardson's rule, are compared with autograd in
    float64. Whether a row is smooth is decided by the differences alone (they settle, and both
    sides agree), so no wrong gradient can hide as a kink.
    """
    instance = in_double(trial)
    if instance is None:
        trial.skip("it cannot be turned to float64, see check_module_moves")
        return
    X = trial.rows(ROWS, ROWS).astype(np.float64)
    origin = np.zeros_like(X[:1])
    if trial.domain.contains(origin).all():
        # Where norms, roots and quotients have their singularities.
        X = np.concatenate([X, origin])
    random = generator((trial.seed, 3))
    value = _values(instance, X)
    if value is None or not _same(_values(instance, X), value):
        trial.skip("two calls differ already, see check_deterministic")
        return
    alone = _values(instance, X[:1])
    if alone is None or not np.allclose(alone, value[:1], rtol=1e-6, atol=1e-9, equal_nan=True):
        trial.skip("rows depend on each other, see check_rows")
        return
    width = np.abs(X - X.mean(axis=0)).max(axis=0) + 1e-3 * np.abs(X).max(axis=0)
    width = np.where(width > 0, width, 1.0)
    size = np.nanmax(np.where(np.isfinite(value), np.abs(value), 0.0), axis=0)
    size = np.where(size > 0, size, 1.0)
    smooth = 0
    for k in range(DIRECTIONS):
        # One feature at a time finds what is wrong with one; all at once, with any.
        weights = random.standard_normal(value.shape) / size
        if k:
            weights *= np.arange(value.shape[1]) == random.integers(
                value.shape[1], size=(len(X), 1)
            )
        direction = random.standard_normal(X.shape) * width
        if k == 1:
            # Along a few coordinates only: a row of zeros of a gradient is not made up for.
            direction *= random.random(X.shape) < 2 / max(X[0].size, 2)
        gradient = _gradient(trial, instance, X, weights)
        slopes = (gradient * direction).reshape(len(X), -1)
        told = slopes.sum(axis=1)
        found = _slopes(instance, X, direction, weights, value)
        step = random.standard_normal(X.shape) * width
        _finite(trial, instance, X, value, gradient, found, step, size)
        scale = np.maximum(np.abs(slopes).sum(axis=1), np.abs(found.slope))
        off = np.abs(told - found.slope)
        bad = found.smooth & (off > 10 * found.error + WRONG * scale + NONE)
        smooth += int(found.smooth.sum())
        if bad.any():
            # Where features are tied, one line may look smooth; but slopes do not add up.
            for _ in range(PARTS):
                if not bad.any():
                    break
                part = random.standard_normal(X.shape) * width
                tied = (X[bad], direction[bad], part[bad], weights[bad], value[bad])
                bad[bad] = _additive(instance, *tied)
        if bad.any():
            row = int(np.argmax(np.where(bad, off / np.maximum(scale, 1e-300), 0.0)))
            none = not np.any(gradient[row])
            trial.fail(
                "No gradient flows back to the rows, though features depend on them."
                if none
                else "The gradient is not the derivative of the features.",
                got=f"{told[row]:.6g} along a direction at row {row}, {_shown(X[row])}",
                need=f"{found.slope[row]:.6g}, by central differences that agree to "
                f"{found.error[row]:.1g}",
                do="look for detach(), no_grad(), .data, .item() and NumPy on the way"
                if none
                else "check backward functions, hooks on gradients, detach() of a part, and "
                "rounding with the gradient of the identity",
            )
    if not smooth:
        trial.skip("no row was found at which differences settle")


@register_check(needs=("gradient", "space"))
def check_gradient_rows(trial: Trial) -> None:
    """The gradient of a row's features with respect to another row is 0."""
    instance = trial.fresh()
    X = trial.rows(2, 8)
    x = torch.from_numpy(X.copy()).requires_grad_(True)
    # What writes to its argument is told by check_input_untouched.
    value = _call(instance, x.clone())
    if not value.requires_grad or len(value) != len(x):
        # Nothing flows, which check_gradient tells, or rows were lost.
        return
    (gradient,) = torch.autograd.grad(value[0].sum(), x, allow_unused=True)
    if gradient is None:
        return
    others = gradient[1:].abs().flatten(1)
    eps = torch.finfo(gradient.dtype).eps
    leak = others > 1e3 * eps * gradient[0].abs().max()
    if bool((leak & torch.isfinite(others)).any()):
        row = int(leak.any(dim=1).nonzero()[0]) + 1
        trial.fail(
            "The features of one row have a gradient with respect to another row.",
            got=f"row 0 by row {row}: up to {float(others[row - 1].max()):.3g}",
            need="0: a row has its features whatever stands beside it",
            do="sum, normalise and compare along the last axes only; call model.eval()",
        )


@register_check(needs=("gradient", "space"))
def check_gradient_input(trial: Trial) -> None:
    """Tensors that are passed keep their values, their flag and their gradient; features too."""
    instance = trial.fresh()
    X = trial.rows()
    plain, tracked = torch.from_numpy(X.copy()), torch.from_numpy(X.copy()).requires_grad_(True)
    before = instance.features(X)
    if not _same(before, instance.features(X)):
        # Two calls differ already, which check_deterministic tells.
        return
    with torch.no_grad():
        without = _array(_call(instance, plain))
    try:
        with_gradient = _array(_call(instance, tracked))
    except Exception as error:
        trial.fail(
            "A tensor that requires a gradient is refused.",
            got=f"{type(error).__name__}: {error}",
            need="features of it, with a gradient",
            do="write to no tensor that is passed (ReLU(inplace=True), x *= 2), and stay in torch",
        )
        raise
    changed = [
        text
        for text, wrong in (
            ("requires_grad of a plain tensor became True", plain.requires_grad),
            ("requires_grad of a tracked tensor became False", not tracked.requires_grad),
            ("a tracked tensor is no leaf any more", not tracked.is_leaf),
            ("a gradient was written to the tensor", tracked.grad is not None),
        )
        if wrong
    ]
    if changed:
        trial.fail(
            "A call alters the tensor that it is given.",
            got=changed[0],
            need="the tensor as it was",
            do="work on x.detach().clone() where you set flags or call backward()",
        )
    if _same(before, without) and _same(before, with_gradient):
        return
    allowed = trial.tolerance(instance, X)
    for found, how in ((without, "without gradients"), (with_gradient, "with gradients")):
        trial.close(
            found,
            before,
            allowed,
            what=f"A tensor {how} has other features than the same rows otherwise.",
            do="compute the same for both: no branch on requires_grad or torch.is_grad_enabled()",
        )


# --- derivatives by differences ------------------------------------------------------------------
@final
@dataclass(frozen=True)
class _Slopes:
    """Derivatives along a direction, row by row: their error, and where there is one at all."""

    slope: np.ndarray
    error: np.ndarray
    smooth: np.ndarray


def _slopes(
    instance: Instance,
    X: np.ndarray,
    direction: np.ndarray,
    weights: np.ndarray,
    value: np.ndarray,
) -> _Slopes:
    n = len(X)
    middle = (weights * value).sum(axis=1)
    # What differences cannot tell from 0: measured, since inner results may be rounded coarsely.
    rough = (np.abs(weights) * tolerance(lambda X: _some(instance, X), X)).sum(axis=1)
    central, bends, noise = [], [], []
    with np.errstate(all="ignore"):
        for k in STEPS:
            h = 2.0**-k
            ahead, behind = (_values(instance, X + s * h * direction) for s in (1, -1))
            if ahead is None or behind is None or ahead.shape != value.shape != behind.shape:
                ahead, behind = np.full_like(value, np.nan), np.full_like(value, np.nan)
            f, b = (weights * ahead).sum(axis=1), (weights * behind).sum(axis=1)
            central.append((f - b) / (2 * h))
            bends.append((f - 2 * middle + b) / h)
            noise.append(rough / h)
        refined = [(4 * finer - c) / 3 for c, finer in pairwise(central)]
        slope, error = np.full(n, np.nan), np.full(n, np.inf)
        levels = []
        for k in range(len(refined) - 2):
            moves = [np.abs(refined[k + 1] - refined[k]), np.abs(refined[k + 2] - refined[k + 1])]
            here = np.maximum(*moves) + noise[k + 2]
            # By how much the slopes of the two sides differ, for steps that shrink to 0.
            kink = np.abs(2 * bends[k + 2] - bends[k + 1])
            sides = kink <= GOOD * np.abs(refined[k + 1]) + 4 * noise[k + 2] + NONE
            levels.append(np.where(sides, here, np.inf))
            better = levels[-1] < error
            slope, error = np.where(better, refined[k], slope), np.where(better, here, error)
        typical = np.nanmedian(np.abs(slope)) if np.isfinite(slope).any() else 0.0
        good = GOOD * np.fmax(np.abs(slope), typical) + NONE
        smooth = np.isfinite(slope) & (error <= good)
        for k, here in enumerate(levels):
            # Where long steps settle on another slope than short ones, there is a jump between.
            other = np.abs(refined[k] - slope) > 10 * (here + error) + good
            smooth &= ~((here <= good) & other)
    return _Slopes(np.nan_to_num(slope), np.where(smooth, error, np.inf), smooth)


def _gradient(trial: Trial, instance: Instance, X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient of the weighted sum of features, 0 where none flows."""
    x = torch.from_numpy(X.copy()).requires_grad_(True)
    value = _call(instance, x.clone())
    if not value.requires_grad:
        return np.zeros_like(X)
    total = (value.flatten(1) * torch.from_numpy(weights).to(value)).sum()
    try:
        (gradient,) = torch.autograd.grad(total, x, allow_unused=True)
    except Exception as error:
        trial.fail(
            "The gradient cannot be computed.",
            got=f"{type(error).__name__}: {error}",
            need="a backward pass, as what comes out says that it requires one",
            do="alter no tensor in place that a backward pass needs",
        )
        raise
    return np.zeros_like(X) if gradient is None else gradient.numpy()


def _additive(
    instance: Instance,
    X: np.ndarray,
    direction: np.ndarray,
    part: np.ndarray,
    weights: np.ndarray,
    value: np.ndarray,
) -> np.ndarray:
    """Whether the slope along the direction is the sum of those along a part and the rest of it."""
    whole, one, other = (
        _slopes(instance, X, d, weights, value) for d in (direction, part, direction - part)
    )
    error = whole.error + one.error + other.error
    scale = np.abs(whole.slope) + np.abs(one.slope) + np.abs(other.slope)
    apart = np.abs(one.slope + other.slope - whole.slope)
    smooth = whole.smooth & one.smooth & other.smooth
    return smooth & (apart <= 10 * np.where(smooth, error, 0.0) + 0.1 * WRONG * scale + NONE)


def _steep(
    instance: Instance, X: np.ndarray, value: np.ndarray, step: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Rows at which a feature has an infinite slope, like a root at 0: it grows as steps shrink."""
    slopes = []
    for k in (20, 27):
        ends = [_values(instance, X + sign * 2.0**-k * step) for sign in (1, -1)]
        moves = [np.abs(v - value) / size for v in ends if v is not None and v.shape == value.shape]
        if not moves:
            return np.zeros(len(X), bool)
        slopes.append(np.fmax.reduce(moves) * 2.0**k)
    with np.errstate(all="ignore"):
        found: np.ndarray = (slopes[1] > 4 * slopes[0]).any(axis=1)
    return found


def _finite(
    trial: Trial,
    instance: Instance,
    X: np.ndarray,
    value: np.ndarray,
    gradient: np.ndarray,
    found: _Slopes,
    step: np.ndarray,
    size: np.ndarray,
) -> None:
    rows = gradient.reshape(len(X), -1)
    good = np.isfinite(value).all(axis=1)
    nan = good & np.isnan(rows).any(axis=1)
    if nan.any():
        # 0 times an infinite slope is NaN as well, and the slope is infinite.
        nan &= ~_steep(instance, X, value, step, size)
    infinite = found.smooth & np.isinf(rows).any(axis=1)
    if not (nan | infinite).any():
        return
    row = int(np.argmax(nan | infinite))
    trial.fail(
        f"The gradient is {'NaN' if nan[row] else 'infinite'} at a point where the features are "
        f"{'finite' if nan[row] else 'smooth'}.",
        got=f"at row {row}, {_shown(X[row])}",
        need="numbers: one NaN makes all weights NaN in training",
        do="torch.where hides values, not gradients: choose the argument first "
        "(torch.where(x > 0, x, 1).sqrt()), or add a small constant under roots and norms",
    )


# --- what they share -----------------------------------------------------------------------------
def _values(instance: Instance, X: np.ndarray) -> np.ndarray | None:
    """The features of a tensor of rows, None where it is refused."""
    try:
        return _some(instance, X)
    except Exception:
        # A step has left its domain.
        return None


def _some(instance: Instance, X: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return _array(_call(instance, torch.from_numpy(X.copy())))


def _call(instance: Instance, x: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return instance.tensor(x)


def _array(value: torch.Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().cpu().double().numpy()
    return array.reshape(len(array), -1) if array.size else array.reshape(len(array), 0)


def _same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return False
    return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=True))


def _shown(point: np.ndarray) -> str:
    text = str(point.tolist())
    return text if len(text) < 200 else text[:200] + "..."
