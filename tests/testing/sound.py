"""Sound maps with true claims, many of them ill-conditioned: a check that fails one is wrong."""

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)
from torch import nn
from torch.nn import functional as F

import phimaps as pm

from .faulty.case import BOX, IMAGES, LINE, PLANE, Bed, Plain
from .faulty.frames import COLOURS, GAPS, SHOP, OfFrame
from .faulty.kernel_claims import RBF, Waves
from .faulty.metric_claims import W1, W2, norm
from .faulty.modules import OfNet
from .faulty.symmetry_claims import DISC, FLAT, SHIFT, SWAP, TURN

BED = Bed()


def twin(**what):
    return BED.add("", **what)


# --- rows ----------------------------------------------------------------------------------------
@twin(claims={"inverse": True, "affine": True, "injective": True})
class Standardised(Plain):
    def learn(self, X):
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)

    def features(self, X):
        return ((X - self.mean_) / self.scale_).astype(X.dtype)

    def inverse_transform(self, X):
        return X * self.scale_ + self.mean_

    def get_feature_names_out(self, input_features=None):
        return np.array([f"x{i}_standardised" for i in range(self.n_features_in_)], dtype=object)


@twin(on=pm.Box([999.999] * 2, [1000.001] * 2), claims=(pm.Injective, pm.property.Affine))
class TinyScale(Plain):
    """A micron is the unit: differences of large numbers, in either precision."""

    def features(self, X):
        return (X - X.dtype.type(1000.0)) / X.dtype.type(1e-6)


@twin(claims=(pm.Continuous,))
class ChunksOfEight(Plain):
    def features(self, X):
        return np.concatenate([np.exp(-X[i : i + 8]) for i in range(0, len(X), 8)])


@twin(claims=(pm.Continuous, pm.Invariant(SWAP), pm.Lipschitz(1.0)))
class SortedWithinRows(Plain):
    def features(self, X):
        return np.sort(X, axis=1)


@twin(claims=(pm.Injective, pm.property.Affine))
class SumsAlongRows(Plain):
    def features(self, X):
        return np.cumsum(X, axis=1)


@twin(claims=(pm.Continuous,))
class WideDense(nn.Module):
    """Products of 512 terms: BLAS adds them in another order for another number of rows."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 512), nn.ReLU(), nn.Linear(512, 512), nn.Tanh())

    def forward(self, x):
        return self.layers(x)


# --- ill-conditioned -----------------------------------------------------------------------------
@twin(claims=(pm.Continuous, pm.Injective), build=lambda: PolynomialFeatures(6))
class DegreeSix:
    pass


@twin(claims=(pm.Continuous, pm.Bounded(1.4143 * np.sqrt(8))), on=BOX)
class HighFrequencies(Plain):
    """cos(w·x + b) with frequencies of about 1000."""

    def learn(self, X):
        rng = np.random.default_rng(3)
        self.w_ = 1000 * rng.normal(size=(X.shape[1], 16))
        self.b_ = rng.uniform(0, 2 * np.pi, 16)

    def features(self, X):
        return np.cos(X @ self.w_.astype(X.dtype) + self.b_.astype(X.dtype))


@twin(on=pm.Box([-8.0], [8.0]), claims=(pm.Injective, pm.Lipschitz(1.0), pm.Bounded(1.0)))
def saturated(x):
    return torch.tanh(x)


@twin(claims=(pm.Continuous, pm.Lipschitz(50.0), pm.Bounded(1.7321)))
class SteepTanh(nn.Module):
    def forward(self, x):
        return torch.tanh(50 * x)


class Convolutions(nn.Module):
    """Two convolutions with batch norm, as trained: the running statistics are not 0 and 1."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        )  # fmt: skip
        for part in self.net:
            if isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.running_mean)
                nn.init.uniform_(part.running_var, 1e-3, 0.1)
                nn.init.normal_(part.weight)
        self.eval()

    def forward(self, x):
        return self.net(x).flatten(1)


@twin(on=IMAGES, claims=(pm.Continuous,))
class NetOfSingle(Convolutions):
    pass


@twin(on=IMAGES, claims=(pm.Continuous,), build=lambda: NetOfDouble().double())
class NetOfDouble(Convolutions):
    pass


@twin(build=lambda: Nystroem(gamma=0.01, n_components=50, random_state=0))
class LandmarksIllConditioned:
    """The matrix of the landmarks has a condition number beyond 1e16."""


@twin(build=lambda: Nystroem(gamma=0.5, n_components=30, random_state=0))
class LandmarksInSingle:
    pass


@twin(on=pm.Box([1e-12] * 2, [1.0] * 2), claims=(pm.Injective, pm.LowerLipschitz(1.0)))
def log_near_zero(x):
    return torch.log(x)


@twin(on=pm.Box([-80.0] * 2, [80.0] * 2), claims=(pm.Injective, pm.Continuous))
def exp_of_large(x):
    return torch.exp(x)


@twin(on=pm.Box([1e-6], [1.0]), claims=(pm.Injective, pm.Continuous, pm.LowerLipschitz(1.0)))
class Reciprocal(Plain):
    def features(self, X):
        return 1 / X


@twin(on=pm.Box([-1.0] * 6, [1.0] * 6), claims=(pm.Injective, pm.property.Affine))
class HilbertInverse(Plain):
    """The inverse of the Hilbert matrix of order 6: condition number 1.5e7."""

    def features(self, X):
        h = 1.0 / (np.arange(6)[:, None] + np.arange(6) + 1)
        return X @ np.linalg.inv(h).T.astype(X.dtype)


@twin(on=pm.Box([-1000.0] * 3, [1000.0] * 3),
      claims=(pm.Lipschitz(0.5), pm.Bounded(1.0), pm.Continuous))  # fmt: skip
def softmax_of_large(x):
    return torch.softmax(x, dim=-1)


@twin(on=pm.Box([-1000.0] * 3, [1000.0] * 3), claims=(pm.Lipschitz(1.0),))
class SoftplusOfLarge(nn.Softplus):
    pass


@twin(claims=(pm.Lipschitz(1.0), pm.Continuous))
def safe_norm(x):
    return torch.sqrt((x**2).sum(-1, keepdim=True) + 1e-12)


@twin(on=pm.Box([999.0] * 4, [1001.0] * 4), claims=(pm.Continuous,))
def deviation_in_two_passes(x):
    return torch.sqrt(((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True) + 1e-6)


@twin(on=pm.Box([-1e-3] * 2, [1e-3] * 2), claims=(pm.Continuous,))
def small_cosine(x):
    return 2 * torch.sin(x / 2) ** 2


@twin(claims=(pm.Continuous, pm.Lipschitz(1.4143)))
def eigenvalues(x):
    rows = torch.stack([x[:, 0], x[:, 1], x[:, 1], x[:, 2]], dim=-1)
    return torch.linalg.eigvalsh(rows.reshape(-1, 2, 2))


@twin(on=pm.Box([-1e6] * 3, [1e6] * 3), claims=(pm.Continuous,))
class WavesOfLarge(Plain):
    """Sines of arguments of a million: in float32 hardly a digit is right."""

    def features(self, X):
        return np.hstack([np.sin(X), np.cos(X)])


@twin(on=PLANE, claims=(pm.Lipschitz(11.0), pm.Injective))
def hidden_but_told(x):
    return x + 0.01 * torch.tanh(1000 * (x - 0.37))


@twin(claims=(pm.Continuous,), build=lambda: PCA(2, whiten=True))
class Whitened:
    pass


# --- kinks, ties and jumps that nobody denies ----------------------------------------------------
@twin(claims=(pm.Lipschitz(1.0), pm.PositivelyHomogeneous(1), pm.Continuous))
def absolute(x):
    return x.abs()


@twin(on=IMAGES, claims=(pm.Lipschitz(1.0), pm.Continuous))
class MaxPool(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2).flatten(1)


@twin(claims=(pm.LowerLipschitz(0.2), pm.Lipschitz(1.0), pm.Injective))
class Leaky(nn.LeakyReLU):
    def __init__(self):
        super().__init__(0.2)


@twin(claims=(pm.LowerLipschitz(0.7071), pm.Lipschitz(1.0), pm.Injective))
def both_signs(x):
    return torch.cat([torch.relu(x), torch.relu(-x)], dim=-1)


@twin()
class Floors(Plain):
    """A jump where rounding decides; nothing is claimed of it."""

    def features(self, X):
        return np.floor(10 * X)


@twin()
class Greatest(Plain):
    def features(self, X):
        return np.eye(X.shape[1], dtype=X.dtype)[X.argmax(axis=1)]


@twin(build=lambda: KBinsDiscretizer(8, strategy="uniform"))
class Binned:
    """Sparse."""


@twin(claims=(pm.Continuous,), build=lambda: SplineTransformer(5))
class Splines:
    pass


@twin(build=lambda: QuantileTransformer(n_quantiles=30), claims=(pm.Bounded(1.7321),))
class Quantiles:
    pass


@twin(build=PowerTransformer, claims=(pm.Continuous, pm.Injective))
class YeoJohnson:
    pass


@twin(on=pm.Finite(np.arange(24.0)[:, None]), claims=(pm.Injective, pm.Bounded(1.0)))
class Hours(Plain):
    def features(self, X):
        angle = X.dtype.type(2 * np.pi / 24) * X
        return np.hstack([np.sin(angle), np.cos(angle)]) * X.dtype.type(0.9999)


# --- constants -----------------------------------------------------------------------------------
@twin(claims=(pm.Lipschitz(norm(W2) * norm(W1)), pm.Continuous))
def both_layers(x):
    return torch.tanh(x @ torch.as_tensor(W1).to(x).T) @ torch.as_tensor(W2).to(x).T


@twin(on=LINE, claims=(pm.Lipschitz(3.0), pm.Bounded(1.0), pm.Continuous))
def circle(x):
    return torch.cat([torch.sin(3 * x), torch.cos(3 * x)], dim=-1)


@twin(on=pm.Box([-1.0], [1.0]), claims=(pm.LowerLipschitz(0.8414), pm.Injective))
def arc(x):
    return torch.cat([torch.sin(x), torch.cos(x)], dim=-1)


@twin(on=pm.Images(1, 6, 6), claims=(pm.Lipschitz(3.0),))
class OverlapTold(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 3, stride=1).flatten(1)


@twin(on=LINE, claims=(pm.Lipschitz(1.1290), pm.Continuous))
class Gelu(nn.GELU):
    pass


# --- kernels -------------------------------------------------------------------------------------
@twin(claims=RBF)
class RightWaves(Waves):
    pass


@twin(claims=RBF, build=lambda: RBFSampler(gamma=0.5, n_components=2000, random_state=0))
class Sampler:
    pass


@twin(build=lambda: RBFSampler(gamma=1.0, n_components=20))
class UnseededByChoice:
    """With random_state=None each fit is another one, as its documentation says."""


@twin(claims={"kernel": pm.kernels.PolynomialKernel(degree=2, gamma=1.0, coef0=1.0)})
class Square(Plain):
    def features(self, X):
        i, j = np.triu_indices(X.shape[1], 1)
        root = X.dtype.type(np.sqrt(2))
        ones = np.ones((len(X), 1), X.dtype)
        return np.hstack([ones, root * X, X**2, root * X[:, i] * X[:, j]])


# --- symmetry ------------------------------------------------------------------------------------
@twin(on=FLAT, claims={"equivariant": (SHIFT, SHIFT)})
class CircularShift(nn.Module):
    def forward(self, x):
        w = torch.tensor([[[[0.1, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.1]]]]).to(x)
        padded = F.pad(x.reshape(-1, 1, 6, 6), (1, 1, 1, 1), mode="circular")
        return F.conv2d(padded, w).flatten(1)


@twin(on=FLAT, claims=(pm.Invariant(SHIFT),))
class CircularMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular")

    def forward(self, x):
        return torch.relu(self.conv(x.reshape(-1, 1, 6, 6))).mean((-1, -2))


@twin(claims=(pm.Invariant(SWAP), pm.Continuous))
def plain_sum(x):
    return torch.exp(3 * x).sum(-1, keepdim=True)


@twin(on=DISC, claims=(pm.Invariant(TURN), pm.Lipschitz(1.0)))
class Radius(Plain):
    def features(self, X):
        return np.linalg.norm(X, axis=1, keepdims=True)


@twin(claims=(pm.PositivelyHomogeneous(2), pm.Continuous))
class Products(Plain):
    def features(self, X):
        return np.hstack([X**2, X[:, :1] * X[:, 1:2]])


# --- gradients, state, copies --------------------------------------------------------------------
class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


@twin(claims=(pm.Injective, pm.Continuous))
class RightBackward(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


@twin(claims=(pm.Continuous,))
def where_twice(x):
    inside = torch.where(x > 0.0, x, torch.ones_like(x))
    return torch.where(x > 0.0, torch.log1p(inside), 0.25 * x)


@twin(claims=(pm.Lipschitz(1.0),))
def kink_by_clamp(x):
    return x.clamp(-1.0, 1.0)


@twin(claims=(pm.Continuous,))
class Dropped(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 16), nn.Dropout(0.5), nn.ReLU(inplace=True))
        self.eval()


@twin(build=lambda: RunsACopy(nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU())))
class RunsACopy(OfNet):
    """In eval mode, and puts the user's net back."""

    def transform(self, X):
        X = np.asarray(X)
        training = self.net.training
        try:
            with torch.no_grad():
                x = torch.tensor(np.ascontiguousarray(X), dtype=self.net[0].weight.dtype)
                return self.net.eval()(x).numpy().astype(np.result_type(X, np.float16))
        finally:
            self.net.train(training)


KEPT: dict = {}


@twin(claims=(pm.Continuous,))
class CachedByContents(Plain):
    """Outside of itself: scikit-learn lets only fit change the object."""

    def features(self, X):
        key = X.tobytes(), X.shape, X.dtype
        if key not in KEPT:
            KEPT.clear()
            KEPT[key] = np.sinh(X)
        return KEPT[key].copy()


@twin(claims={"inverse": True, "injective": True, "continuous": True})
class LogAndBack(Plain):
    def features(self, X):
        return np.sign(X) * np.log1p(1e4 * np.abs(X))

    def inverse_transform(self, X):
        return np.sign(X) * np.expm1(np.abs(X)) / 1e4


@twin(on=IMAGES)
class BytesScaled(Plain):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        X = np.asarray(X)
        X = X / np.float32(255) if X.dtype == np.uint8 else X
        return np.tanh(X.reshape(len(X), -1))


# --- maps of phimaps -----------------------------------------------------------------------------
@twin(build=lambda: pm.RandomFourier(200, gamma=30.0, random_state=0) @ pm.Standardize())
class OursOfHighFrequency:
    pass


@twin(build=lambda: pm.Concat([pm.Identity(), pm.Tanh() @ pm.Affine(50 * np.eye(3))]))
class OursConcatenated:
    pass


# --- frames --------------------------------------------------------------------------------------
@twin(on=SHOP, claims=(pm.Injective,))
class HoursOfDay(OfFrame):
    def features(self, X):
        angle = 2 * np.pi * X["hour"].to_numpy() / 24
        kept = X[["amount", "weight"]].to_numpy(dtype=float)
        return np.column_stack([kept, np.sin(angle), np.cos(angle)])


@twin(on=GAPS, claims=(pm.Injective,))
class GapsTold(OfFrame):
    def learn(self, X):
        known = X["amount"].dropna()
        self.fill_ = float(known.median()) if len(known) else 0.0

    def features(self, X):
        gone = X["amount"].isna()
        return np.column_stack([X["amount"].fillna(self.fill_), gone, X["weight"]])


@twin(on=COLOURS, claims=(pm.Injective,),
      fit_on=lambda: pd.DataFrame({"colour": ["blue", "green", "red", "white"] * 4}),
      build=lambda: OneHotEncoder(handle_unknown="ignore"))  # fmt: skip
class Levels:
    """Sparse."""


@twin(on=SHOP, claims=(pm.Injective,),
      build=lambda: ColumnTransformer(
          [("scaled", StandardScaler(), ["amount", "weight"]), ("hour", "passthrough", ["hour"])]
      ))  # fmt: skip
class ByName:
    pass


SOUND = {case.name: case for case in BED.cases}
