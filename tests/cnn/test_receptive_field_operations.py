"""Operation by operation: what each reads, what is probed instead, what is left alone."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import phimaps as pm
from phimaps.cnn.dependence import Dependence
from phimaps.cnn.receptive_field import receptive_field
from phimaps.cnn.surrogates import RULES
from phimaps.cnn.unit import closed_map

SHAPE = (4, 8, 6)


class Do(nn.Module):
    """A module with a forward of one's own."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        self.parts = nn.ModuleDict(parts)

    def forward(self, x):
        return self.function(x, **self.parts)


def nan_reaches(phi):
    """For each pixel, which units NaN reaches, one image at a time."""
    height, width = SHAPE[1:]
    seen = []
    for i in range(height * width):
        image = torch.full((1, *SHAPE), 0.5, dtype=torch.float64)
        image += torch.arange(image.numel()).reshape(image.shape) / 1000
        image[:, :, i // width, i % width] = torch.nan
        with torch.no_grad():
            seen.append(phi.forward(image)[0].isnan().numpy())
    return np.stack(seen).reshape(height, width, *seen[0].shape)


def check(phi, exact=True):
    closed = closed_map(phi, "test")
    seen, truth = Dependence(closed, SHAPE), nan_reaches(closed)
    assert seen.exact == exact, seen.because
    assert seen.features == truth.shape[2:]
    rng = np.random.default_rng(0)
    for _ in range(5):
        unit = tuple(int(rng.integers(s)) for s in seen.features)
        assert np.array_equal(seen.pixels(unit), truth[(slice(None), slice(None), *unit)])
    return seen


MODULES = {
    "max pool with ceil": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    "max pool with dilation": nn.MaxPool2d(2, 3, 0, 2),
    "adaptive max pool": nn.AdaptiveMaxPool2d((3, 4)),
    "power pool": nn.LPPool2d(2, 2),
    "average pool": nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=2),
    "negative average pool": nn.AvgPool2d(3, divisor_override=-2),
    "local response": nn.LocalResponseNorm(3),
    "reflect": nn.Conv2d(4, 6, 3, 2, 1, 2, 2, padding_mode="reflect"),
    "replicate": nn.Conv2d(4, 4, (1, 3), padding="same", dilation=2, padding_mode="replicate"),
    "depthwise": nn.Conv2d(4, 8, 3, groups=4),
    "transposed": nn.ConvTranspose2d(4, 4, 3, 3, 1, 1, groups=2),
    "batch statistics": nn.BatchNorm2d(4, track_running_stats=False),
    "instance": nn.InstanceNorm2d(4, affine=True),
    "instance with statistics": nn.InstanceNorm2d(4, track_running_stats=True),
    "group": nn.GroupNorm(2, 4),
    "layer": nn.LayerNorm((8, 6)),
    "rms": nn.RMSNorm((6,)),
    "softmax": nn.Softmax2d(),
    "prelu": nn.PReLU(4),
    "rrelu": nn.RReLU(),
    "glu": nn.GLU(1),
    "shuffle": nn.PixelShuffle(2),
    "unshuffle": nn.PixelUnshuffle(2),
    "channels shuffled": nn.ChannelShuffle(2),
    "bilinear": nn.Upsample(scale_factor=1.5, mode="bilinear"),
    "bicubic": nn.Upsample(size=(5, 11), mode="bicubic", align_corners=True),
    "area": nn.Upsample(size=(3, 4), mode="area"),
    "patches": nn.Unfold(3),
    "padding": nn.ZeroPad2d((1, 0, 2, 0)),
    "alpha dropout": nn.AlphaDropout(),
    "attention": Do(
        lambda x, inner: inner(x[:, 0]), inner=nn.TransformerEncoderLayer(6, 2, batch_first=True)
    ),
    "linear": Do(lambda x, inner: inner(x), inner=nn.Linear(6, 3)),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    check(MODULES[name])


def moved(x):
    y = x.clone()
    y += x.roll(1, 2)
    y[:, :2] = 3
    y = -(1 - 2 * y) / 2
    return y**2


def without_gradient(x):
    with torch.no_grad():
        y = x.roll(2, 3)
    return x * torch.sigmoid(y.mean(2, keepdim=True))


def through_views(x):
    y = x[:, :, ::2]
    y.relu_()
    y.add_(1)
    return x + x.detach().flip(2)


def standardised(x):
    spread, mean = torch.std_mean(x, dim=(2, 3), keepdim=True)
    return (x - mean) / spread


def written(x):
    y = x.new_zeros(x.shape)
    y[:, :, 2:] = x[:, :, :-2]
    y.squeeze_(1)
    return y.masked_fill_(torch.arange(6) == 2, 0.0)


def in_place(x):
    y = F.relu(x, inplace=True)
    y.add_(x.mean((2, 3), keepdim=True))
    return x


def in_pieces(x):
    a, b = x.chunk(2, 1)
    a.copy_(b.roll(1, 3))
    c, d = torch.split(x, [5, 3], dim=2)
    c += d.sum(2, keepdim=True)
    first, *others = x.unbind(1)
    first.mul_(others[1])
    return torch.stack(torch.tensor_split(x, 2, -2), 1)


FUNCTIONS = {
    "in pieces": in_pieces,
    "moved": moved,
    "without gradient": without_gradient,
    "through views": through_views,
    "standardised": standardised,
    "written": written,
    "in place": in_place,
    "normalised": lambda x: F.normalize(x) + x.amax(-1, keepdim=True) + x.norm(dim=2, keepdim=True),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x[..., :5]),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, torch.zeros(8, 8)),
    "einsum": lambda x: torch.einsum("nchw,ncvw->nhv", x, x),
    "matmul": lambda x: x.mT @ x[:, :, :2].repeat(1, 1, 4, 1),
    "addmm": lambda x: torch.baddbmm(x[:, 0].mT[..., :6], x[:, 1].mT, x[:, 2], alpha=-2.0),
    "chosen": lambda x: torch.where(torch.arange(6) % 2 == 0, x, x.roll(1, 2)),
    "greatest": lambda x: torch.max(x, 3).values,
    "greater": lambda x: torch.maximum(x, x.roll(1, 2)) + torch.max(x, x.roll(2, 3)),
    "running": lambda x: x.cumsum(2) + torch.cumprod(x, 3) + torch.cummax(x, 1)[0],
    "halves": lambda x: torch.cat([x.half().float()[:, :2], x.to(torch.float16).to(x.dtype)], 1),
    "operators": lambda x: torch.ops.aten.relu(x).clamp_min(0) // 1 + 2**x + 1 / x,
    "smoothed": lambda x: F.interpolate(x, scale_factor=(2, 0.5), mode="bilinear", antialias=True),
    "pieces": lambda x: torch.stack([p.sum(1) for p in x.chunk(2, 1)], 1).flatten(2),
    "multiplied in place": lambda x: x.mul_(x.sum(1, keepdim=True)).transpose(1, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    check(Do(FUNCTIONS[name]))


# Steps that keep the shape, many of them in place or through views.
def through_a_view(x):
    v = x.view(len(x), 2, 2, 8, 6)
    F.relu_(v[:, 0])
    v[:, 1].add_(v[:, 0].roll(1, 3))
    return x


def over_itself(x):
    x += x.roll(1, 2)
    x[:, :, 1::2].mul_(x[:, :, ::2])
    return x


def into_a_buffer(x):
    out = torch.empty_like(x)
    out[:, :2] = x[:, 2:]
    out[:, 2:] = F.avg_pool2d(x, 3, 1, 1)[:, :2]
    out[..., 0] = 0
    return out


STEPS = [
    through_a_view,
    over_itself,
    into_a_buffer,
    lambda x: F.conv2d(x, torch.ones(4, 1, 3, 3).to(x), None, 1, 2, 2, 4),
    lambda x: F.max_pool2d(x, (3, 1), 1, (1, 0)),
    lambda x: torch.stack([x[:, 3], *(x[:, i] * (i + 1) for i in range(3))], 1),
    lambda x: x * x.flip(1) + x.mean(1, keepdim=True),
    lambda x: x.transpose(2, 3).reshape(len(x), 4, 8, 6),
    lambda x: F.interpolate(F.max_pool2d(x, 2), scale_factor=2, mode="bilinear"),
    lambda x: F.conv_transpose2d(
        x[..., ::2, ::2], torch.ones(4, 4, 2, 1).to(x), None, 2, 0, (0, 1)
    ),
    lambda x: torch.where(torch.arange(8)[:, None] > 3, x, x.roll((1, 2), (2, 3))),
    lambda x: x.index_select(2, torch.tensor([3, 2, 1, 0, 4, 5, 7, 6])),
    lambda x: torch.cat([x[:, :1].cumsum(2), x[:, 1:].unfold(3, 1, 1)[..., 0]], 1),
]


@pytest.mark.parametrize("seed", range(3))
def test_random_sequences_of_steps(seed):
    rng = np.random.default_rng([12, seed])
    for _ in range(30):
        chosen = rng.integers(len(STEPS), size=rng.integers(2, 6))

        def sequence(x, chosen=chosen):
            for k, i in enumerate(chosen):
                made = STEPS[i](x.clone() if k % 2 else x)
                x = made + x if (i + k) % 5 == 0 else made
            return x

        check(Do(sequence))


# --- more than NaN shows -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.where(x > 0, 1.0, 2.0),
        lambda x: (x > 0).float() + 0 * x.detach().nan_to_num(),
        lambda x: x.masked_fill(x > 0, 2.0).nan_to_num(),
    ],
)
def test_what_is_only_compared_counts_though_nan_is_lost_there(function):
    field = receptive_field(Do(function), (1, 2, 3), SHAPE)
    assert np.argwhere(field.mask).tolist() == [[2, 3]]
    assert field.exact
    probed = receptive_field(Do(function), (1, 2, 3), SHAPE, method="probe")
    assert not probed.mask.any()
    assert not probed.exact


def test_a_sort_reads_all_that_it_sorts():
    field = receptive_field(Do(lambda x: x.sort(2).values + x.topk(8, 2)[0]), (1, 2, 3), SHAPE)
    assert field.cols.tolist() == [3]
    assert field.rows.tolist() == list(range(8))


# --- what is probed ----------------------------------------------------------------------------
class Flip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.flip(2)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def under_inference(x):
    with torch.inference_mode():
        y = x.roll(1, 2)
    return x + y


PROBED = {
    "under inference": (under_inference, "roll: its result has lost the gradient"),
    "Fourier": (lambda x: torch.fft.rfft(x, dim=2).abs(), "fft_rfft: what it reads is not known"),
    "own function": (Flip.apply, "flip: its result has lost the gradient"),
    "NumPy": (lambda x: x + torch.from_numpy(x.numpy()).flip(2), "numpy: what is computed next"),
    "dynamic filters": (
        lambda x: torch.cat([F.conv2d(i[None], i.mean((1, 2)).view(1, 4, 1, 1)) for i in x]),
        "conv2d: its parameters depend on the image",
    ),
}


@pytest.mark.parametrize("name", PROBED)
def test_what_is_not_known_is_probed_and_says_so(name):
    function, why = PROBED[name]
    seen = check(Do(function), exact=False)
    assert seen.because.startswith("what a NaN reaches (")
    assert why in seen.because


def test_a_module_that_looks_at_values_is_followed_on_the_path_of_an_image():
    def turned(x):
        y = x.flip(2) if x.mean() > 0 else x
        shift = int(10 * float(x.amax()))
        return y.roll(shift, 3) + 0 * x.mean().item()

    field = receptive_field(Do(turned), (0, 1, 2), SHAPE)
    # The values are random numbers up to 0.75 on 192 places, so that the greatest is above 0.7.
    assert np.argwhere(field.mask).tolist() == [[8 - 1 - 1, (2 - 7) % 6]]
    assert not field.exact
    assert "the path that one image takes (__bool__: what is computed next" in field.because
    assert field.stride == (-1, 1)
    # NaN is not above 0, and would go the other way.
    probed = receptive_field(
        Do(lambda x: x.flip(2) if x.mean() > 0 else x), (0, 1, 2), SHAPE, method="probe"
    )
    assert probed.rows.tolist() == [1]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_scripted_part_is_noticed():
    part = nn.Sequential(nn.Conv2d(4, 2, 3), nn.ReLU()).double().requires_grad_(False)
    part = torch.jit.trace(part, torch.zeros(1, *SHAPE, dtype=torch.float64))
    seen = check(Do(lambda x: part(x)), exact=False)
    assert "ReluBackward" in seen.because


def test_a_swallowed_error_is_noticed():
    def hidden(x):
        try:
            return x + torch.fft.rfft(x, dim=2).abs().sum(2, keepdim=True)
        except Exception:
            return x

    check(Do(hidden), exact=False)


# --- what is left alone ------------------------------------------------------------------------
def test_the_module_and_the_weights_of_the_map_stay_as_they_are():
    net = nn.Sequential(nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.GroupNorm(1, 2))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    receptive_field(net, (0, 1, 1), SHAPE)
    receptive_field(net, (0, 1, 1), SHAPE, method="probe")
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(m.training for m in net.modules())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    # A map keeps its weights in the dtype of the image: it must not keep surrogates.
    phi = pm.Relu() @ pm.Conv2d(torch.ones(1, 4, 2, 2))
    receptive_field(phi, (0, 1, 1), SHAPE)
    x = torch.rand(2, *SHAPE, dtype=torch.float64)
    assert torch.equal(phi(x), F.relu(F.conv2d(x, torch.ones(1, 4, 2, 2, dtype=x.dtype))))


def test_weights_in_training_are_constants():
    weight = torch.ones(1, 4, 3, 3, requires_grad=True)
    field = receptive_field(pm.Conv2d(weight), (0, 1, 1), SHAPE)
    assert field.exact
    assert field.hull == (1, 1, 4, 4)
    assert weight.grad is None
    assert receptive_field(nn.Conv2d(4, 1, 3).train(), (0, 1, 1), SHAPE).exact


def test_random_numbers_are_not_used_up():
    net = nn.Sequential(nn.Conv2d(4, 2, 3), nn.Dropout(), Do(lambda x: x / x.std(1, keepdim=True)))
    state = torch.get_rng_state()
    receptive_field(net, (0, 0, 0), SHAPE)
    receptive_field(net, (0, 0, 0), SHAPE, method="probe")
    assert torch.equal(state, torch.get_rng_state())


def test_the_field_of_rows_is_that_of_the_images_they_stand_for():
    phi = pm.Conv2d(np.ones((1, 1, 3, 3)), in_shape=(1, 8, 8)) @ pm.Standardize()
    X = np.random.default_rng(0).normal(size=(5, 64))
    field = receptive_field(phi.fit(X), (0, 2, 3))
    assert field.hull == (2, 3, 5, 6)
    assert field.exact
    learned = (pm.Relu() @ pm.PatchPCAConv2d(2, 3)).fit(X.reshape(5, 1, 8, 8))
    assert receptive_field(learned, (0, 2, 3)).hull == (2, 3, 5, 6)


def test_every_name_in_the_table_is_one_of_torch():
    places = (torch, torch.Tensor, F, torch._C._nn, torch.special)
    known = {n for place in places for n in dir(place)} | {f".{n}" for n in dir(torch.Tensor)}
    known |= {f"linalg_{n}" for n in dir(torch.linalg)}
    assert not set(RULES) - known


@pytest.mark.gpu
def test_fields_of_maps_on_an_accelerator_are_those_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("there is no accelerator")
    net = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.MaxPool2d(2)).eval()
    phi, x = pm.from_torch(net, layer="2"), torch.rand(3, *SHAPE)
    wanted = receptive_field(phi, (1, 1, 1), SHAPE)
    mostly = pm.cnn.effective_field(phi, (1, 1, 1), x)
    built = pm.MaxPool2d(2) @ pm.Conv2d(net[0].weight.detach(), padding=1)
    net.cuda()
    for moved in (pm.from_torch(net, layer="2"), net, built.to("cuda")):
        for method in ("structure", "probe"):
            field = receptive_field(moved, (1, 1, 1), SHAPE, method=method)
            assert field.exact == (method == "structure"), field.because
            assert np.array_equal(field.mask, wanted.mask)
    # Single precision: some hundred roundings of squares of gradients.
    there = pm.cnn.effective_field(pm.from_torch(net, layer="2"), (1, 1, 1), x.cuda())
    assert np.abs(there.weight - mostly.weight).max() < 1e-3
