"""Signals sent back to the image, beside an explicit Zeiler-Fergus network in NumPy."""

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import phimaps as pm

RULES = {
    "gradient": lambda signal, z: signal * (z > 0),
    "deconvnet": lambda signal, z: np.maximum(signal, 0),
    "guided_backprop": lambda signal, z: np.maximum(signal, 0) * (z > 0),
}
TOOLS = {
    "gradient": lambda phi, x, unit: pm.cnn.gradient(phi, x, unit),
    "deconvnet": lambda phi, x, unit: pm.cnn.deconvnet(phi, x, unit, seed=1),
    "guided_backprop": lambda phi, x, unit: pm.cnn.guided_backprop(phi, x, unit, seed=1),
}


# --- the explicit network: every step writes down what its way back needs ------------------------


class Conv:
    def __init__(self, weight, bias, stride=1, padding=0):
        self.weight, self.bias, self.stride, self.padding = weight, bias, stride, padding

    def taps(self, padded):
        k, s = self.weight.shape[-1], self.stride
        rows, cols = ((n - k) // s + 1 for n in padded.shape[1:])
        for i in range(k):
            for j in range(k):
                yield i, j, (slice(i, i + s * rows, s), slice(j, j + s * cols, s))

    def forward(self, x):
        self.padded = np.pad(x, ((0, 0), *[(self.padding,) * 2] * 2))
        parts = [
            np.einsum("oc,chw->ohw", self.weight[:, :, i, j], self.padded[(slice(None), *at)])
            for i, j, at in self.taps(self.padded)
        ]
        return sum(parts) + self.bias[:, None, None]

    def back(self, signal, rule):
        """Transposed filters: what a pixel gave to a unit, it gets back."""
        result = np.zeros_like(self.padded)
        for i, j, at in self.taps(self.padded):
            result[(slice(None), *at)] += np.einsum("oc,ohw->chw", self.weight[:, :, i, j], signal)
        p = self.padding
        return result[:, p : result.shape[1] - p, p : result.shape[2] - p]

    def sees(self, units):
        """The pixels that reach a set of units, whatever the weights."""
        signal = np.zeros((len(self.weight), *units.shape)) + units
        ones = Conv(np.ones_like(self.weight), self.bias, self.stride, self.padding)
        ones.padded = self.padded
        return ones.back(signal, None).sum(axis=0) > 0

    def module(self):
        c_out, c_in, k, _ = self.weight.shape
        layer = nn.Conv2d(c_in, c_out, k, self.stride, self.padding)
        layer.weight.data, layer.bias.data = map(torch.from_numpy, (self.weight, self.bias))
        return layer

    def map(self):
        return pm.Conv2d(self.weight, self.bias, stride=self.stride, padding=self.padding)


class Rectifier:
    def forward(self, z):
        self.z = z
        return np.where(z > 0, z, 0.0)

    def back(self, signal, rule):
        return rule(signal, self.z)

    def sees(self, units):
        return units

    def module(self):
        return nn.ReLU()

    def map(self):
        return pm.Relu()


class Pool:
    def __init__(self, size, stride):
        self.size, self.stride = size, stride

    def forward(self, a):
        self.shape = a.shape
        k, s = self.size, self.stride
        rows, cols = ((n - k) // s + 1 for n in a.shape[1:])
        self.switch = np.zeros((len(a), rows, cols, 2), dtype=int)
        result = np.zeros((len(a), rows, cols))
        for c, i, j in np.ndindex(result.shape):
            window = a[c, i * s : i * s + k, j * s : j * s + k]
            place = np.unravel_index(window.argmax(), window.shape)
            self.switch[c, i, j] = i * s + place[0], j * s + place[1]
            result[c, i, j] = window[place]
        return result

    def back(self, signal, rule):
        """Unpooling: to the switch, where signals of overlapping windows add up."""
        result = np.zeros(self.shape)
        for c, i, j in np.ndindex(signal.shape):
            result[(c, *self.switch[c, i, j])] += signal[c, i, j]
        return result

    def sees(self, units):
        result = np.zeros(self.shape[1:], dtype=bool)
        for i, j in np.argwhere(units) * self.stride:
            result[i : i + self.size, j : j + self.size] = True
        return result

    def module(self):
        return nn.MaxPool2d(self.size, self.stride)

    def map(self):
        return pm.MaxPool2d(self.size, self.stride)


def random_conv(rng, c_in, c_out, k, stride=1, padding=0):
    weight = rng.standard_normal((c_out, c_in, k, k)) / np.sqrt(c_in * k * k)
    return Conv(weight, 0.1 * rng.standard_normal(c_out), stride, padding)


def chain(rng, pool=(2, 2), stage="post"):
    """Three layers, as small as an overlap of windows and strides and padding allow."""
    steps = [random_conv(rng, 2, 4, 3, 1, 1), Rectifier(), Pool(*pool)]
    steps += [random_conv(rng, 4, 5, 3, 2, 1), Rectifier(), random_conv(rng, 5, 3, 2)]
    return [*steps, Rectifier()] if stage == "post" else steps


def explicit(steps, x, unit, rule, seed=None):
    """One image through all steps and one unit's signal back; its value is the default seed."""
    value = x
    for step in steps:
        value = step.forward(value)
    signal = np.zeros_like(value)
    signal[unit] = value[unit] if seed is None else seed
    for step in reversed(steps):
        signal = step.back(signal, rule)
    return value, signal


def seen(steps, unit, shape):
    units = np.zeros(shape[1:], dtype=bool)
    units[unit[1:]] = True
    for step in reversed(steps):
        units = step.sees(units)
    return units


def close(found, wanted):
    scale = max(np.abs(wanted).max(), 1e-300)
    return np.abs(found - wanted).max() <= 1e-12 * scale


def images(rng, n=1, channels=2):
    return rng.random((n, channels, 15, 14))


def units(value, rng, count=4):
    """The greatest unit, the least one, and others."""
    flat = [value.argmax(), value.argmin(), *rng.choice(value.size, count, replace=False)]
    return [tuple(int(i) for i in np.unravel_index(f, value.shape)) for f in flat]


# --- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["pre", "post"])
@pytest.mark.parametrize("pool", [(2, 2), (3, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("tool", RULES)
def test_signals_are_those_of_the_explicit_network(tool, pool, stage, rng):
    nonzero = 0
    for _ in range(3):
        steps, x = chain(rng, pool, stage), images(rng)[0]
        phi = pm.pipe(*(s.map() for s in steps))
        module = nn.Sequential(*(s.module() for s in steps)).double()
        value, _ = explicit(steps, x, (0, 0, 0), RULES[tool])
        assert close(phi(x[None])[0], value)
        for unit in units(value, rng):
            _, wanted = explicit(steps, x, unit, RULES[tool], 1.0)
            for each in (phi, module):
                found = TOOLS[tool](each, x, unit)
                assert found.dtype == np.float64
                assert close(found, wanted)
                outside = ~seen(steps, unit, value.shape)
                assert not found[:, outside].any()
            nonzero += wanted.any()
        mask = pm.cnn.receptive_field(phi, unit, x.shape).mask
        assert outside.any()
        assert np.array_equal(mask, ~outside)
    assert nonzero >= 6


@pytest.mark.parametrize("stage", ["pre", "post"])
@pytest.mark.parametrize("tool", ["deconvnet", "guided_backprop"])
def test_the_seed_is_the_value_of_the_unit(tool, stage, rng):
    steps, x = chain(rng, (3, 2), stage), images(rng)[0]
    phi = pm.pipe(*(s.map() for s in steps))
    value, _ = explicit(steps, x, (0, 0, 0), RULES[tool])
    for unit in units(value, rng, 8):
        _, wanted = explicit(steps, x, unit, RULES[tool])
        found = getattr(pm.cnn, tool)(phi, x, unit)
        assert close(found, wanted)
        again = getattr(pm.cnn, tool)(phi, x, unit, seed=float(value[unit]))
        assert close(again, wanted)
    assert value.min() == 0 if stage == "post" else value.min() < 0


def test_a_dead_unit_has_a_signal_only_in_the_rule_that_looks_at_no_z():
    phi, x = pm.Relu() @ pm.Conv2d([[[[1.0, -1.0]]]]), [[[1.0, 3.0]]]
    assert not pm.cnn.gradient(phi, x, 0).any()
    assert not pm.cnn.guided_backprop(phi, x, 0, seed=1).any()
    assert not pm.cnn.deconvnet(phi, x, 0).any()
    assert pm.cnn.deconvnet(phi, x, 0, seed=1).tolist() == [[[1.0, -1.0]]]


def test_a_unit_before_its_relu_keeps_its_sign():
    phi, x = pm.Conv2d([[[[1.0, -1.0]]]]), [[[1.0, 3.0]]]
    assert pm.cnn.deconvnet(phi, x, 0).tolist() == [[[-2.0, 2.0]]]
    assert pm.cnn.deconvnet(pm.Relu() @ phi, x, 0, seed=-1).tolist() == [[[0.0, 0.0]]]


def test_signals_of_overlapping_windows_add_up():
    # The middle is the greatest in both windows, and both go into the unit.
    phi = pm.Conv2d([[[[1.0, 10.0]]]]) @ pm.MaxPool2d((1, 2), stride=1)
    found = pm.cnn.deconvnet(phi, [[[1.0, 5.0, 2.0]]], 0, seed=1)
    assert found.tolist() == [[[0.0, 11.0, 0.0]]]


def test_of_equal_values_the_first_is_the_switch():
    phi = pm.MaxPool2d((1, 3))
    assert pm.cnn.deconvnet(phi, [[[1.0, 2.0, 2.0]]], 0).tolist() == [[[0.0, 2.0, 0.0]]]


@pytest.mark.parametrize("tool", RULES)
def test_branches_are_summed(tool, rng):
    first, second = (random_conv(rng, 2, 2, 3, 1, 1) for _ in range(2))
    x, unit, top, middle = images(rng)[0], (1, 7, 3), Rectifier(), Rectifier()
    value = top.forward(second.forward(middle.forward(first.forward(x))) + x)
    signal = np.zeros_like(value)
    signal[unit] = 1.0
    signal = top.back(signal, RULES[tool])
    wanted = signal + first.back(middle.back(second.back(signal, None), RULES[tool]), None)
    block = (second.map() @ pm.Relu() @ first.map()) + pm.Identity()
    assert close(TOOLS[tool](pm.Relu() @ block, x, unit), wanted)
    assert wanted.any()


def test_batch_normalisation_is_a_part_of_the_convolution(rng):
    conv, x = random_conv(rng, 2, 4, 3, 1, 1), images(rng)[0]
    norm = nn.BatchNorm2d(4).double()
    for name in ("weight", "bias", "running_mean"):
        getattr(norm, name).data = torch.from_numpy(rng.standard_normal(4))
    norm.running_var.data = torch.from_numpy(rng.uniform(0.5, 2, 4))
    factor = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
    bias = norm.bias.detach().numpy() + factor * (conv.bias - norm.running_mean.numpy())
    folded = Conv(conv.weight * factor[:, None, None, None], bias, 1, 1)
    last = random_conv(rng, 4, 2, 3)
    module = nn.Sequential(conv.module(), norm, nn.ReLU(True), last.module()).double()
    for unit in [(0, 3, 3), (1, 0, 5)]:
        _, wanted = explicit([folded, Rectifier(), last], x, unit, RULES["deconvnet"])
        assert close(pm.cnn.deconvnet(module.train(), x, unit), wanted)


# --- every spelling ------------------------------------------------------------------------------

SPELLINGS = {
    "module": lambda z: nn.ReLU()(z),
    "module in place": lambda z: nn.ReLU(inplace=True)(z),
    "functional": functional.relu,
    "functional in place": lambda z: functional.relu(z, inplace=True),
    "functional_": functional.relu_,
    "torch": torch.relu,
    "torch_": torch.relu_,
    "method": lambda z: z.relu(),
    "method_": lambda z: z.relu_(),
}
CLAMPS = {
    "clamp": lambda z: z.clamp(min=0),
    "clamp_": lambda z: z.clamp_(min=0),
    "clamp_min": lambda z: torch.clamp_min(z, 0),
    "maximum": lambda z: torch.maximum(z, torch.zeros(())),
    "threshold": lambda z: functional.threshold(z, 0, 0),
}


class Spelled(nn.Module):
    """The chain with its ReLUs in some spelling, an `if` on data and one module used twice."""

    def __init__(self, steps, relu):
        super().__init__()
        self.convs = nn.ModuleList(s.module() for s in steps if isinstance(s, Conv)).double()
        self.pool = next(s for s in steps if isinstance(s, Pool)).module()
        self.relu = relu

    def forward(self, x):
        a = self.pool(self.relu(self.convs[0](x)))
        z = -self.convs[1](a) if bool(a.sum() < -1) else self.convs[1](a)
        return self.relu(self.convs[2](self.relu(z)))


@pytest.mark.parametrize("relu", SPELLINGS)
@pytest.mark.parametrize("tool", RULES)
def test_every_spelling_of_relu_is_replaced(tool, relu, rng):
    steps, x = chain(rng, (3, 2)), images(rng)[0]
    value, _ = explicit(steps, x, (0, 0, 0), RULES[tool])
    unit = units(value, rng)[0]
    _, wanted = explicit(steps, x, unit, RULES[tool], 1.0)
    assert wanted.any()
    assert close(TOOLS[tool](Spelled(steps, SPELLINGS[relu]), x, unit), wanted)


LAYERS = [
    ("convs.0", "pre", 0, 1),
    ("convs.0", "post", 0, 2),
    ("pool", None, 0, 3),
    ("relu", "post", 1, 5),
    ("convs.1", "pre", 0, 4),
    ("convs.1", "post", 0, 5),
    ("convs.2", "pre", 0, 6),
    ("relu@2", "post", 0, 7),
]


@pytest.mark.parametrize("place", LAYERS, ids=lambda p: f"{p[0]}-{p[1]}-{p[2]}")
@pytest.mark.parametrize("tool", RULES)
def test_layers_inside_a_module_before_and_after_their_relu(tool, place, rng):
    layer, stage, call, upto = place
    steps, x = chain(rng, (3, 2)), images(rng)[0]
    net = Spelled(steps, nn.ReLU(inplace=True))
    phi = pm.from_torch(net, layer=layer, stage=stage, call=call)
    value, _ = explicit(steps[:upto], x, (0, 0, 0), RULES[tool])
    assert close(phi(x[None])[0], value)
    for unit in units(value, rng, 1):
        _, wanted = explicit(steps[:upto], x, unit, RULES[tool], 1.0)
        found = TOOLS[tool](phi, x, unit)
        assert close(found, wanted)
        assert not found[:, ~seen(steps[:upto], unit, value.shape)].any()


@pytest.mark.parametrize("relu", CLAMPS)
def test_what_does_the_same_is_replaced_with_a_warning(relu, rng):
    steps, x = chain(rng, (3, 2)), images(rng)[0]
    value, _ = explicit(steps, x, (0, 0, 0), RULES["deconvnet"])
    unit = units(value, rng)[0]
    _, wanted = explicit(steps, x, unit, RULES["deconvnet"])
    module = Spelled(steps, CLAMPS[relu])
    text = r"^deconvnet took 3 clamps or maxima for ReLUs, as they compute max\(z, 0\); torch.relu"
    with pytest.warns(UserWarning, match=text):
        assert close(pm.cnn.deconvnet(module, x, unit), wanted)
    # The gradient needs no rule.
    assert pm.cnn.gradient(module, x, unit).shape == x.shape


OTHERS = {
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "leakyrelu": functional.leaky_relu,
    "hardtanh": functional.relu6,
    "hardswish": functional.hardswish,
    "where": lambda z: torch.where(z > 0, z, 0.0),
    "a product with a mask": lambda z: z * (z > 0),
    "mul": lambda z: z * z,
    "clamp": lambda z: z.clamp(min=-1),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_bends_pass_on_the_gradient_with_a_warning(name, rng):
    steps, x = chain(rng, (2, 2)), images(rng)[0]
    module = Spelled(steps, OTHERS[name])
    wanted = pm.cnn.gradient(module, x, (1, 1, 1))
    for tool in ("deconvnet", "guided_backprop"):
        text = f"^{tool} has a rule for ReLU only: {name} passed on the plain gradient"
        with pytest.warns(UserWarning, match=text):
            assert close(TOOLS[tool](module, x, (1, 1, 1)), wanted)


def test_a_scripted_relu_is_reported_too(rng):
    steps, x = chain(rng), images(rng)[0]

    def scripted():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.script(nn.Sequential(*(s.module() for s in steps)).double().eval())

    inner = scripted()
    with pytest.warns(UserWarning, match="rule for ReLU only: relu passed on"):
        pm.cnn.deconvnet(pm.from_function(lambda z: inner(z)), x, 0)


LINEAR = {
    "average": nn.AvgPool2d(2),
    "flat": nn.Sequential(nn.Flatten(), nn.Linear(2 * 15 * 14, 3)),
    "reflected": nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
    "larger": nn.Upsample(scale_factor=2, mode="bilinear"),
    "transposed": nn.ConvTranspose2d(2, 3, 2),
    "dropped": nn.Sequential(nn.Dropout2d(), nn.AdaptiveAvgPool2d(2)),
    "grouped": nn.Conv2d(2, 4, 3, groups=2, dilation=2),
    "greatest": nn.AdaptiveMaxPool2d(2),
}


@pytest.mark.parametrize("name", LINEAR)
def test_what_does_not_bend_has_no_warning(name, rng):
    module, x = LINEAR[name].double(), images(rng)[0]
    found = pm.cnn.deconvnet(pm.from_torch(nn.Sequential(module)), x, 1, seed=1)
    assert close(found, pm.cnn.gradient(module, x, 1))


# --- the caller ----------------------------------------------------------------------------------


class Counted(nn.Module):
    """A network with everything that must not change, and an exception on demand."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.body[2].eval()
        self.calls, self.fails = 0, False
        self.body[0].register_forward_hook(lambda *_: None)

    def forward(self, x):
        x.mul_(2)
        value = self.body(x)
        if self.fails:
            raise ArithmeticError("half-way")
        return value


def state(module):
    return (
        {k: v.clone() for k, v in module.state_dict().items()},
        [m.training for m in module.modules()],
        [p.grad for p in module.parameters()],
        [p.requires_grad for p in module.parameters()],
        [list(m._forward_hooks.items()) for m in module.modules()],
        [len(m._backward_hooks) + len(m._forward_pre_hooks) for m in module.modules()],
    )


@pytest.mark.parametrize("tool", RULES)
@pytest.mark.parametrize("fails", [False, True], ids=["well", "half-way"])
def test_the_module_and_the_image_stay_as_they_are(tool, fails, rng):
    module, x = Counted(), torch.from_numpy(images(rng, 3).astype(np.float32))
    module.fails, before, pixels = fails, copy.deepcopy(state(module)), x.clone()
    if fails:
        with pytest.raises(ArithmeticError):
            TOOLS[tool](module, x, (0, 0, 0))
    else:
        TOOLS[tool](module, x, (0, 0, 0))
    for name, value in state(module)[0].items():
        assert torch.equal(value, before[0][name])
    assert [len(v) for v in state(module)[4]] == [len(v) for v in before[4]]
    assert state(module)[1:4] == before[1:4]
    assert state(module)[5] == before[5]
    assert torch.equal(x, pixels)
    assert x.grad is None
    assert not x.requires_grad


@pytest.mark.parametrize("tool", RULES)
def test_images_of_a_batch_have_their_own_signals(tool, rng):
    steps, x = chain(rng, (3, 2), "pre"), images(rng, 19)
    phi = pm.pipe(*(s.map() for s in steps))
    run = getattr(pm.cnn, tool)
    whole = run(phi, x, (1, 1, 1))
    assert whole.shape == x.shape
    assert close(whole, np.stack([run(phi, each, (1, 1, 1)) for each in x]))


def test_numbers_keep_their_precision_and_bytes_stand_for_0_to_1(rng):
    steps = chain(rng)
    phi = pm.pipe(*(s.map() for s in steps))
    pixels = rng.integers(0, 256, (2, 15, 14), dtype=np.uint8)
    wanted = pm.cnn.deconvnet(phi, pixels / 255, (0, 1, 1), seed=1)
    assert wanted.dtype == np.float64
    for x in (pixels, (pixels / 255).astype(np.float32), torch.from_numpy(pixels)):
        found = pm.cnn.deconvnet(phi, x, (0, 1, 1), seed=1)
        assert found.dtype == np.float32
        # At most 5 * 16 + 4 * 9 + 2 * 9 products are summed on the way back.
        assert np.abs(found - wanted).max() <= 200 * 2.0**-24 * np.abs(wanted).max() * 10
    half = torch.from_numpy(pixels).half() / 255
    assert pm.cnn.gradient(phi, half, (0, 1, 1)).dtype == np.float64


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_no_mode_of_the_caller_gets_in_the_way(mode, rng):
    steps, x = chain(rng), images(rng)[0]
    phi = pm.pipe(*(s.map() for s in steps))
    wanted = pm.cnn.deconvnet(phi, x, (0, 1, 1))
    with mode():
        tensor = torch.from_numpy(x) * 1
        assert np.array_equal(pm.cnn.deconvnet(phi, tensor, (0, 1, 1)), wanted)


def test_a_feature_that_does_not_look_has_no_gradient():
    phi = pm.from_function(lambda x: torch.stack((x.sum((1, 2, 3)), 0 * x[:, 0, 0, 0] + 1), 1))
    assert not pm.cnn.gradient(phi, np.ones((1, 2, 2)), 1).any()


class Overwritten(nn.Module):
    def forward(self, x):
        a = torch.sigmoid(x)
        return a * a.mul_(2)


class Parts(nn.Module):
    def forward(self, x):
        first, second = x.clone().chunk(2, dim=1)
        return torch.cat((first, second.relu_()), dim=1)


class Out(nn.Module):
    def forward(self, x):
        return torch.clamp(x, min=0, out=torch.empty_like(x))


@pytest.mark.parametrize("kind", [Overwritten, Parts, Out], ids=lambda k: k.__name__)
@pytest.mark.parametrize("tool", RULES)
def test_what_has_no_gradient_is_refused(tool, kind):
    x = np.linspace(-1, 1, 8).reshape(2, 2, 2)
    assert pm.from_torch(kind())(x[None]).shape == (1, 2, 2, 2)
    text = f"^{tool} cannot go back through what the forward pass does"
    with pytest.raises(pm.errors.GradientError, match=text):
        TOOLS[tool](kind(), x, 0)


def test_an_error_of_the_module_itself_is_left_as_it_is():
    with pytest.raises(RuntimeError, match="expected input") as caught:
        pm.cnn.deconvnet(pm.from_function(nn.Conv2d(3, 2, 1).double()), np.ones((2, 4, 4)), 0)
    assert not isinstance(caught.value, pm.errors.PhimapsError)


def test_the_rules_agree_with_captum(rng):
    attr = pytest.importorskip("captum.attr", reason="captum is not installed to compare with")
    steps, x = chain(rng, (3, 2)), images(rng)[0]
    module = nn.Sequential(*(s.module() for s in steps)).double().eval()
    value, _ = explicit(steps, x, (0, 0, 0), RULES["deconvnet"])
    unit = units(value, rng)[0]
    tensor = torch.from_numpy(x[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = attr.NeuronDeconvolution(module, module[-1]).attribute(tensor, unit)
        guided = attr.NeuronGuidedBackprop(module, module[-1]).attribute(tensor, unit)
    assert close(pm.cnn.deconvnet(module, x, unit, seed=1), theirs[0].detach().numpy())
    assert close(pm.cnn.guided_backprop(module, x, unit, seed=1), guided[0].detach().numpy())


@pytest.mark.gpu
def test_signals_on_an_accelerator_are_those_on_the_cpu(rng):
    if not torch.cuda.is_available():
        pytest.skip("there is no accelerator")
    steps, x = chain(rng, (3, 2)), images(rng, 3)
    phi = pm.pipe(*(s.map() for s in steps))
    wanted = pm.cnn.deconvnet(phi, x, (0, 1, 1))
    assert close(pm.cnn.deconvnet(phi.to("cuda"), x, (0, 1, 1)), wanted)
    assert close(pm.cnn.deconvnet(phi, torch.from_numpy(x).cuda(), (0, 1, 1)), wanted)
