"""Networks in scikit-learn: cloned for nothing, pickled, searched over, known by their content."""

import pickle
import time
import tracemalloc

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

import phimaps as pm
from phimaps.maps.content import content
from phimaps.maps.frozen import Frozen

from .nets import Residual, close, images, settled

X = images()


def test_a_large_network_is_cloned_in_no_time_and_no_memory():
    # 11 million parameters, as many as a ResNet-18 has.
    net = nn.Sequential(*[nn.Linear(1024, 1024) for _ in range(10)], nn.Linear(1024, 700))
    assert sum(p.numel() for p in net.parameters()) > 11e6
    phi = pm.from_torch(net, layer="3")
    clone(phi)
    seconds = []
    tracemalloc.start()
    for _ in range(20):
        start = time.process_time()
        twin = clone(phi)
        seconds.append(time.process_time() - start)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert twin.module is phi.module
    assert min(seconds) < 1e-3
    assert held < 1e6


@pytest.mark.parametrize("stage", [None, "pre", "post"])
def test_a_pickle_computes_the_same(stage):
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage=stage, pool="avg").fit(X)
    again = pickle.loads(pickle.dumps(phi))
    assert torch.equal(again(X), phi(X))
    assert again.content_key() == phi.content_key()
    assert repr(again) == repr(phi)
    np.testing.assert_array_equal(again.transform(X), phi.transform(X))


def test_a_pickle_of_a_map_in_training_holds_its_numbers():
    module = pm.as_module(pm.from_torch(settled(Residual()), layer="layer1"))
    current = module.current()
    assert current.content_key() is None
    assert torch.equal(pickle.loads(pickle.dumps(current))(X), module(X))


def test_equal_networks_have_equal_keys_and_others_have_others():
    net = settled(Residual())
    key = pm.from_torch(net, layer="layer1").content_key()
    assert key == pm.from_torch(settled(Residual()), layer="layer1").content_key()
    assert key == clone(pm.from_torch(net, layer="layer1")).content_key()
    others = [
        pm.from_torch(settled(Residual(), seed=1), layer="layer1"),
        pm.from_torch(net, layer="layer1.0"),
        pm.from_torch(net, layer=["layer1"]),
        pm.from_torch(net, layer="layer1", stage="pre"),
        pm.from_torch(net, layer="layer1", pool="avg"),
        pm.from_torch(net, layer="layer1", mean=0.5),
        pm.from_torch(net, layer="layer1.0.rectify", call=1),
        pm.from_torch(net, layer="layer1", in_shape=(3, 8, 8)),
        pm.from_torch(settled(Residual(nn.GELU())), layer="layer1"),
    ]
    with torch.no_grad():
        net.layer1[1].bn2.running_mean[0] += 1e-6
    others.append(pm.from_torch(net, layer="layer1"))
    keys = {phi.content_key() for phi in others}
    assert len(keys) == len(others)
    assert key not in keys


def test_the_content_of_a_module_is_its_data_and_its_code():
    def made(code, factor=1.0):
        class Scaled(nn.Module):
            def __init__(self):
                super().__init__()
                self.factor = factor

            forward = code

        return content(Scaled())

    def doubled(self, x):
        return 2 * self.factor * x

    def tripled(self, x):
        return 3 * self.factor * x

    assert made(doubled) == made(doubled)
    assert made(doubled) != made(tripled)
    assert made(doubled) != made(doubled, 1.5)

    def around(function):
        return lambda self, x: function(self, x)

    assert made(around(doubled)) == made(around(doubled))
    assert made(around(doubled)) != made(around(tripled))


def test_what_has_no_content_is_like_itself_only():
    net = nn.Sequential(nn.ReLU())
    net.generator = (i for i in range(3))
    assert content(net) is None
    a, b = Frozen(net), Frozen(net)
    assert a.digest() == a.digest() != b.digest()


def test_joblib_knows_a_network_again():
    phi = pm.from_torch(settled(Residual()), layer="layer1")
    assert joblib.hash(clone(phi)) == joblib.hash(phi)


def test_a_grid_search_chooses_layer_stage_and_pool():
    digits, target = load_digits(return_X_y=True)
    digits, target = digits[:300] / 16, target[:300]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3))
    phi = pm.from_torch(net, layer="0", in_shape=(1, 8, 8))
    model = make_pipeline(phi, RidgeClassifier())
    grid = {
        "network__layer": ["0", "2"],
        "network__stage": ["pre"],
        "network__pool": ["avg", ("grid", 3, 3)],
    }
    found = GridSearchCV(model, grid, cv=3).fit(digits, target)
    assert found.best_params_["network__pool"] == ("grid", 3, 3)
    assert found.best_score_ > 0.7
    assert phi.layer == "0"
    best = found.best_estimator_[0]
    assert best.module is phi.module
    assert best.get_feature_names_out()[0] == f"{best.layer}[pre]:c0@(0,0)"
    frame = best.set_output(transform="pandas").transform(digits[:2])
    assert list(frame.columns) == list(best.get_feature_names_out())


def test_a_changed_parameter_counts():
    phi = pm.from_torch(settled(Residual()), layer="layer1").fit(X)
    before = phi.transform(X)
    phi.set_params(layer="stem", stage="post")
    other = phi.fit(X).transform(X)
    assert other.shape == before.shape
    assert not np.allclose(other, before)
    assert phi.get_feature_names_out()[0] == "stem[post]:c0@(0,0)"


def test_features_are_written_where_they_are_wanted(tmp_path):
    many = images(50)
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage="pre").fit(many)
    expected = phi(many).flatten(1)
    out = np.lib.format.open_memmap(
        tmp_path / "features.npy", mode="w+", dtype=np.float32, shape=(50, 256)
    )
    with pm.config_context(chunk_bytes=20000):
        assert phi.transform(many, out=out) is out
    close(out, expected)


def test_the_notation_says_what_is_taken():
    phi = pm.from_torch(settled(Residual()), layer="layer1", stage="pre", pool=("grid", 2, 2))
    handle = repr(phi.module)
    assert handle.startswith("Residual:")
    expected = f"from_torch({handle}, layer='layer1', stage='pre', pool=('grid', 2, 2))"
    assert repr(phi) == expected


@pytest.mark.gpu
def test_a_network_on_a_gpu_computes_there_and_pickles_for_anywhere():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    net, x = settled(Residual()), X.double()
    expected = pm.from_torch(net, layer="layer1", stage="pre")(x)
    phi = pm.from_torch(net.cuda(), layer="layer1", stage="pre")
    there = phi(x.cuda())
    assert there.is_cuda
    close(there.cpu(), expected)
    close(phi.fit(x.numpy()).transform(x.numpy()), expected)
    again = pickle.loads(pickle.dumps(phi))
    assert torch.equal(again(x), expected)
