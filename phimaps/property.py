"""The properties that a map may have, each with its exact definition.

A property is *signed*: ``Injective`` claims it, ``~Injective`` claims the contrary. Some carry a
number: ``Lipschitz`` stands for the least constant L of a map, so ``Lipschitz(2)`` claims L <= 2
and, as a fact, ``~Lipschitz(2)`` claims L >= 2; as a question it asks whether 2 is no constant.
Which side of the number a claim bounds follows from its sign, and so does the direction in which
it is inherited: a claim that quantifies over all points passes to subsets of the domain, one that
exhibits points passes to supersets. Most properties quantify and their contraries exhibit;
``Surjective`` and ``DenseImage`` exhibit and their contraries quantify. Some are about something
besides the map: ``PositivelyHomogeneous(2)`` about a degree, ``Invariant(T)`` about a motion T.
``Continuous`` is asked of maps and of kernels, ``Universal`` of classes of functions and of
kernels, some of kernels only: ``of`` says of what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from .errors import TruthError

__all__ = [
    "SENSES",
    "Affine",
    "ApproximatelyUAPInvariant",
    "ApproximatelyUniversal",
    "Borel",
    "Bounded",
    "Characteristic",
    "Continuous",
    "DenseImage",
    "Homeomorphism",
    "Injective",
    "Invariant",
    "Lipschitz",
    "LowerLipschitz",
    "LpUniversal",
    "NonVanishing",
    "PositiveDefinite",
    "PositivelyHomogeneous",
    "Proper",
    "Property",
    "Smooth",
    "StrictlyPositiveDefinite",
    "Surjective",
    "UAPInvariant",
    "Universal",
]


@dataclass(frozen=True)
class Property:
    """A signed claim about a map on a space.

    Parameters
    ----------
    name : str
        The adjective.
    definition : str
        What it means of a map φ on a space K.
    quantity : {None, "least", "greatest"}
        ``"least"``: the property is about the least number with some inequality (Lipschitz
        constant, bound); the map has it when that number is finite. ``"greatest"``: about the
        greatest such number (lower Lipschitz constant); it has it when that number is positive.
    holds : bool
        The sign of the claim.
    bound : float, callable or None
        The number in the claim; a callable is evaluated only when the claim is used.
    about : object
        What the claim is about besides the map: a degree, a motion.
    takes : str
        The word for what it is about; empty for a property that is about nothing else.
    exhibits : bool
        Whether the property itself exhibits points, so that it passes to supersets.
    of : tuple of str
        What it is a property of: ``"map"``, ``"class"`` of functions, ``"kernel"``.

    Examples
    --------
    >>> ~Injective
    ~Injective
    >>> Lipschitz(2.0)
    Lipschitz(2)
    """

    name: str
    definition: str
    quantity: str | None = None
    holds: bool = True
    bound: float | Callable[[], float] | None = None
    about: Any = None
    takes: str = ""
    exhibits: bool = False
    of: tuple[str, ...] = ("map",)

    def __invert__(self) -> Property:
        return replace(self, holds=not self.holds)

    def __call__(self, value: Any) -> Property:
        if self.takes:
            return replace(self, about=value)
        if self.quantity is None:
            raise TypeError(f"{self.name} has no constant")
        return replace(self, bound=value)

    def __repr__(self) -> str:
        sign = "" if self.holds else "~"
        if self.takes and self.about is not None:
            return f"{sign}{self.name}({self.about!r})"
        if self.bound is None:
            return sign + self.name
        return f"{sign}{self.name}({self.number:.6g})"

    def __bool__(self) -> bool:
        raise TruthError(
            f"{self.name} is a property, not a truth value.",
            got=f"bool({self!r})",
            need="a map and a space to ask it about",
            do=f"phimaps.decide(phi, phimaps.{self.name}, on=space).holds",
        )

    @property
    def base(self) -> Property:
        """The unsigned property, without a number."""
        return replace(self, holds=True, bound=None)

    @property
    def number(self) -> float:
        """The constant in the claim, computed if it was given as a callable."""
        if self.bound is None:
            raise TypeError(f"{self!r} carries no number")
        return float(self.bound() if callable(self.bound) else self.bound)

    @property
    def everywhere(self) -> bool:
        """Whether the claim quantifies over all points, and so passes to subsets."""
        return self.holds != self.exhibits

    @property
    def upper(self) -> bool:
        """Whether the claim bounds its number from above."""
        return (self.quantity == "least") == self.holds

    def trivial(self, number: float) -> bool:
        """Whether the claim says nothing with this number (``L <= inf``, ``l >= 0``)."""
        return number == inf if self.upper else number == 0.0

    def settles(self, number: float) -> bool:
        """Whether the claim with this number decides the property itself.

        A positive claim does as soon as it is not trivial; a negative one only when the least
        number is infinite, or the greatest zero.
        """
        if self.holds:
            return not self.trivial(number)
        return number == (inf if self.quantity == "least" else 0.0)

    def better(self, a: float, b: float) -> float:
        """The stronger of two numbers for this claim."""
        return min(a, b) if self.upper else max(a, b)


Continuous = Property(
    "Continuous",
    "x_n -> x in K implies φ(x_n) -> φ(x); of a kernel k: (x, y) ↦ k(x, y) is continuous on K × K",
    of=("map", "kernel"),
)
Borel = Property("Borel", "{x in K : φ(x) in B} is a Borel set for every Borel set B of R^d")
Injective = Property("Injective", "φ(x) = φ(y) for x, y in K only if x = y")
Homeomorphism = Property(
    "Homeomorphism",
    "φ is continuous and injective on K, and its inverse is continuous on φ(K): a homeomorphism "
    "onto its image",
)
Proper = Property("Proper", "φ is continuous, and {x in K : φ(x) in C} is compact for compact C")
Affine = Property("Affine", "φ is the restriction to K of x ↦ Ax + b")
Smooth = Property(
    "Smooth",
    "the greatest k such that φ is the restriction to K of a function that is k times continuously "
    "differentiable near K is positive; 0 stands for none",
    "greatest",
)
Lipschitz = Property(
    "Lipschitz", "the least L with |φ(x) - φ(y)| <= L d(x, y) on K is finite", "least"
)
LowerLipschitz = Property(
    "LowerLipschitz", "the greatest l with |φ(x) - φ(y)| >= l d(x, y) on K is positive", "greatest"
)
Bounded = Property("Bounded", "the least B with |φ(x)| <= B on K is finite", "least")
Surjective = Property("Surjective", "every point of R^d is φ(x) for some x in K", exhibits=True)
DenseImage = Property("DenseImage", "φ(K) is dense in R^d", exhibits=True)
PositivelyHomogeneous = Property(
    "PositivelyHomogeneous",
    "φ(tx) = t^p φ(x) for all t > 0 with x and tx in K, where p is the degree",
    about=1,
    takes="degree",
)
Invariant = Property(
    "Invariant",
    "φ(Tx) = φ(x) for all x in K with Tx in K, where T is the motion",
    takes="motion",
)
Universal = Property(
    "Universal",
    "F_φ = {f∘φ : f in F} is dense in C(K) in the sup norm on compact sets; of a kernel k with the "
    "Hilbert space H_k: k is positive definite and continuous on K, and for each compact part C of "
    "K the functions of H_k, restricted to C, are dense in C(C); behind a readout ρ into Y the "
    "same of the ρ∘(f_1, ..., f_n)∘φ and the continuous functions into Y, see `Readout`",
    of=("class", "kernel"),
)
ApproximatelyUniversal = Property(
    "ApproximatelyUniversal",
    "each g in C(K) is a limit of members of F_φ = {f∘φ : f in F}, uniformly on compact sets; the "
    "members themselves need not be continuous",
    of=("class",),
)
LpUniversal = Property(
    "LpUniversal",
    "the members of F_φ = {f∘φ : f in F} are Borel functions, and for each finite Borel measure μ "
    "on a compact part of K and 1 <= p < ∞ those in L^p(μ) are dense in L^p(μ); sums of point "
    "masses are such measures",
    of=("class",),
)
SENSES = (Universal, ApproximatelyUniversal, LpUniversal)
UAPInvariant = Property(
    "UAPInvariant",
    "for every universal class F of continuous functions, F_φ = {f∘φ : f in F} is a dense part of "
    "C(K): the strict sense",
)
ApproximatelyUAPInvariant = Property(
    "ApproximatelyUAPInvariant",
    "for every universal class F of continuous functions, each g in C(K) is a limit of functions "
    "f∘φ, uniformly on compact sets; the f∘φ themselves need not be continuous",
)
PositiveDefinite = Property(
    "PositiveDefinite",
    "of a kernel k: for finitely many points x_i of K the matrix k(x_i, x_j) is symmetric and "
    "positive semidefinite",
    of=("kernel",),
)
StrictlyPositiveDefinite = Property(
    "StrictlyPositiveDefinite",
    "of a kernel k: for finitely many different points x_i of K the matrix k(x_i, x_j) is "
    "symmetric and positive definite",
    of=("kernel",),
)
Characteristic = Property(
    "Characteristic",
    "of a positive definite kernel k: ∫ k(x, ·) dP(x) = ∫ k(x, ·) dQ(x) only for P = Q, of all "
    "Borel probability measures on K that √k(x, x) is integrable for (on a compact K with k "
    "continuous: of all)",
    of=("kernel",),
)
NonVanishing = Property(
    "NonVanishing",
    "of a kernel k: k is positive definite and continuous on K, and for each compact part C of K "
    "some function of H_k has no zero on C",
    of=("kernel",),
)

PROPERTIES = [value for value in list(globals().values()) if isinstance(value, Property)]
