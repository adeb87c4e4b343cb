"""Maps of phimaps whose authors state what they do not have, or break the contract."""

from typing import final

import torch

import phimaps as pm

from .case import LINE, PLANE, Bed

BED = Bed()


@BED.add("facts says injective of a map that folds", "check_injective", on=LINE)
@final
class StatedInjective(pm.FeatureMap):
    """x ↦ x² exp(-x)."""

    def forward(self, x):
        return x**2 * torch.exp(-x)

    def facts(self, on):
        yield pm.Injective, "exp is"


@BED.add(
    "facts gives the constant of another function: 1 for softplus(2x)", "check_lipschitz", on=PLANE
)
@final
class StatedLipschitz(pm.FeatureMap):
    """x ↦ softplus(s x)."""

    sharpness: float = 2.0

    def forward(self, x):
        return torch.nn.functional.softplus(self.sharpness * x)

    def facts(self, on):
        yield pm.Lipschitz(1.0), "the slope of softplus is at most 1"


@BED.add("facts says continuous of a map with a threshold", "check_continuous", on=PLANE)
@final
class StatedContinuous(pm.FeatureMap):
    """x ↦ x where x > t, else 0."""

    threshold: float = 0.25

    def forward(self, x):
        return torch.where(x > self.threshold, x, torch.zeros_like(x))

    def facts(self, on):
        yield pm.Continuous, "ReLU is continuous"


@BED.add("facts bounds one coordinate, not the norm", "check_bounded", on=PLANE)
@final
class StatedBounded(pm.FeatureMap):
    """x ↦ sin x."""

    def forward(self, x):
        return torch.sin(x)

    def facts(self, on):
        yield pm.Bounded(1.0), "the sine is at most 1"


@BED.add(
    "facts gives a lower constant for all of the line, true for x > 0 only",
    "check_lower_lipschitz",
    on=PLANE,
)
@final
class StatedLower(pm.FeatureMap):
    """x ↦ exp x."""

    def forward(self, x):
        return torch.exp(x)

    def facts(self, on):
        yield pm.LowerLipschitz(1.0), "the slope of exp is at least 1"


@BED.add("forward takes the mean of the batch", "check_rows", on=PLANE)
@final
class ForwardOfBatch(pm.FeatureMap):
    """x ↦ x - mean."""

    def forward(self, x):
        return x - x.mean(0)


@BED.add("forward alters its argument", "check_input_untouched", on=PLANE)
@final
class ForwardInPlace(pm.FeatureMap):
    """x ↦ |x|."""

    def forward(self, x):
        return x.abs_() + 0.0


@BED.add("the matrix is held in float32", "check_dtype", "check_real_precision", on=PLANE)
@final
class ForwardInSingle(pm.FeatureMap):
    """x ↦ sin(x A) in float32."""

    def forward(self, x):
        a = torch.tensor([[1.0, 0.1], [0.3, 1.0]])
        return torch.sin(x.float() @ a).to(x.dtype)


@BED.add("the factor is drawn at each call", "check_deterministic", "check_global_state", on=PLANE)
@final
class ForwardAtRandom(pm.FeatureMap):
    """x ↦ r x, r random."""

    def forward(self, x):
        return x * (1 + 1e-3 * torch.rand(()).to(x))


@BED.add(
    "facts says homogeneous of degree 1 in spite of an offset",
    "check_homogeneous",
    on=PLANE,
)
@final
class StatedHomogeneous(pm.FeatureMap):
    """x ↦ |x - c|."""

    offset: float = 0.125

    def forward(self, x):
        return (x - self.offset).abs()

    def facts(self, on):
        yield pm.PositivelyHomogeneous(1), "|tx| = t|x|"


@BED.add("facts says affine of a map with a kink far out", "check_affine", on=LINE)
@final
class StatedAffine(pm.FeatureMap):
    """x ↦ min(x, 1.9)."""

    def forward(self, x):
        return x.clamp_max(1.9)

    def facts(self, on):
        yield pm.property.Affine, "x is"
