"""The same map with less domain, or with more known about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch

from ..errors import DomainError, OperandError, ParameterError, ShapeError
from ..proof import Reason, Strength
from ..property import Property
from ..spaces import Boxlike, Image, Space
from .feature import FeatureMap, as_map, combinators
from .single import Single
from .term import Fact, show

__all__ = ["Assume", "On", "assume"]


@final
class On(Single):
    """f restricted to a space; written ``f.on(space)``.

    Parameters
    ----------
    map : FeatureMap
    space : Space
        Points outside it are refused.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(pm.Power(2).on(pm.Box([0.0], [1.0])), pm.Injective).holds
    True
    """

    map: FeatureMap
    space: Space

    _parameter_constraints = {"map": [FeatureMap], "space": [Space]}

    def check_parameters(self) -> None:
        super().check_parameters()
        self.check_fit()

    def check_fit(self) -> None:
        """Raise where there is no space, or its points are not what the map takes."""
        if not isinstance(self.space, Space):
            raise ParameterError(
                "A map is restricted to a space.",
                got=f"space={show(self.space)}",
                need="a phimaps space",
                do="phi.on(pm.Box([0, 0], [1, 1]))",
            )
        if self.map.takes is not None and self.map.takes != self.space.shape:
            raise ShapeError(
                f"The map takes points of shape {self.map.takes}, the space has points of shape "
                f"{self.space.shape}.",
                got=f"{self!r}",
                need="a space of the map's inputs",
                do=f"phi.on(space) with a space of shape {self.map.takes}",
            )

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.space.shape

    @property
    def domain(self) -> Space | None:
        return self.space

    @property
    def sparse(self) -> bool:
        return False

    @property
    def bytes(self) -> bool:
        # The space has the numbers that bytes stand for, which only the map knows.
        return False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._check(x)
        return self.map.forward(x)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self._check(x)
        self.map.write(x, out)

    def _check(self, x: torch.Tensor) -> None:
        inside = self._inside(x.detach())
        if not bool(inside.all()):
            row = int((~inside).nonzero()[0])
            raise DomainError(
                f"Row {row} lies outside the space to which the map is restricted.",
                got=f"{show(x[row].detach().cpu().tolist())}",
                need=f"points of {self.space!r}",
                do="drop these rows, or use the map without .on(...)",
            )

    def _inside(self, x: torch.Tensor) -> torch.Tensor:
        points = x.double().cpu().numpy()
        if not isinstance(self.space, Boxlike):
            return torch.from_numpy(self.space.contains(points))
        # float32 points are nearest neighbours of the reals that they stand for; but a map that
        # has no value at an open end has none at a point that was rounded to it.
        slack = torch.finfo(x.dtype).eps
        low, high = self.space.ends
        below, above = (
            slack * np.abs(np.where(inside, end, 0.0))
            for inside, end in zip(self.space.attains(), (low, high), strict=True)
        )
        checked = self.space.points(points)
        inside = (checked >= low - below) & (checked <= high + above)
        ok = inside.reshape(len(checked), self.space.size).all(axis=1)
        return torch.from_numpy(np.asarray(ok))

    def image(self, on: Space) -> Image:
        return self.map.image(on)

    def undefined(self, on: Space) -> str | None:
        if not on.is_subset(self.space):
            return f"{on!r} does not lie in {self.space!r}, to which the map is restricted"
        return self.map.undefined(on)

    def __repr__(self) -> str:
        kinds = tuple(combinators[s] for s in ("@", "+", "&", "*", "scale"))
        return f"{self.map.repr_in(*kinds)}.on({self.space!r})"


@final
class Assume(Single):
    """f with an unproved assertion about it, shown in every proof that uses it.

    Parameters
    ----------
    map : FeatureMap
    claim : Property
        What is asserted, on every space that the map is asked about.
    because : str
        Why.

    Examples
    --------
    >>> import phimaps as pm
    >>> phi = pm.assume(pm.from_function(torch.sinh), pm.Injective, because="sinh increases")
    >>> pm.decide(phi, pm.Injective, on=pm.Box([-1.0], [1.0])).strength
    'assumed'
    """

    map: FeatureMap
    claim: Property
    because: str

    _parameter_constraints = {"map": [FeatureMap], "claim": [Property], "because": [str]}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.map.forward(x)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self.map.write(x, out)

    def forward_sparse(self, x: Any) -> Any:
        return self.map.forward_sparse(x)

    def image(self, on: Space) -> Image:
        return self.map.image(on)

    def facts(self, on: Space) -> Iterator[Fact]:
        claim = self.claim
        if claim.quantity is not None and claim.bound is None:
            # Without a number the assumption says only that the constant is not trivial.
            return
        yield claim, Reason(f"assumed: {self.because}", Strength.ASSUMED)

    def __repr__(self) -> str:
        return f"assume({self.map!r}, {self.claim!r}, because={self.because!r})"


def assume(phi: Any, claim: Any, *, because: str) -> FeatureMap:
    """φ with an unproved assertion, shown in every proof tree that uses it.

    Parameters
    ----------
    phi : FeatureMap, transformer, module or function
    claim : Property
        For a constant, with its number: ``pm.Lipschitz(2.0)``.
    because : str
        Why it is believed.

    Returns
    -------
    FeatureMap
        The same function; a proof that rests on the assertion has the strength "assumed".

    Raises
    ------
    ParameterError
        When the claim is not a property, or needs a number and has none.

    Examples
    --------
    >>> import phimaps as pm
    >>> assume(pm.Relu(), pm.Lipschitz(1.0), because="slope at most 1")
    assume(Relu(), Lipschitz(1), because='slope at most 1')
    """
    wrapped = as_map(phi)
    if wrapped is None:
        raise OperandError(
            "assume is about a map.",
            got=show(phi),
            need="a map, transformer, torch module or function",
            do='pm.assume(phi, pm.Injective, because="...")',
        )
    claim = getattr(claim, "as_property", claim)
    if not isinstance(claim, Property):
        raise ParameterError(
            "What is assumed must be a property.",
            got=f"claim={show(claim)}",
            need="a property such as phimaps.Injective",
            do='pm.assume(phi, pm.Injective, because="...")',
        )
    result = Assume(wrapped, claim, because)
    result.check_parameters()
    if claim.quantity is not None and claim.bound is None:
        raise ParameterError(
            f"An assumption about {claim.name} needs its number.",
            got=f"{claim!r}",
            need="a number",
            do=f"pm.{claim.name}(2.0)",
        )
    return result


combinators["on"] = On
