"""What is claimed of an object: by its author, or by what this library proves of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from ...decide import decide
from ...drawn import generator
from ...errors import ParameterError, PhimapsError, show
from ...map import FeatureMap
from ...property import PROPERTIES, Property
from ...spaces import Space
from ..campaign import questions
from ..falsify import claims as said

__all__ = ["Claim", "claims_of"]

# The properties by the names that a dict gives them.
NAMES = {
    "affine": "Affine",
    "bounded": "Bounded",
    "continuous": "Continuous",
    "homeomorphism": "Homeomorphism",
    "homogeneous": "PositivelyHomogeneous",
    "injective": "Injective",
    "invariant": "Invariant",
    "lipschitz": "Lipschitz",
    "lower_lipschitz": "LowerLipschitz",
    "smooth": "Smooth",
}


@final
@dataclass(frozen=True)
class Claim:
    """Something that is claimed of an object.

    Parameters
    ----------
    name : str
        By which a check says that it tests such claims.
    value : object
        The property, or the value that the claim has.
    source : str
        "given", or what the library said.
    """

    name: str
    value: Any
    source: str = "given"

    def __repr__(self) -> str:
        if isinstance(self.value, Property):
            return repr(self.value)
        return self.name if self.value is True else f"{self.name}={show(self.value)}"


def claims_of(
    obj: Any, claims: Any, domain: Any, fitted: Callable[[], Any] | None = None
) -> list[Claim]:
    """The claims in any of their forms, one by one.

    Parameters
    ----------
    obj : object
    claims : Property, iterable, dict or None
        None: of a map of phimaps all that `decide` says of it on the domain, else nothing.
    domain : Space or Frame
    fitted : callable, optional
        Gives the map as it is tested. Default: what it is when bound to points of the domain.

    Returns
    -------
    list of Claim

    Raises
    ------
    ParameterError
        When one of them is no claim.

    Examples
    --------
    >>> import phimaps as pm
    >>> claims_of(abs, {"lipschitz": 1, "injective": False, "kernel": pm.kernels.Linear()}, None)
    [Lipschitz(1), ~Injective, kernel=Linear()]
    """
    if claims is None:
        return list(_decided(obj, domain, fitted))
    if isinstance(claims, Mapping):
        return [_named(name, value) for name, value in claims.items()]
    single = isinstance(claims, Property) or hasattr(claims, "as_property")
    return [_one(claim) for claim in ([claims] if single else claims)]


def _one(claim: Any) -> Claim:
    prop = getattr(claim, "as_property", claim)
    if isinstance(prop, Property):
        return Claim(prop.name, prop)
    if isinstance(claim, str):
        return _named(claim, True)
    raise ParameterError(
        f"{show(claim)} is no claim.",
        got=f"claims with {show(claim)}",
        need="properties, such as pm.Injective or pm.Lipschitz(2.0), or a dict of names and values",
        do="claims=[pm.Continuous, pm.Lipschitz(2.0)], or {'kernel': pm.kernels.RBF(gamma=0.5)}",
    )


def _named(name: str, value: Any) -> Claim:
    if name not in NAMES:
        return Claim(name, value)
    prop = next(p for p in PROPERTIES if p.name == NAMES[name])
    if isinstance(value, bool):
        return Claim(prop.name, prop if value else ~prop)
    return Claim(prop.name, prop(value))


def _decided(obj: Any, domain: Any, fitted: Callable[[], Any] | None) -> Iterator[Claim]:
    if not isinstance(obj, FeatureMap) or not isinstance(domain, Space):
        return
    try:
        found = obj if fitted is None else fitted()
        found = vars(found).get("map_", found)
        phi = found if found.closed else found.bind(domain.sample(64, 0))
        for goal in questions(phi, domain, generator(0)):
            for prop in said(decide(phi, goal, on=domain)):
                yield Claim(prop.name, prop, "decide")
    except (PhimapsError, ValueError, TypeError):
        # What cannot be bound to such rows fails the first check, and says there why.
        return
