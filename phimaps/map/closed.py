"""The closed map that a user means: a fitted one stands for what it was fitted to."""

from __future__ import annotations

from typing import Any

from ..errors import OperandError, UnboundError
from .feature import FeatureMap, as_map
from .term import show

__all__ = ["closed_map"]


def closed_map(phi: Any, what: str, need: str, do: str, bound: str = "phi.bind(X)") -> FeatureMap:
    """The value as a closed map with checked parameters.

    Parameters
    ----------
    phi : object
        A closed or fitted map, or what an adapter makes one of.
    what, need, do : str
        Lines of the message where it is no map.
    bound : str
        The repair where it is open.

    Raises
    ------
    OperandError, UnboundError, ParameterError
    """
    wrapped = as_map(phi)
    if wrapped is None:
        raise OperandError(what, got=show(phi), need=need, do=do)
    closed = vars(wrapped).get("map_", wrapped)
    if not closed.closed:
        raise UnboundError(
            f"This {type(wrapped).__name__} instance is not fitted yet: it has no weights.",
            got=f"{wrapped!r}",
            need="a map that is bound to data",
            do=bound,
        )
    closed.check_parameters()
    return closed
