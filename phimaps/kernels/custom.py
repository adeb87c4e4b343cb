"""Equality of rows, and kernels that are a user's function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch

from ..errors import GradientError, InputError, ParameterError, ShapeError, show
from ..map.term import Fact
from ..property import (
    Characteristic,
    Continuous,
    PositiveDefinite,
    StrictlyPositiveDefinite,
    Universal,
)
from ..spaces import Space
from .base import Kernel
from .geometry import flat
from .scale import ones

__all__ = ["Callable", "Delta", "check_psd"]

# Symmetry is looked at on this many rows.
FEW = 4


@final
class Delta(Kernel):
    """k(x, y) = 1 if x = y in every coordinate, else 0.

    On data without repeated rows it is scikit-learn's ``WhiteKernel(1.0)``.

    Examples
    --------
    >>> Delta()([[1.0, 2.0]], [[1.0, 2.0], [1.0, 3.0]])
    array([[1., 0.]])
    """

    def between(self, x: Any, y: Any) -> torch.Tensor:
        # Rows that are equal get one number; adding 0 makes -0 and 0 equal.
        rows = torch.cat((flat(x), flat(y))).detach() + 0.0
        _, place = torch.unique(rows, dim=0, return_inverse=True)
        n = x.shape[0]
        return (place[:n, None] == place[n:]).to(x.dtype)

    def diagonal(self, x: Any) -> torch.Tensor:
        return ones(x)

    def facts(self, on: Space) -> Iterator[Fact]:
        text = "its matrices at different points are unit matrices"
        yield PositiveDefinite, text
        yield StrictlyPositiveDefinite, text
        if not on.infinite:
            yield Continuous, "points of a finite space are isolated"
            yield Universal, text
            yield Characteristic, text
        if on.interior:
            yield ~Continuous, "k(x, y) does not tend to k(y, y) as x tends to y"
            yield ~Characteristic, "it sees the masses of points only, not where a density lies"


@final
class Callable(Kernel):
    """k(x, y) = f(x, y) for a function f of rows.

    Nothing is known of it. Its values are checked: their shape, that they are finite, and on a few
    rows that f(x, y) = f(y, x); whether it is positive definite shows only in its matrices, where a
    method needs it.

    Parameters
    ----------
    function : callable
        f: from arrays of shape (n, d) and (m, d) to one of shape (n, m), or, as in scikit-learn,
        from two rows of shape (d,) to a number. Which one it is, is tried out.
    tensors : bool, default False
        Whether f takes and gives tensors, and so is differentiable; else it gets NumPy arrays.

    Examples
    --------
    >>> Callable(lambda x, y: min(x[0], y[0]))([[1.0], [3.0]])
    array([[1., 1.],
           [1., 3.]])
    """

    function: Any
    tensors: bool = False

    def check_parameters(self) -> None:
        super().check_parameters()
        if not callable(self.function):
            raise ParameterError(
                f"The 'function' parameter of Callable cannot be called: {show(self.function)}.",
                got=f"function={show(self.function)}",
                need="a function of two arrays of rows, or of two rows",
                do="pm.kernels.Callable(lambda x, y: x @ y.T)",
            )

    def between(self, x: Any, y: Any) -> torch.Tensor:
        if not self.tensors and (x.requires_grad or y.requires_grad):
            raise GradientError(
                "A kernel function of arrays has no gradient.",
                got=f"{self!r} on tensors that require one",
                need="a function of tensors",
                do="pm.kernels.Callable(function, tensors=True), or x.detach()",
            )
        self._look_at(x, y)
        return self._values(x, y)

    def diagonal(self, x: Any) -> torch.Tensor:
        return torch.cat([self._values(row, row)[0] for row in x.split(1)])

    def _look_at(self, x: Any, y: Any) -> None:
        """Raise InputError if the function is not symmetric on the first rows."""
        if "symmetric" in self._cache:
            return
        with torch.no_grad():
            one, other = (
                self._values(a, b).double() for a, b in ((x[:FEW], y[:FEW]), (y[:FEW], x[:FEW]))
            )
        gap = (one - other.T).abs()
        unit = torch.finfo(x.dtype).eps
        if bool((gap > 1e4 * unit * (1.0 + one.abs())).any()):
            i, j = (int(k) for k in np.argwhere(gap.numpy() == gap.numpy().max())[0])
            raise InputError(
                f"The kernel function is not symmetric: k(x, y) = {float(one[i, j]):g}, k(y, x) = "
                f"{float(other[j, i]):g}.",
                got=f"{show(self.function)} on row {i} of X and row {j} of Y",
                need="k(x, y) = k(y, x)",
                do="(f(x, y) + f(y, x)) / 2, if that is what is meant",
            )
        self._cache["symmetric"] = True

    def _values(self, x: Any, y: Any) -> torch.Tensor:
        a, b = (v if self.tensors else v.detach().cpu().numpy() for v in (x, y))
        if self._whole(a, b):
            value = self.function(a, b)
        else:
            value = [[_number(self.function(p, q)) for q in b] for p in a]
            if self.tensors:
                value = torch.stack([torch.stack([*map(_exactly, row)]) for row in value])
        result = _exactly(value).to(x)
        if tuple(result.shape) != (x.shape[0], y.shape[0]):
            raise self._misshapen(result, x, y)
        if not bool(torch.isfinite(result).all()):
            i, j = (int(k) for k in torch.nonzero(~torch.isfinite(result))[0])
            raise InputError(
                f"The kernel function gives {float(result[i, j])}.",
                got=f"{float(result[i, j])} for row {i} of X and row {j} of Y",
                need="finite numbers",
                do="mend the function where it divides by 0 or overflows",
            )
        return result

    def _whole(self, a: Any, b: Any) -> bool:
        """Whether the function takes all rows at once; tried out once, on 2 rows and 3."""
        if "whole" not in self._cache:
            left, right = a[[0, 0]], b[[0, 0, 0]]
            try:
                shape = tuple(np.shape(self.function(left, right)))
            except Exception:
                # A function of single rows may fail in any way on arrays of them.
                shape = ()
            self._cache["whole"] = shape == (2, 3)
        return bool(self._cache["whole"])

    def _misshapen(self, result: torch.Tensor, x: Any, y: Any) -> ShapeError:
        return ShapeError(
            f"The kernel function gives an array of shape {tuple(result.shape)}.",
            got=f"{show(self.function)} on {x.shape[0]} and {y.shape[0]} rows",
            need=f"shape ({x.shape[0]}, {y.shape[0]}), or one number for two rows",
            do="pm.kernels.Callable(lambda x, y: x @ y.T)",
        )

    @classmethod
    def example(cls) -> Callable:
        return cls(np.inner)


def _exactly(value: Any) -> torch.Tensor:
    """A tensor; numbers of Python's keep their digits, of which torch would drop half."""
    plain = not hasattr(value, "dtype")
    return torch.as_tensor(value, dtype=torch.float64 if plain else None)


def _number(value: Any) -> Any:
    shape = tuple(np.shape(value))
    if shape in ((), (1,), (1, 1)):
        return value.reshape(()) if shape else value
    raise ShapeError(
        f"The kernel function gives an array of shape {shape} for two rows.",
        got=show(value),
        need="one number for two rows, or shape (n, m) for n and m rows",
        do="pm.kernels.Callable(lambda x, y: x @ y.T)",
    )


def check_psd(matrix: Any, name: str = "The kernel") -> None:
    """Raise InputError if a symmetric matrix of kernel values has a negative eigenvalue.

    Parameters
    ----------
    matrix : ndarray or tensor of shape (n, n)
    name : str
        What the message calls the kernel.

    Raises
    ------
    InputError
        When the least eigenvalue lies further below 0 than rounding puts it: n ε |λ|_max, with ε of
        the matrix's dtype.

    Examples
    --------
    >>> check_psd(np.array([[1.0, 2.0], [2.0, 1.0]]))
    Traceback (most recent call last):
    phimaps.errors.InputError: The kernel is not positive definite: its matrix of 2 rows has ...
    """
    values = matrix if isinstance(matrix, torch.Tensor) else torch.as_tensor(np.asarray(matrix))
    values = values.detach()
    unit = torch.finfo(values.dtype).eps if values.is_floating_point() else 0.0
    eigenvalues = torch.linalg.eigvalsh((values.double() + values.double().T) / 2.0)
    least, most = float(eigenvalues[0]), float(eigenvalues.abs().max())
    if least >= -len(values) * max(unit, torch.finfo(torch.float64).eps) * most:
        return
    raise InputError(
        f"{name} is not positive definite: its matrix of {len(values)} rows has the eigenvalue "
        f"{least:.3g}.",
        got=f"eigenvalues from {least:.3g} to {float(eigenvalues[-1]):.3g}",
        need="no negative eigenvalue, beyond rounding",
        do="another kernel; a distance d makes one as exp(-d²) only where it is Euclidean",
    )
