"""What every map must do, whatever it computes."""

import copy
import importlib
import io
import pickle
import pkgutil
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.utils import estimator_checks

import phimaps as pm
from phimaps.map.single import Single

for module in pkgutil.walk_packages(pm.__path__, "phimaps."):
    if module.name.split(".")[1] in ("map", "maps"):
        importlib.import_module(module.name)


# Where maps live; what the attacks make of a kernel is no map for users.
PACKAGES = ("phimaps.map.", "phimaps.maps.")


def leaves(kind: type = pm.FeatureMap) -> list[type]:
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    own = getattr(kind, "__final__", False) and kind.__module__.startswith(PACKAGES)
    joins = issubclass(kind, pm.map.Composite | Single)
    return ([kind] if own and not joins else []) + below


FOUND = {kind.__name__: kind.example for kind in leaves()}

scale = pm.Standardize()
COMPOSITES = {
    "compose": lambda: pm.Tanh() @ pm.Standardize(),
    "concat": lambda: pm.Identity() & pm.Abs(),
    "tensor": lambda: pm.Standardize() * pm.Identity(),
    "sketched tensor": lambda: pm.TensorProductSketch((pm.Standardize(), pm.Identity()), 4),
    "sum": lambda: pm.Identity() + pm.Relu(),
    "difference": lambda: pm.Exp() - pm.Standardize(),
    "scale": lambda: 2 * pm.Tanh(),
    "negative": lambda: -pm.Standardize(),
    "product": lambda: pm.product(pm.Abs(), pm.Standardize(), widths=(1, -1)),
    "assume": lambda: pm.assume(pm.Standardize(), pm.Injective, because="scales are positive"),
    "same object twice": lambda: scale @ pm.Tanh() @ scale & scale,
    "nested": lambda: pm.Cos() @ (pm.RandomFourier(4) & pm.Standardize()) @ pm.Standardize(),
    "residual": lambda: (pm.Tanh() @ pm.Standardize() + pm.Identity()) * pm.Sigmoid(),
    "positive": lambda: pm.Sqrt() & pm.Relu(),
    "sparse": lambda: pm.Standardize(with_mean=False) & pm.Standardize(with_mean=False),
    "sklearn scaler": lambda: pm.Exp() @ MinMaxScaler() @ pm.Standardize(),
    "sklearn bins": lambda: (
        pm.Normalize() & KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    ),
    "torch module": lambda: torch.nn.ReLU() @ pm.Standardize(),
    "unprefixed": lambda: pm.Concat((pm.Identity(), pm.Tanh()), verbose_feature_names_out=False),
    "pipe": lambda: pm.pipe(StandardScaler(), pm.Polynomial(2), pm.Standardize()),
}
MAPS = FOUND | COMPOSITES
every_map = pytest.mark.parametrize("name", MAPS)
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])

EXTRA = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
]


def rows(phi: pm.FeatureMap, dtype: type = np.float64, n: int = 24) -> np.ndarray:
    X = np.random.default_rng(7).standard_normal((n, 4))
    return (np.abs(X) + 0.1 if phi.positive else X).astype(dtype)


def closed(phi: pm.FeatureMap, X: np.ndarray) -> pm.FeatureMap:
    return phi.bind(X)


def as_numpy(phi: pm.FeatureMap, X: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return phi(torch.from_numpy(X.copy())).flatten(1).double().numpy()


def wobble(phi: pm.FeatureMap, X: np.ndarray) -> np.ndarray:
    """What rounding the input in its last place does to the features: their conditioning."""
    generator = np.random.default_rng(3)
    eps = np.finfo(X.dtype).eps
    base, spread = as_numpy(phi, X), 0.0
    for _ in range(8):
        moved = X * (1 + eps * generator.choice([-1, 1], X.shape).astype(X.dtype))
        spread = np.maximum(spread, np.abs(as_numpy(phi, moved) - base))
    return 8 * spread + 64 * eps * np.maximum(np.abs(base), np.abs(base).mean())


def test_there_are_maps_to_check():
    assert len(FOUND) >= 25
    assert len(COMPOSITES) >= 14


@every_map
def test_scikit_learn_accepts_it(name):
    phi = MAPS[name]()
    results = estimator_checks.check_estimator(phi, on_skip=None, on_fail=None)
    for result in results:
        if result["status"] == "skipped":
            print(f"{name}: {result['check_name']} skipped: {result['exception']}")
    wrong = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert len(results) >= 45
    assert not wrong


@every_map
def test_it_passes_the_checks_that_check_estimator_leaves_out(name):
    for check in EXTRA:
        phi = MAPS[name]()
        if name == "Columns" and ("pandas" in check or "frame" in check or "polars" in check):
            # These checks hand it the same data under other names, and it reads by name.
            phi = type(phi)("1", "2")
        with warnings.catch_warnings():
            # The checks mix arrays and frames, about which scikit-learn warns.
            warnings.filterwarnings(
                "ignore", message="X (has|does not have valid) feature names", category=UserWarning
            )
            warnings.filterwarnings("ignore", category=FutureWarning)
            getattr(estimator_checks, check)(type(phi).__name__, phi)


@every_map
@both_precisions
def test_precision_is_kept_and_real(name, dtype):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    fitted = phi.fit(X)
    assert fitted.transform(X).dtype == dtype
    bound = closed(phi, X)
    assert bound(torch.from_numpy(X)).dtype == torch.from_numpy(X).dtype
    if dtype == np.float32:
        error = np.abs(as_numpy(bound, X) - as_numpy(bound, X.astype(np.float64)))
        assert (error <= wobble(bound, X)).all()
        return
    # float32 arithmetic behind a float64 face makes steps of 6e-8 where the map is smooth.
    h = 1e-6 * np.random.default_rng(5).uniform(0.5, 1, X.shape)
    values = [as_numpy(bound, X + k * h) for k in range(3)]
    second = np.abs(values[2] - 2 * values[1] + values[0])
    size = np.abs(values[0]).max() + 1e-300
    assert np.median(second / size) < 1e-10
    assert np.quantile(second / size, 0.9) < 1e-9


@every_map
@both_precisions
def test_a_row_does_not_depend_on_its_neighbours(name, dtype):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    phi.fit(X)
    together, bound = phi.transform(X), closed(phi, X)
    alone = np.concatenate([phi.transform(X[i : i + 1]) for i in range(len(X))])
    assert (np.abs(together.astype(float) - alone) <= wobble(bound, X)).all()
    shuffled = np.random.default_rng(1).permutation(len(X))
    assert (
        np.abs(phi.transform(X[shuffled]).astype(float) - together[shuffled])
        <= wobble(bound, X)[shuffled]
    ).all()


@every_map
@both_precisions
def test_input_of_any_layout_is_read_and_left_as_it_was(name, dtype, tmp_path):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    expected = clone(phi).fit_transform(X)
    wide = np.zeros((len(X), 8), dtype=dtype)
    wide[:, ::2] = X
    frozen = X.copy()
    frozen.setflags(write=False)
    np.save(tmp_path / "X.npy", X)
    layouts = {
        "C": X.copy(),
        "Fortran": np.asfortranarray(X),
        "strided": wide[:, ::2],
        "backwards": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "read-only": frozen,
        "memmap": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
    }
    for layout, array in layouts.items():
        before = array.tobytes()
        result = clone(phi).fit(array).transform(array)
        assert array.tobytes() == before, layout
        assert not np.shares_memory(result, array), layout
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-5, err_msg=layout)
        held = clone(phi).fit(array)(array)
        assert array.tobytes() == before, layout
        assert not np.shares_memory(held, array), layout
    tensor = torch.from_numpy(X.copy())
    result = clone(phi).fit(tensor).transform(tensor)
    assert torch.equal(tensor, torch.from_numpy(X))
    assert not np.shares_memory(result, tensor.numpy())
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-5)


@every_map
def test_names_are_unique_and_as_many_as_the_features(name):
    phi = MAPS[name]()
    X = rows(phi)
    phi.fit(X)
    names = phi.get_feature_names_out()
    assert len(names) == len(set(names)) == phi.transform(X).shape[1]
    frame = pd.DataFrame(X, columns=["x0", "b", "c", "d"])
    named = clone(phi).fit(frame)
    assert list(named.get_feature_names_out(["x0", "b", "c", "d"])) == list(
        named.get_feature_names_out()
    )
    assert list(named.set_output(transform="pandas").transform(frame).columns) == list(
        named.get_feature_names_out()
    )


@every_map
def test_copies_are_the_same_map(name):
    phi = MAPS[name]()
    X = rows(phi)
    expected = phi.fit(X).transform(X)
    buffer = io.BytesIO()
    joblib.dump(phi, buffer)
    buffer.seek(0)
    copies = {
        "pickle": pickle.loads(pickle.dumps(phi)),
        "joblib": joblib.load(buffer),
        "deepcopy": copy.deepcopy(phi),
        "copy": copy.copy(phi),
        "clone": clone(phi).fit(X),
        "bind": clone(phi).bind(X),
        "pickled closed map": pickle.loads(pickle.dumps(phi.bind(X))),
    }
    for how, twin in copies.items():
        np.testing.assert_array_equal(twin.transform(X), expected, err_msg=how)
        assert twin is not phi
        if "bind" not in how and "closed" not in how:
            assert repr(twin) == repr(phi)


@every_map
@both_precisions
def test_all_ways_to_evaluate_agree(name, dtype):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    at_once = clone(phi).fit_transform(X)
    expected = clone(phi).fit(X).transform(X)
    np.testing.assert_array_equal(at_once, expected)
    phi.fit(X)
    bound, tolerance = closed(phi, X), wobble(closed(phi, X), X)
    assert (np.abs(as_numpy(bound, X) - expected) <= tolerance).all()
    np.testing.assert_array_equal(phi(X).reshape(len(X), -1), expected)
    np.testing.assert_array_equal(bound(X).reshape(len(X), -1), expected)
    for size in (1, 100, 2000):
        with pm.config_context(chunk_bytes=size):
            assert (np.abs(phi.transform(X).astype(float) - expected) <= tolerance).all()


@every_map
@both_precisions
def test_written_features_are_those_of_forward(name, dtype):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    bound, x = closed(phi, X), torch.from_numpy(X.copy())
    expected, tolerance = as_numpy(bound, X), wobble(bound, X)
    with torch.no_grad():
        shape = bound.forward(x.clone()).shape
        plain = torch.full(shape, torch.nan, dtype=x.dtype)
        wide = torch.full((shape[0], shape[1] + 3, *shape[2:]), torch.nan, dtype=x.dtype)
        for out in (plain, wide[:, 1 : 1 + shape[1]]):
            bound.write(x.clone(), out)
            assert (np.abs(out.flatten(1).double().numpy() - expected) <= tolerance).all()
        assert wide[:, 0].isnan().all()
        assert wide[:, -2:].isnan().all()
    given = np.full(expected.shape, np.nan, dtype)
    assert bound.transform(X, out=given) is given
    np.testing.assert_array_equal(given, bound.transform(X))


@every_map
def test_fit_and_bind_do_not_touch_parameters(name):
    phi = MAPS[name]()
    X = rows(phi)
    before = repr(phi)
    parts = {k: id(v) for k, v in phi.get_params(deep=False).items()}
    phi.bind(X)
    assert not [k for k in vars(phi) if k.endswith("_")]
    phi.fit(X)
    assert repr(phi) == before
    assert {k: id(v) for k, v in phi.get_params(deep=False).items()} == parts


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@both_precisions
@every_map
def test_every_device_computes_the_same_map(name, dtype):
    phi = MAPS[name]()
    X = rows(phi, dtype)
    here = closed(phi, X)
    expected, slack = as_numpy(here, X), 8 * wobble(here, X)
    x = torch.from_numpy(X).cuda()
    there = phi.bind(x)
    for value in (here(x), here.to("cuda")(x), there(x)):
        assert value.is_cuda
        assert value.dtype == x.dtype
        found = value.detach().flatten(1).double().cpu().numpy()
        assert (np.abs(found - expected) <= slack).all()
    with pm.config_context(device="cuda"):
        found = here.transform(X)
    assert found.dtype == dtype
    assert (np.abs(found - expected) <= slack).all()
