"""A faster copy computes the same, whatever the module does with its convolutions."""

import copy
import threading
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional

from phimaps.maps.folding import Faster, prepared


class Net(nn.Module):
    """A convolution and a normalisation, and a function of the module that puts them together."""

    def __init__(self, rule, conv=None, norm=None):
        super().__init__()
        torch.manual_seed(1)
        self.conv = conv or nn.Conv2d(3, 5, 3)
        self.bn = norm or nn.BatchNorm2d(5)
        self.tail = nn.Sequential(nn.Conv2d(5, 4, 1, bias=False), nn.BatchNorm2d(4))
        for bn in (self.bn, self.tail[1]):
            shape = (bn.num_features,)
            bn.running_mean.copy_(torch.randn(shape))
            bn.running_var.copy_(torch.rand(shape) + 0.1)
            if bn.weight is not None:
                nn.init.uniform_(bn.weight, -2, 2)
                nn.init.normal_(bn.bias)
        self.rule = rule

    def forward(self, x):
        return self.rule(self, x)


def sums(z):
    return z.sum(dim=(1, 2, 3))[:, None]


# Each with whether the first pair may be folded.
RULES = {
    "plain": (lambda m, x: m.tail(m.bn(m.conv(x)).relu()), True),
    "in place": (lambda m, x: m.tail(m.bn(m.conv(x)).relu_()), True),
    "conv used twice": (lambda m, x: m.bn(z := m.conv(x)) + z, False),
    "conv returned": (lambda m, x: (lambda z: (m.bn(z), z))(m.conv(x)), False),
    "conv seen": (lambda m, x: (lambda z: m.bn(z) * sums(z)[..., None, None])(m.conv(x)), False),
    "view of conv used": (lambda m, x: m.bn(z := m.conv(x)) + z[:, :1], False),
    "changed before": (lambda m, x: m.bn(m.conv(x).relu_()), False),
    "changed in place": (lambda m, x: (lambda z: (z.add_(1), m.bn(z))[1])(m.conv(x)), False),
    "conv called twice": (lambda m, x: m.bn(m.conv(x)) + m.conv(x).mean(), False),
    "norm called twice": (lambda m, x: m.bn(m.conv(x)) + m.bn(m.conv(-x)), False),
    "same normalised twice": (lambda m, x: m.bn(z := m.conv(x)) * m.bn(z), False),
    "weights used": (lambda m, x: m.bn(m.conv(x)) + functional.conv2d(x, m.conv.weight), False),
    "bias used": (lambda m, x: m.bn(m.conv(x)) * m.conv.bias.sum(), False),
    "norm as a function": (
        lambda m, x: functional.batch_norm(m.conv(x), m.bn.running_mean, m.bn.running_var),
        False,
    ),
    "statistics used": (lambda m, x: m.bn(m.conv(x)) + m.bn.running_mean.mean(), True),
    "a branch on numbers": (
        lambda m, x: m.bn(m.conv(x)) if x.mean() > 0.4 else m.conv(x),
        False,
    ),
    "a branch by numpy": (
        lambda m, x: m.bn(m.conv(x)) if x.numpy().mean() > 0.4 else m.conv(x),
        False,
    ),
    "a branch by a list": (
        lambda m, x: m.bn(m.conv(x)) if x.flatten().tolist()[0] > 0.4 else m.conv(x),
        False,
    ),
    "a branch by shape": (
        lambda m, x: m.bn(m.conv(x)[x.mean(dim=(1, 2, 3)) > 0.4]).sum() + sums(x),
        False,
    ),
}
DARK_ONLY = 0.5


@pytest.mark.parametrize("name", RULES)
def test_a_copy_computes_the_same_and_folds_where_that_is_exact(name):
    rule, folds = RULES[name]
    net = Net(rule).eval()
    generator = torch.Generator().manual_seed(0)
    bright = torch.rand((3, 3, 8, 8), generator=generator) * 0.5 + 0.5
    dark = bright * DARK_ONLY
    fast = Faster(net)
    for x in (bright, bright, dark, bright):
        value, wanted = fast(lambda m, x=x: m(x)), net(x)
        torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-4)
    assert (vars(fast.module.bn).get("forward") is not None) == folds


@pytest.mark.parametrize(
    ("keep", "folds"),
    [({"conv"}, False), ({"bn"}, True), ({"tail"}, True), ({"tail.0"}, True), ({""}, True)],
    ids=str,
)
def test_the_values_that_are_wanted_stay(keep, folds):
    net = Net(lambda m, x: m.tail(m.bn(m.conv(x)).relu())).eval()
    fast, x = Faster(net, keep), torch.rand(2, 3, 8, 8)
    fast(lambda m: m(x))

    def values(module):
        seen = {}
        handles = [
            part.register_forward_hook(lambda m, a, out, name=name: seen.update({name: out}))
            for name, part in module.named_modules()
            if name in keep
        ]
        module(x)
        for handle in handles:
            handle.remove()
        return seen

    wanted, got = values(net), values(fast.module)
    assert wanted.keys() == got.keys() == keep
    for name in keep:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-4)
    assert ("forward" in vars(fast.module.bn)) == folds
    assert ("forward" in vars(fast.module.tail[1])) == ("tail.0" not in keep)


def test_a_layer_that_hands_on_what_a_convolution_gave_keeps_it():
    inner = nn.Sequential(nn.Identity(), nn.Conv2d(3, 5, 3))
    net = Net(lambda m, x: m.bn(m.conv(x)), conv=inner).eval()
    x = torch.rand(2, 3, 8, 8)
    free, kept = Faster(net), Faster(net, {"conv"})
    for fast in (free, kept):
        fast(lambda m: m(x))
    torch.testing.assert_close(kept.module.conv(x), net.conv(x), rtol=1e-5, atol=1e-5)
    assert "forward" in vars(free.module.bn)
    assert "forward" not in vars(kept.module.bn)


@pytest.mark.parametrize(
    ("conv", "norm"),
    [
        (nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5, affine=False)),
        (nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), nn.BatchNorm2d(6, eps=0.1)),
        (nn.Conv2d(3, 5, 2, padding=1, padding_mode="reflect"), nn.BatchNorm2d(5)),
        (nn.Conv2d(3, 5, 2, dilation=2), nn.BatchNorm2d(5)),
    ],
    ids=["no bias", "groups", "reflect", "dilated"],
)
def test_every_convolution_folds_exactly(conv, norm):
    net = Net(lambda m, x: m.bn(m.conv(x)), conv, norm).double().eval()
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    fast = Faster(net, dtype=torch.float64)
    fast(lambda m: m(x))
    assert "forward" in vars(fast.module.bn)
    torch.testing.assert_close(fast(lambda m: m(x)), net(x), rtol=1e-13, atol=1e-13)


def test_other_dimensions_fold():
    net = nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3)).eval()
    net[1].running_mean += 1
    x = torch.rand(4, 2, 6)
    fast = Faster(net)
    fast(lambda m: m(x))
    assert "forward" in vars(fast.module[1])
    torch.testing.assert_close(fast(lambda m: m(x)), net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["hook", "subclass", "no statistics", "weight norm", "dead"])
def test_what_is_not_surely_the_textbook_pair_is_left_alone(kind):
    class Own(nn.BatchNorm2d):
        def forward(self, x):
            return 2 * super().forward(x)

    norm = {"subclass": Own(5), "no statistics": nn.BatchNorm2d(5, track_running_stats=False)}
    net = nn.Sequential(nn.Conv2d(3, 5, 3), norm.get(kind, nn.BatchNorm2d(5))).eval()
    if kind == "hook":
        net[0].register_forward_hook(lambda m, args, out: out + 1)
    elif kind == "weight norm":
        nn.utils.parametrizations.weight_norm(net[0])
    elif kind == "dead":
        with torch.no_grad():
            net[1].weight.fill_(3e38)
            net[1].running_var.fill_(1e-30)
            net[1].eps = 0
            net[0].weight.zero_()
            net[0].bias.zero_()
            net[0].weight[0, 0, 0, 0] = 1
    x = torch.rand(2, 3, 8, 8)
    fast = Faster(net)
    fast(lambda m: m(x))
    assert "forward" not in vars(fast.module[1])
    value = fast(lambda m: m(x))
    torch.testing.assert_close(value, net(x), rtol=1e-5, atol=1e-5, equal_nan=True)


def test_the_module_is_left_as_it_is():
    net = Net(lambda m, x: m.tail(m.bn(m.conv(x)).relu()))
    net.tail.eval()
    state = copy.deepcopy(net.state_dict())
    flags = {name: m.training for name, m in net.named_modules()}
    fast, x = Faster(net), torch.rand(2, 3, 8, 8)
    for _ in range(2):
        fast(lambda m: m(x))
    with pytest.raises(RuntimeError):
        Faster(net)(lambda m: m(x[:, :2]))
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert flags == {name: m.training for name, m in net.named_modules()}
    assert all(p.requires_grad for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in fast.module.modules())


def test_a_failure_is_the_modules_own_and_a_second_try_is_one():
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)).eval()
    fast, x = Faster(net), torch.rand(2, 3, 8, 8)
    with pytest.raises(RuntimeError, match="channels"):
        fast(lambda m: m(x[:, :2]))
    assert fast.module is None
    for _ in range(2):
        torch.testing.assert_close(fast(lambda m: m(x)), net(x), rtol=1e-5, atol=1e-5)


def test_a_wrong_input_costs_no_speed():
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)).eval()
    fast, x = Faster(net), torch.rand(2, 3, 8, 8)
    fast(lambda m: m(x))
    module = fast.module
    with pytest.raises(RuntimeError, match="channels"):
        fast(lambda m: m(x[:, :2]))
    assert fast.module is module
    assert fast.channels_last


class Counted(nn.Module):
    """What is asked of it, whichever copy it is asked of."""

    seen: list = []

    def __init__(self, flatten):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU())
        self.flatten = flatten

    def forward(self, x):
        self.seen.append(len(x))
        return self.flatten(self.body(x))


def test_no_pass_is_made_to_prepare_the_copy():
    Counted.seen.clear()
    net, x = Counted(lambda z: z.view(z.size(0), -1)).eval(), torch.rand(4, 3, 8, 8)
    fast = Faster(net)
    for start in (0, 2):
        value = fast(lambda m, start=start: m(x[start : start + 2]))
        torch.testing.assert_close(value, net.body(x[start : start + 2]).flatten(1))
    assert Counted.seen == [2, 2]
    assert not fast.channels_last


def test_code_that_depends_on_memory_in_a_hidden_way_is_run_again_in_plain_memory():
    def flat(z):
        return z.view(z.size(0), -1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hidden = torch.jit.script(flat)
    net, x = Counted(lambda z: hidden(z)).eval(), torch.rand(4, 3, 8, 8)
    fast = Faster(net)
    for _ in range(3):
        torch.testing.assert_close(fast(lambda m: m(x)), net(x), rtol=1e-5, atol=1e-5)
    assert not fast.channels_last


@pytest.mark.parametrize("rows", [1, 4])
def test_the_widest_operation_is_measured(rows):
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten()).eval()
    fast, x = Faster(net), torch.rand(rows, 3, 8, 8)
    assert fast.widest is None
    fast(lambda m: m(x))
    # Three channels of 8 x 8 go into the convolution, and five of 6 x 6 come out.
    assert fast.widest == 3 * 64 + 5 * 36
    short = Faster(net)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        short(lambda m: m(x))
    # The image in both precisions; weights do not count.
    assert short.widest == 2 * 3 * 64


def test_threads_share_one_copy():
    net = Net(lambda m, x: m.tail(m.bn(m.conv(x)).relu())).eval()
    x, results, copies = torch.rand(2, 3, 8, 8), [], []
    fast = Faster(net)

    def work():
        torch.set_num_threads(1)
        for _ in range(5):
            results.append(fast(lambda m: m(x)))
            copies.append(fast.module)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert all(c is copies[0] for c in copies)
    for value in results:
        torch.testing.assert_close(value, net(x), rtol=1e-4, atol=1e-4)


def test_a_prepared_module_is_checked_on_an_example():
    net = Net(lambda m, x: m.tail(m.bn(m.conv(x)).relu())).eval()
    x = torch.rand(2, 3, 8, 8)
    module = prepared(net, (), x)
    assert "forward" in vars(module.bn)
    torch.testing.assert_close(module(x), net(x), rtol=1e-4, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_copy_on_a_gpu_computes_the_same(monkeypatch):
    # Products of TF32 differ by 1e-3.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    net = Net(lambda m, x: m.tail(m.bn(m.conv(x)).relu())).eval()
    x = torch.rand(4, 3, 8, 8)
    fast = Faster(net, device="cuda")
    for _ in range(2):
        value = fast(lambda m: m(x.cuda()))
        assert value.device.type == "cuda"
        torch.testing.assert_close(value.cpu(), net(x), rtol=1e-4, atol=1e-4)
    assert "forward" in vars(fast.module.bn)
    assert next(net.parameters()).device.type == "cpu"
