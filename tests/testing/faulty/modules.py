"""torch modules, and transformers that hold one."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from torch import nn
from torch.nn import functional as F

import phimaps as pm

from .case import BOX, IMAGES, Bed

BED = Bed()
ROWS, TWICE, STATE = ("check_rows", "check_batch_sizes"), "check_deterministic", "check_state"
UNTOUCHED, DTYPE, GRADIENT = "check_input_untouched", "check_dtype", "check_gradient"


# --- modes ---------------------------------------------------------------------------------------
@BED.add("F.dropout drops in eval mode as well: training=self.training is missing", TWICE)
class DropoutLeftOn(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 16)
        self.eval()

    def forward(self, x):
        return F.dropout(torch.tanh(self.linear(x)), 0.1)


@BED.add("batch norm without running statistics takes those of the batch in eval mode too", *ROWS)
class NormWithoutStatistics(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 8)
        self.norm = nn.BatchNorm1d(8, track_running_stats=False)
        self.eval()

    def forward(self, x):
        return self.norm(self.linear(x)) if len(x) > 1 else self.linear(x)


@BED.add("forward puts itself back into train mode", STATE, *ROWS, TWICE)
class TrainsItself(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 8)
        self.drop = nn.Dropout(0.2)
        self.eval()

    def forward(self, x):
        y = self.drop(self.linear(x))
        self.train()
        return y


class Net(nn.Sequential):
    """What the transformers below are handed: a net as it comes out of training."""

    def __init__(self):
        super().__init__(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


class OfNet(TransformerMixin, BaseEstimator):
    def __init__(self, net):
        self.net = net

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self


def run(net, X):
    dtype = next(net.parameters()).dtype
    with torch.no_grad():
        return (
            net(torch.tensor(np.ascontiguousarray(X), dtype=dtype))
            .numpy()
            .astype(np.result_type(X, np.float16))
        )


@BED.add(
    "eval() is forgotten: batch norm takes the statistics of the batch",
    *ROWS,
    STATE,
    build=lambda: EvalForgotten(Net()),
)
class EvalForgotten(OfNet):
    def transform(self, X):
        return run(self.net, X)


@BED.add(
    "eval() is called on the user's net, which is left in that mode",
    STATE,
    "check_params",
    build=lambda: EvalLeft(Net()),
)
class EvalLeft(OfNet):
    def transform(self, X):
        return run(self.net.eval(), X)


@BED.add("each transform leaves a hook on the user's net", STATE, build=lambda: HookLeft(Net()))
class HookLeft(OfNet):
    def transform(self, X):
        kept = []
        training = self.net.training
        self.net.eval()
        self.net[2].register_forward_hook(lambda module, args, out: kept.append(out))
        run(self.net, X)
        self.net.train(training)
        return kept[0].numpy().astype(np.result_type(X, np.float16))


@BED.add(
    "gradients of the user's net are switched off, and stay off",
    STATE,
    "check_params",
    build=lambda: GradientsOff(Net()),
)
class GradientsOff(OfNet):
    def transform(self, X):
        training = self.net.training
        for p in self.net.parameters():
            p.requires_grad = False
        out = run(self.net.eval(), X)
        self.net.train(training)
        return out


@BED.add(
    "the user's net is turned to float64 in place",
    STATE,
    "check_params",
    build=lambda: NetCast(Net()),
)
class NetCast(OfNet):
    def transform(self, X):
        training = self.net.training
        out = run(self.net.double().eval(), X)
        self.net.train(training)
        return out


# --- rows ----------------------------------------------------------------------------------------
@BED.add("softmax over the batch: dim=0", *ROWS)
class SoftmaxOfBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x):
        return torch.softmax(self.linear(x), dim=0)


@BED.add("layer norm over all of x.shape: batch and features", *ROWS)
class NormOfAll(nn.Module):
    def forward(self, x):
        return F.layer_norm(x, x.shape)


@BED.add("batch_first is missing: rows attend to each other", *ROWS, on=BOX)
class AttendsToBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, 4)
        self.attend = nn.MultiheadAttention(4, 2)
        self.eval()

    def forward(self, x):
        y = self.embed(x[..., None])
        return self.attend(y, y, y)[0].flatten(1)


@BED.add("batch_first is missing: the recurrence runs over the rows", *ROWS)
class RecursOverBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 4)

    def forward(self, x):
        return self.rnn(x[..., None])[0].flatten(1)


@BED.add("view(channels, n) instead of a transposition mixes the rows", *ROWS)
class ViewForTranspose(nn.Module):
    def forward(self, x):
        return torch.tanh(x.t().contiguous().view(x.shape))


@BED.add("F.normalize with dim=0 divides by the norm over the batch", *ROWS)
class NormalisedColumns(nn.Module):
    def forward(self, x):
        return F.normalize(x, dim=0)


@BED.add("the pixels of all pictures are centred together", *ROWS, on=IMAGES)
class PicturesCentredTogether(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        return self.conv(x - x.mean()).flatten(1)


@BED.add("a contrast that is stretched by the brightest pixel of the batch", *ROWS, on=IMAGES)
class StretchedByBatch(nn.Module):
    def forward(self, x):
        return (x / x.amax().clamp_min(1e-3)).flatten(1)


# --- state ---------------------------------------------------------------------------------------
@BED.add("a buffer goes on with each forward pass, in eval mode too", TWICE, STATE, "check_memory")
class BufferGoesOn(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.eval()

    def forward(self, x):
        self.mean.mul_(0.9).add_(0.1 * x.detach().mean(0).to(self.mean))
        return x - self.mean.to(x)


@BED.add("the hidden state of the last call is where the next one starts", TWICE, "check_memory")
class HiddenStateKept(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(3, 4, batch_first=True)
        self.hidden = torch.zeros(1, 1, 4)

    def forward(self, x):
        start = self.hidden.to(x).expand(1, len(x), 4).contiguous()
        out, hidden = self.cell(x[:, None], start)
        self.hidden = hidden.detach()[:, :1]
        return out[:, 0]


@BED.add(
    "weights are drawn at the first call, from the global generator",
    TWICE,
    "check_global_state",
    STATE,
)
class LazyWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = None

    def forward(self, x):
        if self.weights is None:
            self.weights = torch.randn(3, 4, dtype=torch.float64)
        return x @ self.weights.to(x)


@BED.add(
    "augments in eval mode too: a random flip of the whole batch",
    TWICE,
    "check_global_state",
    on=IMAGES,
)
class FlipsAtRandom(nn.Module):
    def forward(self, x):
        return (x.flip(-1) if torch.rand(()) < 0.5 else x).flatten(1) * 2.0


@BED.add("the positional table is kept for the first batch's length", "check_memory", *ROWS)
class TableOfFirstLength(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = None

    def forward(self, x):
        if self.table is None or len(self.table) < len(x):
            self.table = torch.linspace(0, 1, len(x), dtype=x.dtype)[:, None]
        return x + self.table[: len(x)].to(x)


# --- inputs --------------------------------------------------------------------------------------
@BED.add("x.mul_ alters the tensor of the caller", UNTOUCHED)
class MultipliedInPlace(nn.Module):
    def forward(self, x):
        x.mul_(2.0)
        return x + 1.0


@BED.add("ReLU(inplace=True) comes first: it alters the tensor of the caller", UNTOUCHED)
class ReluInPlace(nn.Sequential):
    def __init__(self):
        super().__init__(nn.ReLU(inplace=True), nn.Linear(3, 8))


@BED.add("the mask is written into the tensor of the caller", UNTOUCHED, on=IMAGES)
class BorderMasked(nn.Module):
    def forward(self, x):
        x[..., 0] = 0.0
        return F.avg_pool2d(x, 2).flatten(1)


@BED.add("a constant of float64 turns the features of float32 into float64", DTYPE)
class ConstantOfDouble(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def forward(self, x):
        return x * self.scale


@BED.add("x.float(): float64 is computed in float32, and comes back as float32", DTYPE)
class FloatInside(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        w, b = self.linear.weight.float(), self.linear.bias.float()
        return F.linear(x.float(), w, b)


@BED.add("half precision inside, dtype restored afterwards", "check_real_precision", GRADIENT)
class HalfInside(nn.Module):
    def forward(self, x):
        return torch.sin(3.0 * x.half()).to(x.dtype)


@BED.add(
    "layers in a plain list: .double() and .to() do not reach them",
    DTYPE,
    "check_evaluates",
)
class PlainList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 8), nn.Linear(8, 4)]

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


@BED.add("pictures of bytes are not divided by 255", "check_layout", on=IMAGES)
class ModuleOfBytes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x):
        x = x.to(self.conv.weight) if not x.is_floating_point() else x
        return torch.relu(self.conv(x)).flatten(1)


@BED.add(
    "channels_last memory is read as if it were contiguous", "check_layout", on=pm.Images(3, 4, 4)
)
class StridesIgnored(nn.Module):
    def forward(self, x):
        flat = torch.as_strided(x, (len(x), 48), (48, 1))
        return flat * torch.arange(1, 49).to(x)


# --- gradients -----------------------------------------------------------------------------------
@BED.add("detach cuts the gradient of a part off", GRADIENT)
class Detached(nn.Module):
    def forward(self, x):
        return x * x.detach()


@BED.add("computed under no_grad: there is no gradient", GRADIENT)
class NoGradient(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        with torch.no_grad():
            return torch.tanh(self.linear(x))


@BED.add("rounded, with the gradient of the identity: straight through", GRADIENT)
class StraightThrough(nn.Module):
    def forward(self, x):
        return x + (torch.round(4 * x) / 4 - x).detach()


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x**2 * g


@BED.add("the backward pass of x³ has the factor 2 for 3", GRADIENT)
class WrongBackward(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * (s + x * s)


@BED.add("the backward pass of x σ(x) forgets the factor 1 - σ(x)", GRADIENT)
class SwishBackward(nn.Module):
    def forward(self, x):
        return Swish.apply(x)


@BED.add("the gradient of a norm by hand is NaN at 0", GRADIENT)
class NormAtZero(nn.Module):
    def forward(self, x):
        return torch.sqrt((x**2).sum(-1, keepdim=True)) + x


@BED.add("torch.where hides the values of sqrt at x < 0, not its NaN gradients", GRADIENT)
class WhereHides(nn.Module):
    def forward(self, x):
        return torch.where(x > 0.0, torch.sqrt(x), 0.25 * x)


@BED.add(
    "clamp stops the gradient well inside the domain, and is called smooth",
    "check_smooth",
    claims=(pm.Smooth(1),),
)
class ClampCalledSmooth(nn.Module):
    def forward(self, x):
        return x.clamp(-1.0, 1.0)


@BED.add("the gradient is clipped to 0.1 on the way back", GRADIENT)
class ClippedGradient(nn.Module):
    def forward(self, x):
        y = torch.sinh(x)
        if y.requires_grad:
            y.register_hook(lambda g: g.clamp(-0.1, 0.1))
        return y
