"""What a network takes, images in any of the usual forms, and how its features are pooled."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import phimaps as pm
from phimaps.errors import InputError, OperandError, ParameterError, ShapeError

from .nets import Plain, Raises, Residual, close, images, settled, state

X = images()
BYTES = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
NET = settled(Residual())
Z = pm.from_torch(NET, layer="layer1", stage="pre")
VALUE = Z(X)


def same(value, expected=VALUE):
    close(value, expected)


def test_channels_may_come_last():
    last = X.permute(0, 2, 3, 1)
    same(Z(last))
    same(Z.transform(last.numpy()))
    same(Z.transform(np.ascontiguousarray(last.numpy())))
    fitted = Z.fit(last.numpy())
    assert list(fitted.get_feature_names_out()) == list(Z.fit(X.numpy()).get_feature_names_out())


def test_channels_come_first_where_both_would_fit():
    square = torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Conv2d(3, 2, 1))
    assert torch.equal(pm.from_torch(net, layer="0")(square), net(square).detach())


def test_a_module_that_wants_the_channels_last_gets_them_as_they_are():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(8, 1, 1)
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x):
            return self.head(self.conv(x.permute(0, 3, 1, 2)))

    net = settled(Last())
    phi = pm.from_torch(net, layer="conv", mean=(0.5, 0.4, 0.3), std=(1.0, 2.0, 4.0))
    normal = (X - torch.tensor([0.5, 0.4, 0.3])[:, None, None]) / torch.tensor([1.0, 2, 4])[
        :, None, None
    ]
    expected = net.conv(normal).detach()
    torch.testing.assert_close(phi(X.permute(0, 2, 3, 1)), expected)


def test_rows_are_read_as_images():
    phi = pm.from_torch(NET, layer="layer1", stage="pre", in_shape=(3, 8, 8))
    same(phi(X.flatten(1)))
    same(phi.fit(X.flatten(1).numpy()).transform(X.flatten(1).numpy()))
    same(phi(X))
    same(phi(X.permute(0, 2, 3, 1)))
    names = phi.fit(X.flatten(1).numpy()).get_feature_names_out()
    assert names[0] == "layer1[pre]:c0@(0,0)"


def test_rows_go_into_modules_without_convolutions_as_they_are():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    x = np.random.default_rng(0).normal(size=(5, 4))
    phi = pm.from_torch(net, layer="0", stage="post").fit(x)
    expected = net[:2](torch.from_numpy(x).float()).detach()
    np.testing.assert_allclose(phi.transform(x), expected, rtol=1e-5, atol=1e-6)
    assert phi.transform(x).dtype == np.float64
    assert list(phi.get_feature_names_out()) == [f"0[post]:c{k}" for k in range(3)]


def test_bytes_become_numbers_from_0_to_1():
    numbers = BYTES.astype(np.float32) / 255
    expected = Z(torch.from_numpy(numbers))
    fitted = Z.fit(BYTES)
    value = fitted.transform(BYTES)
    assert value.dtype == np.float32
    same(value, expected)
    same(Z(torch.from_numpy(BYTES)), expected)
    same(fitted.transform(BYTES.transpose(0, 2, 3, 1)[:3].copy().transpose(0, 3, 1, 2)), expected)
    composed = pm.pipe(pm.from_torch(NET, layer="layer1", stage="pre"), pm.Flatten())
    same(composed.fit(BYTES).transform(BYTES), expected)


def test_numbers_that_look_like_bytes_get_a_warning():
    with pytest.warns(UserWarning, match="values up to .*Divide by 255"):
        Z(X * 200)
    # Whoever gives a mean of such numbers means them.
    scaled = pm.from_torch(NET, layer="layer1", stage="pre", mean=[100.0], std=[50.0])
    same(scaled(X * 200), Z((X * 200 - 100) / 50))


def test_channels_are_normalised():
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    phi = pm.from_torch(NET, layer="layer1", stage="pre", mean=mean, std=std)
    m, s = (torch.tensor(v)[:, None, None] for v in (mean, std))
    same(phi(X), Z((X - m) / s))
    same(phi.fit(X).transform(X), Z((X - m) / s))
    same(phi(X.permute(0, 2, 3, 1)), Z((X - m) / s))
    same(pm.from_torch(NET, layer="layer1", stage="pre", mean=0.5)(X), Z(X - 0.5))


@pytest.mark.parametrize("name", ["pretrained_cfg", "default_cfg"])
def test_the_normalisation_of_a_module_is_used_and_said(name):
    net = settled(Residual())
    setattr(net, name, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)})
    with pytest.warns(UserWarning, match=f"normalised by the module's {name}: mean="):
        phi = pm.from_torch(net, layer="layer1", stage="pre")
    given = pm.from_torch(
        NET, layer="layer1", stage="pre", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
    )
    same(phi(X), given(X))
    same(pm.from_torch(net, layer="layer1", stage="pre", mean=0, std=1)(X))


POOLS = {
    "avg": lambda v: v.mean((2, 3)),
    "max": lambda v: v.amax((2, 3)),
    "ppv": lambda v: (v > 0).float().mean((2, 3)),
    "moments": lambda v: torch.cat([v.mean((2, 3)), v.std((2, 3), correction=0)], dim=1),
    ("grid", 2, 3): lambda v: functional.adaptive_avg_pool2d(v, (2, 3)),
    ("max", 3, 2): lambda v: functional.adaptive_max_pool2d(v, (3, 2)),
}


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_features_are_pooled(pool):
    phi = pm.from_torch(NET, layer="layer1", stage="pre", pool=pool)
    expected = POOLS[pool](VALUE)
    torch.testing.assert_close(phi(X), expected)
    fitted = phi.fit(X)
    same(fitted.transform(X), expected)
    assert len(fitted.get_feature_names_out()) == expected[0].numel()
    x = X.clone().requires_grad_()
    phi(x).sum().backward() if pool != "ppv" else None


def test_a_channel_without_a_spread_has_a_gradient():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    with torch.no_grad():
        net[0].weight.zero_()
        net[0].bias.fill_(-1.0)
    x = X.clone().requires_grad_()
    value = pm.from_torch(net, layer="1", pool="moments")(x)
    value.sum().backward()
    assert torch.equal(value, torch.zeros(3, 4))
    assert torch.equal(x.grad, torch.zeros_like(X))


def test_a_layer_without_places_has_one_value_for_each_channel():
    fc = pm.from_torch(NET, layer="fc")(X)
    values = {
        p: pm.from_torch(NET, layer="fc", pool=p)(X) for p in ("avg", "max", "ppv", "moments")
    }
    assert torch.equal(values["avg"], fc)
    assert torch.equal(values["max"], fc)
    assert torch.equal(values["ppv"], (fc > 0).float())
    assert torch.equal(values["moments"], torch.cat([fc, 0 * fc], dim=1))


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ({"layer": "layer1"}, "layer1[post]:c0@(0,0)", "layer1[post]:c3@(7,7)"),
        ({"layer": "layer1", "stage": "pre"}, "layer1[pre]:c0@(0,0)", "layer1[pre]:c3@(7,7)"),
        ({"layer": "stem"}, "stem[pre]:c0@(0,0)", "stem[pre]:c3@(7,7)"),
        ({"layer": "layer1", "pool": "avg"}, "layer1[post]:c0", "layer1[post]:c3"),
        ({"layer": "layer1", "pool": "moments"}, "layer1[post]:c0:mean", "layer1[post]:c3:std"),
        (
            {"layer": "layer1", "pool": ("grid", 2, 2)},
            "layer1[post]:c0@(0,0)",
            "layer1[post]:c3@(1,1)",
        ),
        (
            {"layer": "layer1.0.rectify@3", "pool": "max"},
            "layer1.0.rectify@3[post]:c0",
            "layer1.0.rectify@3[post]:c3",
        ),
        ({"layer": ["stem", "fc"]}, "stem[pre]:c0@(0,0)", "fc[pre]:c4"),
        ({"layer": "drop"}, "drop:c0", "drop:c3"),
        ({"stage": "pre"}, "network[pre]:c0", "network[pre]:c4"),
    ],
    ids=str,
)
def test_names_say_layer_side_channel_and_place(options, first, last):
    names = pm.from_torch(NET, **options).fit(X).get_feature_names_out()
    assert (names[0], names[-1]) == (first, last)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"layer": "layr1"}, ParameterError, "no layer 'layr1'"),
        ({"layer": "stem@x"}, ParameterError, "no layer 'stem@x'"),
        ({"layer": 3}, ParameterError, "no layer 3"),
        ({"layer": []}, ParameterError, "names no layer"),
        ({"layer": ["fc", "fc"]}, ParameterError, "names a layer twice"),
        ({"layer": "fc", "stage": "after"}, ParameterError, "'stage' parameter"),
        ({"layer": "fc", "call": -1}, ParameterError, "'call' parameter"),
        ({"layer": "fc", "pool": "mean"}, ParameterError, "'pool' parameter"),
        ({"layer": "fc", "pool": ("grid", 0, 2)}, ParameterError, "'pool' parameter"),
        ({"layer": "fc", "mean": [np.nan]}, ParameterError, "'mean' parameter"),
        ({"layer": "fc", "std": [0.0]}, ParameterError, "'std' parameter"),
        ({"layer": "fc", "in_shape": (3, 8)}, ParameterError, "'in_shape' parameter"),
        ({"layer": "fc", "precision": "int3"}, ParameterError, "precision does not exist"),
    ],
    ids=lambda v: str(v) if isinstance(v, dict) else "",
)
def test_what_cannot_be_asked_is_refused_at_once(options, error, text):
    with pytest.raises(error, match=text):
        pm.from_torch(NET, **options)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"layer": "drop", "call": 1}, ParameterError, "was called 1 time"),
        ({"layer": "stem", "stage": "post", "call": 1}, ParameterError, "was called 1 time"),
        ({"layer": "fc", "stage": "post"}, ParameterError, "No activation is applied"),
        ({"layer": "layer1.0.conv1", "stage": "post"}, ParameterError, "goes into batch_norm"),
        ({"layer": "layer1.0.bn2", "stage": "post"}, ParameterError, "goes into add"),
        ({"layer": "drop", "stage": "post"}, ParameterError, "goes into linear"),
        ({"layer": "fc", "pool": ("grid", 2, 2)}, ShapeError, "Only images"),
        ({"layer": "fc", "mean": [0.1, 0.2]}, ShapeError, "'mean' has 2 numbers"),
        ({"layer": "fc", "in_shape": (3, 4, 4)}, ShapeError, "not have the declared shape"),
    ],
    ids=lambda v: str(v) if isinstance(v, dict) else "",
)
def test_what_the_pass_does_not_show_is_refused(options, error, text):
    net = settled(Residual())
    before = state(net)
    phi = pm.from_torch(net, **options)
    for ask in (phi, phi.fit, phi.transform):
        with pytest.raises(error, match=text):
            ask(X)
    assert state(net) == before


def test_the_message_names_the_module_in_which_a_value_goes_on():
    with pytest.raises(ParameterError) as caught:
        pm.from_torch(NET, layer="layer1.0.conv1", stage="post")(X)
    assert caught.value.do == "layer='layer1.0.bn1', or stage='pre' for what it returns"


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (X[:, :1], "takes 3 channels, and gets 1"),
        (X[:, 0], "takes images with channels"),
        (X.flatten(1), "X has rows of 192 numbers"),
    ],
    ids=["channels", "no channels", "rows"],
)
def test_images_that_do_not_fit_are_refused(x, text):
    for ask in (Z, Z.fit):
        with pytest.raises(ShapeError, match=text):
            ask(x)


def test_images_of_another_size_are_refused_where_the_module_cannot_take_them():
    phi = pm.from_torch(settled(Plain(nn.ReLU())), layer="head")
    phi(X)
    with pytest.raises(ShapeError, match=r"items of shape \(3, 9, 12\): it failed in the .*'head'"):
        phi(images(2, 12)[:, :, :9])


def test_a_hole_in_the_data_is_refused():
    broken = X.numpy().copy()
    broken[1, 0, 2, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        Z.fit(X).transform(broken)


@pytest.mark.parametrize(
    "kind", [ZeroDivisionError, KeyError, RuntimeError], ids=lambda k: k.__name__
)
def test_a_module_that_raises_halfway_is_left_as_it_was(kind):
    net = settled(Raises(kind))
    before = state(net)
    phi = pm.from_torch(net, layer="broken", stage="post")
    for ask in (phi, phi.fit, phi.transform):
        with pytest.raises(InputError, match=f"raised {kind.__name__} in the layer 'broken'") as e:
            ask(X)
        assert isinstance(e.value.__cause__, kind)
    assert state(net) == before
    # What comes before it can be had.
    assert torch.equal(pm.from_torch(net, layer="conv")(X), net.conv(X).detach())


def test_a_layer_that_returns_no_tensor_is_refused():
    net = nn.Sequential(nn.Flatten(2), nn.LSTM(64, 4, batch_first=True))
    with pytest.raises(OperandError, match="'1' does not return a tensor") as caught:
        pm.from_torch(net, layer="1")(X)
    assert caught.value.got == "a tuple of 2"
    with pytest.raises(OperandError, match="'1' does not return a tensor"):
        pm.from_torch(net, layer="1", stage="pre")(X)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_scripted_modules_are_refused_by_layer_only():
    scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()))
    with pytest.raises(OperandError, match="scripted: its layers cannot be watched"):
        pm.from_torch(scripted, layer="0")
    assert pm.from_torch(scripted)(X).shape == (3, 2, 6, 6)
    # Another layer of a module that holds a scripted one can be had.
    net = nn.Sequential(nn.Conv2d(3, 3, 3), scripted)
    assert torch.equal(pm.from_torch(net, layer="0")(X), net[0](X).detach())


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_modules_are_refused_by_layer():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)
            weight = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
            self.register_buffer("packed", weight)

        def forward(self, x):
            return self.conv(x)

    with pytest.raises(OperandError, match="quantised: its layers cannot be watched"):
        pm.from_torch(Packed(), layer="conv")


def test_lazy_modules_are_refused():
    with pytest.raises(OperandError, match="parameters without a shape"):
        pm.from_torch(nn.Sequential(nn.LazyLinear(3)), layer="0")
