"""Maps that are called injective, continuous, smooth, affine, onto or proper, and are not."""

import numpy as np
import torch
from sklearn.preprocessing import Binarizer, KBinsDiscretizer, Normalizer
from torch import nn
from torch.nn import functional as F

import phimaps as pm

from .case import IMAGES, LINE, PLANE, Bed, Plain

BED = Bed()
ONE, JUMP = "check_injective", "check_continuous"
INJECTIVE, CONTINUOUS = (pm.Injective,), (pm.Continuous,)


# --- injective -----------------------------------------------------------------------------------
@BED.add("what is negative becomes 0", ONE, claims=INJECTIVE)
class ReluInjective(nn.ReLU):
    pass


@BED.add("max pooling forgets all but the greatest", ONE, on=IMAGES, claims=INJECTIVE)
class MaxPoolInjective(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2).flatten(1)


@BED.add(
    "overlapping maxima still forget: a dark pixel among bright ones",
    ONE,
    on=IMAGES,
    claims=INJECTIVE,
)
class SlidingMaxInjective(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2, stride=1).flatten(1)


@BED.add("GELU is not monotone: two points below 0 have one value", ONE, on=LINE, claims=INJECTIVE)
class GeluInjective(nn.GELU):
    pass


@BED.add("rounded to one digit", ONE, claims=INJECTIVE)
class RoundInjective(Plain):
    def features(self, X):
        return np.round(X, 1)


@BED.add("rounded to six digits", ONE, claims=INJECTIVE)
class RoundFinelyInjective(Plain):
    def features(self, X):
        return np.round(X, 6)


@BED.add("the sign is lost", ONE, claims=INJECTIVE)
def abs_injective(x):
    return x.abs()


@BED.add("the whole part is lost", ONE, claims=INJECTIVE)
def fraction_injective(x):
    return x - torch.floor(x)


@BED.add("beyond 1.5 all is 1.5", ONE, claims=INJECTIVE)
class ClipInjective(Plain):
    def features(self, X):
        return np.clip(X, -1.5, 1.5)


@BED.add(
    "beyond 1.999 all is one: a part of 0.05 % of the interval", ONE, on=LINE, claims=INJECTIVE
)
class ClipNearEndInjective(Plain):
    def features(self, X):
        return np.minimum(X, 1.999)


@BED.add("the order is lost", ONE, claims=INJECTIVE)
class SortInjective(Plain):
    def features(self, X):
        return np.sort(X, axis=1)


@BED.add("x and x + c have one softmax", ONE, claims=INJECTIVE)
class SoftmaxInjective(nn.Softmax):
    def __init__(self):
        super().__init__(dim=-1)


@BED.add("layer norm forgets the mean and the scale", ONE, claims=INJECTIVE)
class LayerNormInjective(nn.LayerNorm):
    def __init__(self):
        super().__init__(3)


@BED.add("three numbers to two", ONE, claims=INJECTIVE)
class ProjectionInjective(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)


@BED.add("the third row of the square matrix is the sum of the other two", ONE, claims=INJECTIVE)
class SingularInjective(Plain):
    def features(self, X):
        m = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -0.5], [1.0, 1.5, -0.5]])
        return X @ m.T.astype(X.dtype)


@BED.add("sin turns back at π/2", ONE, on=LINE, claims=INJECTIVE)
def sine_injective(x):
    return torch.sin(x)


@BED.add("x³ - x takes three values thrice", ONE, on=LINE, claims=INJECTIVE)
def cubic_injective(x):
    return x**3 - x


@BED.add("flat between 0.5 and 0.501", ONE, on=LINE, claims=INJECTIVE)
def flat_piece(x):
    return torch.where(x < 0.5, x, torch.clamp_min(x, 0.501) - 0.001)


@BED.add(
    "the symmetric functions of two numbers do not tell which was which",
    ONE,
    on=PLANE,
    claims=INJECTIVE,
)
def symmetric_functions(x):
    return torch.stack([x.sum(-1), x.prod(-1)], dim=-1)


@BED.add("cosines of x are even", ONE, on=LINE, claims=INJECTIVE)
def cosines_injective(x):
    return torch.cos(x * torch.arange(1, 6).to(x))


@BED.add(
    "five ReLUs of three numbers: where fewer than three are on, directions are lost",
    ONE,
    claims=INJECTIVE,
)
class ReluLayerInjective(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 5), nn.ReLU())


@BED.add(
    "scikit-learn's Normalizer keeps the direction only",
    ONE,
    on=pm.Box([0.1] * 3, [2.0] * 3),
    claims=INJECTIVE,
    build=Normalizer,
)
class NormalizerInjective:
    pass


@BED.add(
    "bins keep the interval only",
    ONE,
    claims=INJECTIVE,
    build=lambda: KBinsDiscretizer(20, encode="ordinal", quantile_method="averaged_inverted_cdf"),
)
class BinsInjective:
    pass


@BED.add(
    "period 23 for the hours 0 to 23: the first and the last are one",
    ONE,
    on=pm.Finite(np.arange(24.0)[:, None]),
    claims=INJECTIVE,
)
class HoursInjective(Plain):
    def learn(self, X):
        self.period_ = X.max(axis=0)

    def features(self, X):
        angle = 2 * np.pi * X / self.period_
        return np.hstack([np.round(np.sin(angle), 9), np.round(np.cos(angle), 9)])


@BED.add("strided averages: a pattern of mean 0 is lost", ONE, on=IMAGES, claims=INJECTIVE)
class AveragesInjective(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, 2).flatten(1)


@BED.add("a stride of 2 with kernel 1 skips three pixels of four", ONE, on=IMAGES, claims=INJECTIVE)
class StrideInjective(nn.Module):
    def forward(self, x):
        return torch.cat([x[..., ::2, ::2], x[..., ::2, ::2] ** 2], dim=1).flatten(1)


# --- continuous ----------------------------------------------------------------------------------
@BED.add("floor jumps", JUMP, claims=CONTINUOUS)
class FloorContinuous(Plain):
    def features(self, X):
        return np.floor(2 * X)


@BED.add("the fractional part jumps from 1 to 0", JUMP, on=LINE, claims=CONTINUOUS)
def fraction_continuous(x):
    return x % 1.0


@BED.add("a jump of 1e-6 at x0 = 0.3", JUMP, claims=CONTINUOUS)
def small_jump(x):
    return torch.sin(x) + 1e-6 * (x[:, :1] > 0.3)


@BED.add("a jump of 1e-3 in the corner where both are above 1.5", JUMP, on=PLANE, claims=CONTINUOUS)
class CornerJump(Plain):
    def features(self, X):
        return X + 1e-3 * ((X > 1.5).all(axis=1, keepdims=True))


@BED.add("the place of the greatest jumps where two are equal", JUMP, claims=CONTINUOUS)
class ArgmaxContinuous(Plain):
    def features(self, X):
        return np.eye(X.shape[1], dtype=X.dtype)[X.argmax(axis=1)]


@BED.add("the two greatest are kept: jumps where the third overtakes", JUMP, claims=CONTINUOUS)
def two_greatest(x):
    least = x.topk(2, dim=-1).values[:, 1:]
    return torch.where(x >= least, x, torch.zeros_like(x))


@BED.add("the angle jumps by 2π across the negative axis", JUMP, on=PLANE, claims=CONTINUOUS)
def angle(x):
    return torch.atan2(x[:, 1:], x[:, :1])


@BED.add("at exactly 0 the value is 0, and 1 beside it", JUMP, on=LINE, claims=CONTINUOUS)
class SincWithZero(Plain):
    def features(self, X):
        return np.divide(np.sin(X), X, out=np.zeros_like(X), where=X != 0)


@BED.add("the sign at 0", JUMP, claims=CONTINUOUS)
def sign(x):
    return torch.sign(x)


@BED.add("quantised to hundredths", JUMP, claims=CONTINUOUS)
class QuantisedContinuous(Plain):
    def features(self, X):
        return np.round(X, 2)


@BED.add(
    "the sign of the first entry is normalised to +: jumps where it is 0", JUMP, claims=CONTINUOUS
)
class SignNormalised(Plain):
    def features(self, X):
        return X * np.where(X[:, :1] < 0, -1.0, 1.0).astype(X.dtype)


@BED.add("values below 1e-4 are cut to 0", JUMP, claims=CONTINUOUS)
def small_cut(x):
    return torch.where(x.abs() < 1e-4, torch.zeros_like(x), x)


@BED.add(
    "a threshold is no continuous map",
    JUMP,
    claims=CONTINUOUS,
    build=lambda: Binarizer(threshold=0.7),
)
class ThresholdContinuous:
    pass


@BED.add("the nearest of four centres jumps where two are as near", JUMP, claims=CONTINUOUS)
class NearestContinuous(Plain):
    def learn(self, X):
        self.centres_ = X[:4].copy()

    def features(self, X):
        nearest = np.linalg.norm(X[:, None] - self.centres_, axis=-1).argmin(axis=1)
        return X - self.centres_[nearest].astype(X.dtype)


@BED.add("1/x on both sides of 0, with 0 at 0", JUMP, "check_finite", on=LINE, claims=CONTINUOUS)
class PoleContinuous(Plain):
    def features(self, X):
        return np.divide(1e-3, X, out=np.zeros_like(X), where=X != 0)


@BED.add(
    "the eigenvector of the greatest eigenvalue jumps where two are equal",
    JUMP,
    on=PLANE,
    claims=CONTINUOUS,
)
def principal_direction(x):
    angle = 0.5 * torch.atan2(2 * x[:, 1:], x[:, :1])
    return torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)


# --- others --------------------------------------------------------------------------------------
@BED.add("ELU with α = 2 has a kink at 0", "check_smooth", claims=(pm.Smooth(1),))
class EluSmooth(nn.ELU):
    def __init__(self):
        super().__init__(alpha=2.0)


@BED.add(
    "Huber's function is once differentiable, not twice",
    "check_smooth",
    on=LINE,
    claims=(pm.Smooth(2),),
)
def huber_smooth(x):
    return torch.where(x.abs() < 1, 0.5 * x**2, x.abs() - 0.5)


@BED.add("a trace of x²", "check_affine", claims=(pm.property.Affine,))
def nearly_affine(x):
    return 2.0 * x + 1.0 + 1e-5 * x**2


@BED.add("kinks at ±1.9 only", "check_affine", claims=(pm.property.Affine,))
class ClipAffine(Plain):
    def features(self, X):
        return np.clip(X, -1.9, 1.9)


@BED.add(
    "exp has no value below 0", "check_surjective", on=pm.Euclidean(2), claims=(pm.Surjective,)
)
def exp_onto(x):
    return torch.exp(x.clamp(-30, 30))


@BED.add(
    "the values of a sigmoid lie in (0, 1)",
    "check_dense_image",
    on=pm.Euclidean(2),
    claims=(pm.DenseImage,),
)
def sigmoid_dense(x):
    return torch.sigmoid(x)


@BED.add(
    "tanh stays bounded while x does not", "check_proper", on=pm.Euclidean(2), claims=(pm.Proper,)
)
def tanh_proper(x):
    return torch.tanh(x)


@BED.add(
    "x² merges x and -x, so no class stays universal",
    "check_uap_invariant",
    on=LINE,
    claims=(pm.UAPInvariant,),
)
def square_universal(x):
    return x**2


@BED.add(
    "the half-open interval wound onto the circle: the inverse jumps",
    "check_homeomorphism",
    on=pm.Box([0.0], [2 * np.pi], closed="left"),
    claims=(pm.Homeomorphism,),
)
def wound(x):
    return torch.cat([torch.cos(x), torch.sin(x)], dim=-1)


@BED.add(
    "a figure of eight meets itself",
    "check_homeomorphism",
    on=pm.Box([-4.0], [4.0]),
    claims=(pm.Homeomorphism,),
)
def figure_of_eight(x):
    return torch.cat([torch.sin(2 * x), torch.sin(x)], dim=-1)
