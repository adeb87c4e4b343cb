"""A closed map as a torch module, to train it or to put it into a network."""

from __future__ import annotations

from typing import Any, final

import torch

from .map import FeatureMap
from .map.closed import closed_map

__all__ = ["Module", "as_module"]


@final
class Module(torch.nn.Module):
    """x ↦ φ_θ(x), where θ are all tensors of a closed map, as named parameters.

    The map itself is not touched by training; `to_map` gives the trained one.

    Parameters
    ----------
    phi : FeatureMap
        A closed map.
    """

    def __init__(self, phi: FeatureMap):
        super().__init__()
        self.phi = phi
        self._paths: dict[str, str] = {}

        def register(path: str, tensor: torch.Tensor) -> torch.Tensor:
            # Parameter names may not contain dots; "-" keeps numbered parts readable.
            name = path.replace(".", "__")
            self._paths[path] = name
            self.register_parameter(name, torch.nn.Parameter(tensor.detach().clone()))
            return tensor

        phi.rebuild(register)

    def current(self) -> FeatureMap:
        """The map with the parameters' present values, connected to the graph."""
        return self.phi.rebuild(lambda path, _: getattr(self, self._paths[path]))

    def to_map(self) -> FeatureMap:
        """The map with the parameters' present values, as a value of its own."""
        return self.phi.rebuild(lambda path, _: getattr(self, self._paths[path]).detach().clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """φ_θ(x), differentiable in x and θ."""
        return self.current().forward(x)

    def extra_repr(self) -> str:
        return repr(self.phi)


def as_module(phi: Any, dtype: torch.dtype | None = None) -> Module:
    """x ↦ φ(x) as an ``nn.Module`` with every tensor of φ a named parameter.

    Parameters
    ----------
    phi : FeatureMap
        Closed, or fitted.
    dtype : torch.dtype, optional
        Of the parameters; default: float64, or what the map's own tensors have.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    UnboundError
        When the map is open and not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import phimaps as pm
    >>> module = as_module(pm.Tanh() @ pm.Affine(np.ones((2, 3))))
    >>> [name for name, _ in module.named_parameters()]
    ['affine__weight', 'affine__bias']
    """
    repair = "pm.as_module(phi.bind(X))"
    need = "a closed or fitted feature map"
    closed = closed_map(phi, "as_module takes a map.", need, repair, repair)
    module = Module(closed)
    return module.to(dtype) if dtype is not None else module
