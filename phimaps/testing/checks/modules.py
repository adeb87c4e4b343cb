"""Laws of torch modules: their mode, their state, their hooks, and pictures of bytes."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch

from ...spaces import Images
from ..check import register_check
from ..subject import Instance
from ..tolerance import tolerance
from ..trial import Trial
from .precision import in_double

__all__ = [
    "check_eval_mode",
    "check_hooks",
    "check_module_moves",
    "check_module_state",
    "check_pictures",
]

BYTE = 255


@register_check(needs=("module",), once=True)
def check_module_state(trial: Trial) -> None:
    """A call leaves a module as it was: modes, parameters, buffers, hooks, requires_grad."""
    instance, X = trial.fresh(), trial.rows(4, 4)
    module = instance.obj
    before = _state(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        instance(X.copy())
        x = torch.from_numpy(X.copy()).requires_grad_(X.dtype.kind == "f")
        with torch.enable_grad():
            instance.tensor(x.clone())
    after = _state(module)
    changed = [name for name in before if not _equal(before[name], after.get(name))]
    changed += [name for name in after if name not in before]
    if not changed:
        return
    statistics = [n for n in changed if n.rpartition(".")[2] in ("running_mean", "running_var")]
    trial.fail(
        f"A call of the module changes {changed[0]}.",
        got=", ".join(changed[:5]) + (", ..." if len(changed) > 5 else ""),
        need="the module as it was: features do not depend on how often they were asked for",
        do="call eval() on the module before its features are taken: batch normalisation learns "
        "from each batch that it sees in train mode"
        if statistics
        else "change nothing in forward: remove hooks in a finally clause, and put modes back",
    )


@register_check(needs=("module",), once=True)
def check_eval_mode(trial: Trial) -> None:
    """A module in train mode computes what it does in eval mode, and drops nothing in either."""
    X = trial.rows(8, 8)
    training = [n or type(p).__name__ for n, p in trial.fresh().obj.named_modules() if p.training]
    one, two = trial.fresh(), trial.fresh()
    two.obj = two.obj.eval()
    settled = _features(two, X)
    if settled is not None and not _same(settled, _features(two, X)):
        trial.fail(
            "The module computes something else each time, in eval mode too.",
            got=f"features that differ by up to {_furthest(settled, _features(two, X)):.3g} "
            "between two calls",
            need="the same features for the same rows",
            do="F.dropout drops unless told not to: F.dropout(x, p, training=self.training); "
            "augment in the data loader",
        )
    if not training:
        return
    found = _features(one, X)
    if found is None and settled is not None:
        trial.fail(
            "The module is in train mode, and refuses what it takes in eval mode.",
            got=f"training is True for {', '.join(training[:3])}",
            need="features of a single row as well as of many",
            do="call eval() on the module before its features are taken",
        )
    if found is None or settled is None or _same(found, settled):
        return
    drops = any(isinstance(p, torch.nn.modules.dropout._DropoutNd) for p in one.obj.modules())
    if not drops and not _same(found, _features(trial.fresh(), X)):
        # It is not the mode: weights that are drawn at the first call, say.
        return
    allowed = tolerance(two.features, X, X.dtype)
    if found.shape == settled.shape and (np.abs(found - settled) <= allowed).all():
        return
    trial.fail(
        "The module is in train mode, where its features are other ones than in eval mode.",
        got=f"training is True for {', '.join(training[:3])}, and features differ by up to "
        f"{_furthest(found, settled):.3g}",
        need="dropout that is off, and batch normalisation by the statistics of the training data",
        do="call eval() on the module before its features are taken",
    )


@register_check(needs=("module",), once=True)
def check_module_moves(trial: Trial) -> None:
    """``module.double()`` takes all of the module with it: float64 rows are accepted then."""
    own = trial.fresh().obj
    if not any(p.is_floating_point() for p in [*own.parameters(), *own.buffers()]):
        # Without parameters it takes rows of every precision, which check_dtype asks for.
        X = trial.rows(4, 4)
        if _tried(own, torch.from_numpy(X.astype(np.float32))) and not _tried(
            own, torch.from_numpy(X.astype(np.float64))
        ):
            _does_not_move(trial)
        return
    if in_double(trial) is None:
        _does_not_move(trial)


def _does_not_move(trial: Trial) -> None:
    trial.fail(
        "The module does not take float64 rows, though it was turned to float64.",
        got="an error after module.double()",
        need="all that forward computes with in the module's parameters, buffers and parts",
        do="register_buffer for constants, nn.ModuleList for lists of layers, and .to(x) for "
        "tensors that are made in forward",
    )


@register_check(needs=("module",), once=True)
def check_hooks(trial: Trial) -> None:
    """A hook that a user registers on the module, or a part of it, fires as before, and stays."""
    instance, X = trial.fresh(), trial.rows(3, 3)
    module = instance.obj
    if isinstance(module, torch.jit.ScriptModule):
        trial.skip("scripted modules take no hooks of Python")
        return
    calls: list[str] = []
    handles = []

    def recorder(name: str) -> Any:
        def hook(module: torch.nn.Module, given: Any, value: Any) -> None:
            calls.append(name)

        return hook

    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        handles.append(part.register_forward_hook(recorder(name)))
    try:
        instance(X.copy())
        first = list(calls)
        calls.clear()
        instance(X.copy())
        if first.count("") != 1:
            trial.fail(
                "A forward hook on the module does not fire once per call.",
                got=f"{first.count('')} times in one call",
                need="once: that is how features of a layer are taken",
                do="write forward, and leave __call__ to torch.nn.Module",
            )
        if calls != first:
            gone = [n for n in first if n not in calls]
            trial.fail(
                "The second call fires other hooks than the first.",
                got=f"{len(first)} hooks, then {len(calls)}"
                + (f"; gone: {', '.join(n or 'the module' for n in gone[:3])}" if gone else ""),
                need="hooks of the user that stay until the user removes them",
                do="remove only the hooks that you have registered: handle.remove()",
            )
    finally:
        for handle in handles:
            handle.remove()


@register_check(needs=("space",), once=True)
def check_pictures(trial: Trial) -> None:
    """Pictures of bytes have the features of the same pictures with numbers of the domain.

    It binds maps and modules whose domain is images in [0, 1] or [0, 255], that take bytes and make
    features of floats from them: to refuse bytes, or to give bytes back, is an answer. Transformers
    that take any numbers are left out: for them bytes are just numbers.
    """
    domain, subject = trial.domain, trial.subject
    if not isinstance(domain, Images) or subject.kind not in ("map", "module"):
        trial.skip("it is no map or module of images")
        return
    if domain.pixel_low != 0 or domain.pixel_high not in (1, BYTE):
        trial.skip("its pixels lie neither in [0, 1] nor in [0, 255]")
        return
    instance, X = trial.fresh(), trial.rows(4, 4)
    unit = BYTE if domain.pixel_high == 1 else 1
    picture = np.rint(X * (BYTE / domain.pixel_high)).astype(np.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = instance(picture)
            found = instance.features(picture)
    except Exception:
        # To refuse bytes is an answer.
        return
    if np.asarray(result).dtype.kind != "f" or not _same(found, _features(instance, picture)):
        # Bytes are given back; or two calls differ already, which check_deterministic tells.
        return
    # Bytes are converted to float32 by most, and float32 is allowed its digits.
    numbers = (picture / np.float32(unit)).astype(np.float32)
    expected = instance.features(numbers.astype(subject.dtype))
    allowed = tolerance(instance.features, numbers, np.float32)
    if found.shape == expected.shape and (np.abs(found - expected) <= allowed).all():
        return
    got, need = f"shape {found.shape}", f"shape {expected.shape}"
    if found.shape == expected.shape:
        row, column = np.unravel_index(int(np.abs(found - expected).argmax()), found.shape)
        got = f"row {row}, feature {column}: {found[row, column]:.6g}"
        need = f"{expected[row, column]:.6g}"
    trial.fail(
        "Pictures of bytes have other features than the same pictures with floats in "
        f"[0, {domain.pixel_high:g}].",
        got=got,
        need=need,
        do="divide bytes by 255 before anything else: x = x.float() / 255"
        if unit == BYTE
        else "convert bytes to floats as they are: x = x.float()",
    )


# --- what they share -----------------------------------------------------------------------------
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def _state(module: torch.nn.Module) -> dict[str, Any]:
    """What a call has to leave as it was, by name."""
    found: dict[str, Any] = {}
    for name, part in module.named_modules():
        prefix = f"{name}." if name else ""
        found[f"{prefix}training"] = part.training
        for kind in HOOKS:
            found[f"{prefix}{kind.strip('_')}"] = tuple(getattr(part, kind, {}) or {})
    for name, parameter in module.named_parameters():
        found[name] = parameter.detach().clone()
        found[f"{name}.requires_grad"] = parameter.requires_grad
        found[f"{name}.grad"] = copy.deepcopy(parameter.grad)
    for name, buffer in module.named_buffers():
        found[name] = buffer.detach().clone()
    return found


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        same = one.shape == other.shape and one.dtype == other.dtype
        return same and bool(((one == other) | ((one != one) & (other != other))).all())
    return type(one) is type(other) and one == other


def _features(instance: Instance, X: np.ndarray) -> np.ndarray | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return instance.features(X.copy())
    except Exception:
        # Batch normalisation in train mode refuses single rows.
        return None


def _tried(module: torch.nn.Module, x: torch.Tensor) -> bool:
    try:
        with torch.no_grad():
            module(x)
    except Exception:
        # Which is the answer.
        return False
    return True


def _same(one: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and np.array_equal(one, other, equal_nan=True)


def _furthest(one: np.ndarray, other: np.ndarray | None) -> float:
    if other is None or one.shape != other.shape:
        return float("nan")
    return float(np.nanmax(np.abs(one - other), initial=0.0))
