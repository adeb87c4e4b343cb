"""Borel maps: continuous ones, and what is made of Borel maps."""

from __future__ import annotations

from ..map import Assume, Compose, Concat, FeatureMap, On, Product, Scale, Sum, Tensor
from ..property import Borel, Continuous
from ..theorem import Premise, theorem

theorem(
    "continuous-borel",
    Borel,
    FeatureMap,
    Premise("self", Continuous),
    statement="a continuous map is Borel",
    source="preimages of open sets are open, and open sets generate the Borel sets",
)
theorem(
    "compose-borel",
    Borel,
    Compose,
    Premise("each", Borel),
    statement="a composition of Borel maps is Borel",
    source="the preimage under g of the preimage under f of a Borel set is one",
)
for about, statement, why in (
    (
        Concat,
        "a concatenation of Borel maps is Borel",
        "boxes generate the Borel sets of R^d, and their preimages are intersections of preimages",
    ),
    (
        Sum,
        "a sum of Borel maps is Borel",
        "addition is continuous, and the concatenation of the terms is Borel",
    ),
    (
        Tensor,
        "a tensor product of Borel maps is Borel",
        "multiplication is continuous, and the concatenation of the factors is Borel",
    ),
    (Scale, "a multiple of a Borel map is Borel", "multiplication by a number is continuous"),
    (
        Product,
        "a product of Borel maps is Borel",
        "each block is a Borel map after a projection, which is continuous",
    ),
    (
        On,
        "the restriction of a Borel map is Borel",
        "the Borel sets of a part of K are the intersections of those of K with it",
    ),
    (Assume, "an assumption does not change the function", "by definition of assume"),
):
    theorem(
        f"{about.__name__.lower()}-borel",
        Borel,
        about,
        Premise("each", Borel),
        statement=statement,
        source=why,
    )
