"""What the items of a data set must be for a map to take them."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .term import Term

__all__ = ["rows_only"]


def rows_only(owner: Term, shape: Sequence[int], do: str | None = None) -> None:
    """Raise ShapeError where the data are not rows of numbers.

    Parameters
    ----------
    owner : Term
        The map that takes nothing else.
    shape : sequence of int
        Of the whole batch, (n, *items).
    do : str, optional
        The repair, where it is not ``pm.Owner() @ pm.Flatten()``.
    """
    if len(shape) != 2:
        name = type(owner).__name__
        raise ShapeError(
            f"{name} takes rows of numbers.",
            got=f"items of shape {tuple(shape[1:])}",
            need="shape (n, d)",
            do=do or f"pm.{name}() @ pm.Flatten()",
        )
