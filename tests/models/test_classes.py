"""Model classes: what they can and cannot do, shown on members that were fitted."""

import pickle
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from sklearn.base import clone, is_classifier, is_regressor

import phimaps as pm
from phimaps.models import (
    MLP,
    Additive,
    BoostedTrees,
    KernelRidge,
    KNeighbors,
    Linear,
    LipschitzNet,
    Monotone,
    Polynomial,
    Polynomials,
    RandomFeatureModel,
    RBFNetwork,
    Ridge,
    Trees,
)

LINE = pm.Box([-1.0], [1.0])
SQUARE = pm.Box([-1.0] * 2, [1.0] * 2)
CUBE = pm.Box([-1.0] * 3, [1.0] * 3)
PAIR = pm.Finite([[0.0], [1.0]])
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)

CLASSES = [
    Linear(),
    Ridge(),
    MLP(width=8, max_iter=2000),
    MLP("gelu", width=8, max_iter=100),
    MLP("square", width=4, depth=2),
    Polynomial(3),
    Polynomials(),
    RBFNetwork(20),
    KernelRidge(),
    RandomFeatureModel(20),
    Trees(8),
    BoostedTrees(2, n_estimators=20),
    KNeighbors(3),
    Additive(),
    Monotone(8, learning_rate=0.3),
    LipschitzNet(3.0),
]


def rows(n, d, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, d))


# --- estimators --------------------------------------------------------------------------------
@pytest.mark.parametrize("model", CLASSES, ids=repr)
def test_every_class_regresses_and_classifies_in_pipelines(model):
    X = rows(60, 2)
    y = X[:, 0] + 2 * X[:, 1]
    fitted = clone(model @ pm.Standardize()).fit(X, y)
    assert is_regressor(fitted)
    assert fitted.score(X, y) > 0.8
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))

    for labels in (np.where(y > 0, "up", "down"), np.digitize(y, [-1.0, 1.0])):
        fitted = clone(model @ pm.Standardize()).fit(X, labels)
        assert is_classifier(fitted)
        assert set(fitted.predict(X)) <= set(labels)
        assert fitted.score(X, labels) > 0.6
        if model.probabilistic:
            np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1.0, rtol=1e-6)
        else:
            assert not hasattr(fitted, "predict_proba")


@pytest.mark.parametrize("model", CLASSES, ids=repr)
def test_every_class_is_written_so_that_it_evaluates_back(model):
    again = eval(repr(model), vars(pm.models))
    assert again.get_params() == model.get_params()
    assert model.universality.sense in ("strict", "approximate", "never")
    assert model.universality.where
    assert model.universality.source
    assert model.cone or not model.linear


@pytest.mark.parametrize("model", CLASSES, ids=repr)
def test_targets_that_are_none_are_refused(model):
    X, y = rows(12, 2), np.arange(12.0)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            (model @ pm.Identity()).fit(X, np.where(y == 3, bad, y))
    labels = clone(model).set_params(task="classification")
    with pytest.raises(ValueError, match=r"Unknown label type|need: labels"):
        (labels @ pm.Identity()).fit(X, y + 0.5)


@pytest.mark.parametrize("model", CLASSES, ids=repr)
def test_weights_of_rows_count_or_are_refused(model):
    X = np.array([[0.0], [0.5], [1.0]] * 8)
    y = np.array([0.0, 0.0, 1.0] * 8) + np.arange(24) / 100
    weights = np.array([1.0, 1.0, 5.0] * 8)
    pulled = model @ pm.Identity()
    if isinstance(model, KNeighbors | LipschitzNet):
        with pytest.raises(pm.errors.ParameterError, match="do not weigh rows"):
            pulled.fit(X, y, sample_weight=weights)
        assert not hasattr(pulled, "model_")
    else:
        fitted = pulled.fit(X, y, sample_weight=weights)
        assert np.isfinite(fitted.predict(X)).all()


# --- where they are universal ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "on", "truth"),
    [
        (Linear(), LINE, False),
        (Polynomial(3), LINE, False),
        (Polynomial(3), PAIR, True),
        (Polynomial(60), LINE, False),
        (Polynomial(1), pm.Finite([[0.0], [0.5], [1.0]]), False),
        (Polynomial(1), pm.Finite([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), None),
        (Polynomials(), CUBE, True),
        (MLP("gelu"), CUBE, True),
        (MLP("silu", depth=3), LINE, True),
        (MLP("softplus"), LINE, True),
        (MLP("tanh", depth=2), LINE, True),
        (MLP("square"), LINE, False),
        (MLP("square", depth=3), SQUARE, False),
        (RBFNetwork(), CUBE, True),
        (RBFNetwork(kernel="linear"), LINE, False),
        (KernelRidge(), CIRCLE, True),
        (KernelRidge("poly"), SQUARE, False),
        (KernelRidge(pm.kernels.ArcCosine(1)), CIRCLE, False),
        (KernelRidge("chi2"), pm.Box([0.0], [1.0]), True),
        (KernelRidge("additive_chi2"), pm.Box([0.0, 0.0], [1.0, 1.0]), False),
        (RandomFeatureModel(), LINE, False),
        (Trees(), LINE, None),
        (Trees(), PAIR, True),
        (BoostedTrees(1), SQUARE, False),
        (BoostedTrees(2), SQUARE, None),
        (BoostedTrees(2), CUBE, False),
        (BoostedTrees(2), pm.Euclidean(3), False),
        (BoostedTrees(2), pm.Box([0.0, 0.0, 0.5], [1.0, 1.0, 0.5]), None),
        (BoostedTrees(2), pm.Finite(list(product((0.0, 1.0), repeat=3))), False),
        (BoostedTrees(2), pm.Finite(list(product((0.0, 1.0), repeat=2))), True),
        (KNeighbors(), LINE, None),
        (KNeighbors(2), PAIR, True),
        (Additive(), LINE, True),
        (Additive(), SQUARE, False),
        (Additive(), pm.Finite([[0.0, 0.0], [1.0, 1.0]]), None),
        (Monotone(), LINE, False),
        (Monotone(), PAIR, False),
        (Monotone(), pm.Finite([[0.0, 1.0], [1.0, 0.0]]), None),
        (LipschitzNet(), LINE, False),
        (LipschitzNet(), PAIR, False),
        (LipschitzNet(), pm.Finite([[0.5]]), None),
    ],
    ids=repr,
)
def test_where_a_class_is_universal(model, on, truth):
    assert pm.decide(model, pm.Universal, on=on).holds is truth
    assert pm.decide(model @ pm.Identity(), pm.Universal, on=on).holds is truth


def test_what_a_class_misses_it_misses_behind_maps_that_reach_it():
    # [0, 1]^3 is reached by Relu, and a square of it by the sum of two coordinates with a third.
    assert pm.decide(BoostedTrees(2) @ pm.Tanh(), pm.Universal, on=CUBE).holds is False
    assert pm.decide(Monotone() @ pm.Exp(), pm.Universal, on=LINE).holds is False
    assert pm.decide(Polynomial(2) @ pm.Power(3), pm.Universal, on=LINE).holds is False
    # Three coordinates of which one is held are as good as two.
    held = pm.Box([0.0, 0.0, 0.5], [1.0, 1.0, 0.5])
    assert pm.decide(BoostedTrees(2) @ pm.Tanh(), pm.Universal, on=held).holds is None
    # A square in one more coordinate shows nothing of what two trees miss.
    lifted = pm.Identity() & pm.Affine([[1.0], [1.0]])
    assert pm.decide(Additive() @ lifted, pm.Universal, on=SQUARE).holds is None


def test_kernel_classes_are_universal_exactly_where_the_kernel_is_said_to_be():
    kernels = [pm.kernels.RBF(gamma=2.0), pm.kernels.Laplacian(gamma=1.0), pm.kernels.Linear()]
    kernels += [pm.kernels.Periodic(), pm.kernels.Matern(nu=1.5), pm.kernels.ArcCosine(0)]
    kernels += [pm.kernels.RBF(gamma=2.0) * pm.kernels.Linear(), pm.kernels.Cosine()]
    for kernel, on in product(kernels, (LINE, SQUARE, pm.Euclidean(2))):
        known = pm.decide(kernel, pm.Universal, on=on)
        found = pm.decide(KernelRidge(kernel), pm.Universal, on=on)
        assert found.holds in (None, known.holds), (kernel, on)
        if known.holds:
            assert found.holds
            assert found.strength == known.strength
        if found.holds is False:
            assert found.witness.to_dict() == known.witness.to_dict()


def test_a_function_that_is_no_kernel_refutes_no_class_of_its_sums():
    def tent(x, y):
        return np.tanh(x @ y + 1.0)

    kernel = pm.kernels.Callable(tent)
    assert pm.decide(KernelRidge(kernel), pm.Universal, on=LINE).holds is None


# --- annihilating measures ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("model", "on"),
    [
        (Linear(alpha=1e-3), CUBE),
        (Ridge(1e-3), CIRCLE),
        (Polynomial(4), SQUARE),
        (Polynomial(2), CIRCLE),
        (Polynomial(2), pm.Finite(rows(12, 2))),
        (MLP("square", width=6, max_iter=50), LINE),
        (MLP("identity", width=6, max_iter=20), LINE),
        (RandomFeatureModel(12), SQUARE),
        (RandomFeatureModel(12, "cos"), LINE),
        (BoostedTrees(1, n_estimators=30), SQUARE),
        (BoostedTrees(2, n_estimators=30), CUBE),
        (BoostedTrees(3, n_estimators=30), pm.Box([0.0] * 5, [1.0] * 5)),
        (Additive(), SQUARE),
        (KernelRidge("poly", alpha=1e-2), LINE),
        (RBFNetwork(15, kernel=pm.kernels.ArcCosine(1), alpha=1e-3), CIRCLE),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fitted_members_are_annihilated_up_to_rounding(model, on):
    measure = model.annihilator(on)
    assert on.contains(measure.points).all()
    assert len(np.unique(measure.points, axis=0)) == len(measure.points)
    total = np.abs(measure.weights).sum()
    assert total > 0
    rng = np.random.default_rng(1)
    X = np.concatenate([on.sample(60, 1), measure.points])
    for _ in range(3):
        y = rng.standard_normal(len(X))
        member = (model @ pm.Identity()).fit(X, y)
        values = member.predict(measure.points)
        # Members are sums of terms that may cancel: their size is that of the greatest, which
        # fits of noise with 10^2 coefficients keep below 10^4 times the values.
        room = 1e4 * np.finfo(float).eps * total * max(1.0, np.abs(values).max())
        assert abs(measure.weights @ values) <= room


def test_far_from_0_no_measure_is_made_of_points_that_round_to_one():
    for low in (0.0, 1e14, 2.0**60, 1e25, -1e300):
        on = pm.Box([low], [low + 2.0 + abs(low) / 2**50])
        for model in (Polynomial(3), MLP("square")):
            assert pm.decide(model @ pm.Identity(), pm.Universal, on=on).holds is False
            measure = model.annihilator(on)
            if measure is not None:
                assert len(np.unique(measure.points)) == len(measure.points)
        pair = Monotone().comparable(on)
        assert pair is None or pair[0, 0] < pair[1, 0]


def test_features_span_the_class_and_their_measure_is_seen_by_no_column():
    for model, on in ((Linear(), CUBE), (Polynomial(3), SQUARE), (RandomFeatureModel(9), LINE)):
        columns = model.features(on.sample(50, 0))
        assert columns.shape == (50, model.dimension(on.size))
        X, y = on.sample(50, 0), on.sample(50, 3)[:, 0]
        fitted = (model @ pm.Identity()).fit(X, y).predict(X)
        best = columns @ np.linalg.lstsq(columns, fitted)[0]
        np.testing.assert_allclose(best, fitted, atol=1e-9)
        measure = model.annihilator(on)
        seen = measure.weights @ model.features(measure.points)
        assert np.abs(seen).max() <= 1e-12 * np.abs(measure.weights).sum()


def test_classes_that_are_dense_have_no_annihilator():
    for model in (MLP(), Polynomials(), RBFNetwork(), KernelRidge(), Trees(), KNeighbors()):
        assert model.annihilator(SQUARE) is None
    assert BoostedTrees(2).annihilator(SQUARE) is None
    assert Additive().annihilator(LINE) is None
    assert BoostedTrees(1).annihilator(CIRCLE) is None


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_boosting_misses_the_parity_of_one_bit_more_than_its_depth(depth):
    bits = np.array(list(product((-1.0, 1.0), repeat=depth + 1)))
    parity = bits.prod(axis=1)
    model = BoostedTrees(depth)
    measure = model.annihilator(pm.Box([-1.0] * (depth + 1), [1.0] * (depth + 1)))
    # The bound is |Σ c_i g(x_i)| / Σ |c_i|.
    assert abs(measure.weights @ measure.points.prod(axis=1)) / len(bits) == 1.0
    for rounds in (1, 40):
        member = (model.ladder(0) @ pm.Identity()).set_params(model__n_estimators=rounds)
        errors = np.abs(member.fit(bits, parity).predict(bits) - parity)
        assert errors.max() >= 1 - 1e-12
    enough = (BoostedTrees(depth + 1, learning_rate=1.0) @ pm.Identity()).fit(bits, parity)
    assert np.abs(enough.predict(bits) - parity).max() < 1e-6


# --- ladders -----------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", ["relu", "cos"])
def test_random_features_of_a_step_are_the_first_of_the_next(activation):
    X, model = rows(20, 3), RandomFeatureModel(activation=activation, random_state=5)
    for step in range(5):
        small, large = model.ladder(step).features(X), model.ladder(step + 1).features(X)
        # Products of matrices of different width may round differently.
        np.testing.assert_allclose(small, large[:, : small.shape[1]], atol=1e-14)


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        (Polynomials(alpha=1e-12), range(2, 8)),
        (RandomFeatureModel(alpha=1e-12, length_scale=0.3), range(1, 8)),
        (RBFNetwork(kernel=pm.kernels.RBF(gamma=4.0), alpha=1e-12), range(1, 7)),
        (Additive(alpha=1e-12), range(4)),
        (LipschitzNet(0.25), range(6)),
        (Trees(), range(6)),
    ],
    ids=repr,
)
def test_errors_fall_along_a_ladder(model, steps):
    X = np.linspace(-1, 1, 200)[:, None]
    y = np.sin(4 * X[:, 0]) + np.abs(X[:, 0])
    errors = []
    for step in steps:
        fitted = (model.ladder(step) @ pm.Identity()).fit(X, y)
        errors.append(float(((fitted.predict(X) - y) ** 2).mean()))
    assert (np.diff(errors) <= 1e-6 * np.array(errors[:-1]) + 1e-12).all()
    assert errors[-1] < 0.05 * errors[0]


def test_a_class_without_capacity_is_its_own_ladder_and_steps_are_whole():
    for model in (Linear(), KNeighbors(2), KernelRidge()):
        assert model.ladder(7) is model
    assert MLP("gelu", depth=2).ladder(3).get_params()["width"] == 8
    with pytest.raises(pm.errors.ParameterError, match="A ladder has steps"):
        Linear().ladder(-1)


# --- members -----------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", ["gelu", "silu", "softplus"])
def test_networks_of_smooth_activations_fit_what_they_are_said_to_reach(activation):
    X = np.linspace(-1, 1, 120)[:, None]
    y = np.abs(X[:, 0]) + np.sin(5 * X[:, 0])
    fitted = (MLP(activation, width=30, alpha=1e-6, max_iter=800) @ pm.Identity()).fit(X, y)
    assert fitted.score(X, y) > 0.999


def test_lipschitz_members_have_the_least_greatest_error():
    X, L = rows(25, 2), 1.5
    y = np.sin(6 * X[:, 0]) * 2 + X[:, 1]
    fitted = (LipschitzNet(L) @ pm.Identity()).fit(X, y)
    n, room = len(X), L * cdist(X, X)
    # The least t with |f_i - g_i| <= t and f_i - f_j <= L |x_i - x_j|, by linear programming.
    differ = [(i, j, 1.0, -1.0) for i, j in product(range(n), repeat=2) if i != j]
    A, b = np.zeros((len(differ) + 2 * n, n + 1)), np.zeros(len(differ) + 2 * n)
    for k, (i, j, one, other) in enumerate(differ):
        A[k, i], A[k, j], b[k] = one, other, room[i, j]
    eye = np.eye(n)
    A[-2 * n : -n, :n], A[-n:, :n], A[-2 * n :, n] = eye, -eye, -1.0
    b[-2 * n : -n], b[-n:] = y, -y
    bounds = [(None, None)] * n + [(0, None)]
    best = linprog(np.eye(n + 1)[n], A_ub=A, b_ub=b, bounds=bounds).fun
    assert fitted.model_.error_ == pytest.approx(best, abs=1e-9)
    assert np.abs(fitted.predict(X) - y).max() <= best + 1e-9
    new = rows(300, 2, 1) * 3
    values = fitted.predict(new)
    excess = np.abs(values[:, None] - values) - L * cdist(new, new)
    assert excess.max() <= 1e-12
    assert fitted.model.lipschitz == L


def test_monotone_members_do_not_decrease_and_miss_what_does():
    X = rows(200, 2)
    fitted = (Monotone(15) @ pm.Identity()).fit(X, X[:, 0] ** 3 - X[:, 1])
    low = rows(300, 2, 1)
    high = low + np.abs(rows(300, 2, 2))
    assert (fitted.predict(low) <= fitted.predict(high)).all()
    x, y = Monotone().comparable(LINE)
    falling = (Monotone(5, min_samples_leaf=1) @ pm.Identity()).fit([x, y] * 10, [1.0, -1.0] * 10)
    assert np.abs(falling.predict([x, y]) - [1.0, -1.0]).max() >= 1.0


def test_trees_come_near_a_continuous_function_though_they_are_not_continuous():
    X = np.linspace(0, 1, 257)[:, None]
    y = np.abs(X[:, 0] - 0.3)
    errors = []
    for step in (2, 4, 6):
        fitted = (Trees().ladder(step) @ pm.Identity()).fit(X, y)
        errors.append(np.abs(fitted.predict(X) - y).max())
    assert errors[0] > errors[1] > errors[2]
    # 128 boxes in [0, 1]: in each of the even ones y varies by 1/128.
    assert errors[2] < 0.03


def test_constant_columns_do_not_disturb_additive_members():
    X = np.concatenate([rows(40, 1), np.full((40, 1), 3.0)], axis=1)
    fitted = (Additive() @ pm.Identity()).fit(X, np.exp(X[:, 0]))
    assert fitted.score(X, np.exp(X[:, 0])) > 0.999
    flat = (Additive() @ pm.Identity()).fit(np.ones((5, 2)), np.arange(5.0))
    np.testing.assert_allclose(flat.predict(np.ones((1, 2))), 2.0)


def test_fitting_leaves_data_and_models_alone():
    X = rows(12, 2)
    y = X[:, 0].copy()
    X.setflags(write=False)
    y.setflags(write=False)
    for model in CLASSES:
        before = dict(vars(model))
        (model @ pm.Identity()).fit(X, y)
        assert vars(model) == before
