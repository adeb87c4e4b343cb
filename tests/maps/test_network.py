"""Any layer of any module: before and after its activation, in one pass, the module untouched."""

import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

import phimaps as pm
from phimaps.errors import ParameterError

from .nets import SPELLINGS, Branches, Plain, Residual, close, images, settled, state

X = images()


def plain(net, x=X):
    """What the steps of `Plain` are, written out."""
    conv, norm = net.conv, net.norm
    z = functional.conv2d(x, conv.weight, conv.bias, padding=1)
    bn = functional.batch_norm(
        z, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
    )
    return {"conv": z.detach(), "norm": bn.detach(), "post": bn.detach().clamp(min=0)}


def evaluate(net, x=X, **options):
    """The features, by the pass with gradients and by the one without, which must agree."""
    phi = pm.from_torch(net, **options)
    with torch.enable_grad():
        kept = phi(x).detach()
    with pm.config_context(cache_bytes=0):
        # The first pass shows what can be folded, the second has it folded.
        for _ in range(2):
            close(phi.transform(x.numpy()), kept)
    return kept


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_both_sides_of_a_rectifier_in_every_spelling(spelling):
    net = settled(Plain(SPELLINGS[spelling]()))
    expected = plain(net)
    for layer, stage, name in [
        ("conv", None, "conv"),
        ("conv", "pre", "conv"),
        ("norm", None, "norm"),
        ("norm", "pre", "norm"),
        ("norm", "post", "post"),
    ]:
        value = evaluate(net, layer=layer, stage=stage)
        close(value, expected[name])


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_after_is_the_rectified_before_always(spelling):
    net = settled(Residual(SPELLINGS[spelling]()))
    for layer in ("stem", "layer1.0.bn1", "layer1.0", "layer1.1", "layer1"):
        z, a = (pm.from_torch(net, layer=layer, stage=s)(X) for s in ("pre", "post"))
        assert torch.equal(a, z.clamp(min=0))
        assert (z < 0).any()


@pytest.mark.parametrize("in_place", [False, True])
def test_a_module_used_twice_is_addressed_by_its_call(in_place):
    net = settled(Residual(nn.ReLU(inplace=in_place)))
    inside = pm.from_torch(net, layer="layer1.0.bn1", stage="pre")(X)
    z0 = pm.from_torch(net, layer="layer1.0.rectify", stage="pre")(X)
    assert torch.equal(z0, inside)
    names = [f"layer1.0.rectify@{k}" for k in range(4)]
    for name, layer in ((names[1], "layer1.0"), (names[3], "layer1.1")):
        for stage in (None, "pre", "post"):
            by_name = pm.from_torch(net, layer=name, stage=stage)(X)
            by_call = pm.from_torch(net, layer=name[:-2], stage=stage, call=int(name[-1]))(X)
            around = pm.from_torch(net, layer=layer, stage=stage)(X)
            assert torch.equal(by_name, by_call)
            assert torch.equal(by_name, around)
    # Under its other names it is the same module, with the same calls.
    other = pm.from_torch(net, layer="layer1.1.rectify@3")(X)
    assert torch.equal(other, pm.from_torch(net, layer=names[3])(X))


def test_the_whole_module_is_a_layer_too():
    net = settled(Residual())
    expected = net.eval()(X).detach()
    assert torch.equal(pm.from_torch(net, layer="")(X), expected)
    assert torch.equal(pm.from_torch(net, stage="pre")(X), expected)
    phi = pm.from_torch(net, pool="avg").fit(X)
    close(phi.transform(X), expected)
    assert list(phi.get_feature_names_out())[:1] == ["network:c0"]


def test_what_is_called_may_depend_on_the_numbers():
    net = settled(Branches())
    # One image for each branch, told by the mean of z.
    x = torch.cat([9 * X, -9 * X])
    means = net.conv(x).mean((1, 2, 3))
    high, low = x[means.argmax()][None], x[means.argmin()][None]
    assert means.max() > 0 > means.min()
    z, a = (pm.from_torch(net, layer="conv", stage=s)(high) for s in ("pre", "post"))
    assert torch.equal(a, z.clamp(min=0))
    assert torch.equal(pm.from_torch(net, layer="conv", stage="pre")(low), net.conv(low).detach())
    other = pm.from_torch(net, layer="other", stage="post")(low)
    assert torch.equal(other, net.other(low).clamp(min=0).detach())
    with pytest.raises(ParameterError, match="did not call the layer 'other'"):
        pm.from_torch(net, layer="other")(high)


@pytest.mark.parametrize(
    "activation",
    [
        nn.GELU(),
        nn.SiLU(inplace=True),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ELU(inplace=True),
        nn.Hardswish(inplace=True),
    ],
    ids=repr,
)
def test_other_activations_have_two_sides_as_well(activation):
    net = settled(Plain(activation))
    expected = plain(net)["norm"]
    close(evaluate(net, layer="norm", stage="pre"), expected)
    a = evaluate(net, layer="norm", stage="post")
    close(a, activation(expected.clone()))
    assert torch.equal(a, evaluate(net, layer="rectify"))


@pytest.mark.parametrize(
    ("rectify", "name"),
    [
        (lambda z: z.clamp(min=0), "clamp"),
        (lambda z: z.clamp_(min=0), "clamp"),
        (lambda z: torch.maximum(z, torch.zeros_like(z)), "maximum"),
        (lambda z: functional.threshold(z, 0, 0), "threshold"),
    ],
    ids=["clamp", "clamp_", "maximum", "threshold"],
)
def test_what_comes_to_a_rectifier_counts_with_a_warning(rectify, name):
    net = settled(Plain(rectify))
    phi = pm.from_torch(net, layer="norm", stage="post")
    with pytest.warns(UserWarning, match=f"the layer 'norm' is no ReLU by name.*{name}"):
        value = phi(X)
    close(value, plain(net)["post"])


def test_several_layers_come_from_one_pass():
    net = settled(Residual())
    calls = []
    net.layer1[0].conv1.register_forward_hook(lambda m, args, out: calls.append(len(args[0])))
    names = ["layer1.1", "stem", "layer1.0.rectify@0", "fc"]
    both = pm.from_torch(net, layer=names)
    value = both(X)
    assert calls == [3]
    one_by_one = [pm.from_torch(net, layer=name)(X).flatten(1) for name in names]
    assert torch.equal(value, torch.cat(one_by_one, dim=1))
    assert value.shape[1] == 3 * 4 * 64 + 5
    fitted = both.fit(X)
    assert len(fitted.get_feature_names_out()) == value.shape[1]
    close(fitted.transform(X), value)


def test_the_pass_ends_where_all_is_there():
    net = settled(Residual())
    reached = []
    for name, part in net.named_modules():
        part.register_forward_pre_hook(lambda m, args, name=name: reached.append(name))
    pm.from_torch(net, layer="layer1.0.bn1")(X)
    assert "layer1.0.conv2" not in reached
    reached.clear()
    pm.from_torch(net, layer=["stem", "layer1.0.bn1"], stage="post").transform(X)
    assert "layer1.0.bn1" in reached
    assert "layer1.0.conv2" not in reached


@pytest.mark.parametrize("stage", [None, "pre", "post"])
def test_gradients_reach_the_input(stage):
    net = settled(Residual())
    phi = pm.from_torch(net, layer="layer1.0", stage=stage)
    x = X.double().requires_grad_()
    direction = torch.randn(X.shape, generator=torch.Generator().manual_seed(2)).double()
    (gradient,) = torch.autograd.grad(phi(x).sum(), x)
    step = 1e-6
    with torch.no_grad():
        ends = [phi.forward(x + s * step * direction).sum() for s in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    # Central differences: an error of order step² but for units that change sides.
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-5)
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_forward_derivatives_pass_too():
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage="post")
    x = X[:1].double()
    tangent = torch.ones_like(x)
    _, slope = torch.func.jvp(phi.forward, (x,), (tangent,))
    step = 1e-6
    ends = [phi(x + s * step) for s in (1, -1)]
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stage", [None, "pre", "post"])
def test_images_can_be_mapped_one_by_one(stage):
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage=stage)
    close(torch.func.vmap(lambda image: phi(image[None])[0])(X), phi(X))


def test_a_rule_for_rectifiers_is_seen_without_gradients_too():
    from phimaps.maps.rectifiers import Rectifiers

    phi = pm.from_torch(settled(Residual()), layer="stem", stage="post")
    z = pm.from_torch(settled(Residual()), layer="stem", stage="pre")(X)
    with torch.no_grad():
        first = phi.forward(X)
        with Rectifiers(lambda call: call.z.abs()):
            assert torch.equal(phi.forward(X), z.abs())
        assert torch.equal(phi.forward(X), first)


def test_what_is_computed_in_inference_mode_serves_afterwards():
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage="post")
    with torch.inference_mode():
        first = phi(X.double())
    x = X.double().requires_grad_()
    value = phi(x)
    torch.testing.assert_close(value, first)
    value.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("stage", [None, "pre", "post"])
def test_as_a_module_it_can_be_trained_and_ends_at_the_layer(stage):
    net = settled(Residual())
    phi = pm.from_torch(net, layer="layer1.0", stage=stage)
    before = phi(X)
    module = pm.as_module(phi)
    assert torch.equal(module(X), before)
    module(X).square().sum().backward()
    slopes = {name: p.grad for name, p in module.named_parameters()}
    assert slopes["stem__weight"].abs().sum() > 0
    assert slopes["fc__weight"] is None
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(2)
    trained = module.to_map()
    assert torch.equal(trained(X), module(X))
    assert not torch.equal(trained(X), before)
    assert torch.equal(phi(X), before)
    with torch.no_grad():
        close(trained.transform(X), trained(X))


def test_what_the_module_held_at_first_counts():
    net = settled(Residual())
    phi = pm.from_torch(net, layer="layer1", stage="pre")
    before = phi(X)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    net.layer1[0].conv1 = nn.Identity()
    assert torch.equal(phi(X), before)


@pytest.mark.parametrize("stage", [None, "pre", "post"])
def test_the_module_is_left_bit_identical(stage):
    net = settled(Residual())
    net.fc.eval()
    net.fc.weight.grad = torch.ones_like(net.fc.weight)
    before = state(net)
    phi = pm.from_torch(net, layer=["stem", "layer1.0"], stage=stage, mean=0.5, std=2.0)
    x = X.clone().requires_grad_()
    phi(x).sum().backward()
    phi.fit(X.numpy()).transform(X.numpy())
    phi.get_feature_names_out()
    assert state(net) == before


class Locked(nn.Module):
    """A module that cannot be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        with self.lock:
            return self.norm(self.conv(x)).relu_()


def test_a_module_that_cannot_be_copied_is_evaluated_and_restored():
    net = settled(Locked())
    net.conv.eval()
    before = state(net)
    phi = pm.from_torch(net, layer="norm", stage="post")
    value = phi(X)
    close(phi.transform(X), value)
    assert phi(X.double()).dtype == torch.float64
    with pytest.raises(ParameterError, match="was called 1 time"):
        pm.from_torch(net, layer="norm", call=1)(X)
    assert state(net) == before
    with torch.no_grad():
        net.conv.weight.zero_()
    assert torch.equal(phi(X), value)


def test_modules_that_torch_compiled_are_those_that_they_were():
    net = settled(Residual())
    wrapped = nn.Module()
    wrapped._orig_mod = net
    value = pm.from_torch(wrapped, layer="layer1")(X)
    assert torch.equal(value, pm.from_torch(net, layer="layer1")(X))


def test_threads_share_one_module():
    phi = pm.from_torch(settled(Residual()), layer="layer1.0", stage="pre")
    expected = {d: phi(X.to(d)) for d in (torch.float32, torch.float64)}
    wrong = []

    def work(dtype):
        for _ in range(10):
            if not torch.equal(phi(X.to(dtype)), expected[dtype]):
                wrong.append(dtype)

    threads = [threading.Thread(target=work, args=(d,)) for d in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
