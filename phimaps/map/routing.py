"""Fit parameters (``sample_weight``, ...) on their way to the parts that asked for them."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.utils.metadata_routing import _routing_enabled, process_routing

from ..errors import ParameterError
from ..estimator import Given

__all__ = ["route"]


def route(owner: Any, given: Given) -> list[Given]:
    """One `Given` for each part of a composite.

    Parameters
    ----------
    owner : Composite
        Its ``get_metadata_routing`` says which part requested what.
    given : Given
        What the composite itself was told.

    Returns
    -------
    list of Given
    """
    names = [name for name, _ in owner.named()]
    if not given.params:
        return [given] * len(names)
    if not _routing_enabled():
        raise ParameterError(
            f"{type(owner).__name__} was given fit parameters, and metadata routing is off.",
            got=", ".join(f"{k}=..." for k in given.params),
            need="sklearn.set_config(enable_metadata_routing=True)",
            do="enable it, then part.set_fit_request(sample_weight=True)",
        )
    try:
        routed = process_routing(owner, "fit", **given.params)
    except (UnsetMetadataPassedError, TypeError) as error:
        raise ParameterError(
            f"{type(owner).__name__} was given a fit parameter that none of its parts asked for.",
            got=", ".join(f"{k}=..." for k in given.params),
            need=" ".join(str(error).split()),
            do="part.set_fit_request(sample_weight=True)",
        ) from None
    return [Given(given.names, given.y, dict(routed[name].fit)) for name in names]
