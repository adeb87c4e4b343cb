"""What a watched forward pass tells, and that it leaves nothing behind."""

import gc

import pytest
import torch
from torch import nn
from torch.nn import functional

from phimaps.maps.tap import Event, watch, watching

X = torch.randn(2, 3, generator=torch.Generator().manual_seed(0))
Z = 2 * X - 0.5

SPELLINGS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU in place": nn.ReLU(inplace=True),
    "F.relu": functional.relu,
    "F.relu_": functional.relu_,
    "F.relu(inplace=True)": lambda z: functional.relu(z, inplace=True),
    "F.relu(z, True)": lambda z: functional.relu(z, True),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    ".relu()": lambda z: z.relu(),
    ".relu_()": lambda z: z.relu_(),
    "clamp": lambda z: z.clamp(min=0),
    "clamp_": lambda z: z.clamp_(min=0),
    "clamp_min": lambda z: torch.clamp_min(z, 0),
    "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)),
    "threshold": lambda z: functional.threshold(z, 0, 0),
    "threshold in place": lambda z: functional.threshold(z, 0.0, 0.0, True),
}


class Affine(nn.Module):
    def forward(self, x):
        return 2 * x - 0.5


class Spelled(nn.Module):
    """z = 2 x - 1/2, then a rectifier, then what may write over its result."""

    def __init__(self, rectify):
        super().__init__()
        self.affine = Affine()
        self.rectify = rectify

    def forward(self, x):
        a = self.rectify(self.affine(x))
        a += 1
        return a


def seen(module, x, **kwargs):
    events = []
    with torch.no_grad():
        watch(module, x.clone(), events.append, **kwargs)
    return events


def hooks(module):
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return [dict(getattr(m, name)) for m in module.modules() for name in names]


@pytest.mark.parametrize("rectify", SPELLINGS.values(), ids=SPELLINGS)
def test_what_went_in_and_out_is_there_whatever_was_written_over_it(rectify):
    events = seen(Spelled(rectify), X)
    out = next(e for e in events if e.layer == "affine" and e.kind == "out")
    z = next(e for e in events if e.kind == "z")
    a = next(e for e in events if e.kind == "a")
    assert torch.equal(out.value, Z)
    assert torch.equal(z.value, Z)
    assert torch.equal(a.value, Z.clamp(min=0))
    assert torch.equal(events[-1].value, Z.clamp(min=0) + 1)
    assert (z.source, a.source, events[-1].source) == (out.number, z.number, None)
    assert z.rectifier
    assert z.named == (a.function == "relu")


@pytest.mark.parametrize(
    "activation",
    [
        nn.GELU(),
        nn.SiLU(inplace=True),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ELU(),
        nn.Hardswish(),
        nn.ReLU6(),
        nn.Softplus(),
        nn.PReLU(),
        nn.Mish(),
        nn.SELU(),
        nn.LogSigmoid(),
        nn.Hardsigmoid(),
        nn.Softsign(),
    ],
    ids=repr,
)
def test_other_activations_are_told_and_are_no_rectifiers(activation):
    z, a = (e for e in seen(Spelled(activation), X) if e.kind in "za")
    assert torch.equal(z.value, Z)
    assert torch.equal(a.value, activation(Z.clone()))
    assert not z.rectifier


def test_layers_are_named_and_their_calls_numbered():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 3), relu), nn.Linear(3, 3), relu)
    outs = [(e.layer, e.call) for e in seen(net, X) if e.kind == "out"]
    assert outs == [("0.0", 0), ("0.1", 0), ("0", 0), ("1", 0), ("0.1", 1), ("", 0)]
    assert [e.running for e in seen(net, X) if e.kind == "z"] == [
        (("", 0), ("0", 0), ("0.1", 0)),
        (("", 0), ("0.1", 1)),
    ]


def test_the_source_is_the_activation_out_of_which_a_value_came():
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Dropout(), nn.Flatten(0))
    events = seen(net.eval(), X)
    a = next(e for e in events if e.kind == "a")
    sources = {e.layer: e.source for e in events if e.kind == "out"}
    assert sources == {"0.0": None, "0.1": a.number, "0": a.number, "1": a.number} | {
        "2": None,
        "": next(e.number for e in events if e.layer == "2"),
    }


def test_the_pass_ends_where_it_is_told_to():
    reached = []
    net = nn.Sequential(nn.ReLU(), nn.Identity())
    net[1].register_forward_pre_hook(lambda m, args: reached.append(m))
    before = hooks(net)
    events = seen(net, X, until=lambda e: e.kind == "z")
    assert [e.kind for e in events] == ["z"]
    assert reached == []
    assert hooks(net) == before
    assert watch(net, X, print, until=lambda e: True) is None


def test_code_that_catches_everything_does_not_go_on():
    class Stubborn(nn.Module):
        def forward(self, x):
            try:
                return torch.relu(x)
            except BaseException:
                return torch.tanh(x)

    events = seen(nn.Sequential(Stubborn(), nn.Linear(3, 1)), X, until=lambda e: e.kind == "a")
    assert [e.function for e in events] == ["relu", "relu"]


def test_nothing_is_left_behind_by_a_module_that_raises():
    net = nn.Sequential(nn.ReLU(), nn.Linear(5, 1))
    before = hooks(net)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        seen(net, X)
    assert hooks(net) == before
    assert torch.overrides._get_current_function_mode() is None


def test_a_module_that_raised_inside_is_no_longer_running():
    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.bad = nn.Linear(5, 1)
            self.good = nn.Linear(3, 1)

        def forward(self, x):
            try:
                return self.bad(x)
            except RuntimeError:
                return self.good(x).relu()

    events = seen(Tries(), X)
    assert [(e.kind, e.layer) for e in events] == [
        ("out", "good"),
        ("z", ""),
        ("a", ""),
        ("out", ""),
    ]


def test_only_what_is_held_is_copied():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))
    places, values = set(), []

    def see(event):
        places.add(event.value.data_ptr())
        if event.kind == "z":
            values.append(event.value)

    with torch.no_grad():
        watch(net, X, see)
    assert len(places) == 1
    assert (values[0] >= 0).all()


def test_events_that_are_not_held_are_freed():
    sizes = []
    net = nn.Sequential(*[nn.Linear(3, 3) for _ in range(5)])
    with torch.no_grad():
        watch(
            net,
            X,
            lambda e: sizes.append(sum(type(o) is Event for o in gc.get_objects())),
        )
    assert max(sizes) <= 1


def test_gradients_pass_through():
    x = X.clone().requires_grad_()
    net = nn.Sequential(Affine(), nn.ReLU(inplace=True))
    events = []
    watch(net, x, events.append)
    (gradient,) = torch.autograd.grad(events[-1].value.sum(), x)
    assert torch.equal(gradient, 2.0 * (Z > 0))


def test_what_a_tensor_goes_into_is_told_unless_it_is_only_looked_at():
    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.affine, self.norm = Affine(), nn.BatchNorm1d(3)

        def forward(self, x):
            z = self.affine(x)
            if z.shape[1] == 3 and z.mean() > -10 and not z.isnan().any():
                z = functional.dropout(z, 0.5, False)
                return self.norm(z.contiguous()) + z
            return z

    uses = []
    net = Looks().eval()
    with watching(net, print, use=lambda t, name, layer: uses.append((name, layer))):
        net(X)
    assert uses == [("batch_norm", "norm"), ("add", ""), ("add", "")]
