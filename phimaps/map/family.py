"""Families of feature maps: what an open map becomes as it has more and more features."""

from __future__ import annotations

from typing import Any, final

from ..errors import OperandError, ParameterError, show
from .feature import FeatureMap, as_map, combinators
from .term import Term

__all__ = ["Family"]


@final
class Family:
    """{φ_n : n = 1, 2, ...}, the maps that an open one denotes with n components; `φ.family()`.

    Behind linear functions a single map with finitely many features reaches little: the functions
    a·φ + b have finite dimension. The union over a family may be dense: this is what upgrading a
    class is. Of random maps the claims are about draws of real numbers, and hold with probability
    1. Of maps that are trained they are about all maps with any number of units and any arrays,
    among which training chooses.

    Parameters
    ----------
    member : FeatureMap
        One of the maps; its number of components does not matter.
    before : FeatureMap, optional
        What comes before every member; written ``family @ phi``.

    Examples
    --------
    >>> import phimaps as pm
    >>> family, line = pm.RandomFourier.family(), pm.Box([-1.0], [1.0])
    >>> pm.decide(pm.models.Linear() @ family, pm.Universal, on=line).holds
    True
    >>> pm.decide(pm.models.Linear() @ pm.RandomFourier(1000), pm.Universal, on=line).holds
    False

    Homeomorphisms of the line make no class of affine functions universal, a coupling behind a lift
    does:

    >>> for family in (pm.ReconfigurationNetwork.family(), pm.CouplingNetwork.family()):
    ...     print(pm.decide(pm.models.Linear() @ family, pm.Universal, on=line).holds)
    False
    True
    """

    def __init__(self, member: FeatureMap, before: FeatureMap | None = None):
        self.member, self.before = member, before
        if type(member).spans is Term.spans and not self.trained:
            raise OperandError(
                f"{type(member).__name__} has no family that is known.",
                got=f"{member!r}.family()",
                need="a map whose number of features may grow, of which it is known what their "
                "functions come near to",
                do="pm.RandomFourier.family(), pm.Polynomial.family(), pm.CouplingNetwork.family()",
            )
        member.check_parameters()

    @property
    def trained(self) -> bool:
        """Whether the maps state themselves what their affine functions come near to."""
        return type(self.member).upgrades is not Term.upgrades

    def kernel(self, d: int) -> Any:
        """The kernel whose functions the affine functions of members come near to; or None.

        On each compact set the closure of the union of {a·φ_n} is that of the functions of the
        kernel.

        Parameters
        ----------
        d : int
            The number of coordinates of what the members take.
        """
        return self.member.spans(d)

    def __matmul__(self, phi: Any) -> Family:
        wrapped = as_map(phi)
        if wrapped is None:
            raise OperandError(
                "'@' puts a feature map before a family, and this is not a map.",
                got=f"{self!r} @ {show(phi)}",
                need="a map, transformer, torch module or function",
                do="pm.RandomFourier.family() @ pm.Tanh()",
            )
        if not wrapped.closed:
            raise ParameterError(
                "What comes before a family is one closed map.",
                got=f"{self!r} @ {wrapped!r}",
                need="a map that is bound to data",
                do="family @ phi.bind(X)",
            )
        return Family(self.member, wrapped if self.before is None else self.before @ wrapped)

    def __repr__(self) -> str:
        own = f"{type(self.member).__name__}.family()"
        if self.before is None:
            return own
        inner = repr(self.before)
        return f"{own} @ {inner if ' ' not in inner else f'({inner})'}"


combinators["family"] = Family
