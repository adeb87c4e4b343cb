"""Maps of which a constant is claimed that they do not have."""

import numpy as np
import torch
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.nn import functional as F

import phimaps as pm

from .case import LINE, PLANE, Bed, Plain

BED = Bed()
SLOPE, LOWER, BOUND = "check_lipschitz", "check_lower_lipschitz", "check_bounded"

W1 = np.array([[1.2, 0.3, 0.0], [0.1, -0.9, 0.4], [0.0, 0.5, 1.1], [0.7, 0.7, -0.2]])
W2 = np.array([[0.8, -0.1, 0.6, 0.3], [0.0, 1.0, -0.5, 0.2]])


def norm(matrix):
    return float(np.linalg.norm(matrix, 2))


# --- greatest slopes -----------------------------------------------------------------------------
@BED.add(
    "the norm of the first layer is left out of the product: 5 % and more too small",
    SLOPE,
    claims=(pm.Lipschitz(0.95 * norm(W2 @ W1)),),
)
def two_layers(x):
    return torch.tanh(x @ torch.as_tensor(W1).to(x).T) @ torch.as_tensor(W2).to(x).T


@BED.add(
    "the windows overlap: a pixel counts nine times, not once",
    SLOPE,
    on=pm.Images(1, 6, 6),
    claims=(pm.Lipschitz(1.0),),
)
class OverlappingMaxPool(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 3, stride=1).flatten(1)


@BED.add(
    "softmax has the constant 1/2, nearly reached in a corner", SLOPE, claims=(pm.Lipschitz(0.47),)
)
def softmax_slope(x):
    return torch.softmax(x, dim=-1)


@BED.add(
    "layer norm is steep near constant rows: 1 / sqrt(eps)", SLOPE, claims=(pm.Lipschitz(10.0),)
)
class LayerNormSlope(nn.Module):
    def forward(self, x):
        return F.layer_norm(x, x.shape[1:])


@BED.add(
    "the slope of SiLU reaches 1.0998 at 2.4",
    SLOPE,
    on=pm.Box([-4.0] * 2, [4.0] * 2),
    claims=(pm.Lipschitz(1.0),),
)
class SiluSlope(nn.SiLU):
    pass


@BED.add(
    "the slope of GELU reaches 1.129 at the square root of 2", SLOPE, claims=(pm.Lipschitz(1.1),)
)
def gelu_slope(x):
    return F.gelu(x)


@BED.add(
    "frequency 3 gives the constant 3, the claim is 5 % below",
    SLOPE,
    on=LINE,
    claims=(pm.Lipschitz(2.85),),
)
def circle_slope(x):
    return torch.cat([torch.sin(3 * x), torch.cos(3 * x)], dim=-1)


@BED.add(
    "the square root has an infinite slope at 0",
    SLOPE,
    on=pm.Box([0.0], [1.0]),
    claims=(pm.Lipschitz(100.0),),
)
def root_slope(x):
    return torch.sqrt(x)


@BED.add(
    "the slope of x² is 2 at the end of the interval",
    SLOPE,
    on=pm.Box([0.0], [1.0]),
    claims=(pm.Lipschitz(1.9),),
)
class SquareSlope(Plain):
    def features(self, X):
        return X**2


@BED.add("a steep step of width 1e-3 at 0.37", SLOPE, on=LINE, claims=(pm.Lipschitz(1.5),))
def hidden_step(x):
    return x + 0.01 * torch.tanh(1000 * (x - 0.37))


@BED.add(
    "a narrow bump in three dimensions, a fifty-millionth of the box",
    SLOPE,
    claims=(pm.Lipschitz(0.9),),
)
def needle(x):
    centre = torch.tensor([0.313, -1.271, 0.777]).to(x)
    return 0.5 * x + torch.exp(-((x - centre) ** 2).sum(-1, keepdim=True) / (2 * 0.01**2))


@BED.add(
    "x / |x| is steep near the origin: 1 / |x|",
    SLOPE,
    on=pm.Box([0.1] * 3, [2.0] * 3),
    claims=(pm.Lipschitz(1.0),),
)
class NormalisedSlope(Plain):
    def features(self, X):
        return X / np.linalg.norm(X, axis=1, keepdims=True)


@BED.add(
    "the branch of a residual block is left out in part",
    SLOPE,
    on=PLANE,
    claims=(pm.Lipschitz(1.42),),
)
class ResidualSlope(nn.Module):
    def forward(self, x):
        return x + 0.5 * torch.tanh(x)


@BED.add(
    "the standard deviation of a column is below 1: scaling steepens",
    SLOPE,
    on=PLANE,
    claims=(pm.Lipschitz(1.0),),
    build=lambda: Scaled(0.95),
)
class Scaled(Plain):
    def __init__(self, scale=1.0):
        self.scale = scale

    def features(self, X):
        return X / self.scale


@BED.add(
    "a convolution's norm is taken for that of its kernel as a vector",
    SLOPE,
    on=pm.Images(1, 8, 8),
    claims=(pm.Lipschitz(1.0),),
)
class ConvolutionSlope(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("w", torch.full((1, 1, 3, 3), 1.0 / 3.0))

    def forward(self, x):
        return F.conv2d(x, self.w.to(x), padding=1).flatten(1)


@BED.add(
    "attention has no constant that is good for all inputs: this one is for short rows",
    SLOPE,
    on=pm.Box([-4.0] * 4, [4.0] * 4),
    claims=(pm.Lipschitz(2.0),),
)
class AttentionSlope(nn.Module):
    def forward(self, x):
        tokens = x.reshape(len(x), 2, 2)
        return (torch.softmax(tokens @ tokens.mT, dim=-1) @ tokens).flatten(1)


# --- least slopes --------------------------------------------------------------------------------
@BED.add(
    "the slope on the left is 0.2, the claim is 5 % above", LOWER, claims=(pm.LowerLipschitz(0.21),)
)
def leaky(x):
    return F.leaky_relu(x, 0.2)


@BED.add(
    "the least singular value is claimed 5 % too great",
    LOWER,
    claims=(pm.LowerLipschitz(1.05 * float(np.linalg.svd(W1, compute_uv=False)[-1])),),
)
class LinearLower(Plain):
    def features(self, X):
        return X @ W1.T.astype(X.dtype)


@BED.add(
    "chords are shorter than arcs: 0.84 at the ends",
    LOWER,
    on=pm.Box([-1.0], [1.0]),
    claims=(pm.LowerLipschitz(0.9),),
)
def arc_lower(x):
    return torch.cat([torch.sin(x), torch.cos(x)], dim=-1)


@BED.add("the two signs apart: 0.7071 between x and -x", LOWER, claims=(pm.LowerLipschitz(0.75),))
class SignsLower(nn.Module):
    def forward(self, x):
        return torch.cat([torch.relu(x), torch.relu(-x)], dim=-1)


@BED.add("tanh is flat in the corners", LOWER, on=PLANE, claims=(pm.LowerLipschitz(0.08),))
def tanh_lower(x):
    return torch.tanh(x)


@BED.add(
    "a wide ReLU layer merges directions: its constant is near 0",
    LOWER,
    on=pm.Box([-1.0] * 4, [1.0] * 4),
    claims=(pm.LowerLipschitz(0.04),),
)
class MlpLower(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 4))


@BED.add(
    "the features of Fourier at frequency 2 return to near where they were",
    LOWER,
    on=LINE,
    claims=(pm.LowerLipschitz(0.1),),
)
def wave_lower(x):
    return torch.cat([torch.sin(1.5 * x), torch.cos(1.5 * x)], dim=-1)


# --- bounds --------------------------------------------------------------------------------------
@BED.add("three numbers up to 0.96 have a norm of up to 1.67", BOUND, claims=(pm.Bounded(1.0),))
class TanhBound(nn.Tanh):
    pass


@BED.add("two cosines are both 1 at 0", BOUND, on=LINE, claims=(pm.Bounded(1.3),))
def cosine_bound(x):
    return torch.cat([torch.cos(x), torch.cos(2 * x)], dim=-1)


@BED.add(
    "a product of three is 8 in the corners, the claim is 5 % below",
    BOUND,
    claims=(pm.Bounded(7.6),),
)
def product_bound(x):
    return x.prod(-1, keepdim=True)


@BED.add("x exp(-x) is 0.3679 at 1", BOUND, on=pm.Box([0.0], [5.0]), claims=(pm.Bounded(0.35),))
class DecayBound(Plain):
    def features(self, X):
        return X * np.exp(-X)


@BED.add(
    "the bound holds on the rows of the fit only: scaled to [0, 1]",
    BOUND,
    on=LINE,
    claims=(pm.Bounded(1.0),),
    fit_on=lambda: np.linspace(-1.0, 1.0, 40)[:, None],
)
class ScaledToFit(Plain):
    def learn(self, X):
        self.low_, self.high_ = X.min(axis=0), X.max(axis=0)

    def features(self, X):
        return (X - self.low_) / (self.high_ - self.low_)


@BED.add(
    "logarithms are unbounded at 0",
    BOUND,
    on=pm.Box([0.0], [1.0], closed="right"),
    claims=(pm.Bounded(50.0),),
    build=lambda: FunctionTransformer(np.log),
)
class LogBound:
    pass
