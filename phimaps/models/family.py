"""Affine functions of every map of a family: what upgrades them to a universal class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, final

from ..errors import OperandError
from ..kernels import Kernel
from ..map import Family, Part
from ..map.term import Fact
from ..spaces import Image, Space
from .base import Model
from .linear import AffineFunctions

__all__ = ["FamilyPullback"]


@final
class Members:
    """All maps of a family that states itself what they come near to; of each nothing is asked."""

    def __init__(self, family: Family):
        self.family = family

    def __repr__(self) -> str:
        return f"each map of {self.family!r}"

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from ()

    def parts(self, on: Space) -> list[Part]:
        return []

    def undefined(self, on: Space) -> str | None:
        return None


@final
class FamilyPullback:
    """{f∘φ_n : f ∈ F, n = 1, 2, ...} for affine functions F; written ``Linear() @ family``.

    It is something to decide about, not an estimator: an estimator has one map, ``F @ phi``.

    Parameters
    ----------
    model : Model
        A class of affine functions.
    family : Family
    """

    def __init__(self, model: Model, family: Family):
        if not isinstance(model, AffineFunctions):
            raise OperandError(
                "A family stands behind affine functions: other classes need none.",
                got=f"{model!r} @ {family!r}",
                need="pm.models.Linear() or pm.models.Ridge()",
                do="pm.models.Linear() @ family",
            )
        self.model, self.family = model, family

    def __repr__(self) -> str:
        inner = repr(self.family)
        return f"{self.model!r} @ {inner if ' @ ' not in inner else f'({inner})'}"

    # What `decide` asks of every subject.
    closed = True

    @property
    def takes(self) -> tuple[int, ...] | None:
        return None if self.family.before is None else self.family.before.takes

    @property
    def domain(self) -> Space | None:
        return None if self.family.before is None else self.family.before.domain

    def kernel_on(self, on: Space) -> Kernel | None:
        """The kernel whose functions the class comes near to, on a space."""
        before = self.family.before
        shape = on.shape if before is None else before.out_shape(on.shape)
        kernel = self.family.kernel(prod(shape))
        return kernel if kernel is None or before is None else kernel @ before

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.family.before is None:
            yield from self.family.member.upgrades(on)

    def parts(self, on: Space) -> list[Part]:
        before, own = self.family.before, Family(self.family.member)
        if self.family.trained and before is not None:
            first: Any = FamilyPullback(self.model, own)
            return [Part(first, before.image(on)), Part(before, Image(on, on))]
        # Without a kernel nothing is known of the part, and so nothing of the whole.
        part: Any = self.kernel_on(on) or Members(own)
        return [Part(part, Image(on, on))]

    def undefined(self, on: Space) -> str | None:
        return None if self.family.before is None else self.family.before.undefined(on)

    def check_parameters(self) -> None:
        self.model.check_parameters()
        self.family.member.check_parameters()
