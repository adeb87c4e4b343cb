"""What rounding may change: seen where it is, and not where it is not."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import phimaps as pm
from phimaps.testing.tolerance import tolerance

EPS = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)
RANDOM = np.random.default_rng(11)
W1, B1 = RANDOM.standard_normal((5, 64)), RANDOM.standard_normal(64)
W2 = RANDOM.standard_normal((64, 6))
SHIFT = RANDOM.uniform(0, 2 * np.pi, 64)


def waves(X):
    return np.cos(X @ W1.astype(X.dtype) + SHIFT.astype(X.dtype)).astype(np.float64)


def layers(X):
    hidden = np.tanh(X @ W1.astype(X.dtype) + B1.astype(X.dtype))
    return (hidden @ W2.astype(X.dtype)).astype(np.float64)


def backwards(X):
    """The same as `layers`, with all sums in another order."""
    inner = X[:, ::-1] @ W1[::-1].astype(X.dtype) + B1.astype(X.dtype)
    return (np.tanh(inner[:, ::-1]) @ W2[::-1].astype(X.dtype)).astype(np.float64)


def powers(X):
    return np.concatenate([X**k for k in range(1, 7)], axis=1).astype(np.float64)


def logarithms(X):
    return np.concatenate([np.log(X), np.exp(-X)], axis=1).astype(np.float64)


def leaking(phi):
    return lambda X: phi(X) + 1e-3 * phi(X).mean(axis=0)


def alone(phi, X):
    return np.concatenate([phi(X[i : i + 1]) for i in range(len(X))])


MAPS = {"waves": waves, "layers": layers, "powers": powers, "logarithms": logarithms}
EVERY = [
    (name, dtype, size)
    for name in MAPS
    for dtype in (np.float32, np.float64)
    for size in (1e-3, 1.0, 1e3)
]


def rows(size, dtype, n=8, seed=0):
    return (size * np.random.default_rng(seed).uniform(-1, 1, (n, 5))).astype(dtype)


@pytest.mark.parametrize(("name", "dtype", "size"), EVERY)
def test_honest_ways_agree_and_a_leak_is_seen(name, dtype, size):
    phi, X = MAPS[name], rows(size, dtype)
    X = np.abs(X) if name == "logarithms" else X
    assert (np.abs(alone(phi, X) - phi(X)) <= tolerance(phi, X, dtype)).all()
    leak = leaking(phi)
    assert (np.abs(alone(leak, X) - leak(X)) > tolerance(leak, X, dtype)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1e-6, 1.0])
def test_rounding_of_inner_results_is_seen_where_the_input_has_hardly_any(dtype, size):
    for seed in range(10):
        X = rows(size, dtype, seed=seed)
        allowed = tolerance(layers, X, dtype)
        assert (np.abs(backwards(X) - layers(X)) <= allowed).all()
        assert (allowed < 1e4 * np.finfo(dtype).eps).all()


def test_float32_is_allowed_what_its_rounding_makes_of_float64_features():
    for seed in range(5):
        X = rows(100.0, np.float32, seed=seed)
        off = np.abs(waves(X) - waves(X.astype(np.float64)))
        assert (off <= tolerance(waves, X, np.float32)).all()


def test_cancellation_of_constants_is_seen():
    def far(X):
        return (X + 1e8) - 1e8

    X = rows(1.0, np.float64)
    allowed = tolerance(far, X)
    assert (np.abs(far(X) - X) <= allowed).all()
    assert (allowed < 1e3 * 1e8 * EPS).all()


def test_features_of_very_different_size_have_bounds_of_their_own():
    X = rows(1e3, np.float64)
    allowed = tolerance(powers, X)
    assert (allowed[:, :5] <= 64 * EPS * np.abs(X)).all()
    assert (allowed[:, 25:] >= 16 * EPS * np.abs(X) ** 6).all()


EXACT = {
    "one-hot": lambda X: (X[:, :1] == np.arange(4)).astype(float),
    "sign": np.sign,
    "floor": np.floor,
    "positive": lambda X: (X >= 0).astype(float),
    "modulo": lambda X: np.mod(X, 3.0),
}


@pytest.mark.parametrize("name", EXACT)
def test_jumps_at_whole_numbers_are_no_rounding(name):
    X = np.array([[0.0, 3.0], [1.0, -2.0], [2.0, 0.0]])
    assert (tolerance(EXACT[name], X) <= 64 * EPS * 3).all()


def test_sums_of_saturated_units_may_be_rounded_in_another_order():
    X = rows(1e3, np.float32)
    assert (np.abs(np.tanh(X @ W1.astype(np.float32))) == 1).mean() > 0.9
    assert (np.abs(backwards(X) - layers(X)) <= tolerance(layers, X, np.float32)).all()


def test_jumps_elsewhere_are():
    step = tolerance(lambda X: (X > 0.1).astype(float), np.array([[0.1], [0.2]]))
    assert step[0, 0] >= 1
    assert step[1, 0] <= 64 * EPS


def test_zeros_move_by_the_size_of_their_column():
    X = np.array([[0.0], [100.0]])
    allowed = tolerance(lambda X: 3.0 * X + 1.0, X)
    assert 8 * 3 * 100 * EPS <= allowed[0, 0] <= 16 * 3 * 100 * EPS
    given = tolerance(lambda X: 3.0 * X + 1.0, np.zeros((1, 1)), scale=np.array([1e6]))
    assert 8 * 3e6 * EPS <= given[0, 0] <= 16 * 3e6 * EPS


def test_a_linear_feature_is_never_missed_by_chance():
    # Of 7 columns every sum of +-g_j has a root mean square of |g| over the 8 balanced copies.
    for seed in range(50):
        X = np.random.default_rng(seed).uniform(0.5, 1.5, (1, 7))
        weights = np.random.default_rng(seed + 1000).standard_normal((7, 1))
        moved = 8 * EPS * np.linalg.norm(X[0] * weights[:, 0])
        assert tolerance(lambda X, w=weights: X @ w, X)[0, 0] >= 0.5 * moved


def test_a_curve_is_followed_to_where_the_input_may_be():
    # At the top of a wave the first order vanishes, and the second is 64 times that of one ulp.
    X = np.full((1, 1), 1e8 * np.pi)
    bend = 0.5 * (8 * EPS * X[0, 0]) ** 2
    assert tolerance(np.cos, X)[0, 0] >= min(bend, 2.0)


def test_what_is_not_finite_stays_without_a_bound_or_unbounded():
    with np.errstate(all="ignore"):
        allowed = tolerance(np.exp, np.array([[1.0, 800.0, np.nan, 709.782712893384]]))
    assert allowed[0, 0] < 1e-13
    assert allowed[0, 1] == 0
    assert allowed[0, 2] == 0
    assert np.isinf(allowed[0, 3])


def test_no_rows_have_no_bounds():
    assert tolerance(lambda X: X, np.empty((0, 3))).shape == (0, 3)


def test_integers_and_refused_neighbours_leave_the_sizes():
    pictures = np.array([[1, 2], [3, 4]], dtype=np.uint8)
    allowed = tolerance(lambda X: X / 255.0, pictures)
    mean = (pictures / 255.0).mean(axis=1, keepdims=True)
    assert (allowed >= 63 * EPS * mean).all()

    def strict(X):
        if (np.rint(X) != X).any():
            raise ValueError("whole numbers only")
        return X @ W1[:2]

    X = pictures.astype(np.float64)
    size = np.abs(strict(X)).mean(axis=1, keepdims=True)
    assert (tolerance(strict, X) >= 63 * EPS * size).all()


def test_refused_data_raise_what_they_raise():
    def refuses(X):
        raise KeyError("no such column")

    with pytest.raises(KeyError, match="no such column"):
        tolerance(refuses, np.zeros((1, 2)))


def test_only_columns_of_floats_move():
    frame = pd.DataFrame({"level": ["a", "b"], "weight": [1.5, 2.5], "count": [1, 2]})
    seen = []

    def features(frame):
        seen.append(frame)
        return np.stack([3 * frame["weight"], frame["count"], frame["level"] == "a"], axis=1)

    before = frame.copy()
    allowed = tolerance(features, frame)
    assert (allowed[:, 0] > 8 * 3 * EPS).all()
    assert (allowed[:, 1:] <= 64 * 8 * EPS).all()
    pd.testing.assert_frame_equal(frame, before)
    assert all(list(s["level"]) == ["a", "b"] and list(s["count"]) == [1, 2] for s in seen)
    assert all((s.dtypes == frame.dtypes).all() for s in seen)
    assert len({tuple(s["weight"]) for s in seen}) > 8


def test_arithmetic_of_float32_is_recognised_by_its_numbers():
    X = rows(1.0, np.float64)
    allowed = tolerance(lambda X: layers(X.astype(np.float32)), X)
    assert (allowed > SINGLE * 1e-2).all()
    whole = tolerance(lambda X: np.ones((len(X), 1)), X)
    assert (whole <= 64 * EPS).all()


def test_it_is_the_same_each_time_and_leaves_generators_and_data():
    X = rows(1.0, np.float64)
    before, state, numbers = X.copy(), np.random.get_state()[1].copy(), torch.get_rng_state()
    first = tolerance(layers, X)
    np.testing.assert_array_equal(tolerance(layers, X), first)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert torch.equal(torch.get_rng_state(), numbers)


def test_images_move_entry_by_entry():
    phi = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten())
    with torch.no_grad():
        for p in phi.parameters():
            p.copy_(torch.from_numpy(np.random.default_rng(5).standard_normal(p.shape)))

    def features(X):
        with torch.no_grad():
            return phi(torch.from_numpy(X)).double().numpy()

    X = np.random.default_rng(6).uniform(0, 1, (4, 1, 6, 6)).astype(np.float32)
    allowed = tolerance(features, X, np.float32)
    exact = phi.double()(torch.from_numpy(X).double()).detach().numpy()
    phi.float()
    assert (np.abs(features(X) - exact) <= allowed).all()
    assert (allowed < 1e-4).all()


def test_inner_results_of_another_size_than_the_rows_are_seen():
    # Landmarks of a million, rows of one: nothing moves until the steps are of the landmarks' size.
    landmarks = 1e6 * np.random.default_rng(8).uniform(-1, 1, (20, 5))
    phi = pm.Nystrom(n_components=20, gamma=1 / (5 * 1e12), random_state=0).bind(landmarks)

    def features(X):
        with torch.no_grad():
            return phi(torch.from_numpy(X)).double().numpy()

    X = rows(1e3, np.float32)
    off = np.abs(features(X) - features(X.astype(np.float64)))
    assert (off <= tolerance(features, X, np.float32)).all()


# --- the benchmark -------------------------------------------------------------------------------
@pytest.fixture
def benchmark_script(monkeypatch):
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("tolerance_benchmark", folder / "tolerance.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("measure", None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_benchmark_finds_no_fault_with_the_measured_tolerance(benchmark_script, dtype):
    for family in benchmark_script.FAMILIES:
        found = benchmark_script.trial(np.random.default_rng(1), family, dtype, 1e3, "mixed", 8.0)
        assert found[benchmark_script.OURS][:2] == (False, False), family
        if dtype == np.float32:
            assert not found[f"64 {benchmark_script.OURS}"][0]


@pytest.mark.parametrize("wrong", [0.0, 1e300])
def test_the_benchmark_fails_for_a_tolerance_that_is_too_small_or_too_large(
    benchmark_script, monkeypatch, capsys, wrong
):
    monkeypatch.setattr(
        benchmark_script,
        "tolerance",
        lambda evaluate, X, dtype, factor: np.full(
            evaluate(X).shape, wrong if factor > 1 else 1e-9
        ),
    )
    families = {k: benchmark_script.FAMILIES[k] for k in ("random Fourier",)}
    monkeypatch.setattr(benchmark_script, "FAMILIES", families)
    monkeypatch.setattr(benchmark_script, "SIZES", (1.0,))
    monkeypatch.setattr(sys, "argv", ["tolerance.py", "--fast"])
    threads = torch.get_num_threads()
    try:
        assert benchmark_script.main() == 1
    finally:
        torch.set_num_threads(threads)
    assert "False alarms/missed bugs in 10 trials" in capsys.readouterr().out
