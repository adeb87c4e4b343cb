"""The scikit-learn protocol: parameters, state, what goes in and what comes out."""

import copy
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import phimaps as pm

X = np.random.default_rng(0).standard_normal((30, 3)) * [1, 2, 3] + [0, 5, -1]


# --- state --------------------------------------------------------------------------------------
def test_one_object_at_two_places_is_bound_at_each():
    scale = pm.Standardize()
    phi = scale @ pm.Exp() @ scale
    inner = StandardScaler().fit_transform(X)
    expected = StandardScaler().fit_transform(np.exp(inner))
    np.testing.assert_allclose(phi.fit(X).transform(X), expected)
    np.testing.assert_array_equal(clone(phi).fit_transform(X), phi.transform(X))
    assert not hasattr(scale, "map_")


def test_bind_returns_a_closed_map_itself():
    phi = pm.Relu()
    assert phi.bind(X) is phi
    assert vars(phi) == {}


def test_a_fitted_map_does_not_follow_its_parts():
    part = pm.LeakyRelu(0.5)
    for phi in (part @ pm.Standardize(), pm.Abs() & part, 2 * part):
        part.set_params(slope=0.5)
        before = phi.fit(X).transform(X)
        part.set_params(slope=0.1)
        np.testing.assert_array_equal(phi.transform(X), before)
        assert (phi.fit(X).transform(X) != before).any()


def test_set_params_drops_the_fit_and_leaves_shared_parts_alone():
    shared = pm.RandomFourier(n_components=4)
    first, second = shared @ pm.Standardize(), shared & pm.Identity()
    first.fit(X), second.fit(X)
    first.set_params(randomfourier__n_components=6, standardize__with_mean=False)
    assert shared.n_components == 4
    assert second.transform(X).shape[1] == 7
    with pytest.raises(NotFittedError):
        first.transform(X)
    with pytest.raises(NotFittedError):
        check_is_fitted(first)
    assert not hasattr(first, "n_features_in_")
    assert first.fit(X).transform(X).shape[1] == 6
    check_is_fitted(first)


def test_nested_names_are_those_of_make_pipeline():
    phi = pm.Affine(np.ones((2, 1))) @ pm.Affine(np.ones((3, 2))) @ pm.Standardize()
    names = set(phi.get_params())
    assert {"affine-1__weight", "affine-2__bias", "standardize__with_mean"} <= names
    assert phi.get_params()["affine-1"] is phi.maps[1]
    assert phi.get_params()["affine-1__weight"].shape == (3, 2)


def test_parts_are_replaced_all_at_once():
    phi = pm.Relu() @ pm.Tanh() @ pm.Relu()
    phi.set_params(**{"relu-1": pm.Abs(), "relu-2": pm.Exp(), "tanh": pm.Cos()})
    assert repr(phi) == "Exp() @ Cos() @ Abs()"
    phi.set_params(maps=(pm.LeakyRelu(), pm.Abs()), leakyrelu__slope=0.5)
    assert repr(phi) == "Abs() @ LeakyRelu(slope=0.5)"


def test_a_part_named_like_a_parameter_is_numbered():
    class Maps(pm.FeatureMap):
        def forward(self, x):
            return x

    phi = pm.Abs() @ Maps()
    assert set(phi.get_params()) == {"maps", "maps-1", "abs"}
    assert clone(phi).get_params().keys() == phi.get_params().keys()


def test_get_params_builds_the_map_again():
    phi = 2 * (pm.RandomFourier(4) & pm.Identity()) @ pm.Standardize()
    twin = type(phi)(**phi.get_params(deep=False))
    np.testing.assert_array_equal(twin.fit_transform(X), phi.fit_transform(X))


def test_grid_search_over_nested_names():
    y = np.sin(X[:, 0]) + X[:, 1]
    phi = pm.RandomFourier(n_components=4) @ pm.Standardize()
    pipe = make_pipeline(phi, LinearRegression())
    grid = {
        "compose__randomfourier__n_components": [4, 40],
        "compose__standardize": [pm.Standardize(), pm.Standardize(with_std=False), pm.Identity()],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 6
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
    assert repr(phi) == "RandomFourier(n_components=4) @ Standardize()"
    assert not hasattr(phi, "map_")


def test_html_shows_the_parts():
    phi = (pm.Tanh() @ pm.Standardize()) & 2 * pm.Abs()
    for shown in (phi, clone(phi).fit(X)):
        html = shown._repr_html_()
        assert all(name in html for name in ("standardize", "tanh", "Concat", "Abs"))


def test_an_array_that_changes_does_not_change_the_map_silently():
    W = np.ones((3, 2))
    phi = pm.Affine(W).fit(X)
    expected = phi.transform(X)
    W[:] = 0
    np.testing.assert_array_equal(phi.transform(X), expected)
    assert np.abs(phi.transform(X.astype(np.float32))).max() > 0
    assert np.abs(copy.deepcopy(phi).transform(X)).max() > 0
    with pytest.raises(pm.errors.ParameterError, match="has changed since the map was first used"):
        phi.fit(X)
    np.testing.assert_array_equal(phi.transform(X), expected)
    assert not phi.set_params(weight=W).fit(X).transform(X).any()


def test_a_tensor_that_requires_a_gradient_stays_live():
    W = torch.ones((3, 2), dtype=torch.float64, requires_grad=True)
    phi = pm.Affine(W)
    x = torch.from_numpy(X)
    phi(x).sum().backward()
    assert torch.allclose(W.grad, x.sum(0)[:, None].expand(3, 2))
    with torch.no_grad():
        W.mul_(2)
    assert torch.allclose(phi(x), x @ W)
    assert copy.deepcopy(phi).weight.requires_grad
    assert torch.equal(pickle.loads(pickle.dumps(phi)).weight, W.detach())


def test_to_moves_the_arrays():
    phi = (pm.Tanh() @ pm.Affine(np.ones((3, 2)))).to(torch.float32)
    assert phi.maps[0].weight.dtype == torch.float32
    assert (pm.Tanh() @ pm.Standardize()).fit(X).to(torch.float32).closed
    with pytest.raises(NotFittedError):
        (pm.Tanh() @ pm.Standardize()).to(torch.float32)


def test_threads_may_share_a_map():
    phi = (pm.Cos() @ pm.Affine(np.ones((3, 50))) @ pm.Standardize()).fit(X)
    expected = phi.transform(X)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: copy.copy(phi).transform(X), range(20)))
        results += list(pool.map(lambda _: phi.transform(X), range(20)))
    assert all(np.array_equal(r, expected) for r in results)


def test_a_failed_fit_leaves_the_last_one():
    phi = (pm.Tanh() @ pm.Standardize()).fit(X)
    before = phi.transform(X)
    with pytest.raises(pm.errors.InputError):
        phi.fit([[np.nan, 1.0]])
    np.testing.assert_array_equal(phi.transform(X), before)
    assert phi.n_features_in_ == 3


def test_shapes_that_are_known_after_binding_are_checked_then():
    outer = pm.Affine(np.ones((2, 1)))
    for phi in (outer @ pm.Standardize(), pm.Relu() @ outer @ pm.Relu() @ pm.Standardize()):
        with pytest.raises(pm.errors.ShapeError, match=r"expecting|Cannot compose"):
            phi.fit(X)
        assert not hasattr(phi, "map_")
    with pytest.raises(pm.errors.ShapeError, match="Cannot compose"):
        (pm.Standardize() @ outer @ pm.Standardize()).fit(X)
    with pytest.raises(pm.errors.ShapeError, match="Cannot add"):
        (pm.Standardize() + pm.RandomFourier(n_components=4)).fit(X)


# --- metadata -----------------------------------------------------------------------------------
def test_sample_weight_is_routed_to_the_part_that_asked():
    weight = np.arange(1.0, 31.0)
    expected = StandardScaler().fit(X, sample_weight=weight).transform(X)
    np.testing.assert_allclose(pm.Standardize().fit(X, sample_weight=weight).transform(X), expected)
    sklearn.set_config(enable_metadata_routing=True)
    scale = pm.Standardize().set_fit_request(sample_weight=True)
    for phi in (
        pm.Identity() @ scale,
        scale & pm.Abs(),
        1.0 * scale,
        pm.Identity() @ (scale & pm.Abs()),
        pm.product(scale, widths=(3,)),
    ):
        values = phi.fit(X, sample_weight=weight).transform(X)
        np.testing.assert_allclose(values[:, :3], expected)
        piped = make_pipeline(clone(phi), LinearRegression().set_fit_request(sample_weight=False))
        piped.fit(X, X[:, 0], sample_weight=weight)
        np.testing.assert_allclose(piped[0].transform(X)[:, :3], expected)


def test_a_parameter_that_nobody_asked_for_is_refused():
    weight = np.ones(30)
    phi = pm.Tanh() @ pm.Standardize()
    with pytest.raises(pm.errors.ParameterError, match="routing is off"):
        phi.fit(X, sample_weight=weight)
    sklearn.set_config(enable_metadata_routing=True)
    with pytest.raises(pm.errors.ParameterError, match="none of its parts asked"):
        phi.fit(X, sample_weight=weight)
    with pytest.raises(pm.errors.ParameterError, match="none of its parts asked"):
        (pm.Tanh() @ pm.Abs() @ pm.Standardize()).fit(X, nonsense=weight)


# --- tables -------------------------------------------------------------------------------------
def test_only_the_columns_that_are_read_are_looked_at():
    table = {"name": ["a", "b", "c"], "b": [1.0, 2.0, 3.0], "a": [4.0, -5.0, 6.0]}
    for frame in (pd.DataFrame(table), pl.DataFrame(table)):
        phi = pm.Abs() @ pm.Select(["a", "b"]) & pm.Select(["b"])
        expected = [[4.0, 1, 1], [5, 2, 2], [6, 3, 3]]
        np.testing.assert_array_equal(phi.fit(frame).transform(frame), expected)
        np.testing.assert_array_equal(phi(frame), expected)
        assert list(phi.feature_names_in_) == ["name", "b", "a"]
        with pytest.raises(pm.errors.InputError, match="could not convert string"):
            pm.Abs().fit(frame)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output_answers_in_frames(kind):
    frame = (pd if kind == "pandas" else pl).DataFrame({"u": X[:, 0], "v": X[:, 1]})
    phi = (pm.Tanh() & pm.Select([0, 0]) @ pm.Standardize()).set_output(transform=kind)
    out = phi.fit(frame).transform(frame)
    assert type(out).__module__.split(".")[0] == kind
    names = ["tanh__tanh(u)", "tanh__tanh(v)", "compose__u", "compose__u (2)"]
    assert list(out.columns) == names
    if kind == "pandas":
        sliced = phi.transform(frame.iloc[5:8])
        assert list(sliced.index) == [5, 6, 7]


def test_lists_and_scalars_of_every_type_are_read():
    expected = [[1.0, 2.0]]
    for rows in ([[1, -2]], ([1, -2],), np.array([[1, -2]], dtype=np.int8), [[True, -2]]):
        assert pm.Abs().fit_transform(rows).tolist() == expected
    assert pm.Abs().fit_transform(np.array([[1, -2]], dtype=np.float16)).dtype == np.float64


# --- sparse -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "coo_array", "csr_matrix"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_give_what_dense_rows_give(kind, dtype):
    dense = np.where(np.abs(X) > 1, X, 0).astype(dtype)
    S = getattr(scipy.sparse, kind)(dense)
    before = S.toarray().tobytes()
    scale, W = pm.Standardize(with_mean=False), np.ones((3, 2))
    for phi in (
        pm.Affine(W, np.ones(2)),
        pm.Diagonal(np.ones(3), np.ones(3)),
        scale,
        pm.Tanh() @ pm.Affine(W) @ scale,
        pm.Tanh() @ scale,
        scale & 2 * scale & pm.Affine(W),
        scale + pm.Diagonal([1.0, 2.0, 3.0], [0.0, 0.0, 1.0]),
        pm.Standardize() @ scale,
        pm.RandomFourier(4) @ scale,
    ):
        expected = clone(phi).fit(dense).transform(dense)
        for size in (2**25, 100):
            with pm.config_context(chunk_bytes=size):
                out = clone(phi).fit(S).transform(S)
            assert out.dtype == dtype
            np.testing.assert_allclose(out, expected, rtol=2e-5, atol=1e-5)
    assert S.toarray().tobytes() == before


def test_wide_sparse_rows_are_never_made_dense():
    S = scipy.sparse.random_array((200, 300_000), density=1e-5, format="csr", rng=0)
    W = np.random.default_rng(0).standard_normal((300_000, 2))
    scale = pm.Standardize(with_mean=False)
    dense = scipy.sparse.csr_array.toarray
    try:
        scipy.sparse.csr_array.toarray = None
        out = (pm.Tanh() @ pm.Affine(W) @ (2 * scale)).fit(S).transform(S)
    finally:
        scipy.sparse.csr_array.toarray = dense
    assert out.shape == (200, 2)


# --- images and tensors ---------------------------------------------------------------------------
def test_images_go_in_whole_or_flat():
    images = np.random.default_rng(0).standard_normal((5, 3, 4, 2))
    flat = images.reshape(5, -1)
    for phi in (pm.Abs(), pm.Tanh() @ pm.Flatten(), pm.Standardize() @ pm.Flatten() @ pm.Abs()):
        phi = clone(phi).fit(images)
        assert phi.n_features_in_ == 24
        assert phi.in_shape_ == (3, 4, 2)
        assert phi.transform(images).shape == (5, 24)
        np.testing.assert_array_equal(phi.transform(flat), phi.transform(images))
        np.testing.assert_array_equal(phi.transform(torch.from_numpy(flat)), phi.transform(images))
        assert len(phi.get_feature_names_out()) == 24
    assert pm.Abs().fit(images)(images).shape == images.shape
    assert pm.Abs().fit(images)(flat).shape == images.shape
    # A new fit forgets the old shape.
    assert not hasattr(pm.Abs().fit(images).fit(flat), "in_shape_")


def test_tensors_keep_their_graph_dtype_and_shape():
    phi = (pm.Tanh() @ pm.Standardize()).fit(X)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = torch.from_numpy(X).to(dtype).requires_grad_()
        y = phi(x)
        assert y.dtype == dtype
        assert y.requires_grad
        y.sum().backward()
        assert torch.isfinite(x.grad).all()
    assert phi(torch.ones((2, 3), dtype=torch.int64)).dtype == torch.float64
    assert torch.equal(phi(torch.nn.Parameter(torch.from_numpy(X))), phi(torch.from_numpy(X)))
    x = torch.from_numpy(X).requires_grad_()
    assert isinstance(phi.transform(x), np.ndarray)
    assert isinstance(clone(phi).fit(x).transform(x), np.ndarray)


def test_results_are_never_views():
    x = torch.from_numpy(X.copy())
    for phi in (pm.Identity(), pm.Flatten(), pm.Identity() @ pm.Flatten(), pm.Select([0, 1, 2])):
        for given in (x, x.numpy(), np.asfortranarray(X), pd.DataFrame(X.copy())):
            out = phi.fit(given).transform(given)
            assert out.flags.writeable
            assert out.flags.owndata or out.base is not None
            out[:] = 7
        assert torch.equal(x, torch.from_numpy(X))


# --- chunks ---------------------------------------------------------------------------------------
def test_memory_maps_are_read_in_chunks(tmp_path):
    big = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", "float64", (5000, 8))
    big[:] = 1.5
    big.flush()
    mapped = np.load(tmp_path / "big.npy", mmap_mode="r")
    seen = []

    class Watch(pm.FeatureMap):
        def forward(self, x):
            seen.append(len(x))
            return x.add_(1)

    with pm.config_context(chunk_bytes=16_000):
        out = (pm.Identity() @ Watch()).fit(mapped).transform(mapped)
    assert (out == 2.5).all()
    assert (mapped == 1.5).all()
    assert max(seen) <= 125


def test_progress_is_reported(capsys):
    calls = []
    phi = (pm.Tanh() @ pm.Standardize()).fit(X)
    with pm.config_context(
        chunk_bytes=480, progress=lambda done, total: calls.append((done, total))
    ):
        phi.transform(X)
    assert calls[-1] == (30, 30)
    assert len(calls) > 2
    with pm.config_context(chunk_bytes=480, progress=True):
        phi.transform(X)
    assert capsys.readouterr().err.endswith("phimaps: 30 of 30 rows\n")


def test_errors_number_the_rows_of_the_whole():
    bad = np.ones((40, 2))
    bad[33, 1] = -1
    phi = pm.Identity() @ pm.Log()
    with pm.config_context(chunk_bytes=100):
        with pytest.raises(pm.errors.DomainError, match="in row 33, coordinate 1"):
            phi.transform(bad)
        with pytest.raises(pm.errors.DomainError, match="Row 33 lies outside"):
            (pm.Identity() @ pm.Identity().on(pm.NonNegative(2))).transform(bad)


# --- a given output ---------------------------------------------------------------------------
def test_features_are_written_where_one_says(tmp_path):
    phi = (pm.Tanh() & pm.Affine(np.ones((3, 2)))).fit(X)
    expected = phi.transform(X)
    mapped = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", "float64", expected.shape)
    wide = np.full((30, 9), -1.0)
    for out in (np.empty_like(expected), mapped, wide[:, 2:7], wide[:, :5]):
        for size in (2**25, 100):
            out[:] = -1
            with pm.config_context(chunk_bytes=size):
                assert phi.transform(X, out=out) is out
            np.testing.assert_allclose(out, expected, rtol=1e-15)
    assert (wide[:, 7:] == -1).all()
    every_other = np.empty((60, 5))[::2]
    np.testing.assert_array_equal(phi.transform(X, out=every_other), expected)
    sparse = scipy.sparse.csr_array(X)
    linear = pm.Affine(np.ones((3, 2))).fit(X)
    out = np.empty((30, 2))
    np.testing.assert_allclose(linear.transform(sparse, out=out), linear.transform(X))


def test_a_given_output_and_set_output_go_together():
    phi = (pm.Tanh() & pm.Abs()).set_output(transform="pandas").fit(X)
    out = np.empty((30, 6))
    frame = phi.transform(X, out=out)
    np.testing.assert_array_equal(frame.to_numpy(), out)
    assert list(frame.columns) == list(phi.get_feature_names_out())


def test_a_given_output_is_not_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        assert not hasattr(pm.Tanh(), "set_transform_request")
        assert not pm.Tanh().get_metadata_routing().consumes("transform", ["out"])


@pytest.mark.parametrize(
    ("out", "kind"),
    [
        (np.empty((30, 4)), pm.errors.ShapeError),
        (np.empty((29, 3)), pm.errors.ShapeError),
        (np.empty((30, 3), np.float32), pm.errors.ShapeError),
        (np.empty((30, 3), ">f8"), pm.errors.ShapeError),
        (np.empty((3, 30)).T, pm.errors.InputError),
        (np.empty((30, 3))[::-1], pm.errors.InputError),
        (np.empty((30, 6))[:, ::2], pm.errors.InputError),
        (np.broadcast_to(np.empty(3), (30, 3)), pm.errors.InputError),
        (torch.empty((30, 3)), pm.errors.InputTypeError),
        ([[0.0] * 3] * 30, pm.errors.InputTypeError),
    ],
)
def test_an_output_that_does_not_fit_is_refused(out, kind):
    with pytest.raises(kind, match=r"do:   np.empty\(\(30, 3\), dtype=np.float64\)"):
        pm.Tanh().fit(X).transform(X, out=out)


def test_an_output_over_the_data_is_refused():
    rows = X.copy()
    for given in (rows, torch.from_numpy(rows)):
        with pytest.raises(pm.errors.InputError, match="shares memory with the data"):
            pm.Tanh().fit(X).transform(given, out=rows)
    assert (rows == X).all()


# --- cost -----------------------------------------------------------------------------------------
def seconds(call, times):
    best = np.inf
    for _ in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def test_a_single_row_costs_little_more_than_the_expression_by_hand():
    x = torch.randn(1, 64)
    W, b = torch.randn(64, 32), torch.randn(32)
    phi = 0.5 * (pm.Cos() @ pm.Affine(W, b)) & pm.Identity()

    def by_hand(x):
        return torch.cat([torch.cos(torch.addmm(b, x, W)) * 0.5, x], dim=1)

    assert torch.allclose(phi(x), by_hand(x))
    ours = theirs = np.inf
    for _ in range(20):
        ours = min(ours, seconds(lambda: [phi(x) for _ in range(100)], 3) / 100)
        theirs = min(theirs, seconds(lambda: [by_hand(x) for _ in range(100)], 3) / 100)
        if ours - theirs < 30e-6:
            return
    pytest.fail(f"{(ours - theirs) * 1e6:.0f} microseconds more than by hand")


@pytest.mark.parametrize("steps", [1, 2])
def test_transform_costs_no_more_than_the_expression_by_hand(steps):
    rows = np.random.default_rng(0).standard_normal((4000, 64)).astype(np.float32)
    W, b = torch.randn(64, 1024), torch.randn(1024)
    phi = (pm.Cos() @ pm.Affine(W, b) if steps == 2 else pm.Affine(W, b)).fit(rows)

    def by_hand():
        with torch.no_grad():
            value = torch.addmm(b, torch.from_numpy(rows), W)
            return (torch.cos(value) if steps == 2 else value).numpy()

    # The machine is shared: turns follow each other closely, and one undisturbed pair decides.
    torch.set_num_threads(1)
    for _ in range(100):
        ratio = seconds(lambda: phi.transform(rows), 1) / seconds(by_hand, 1)
        if ratio < 1.05:
            return
    pytest.fail(f"{ratio:.2f} times the expression by hand")
