"""Readouts ρ∘f∘φ: targets in Y as estimators, and what is proved about them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import phimaps as pm
from phimaps.errors import InputError, OperandError, ParameterError, ShapeError
from phimaps.map.codomain import Circle, PositiveDefinite, PositiveNumbers, Probabilities
from phimaps.models import MLP, KernelRidge, Linear, Monotone, Polynomial, Readout, Ridge, Trees

LINE = pm.Box([-1.0], [1.0])
CIRCLE = pm.Sphere([0.0, 0.0], 1.0)
PLANE = pm.Box([-1.0, -1.0], [1.0, 1.0])
WINDING = pm.Fourier([[1.0]])
x = pm.Identity()
rng = np.random.default_rng(0)
ticks = np.linspace(-1.0, 1.0, 81)[:, None]


def definite(t):
    """Smooth symmetric positive definite matrices."""
    root = np.stack([np.stack([1 + t**2, t], -1), np.stack([np.sin(2 * t), 0 * t + 1], -1)], -2)
    return root @ root.swapaxes(-1, -2)


def spread(*directions):
    v = np.stack(directions, axis=1)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


t = ticks[:, 0]
POINTS = {
    "probabilities": (pm.Softmax(), np.stack([(t + 1) / 3, (1 - t) / 3, t * 0 + 1 / 3], axis=1)),
    "positive numbers": (pm.Exp(), np.exp(3 * np.sin(2 * t))),
    "several positive numbers": (pm.Exp(), np.stack([np.exp(t), 1 + t**2], axis=1)),
    "directions": (pm.UnitNorm(), spread(np.cos(5 * t), np.sin(5 * t), t)),
    "definite matrices": (pm.SymmetricExp(), definite(t)),
    "points of a circle": (WINDING, spread(np.cos(t), np.sin(t))),
    "numbers": (pm.Identity(), np.sin(3 * t)),
    "vectors": (pm.Identity(), np.stack([t, np.sin(3 * t)], axis=1)),
}


# --- estimators --------------------------------------------------------------------------------
@parametrize_with_checks(
    [
        pm.Identity() @ Linear(task="regression") @ pm.Standardize(),
        pm.Softmax() @ Linear(task="regression", alpha=0.1) @ pm.Standardize(),
    ]
)
def test_readouts_meet_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("model", [KernelRidge(pm.kernels.RBF(gamma=4.0), 1e-6), Ridge(1e-6)])
def test_a_smooth_target_of_every_kind_is_learned(name, model):
    rho, y = POINTS[name]
    phi = x if isinstance(model, KernelRidge) else pm.Polynomial(12)
    before = y.copy()
    fitted = (rho @ model @ phi).fit(ticks, y)
    predicted = fitted.predict(ticks)
    assert predicted.shape == y.shape
    # Probabilities touch the boundary, and the collar moves them by less than 0.01.
    exact = name != "probabilities" and isinstance(model, KernelRidge)
    np.testing.assert_allclose(predicted, y, atol=2e-3 if exact else 0.02)
    assert fitted.score(ticks, y) > 0.999
    np.testing.assert_array_equal(y, before)


def test_predictions_are_points_of_the_targets_whatever_was_fitted():
    noise = rng.standard_normal((60, 2))
    for name, (rho, y) in POINTS.items():
        chosen = y[rng.integers(0, len(y), 60)]
        fitted = (rho @ Linear() @ x).fit(noise, chosen)
        points = fitted.predict(10 * rng.standard_normal((200, 2)))
        points = points[:, None] if name in ("positive numbers", "numbers") else points
        assert rho.codomain.contains(points).all(), name


def test_one_map_is_fitted_for_all_coordinates():
    X, y = load_wine(return_X_y=True)
    phi = pm.RandomFourier(30, random_state=None) @ pm.Standardize()
    fitted = (pm.Softmax() @ Linear() @ phi).fit(X, y)
    assert len({id(part.fitted_) for part in fitted.fitted_}) == 1
    assert len(fitted.fitted_) == 3
    assert len((pm.Softmax() @ KernelRidge() @ pm.Standardize()).fit(X, y).fitted_) == 1
    z = fitted.lifted(X)
    np.testing.assert_allclose(torch.softmax(torch.from_numpy(z), 1), fitted.predict_proba(X))


def test_labels_are_predicted_and_their_probabilities():
    X, y = load_digits(return_X_y=True)
    names = np.array([f"digit {k}" for k in y])
    model = pm.Softmax() @ Ridge() @ pm.RandomFourier(600)
    fitted = model.fit(X[:1200], names[:1200])
    assert fitted.score(X[1200:], names[1200:]) > 0.93
    assert list(fitted.classes_) == [f"digit {k}" for k in range(10)]
    shares = fitted.predict_proba(X[1200:])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(fitted.classes_[shares.argmax(axis=1)], fitted.predict(X[1200:]))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X[1200:]), shares)


def test_weights_of_rows_count_as_repetitions():
    y = np.exp(rng.standard_normal(20))
    X = rng.standard_normal((20, 2))
    times = rng.integers(1, 4, 20)
    model = pm.Exp() @ Linear() @ x
    once = clone(model).fit(X, y, sample_weight=times)
    often = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(once.predict(X), often.predict(X))
    assert once.score(X, y, sample_weight=times) == pytest.approx(
        often.score(np.repeat(X, times, axis=0), np.repeat(y, times))
    )


def test_in_a_grid_search_and_as_classifier_or_regressor():
    X, y = load_wine(return_X_y=True)
    model = pm.Softmax() @ Linear() @ pm.Standardize()
    search = GridSearchCV(model, {"pulled__model__alpha": [0.1, 1.0], "collar": [0.1, 0.01]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.95
    assert cross_val_score(model, X, y, cv=3).mean() > 0.95
    assert is_classifier(model)
    assert is_regressor(pm.Exp() @ Linear() @ x)
    shares = np.eye(3)[y]
    assert is_regressor(clone(model).fit(X, shares))
    mixed = KFold(3, shuffle=True, random_state=0)
    assert cross_val_score(model, X, shares, cv=mixed).mean() > 0.7
    assert not hasattr(pm.Exp() @ Linear() @ x, "predict_proba")


def test_column_names_are_kept_and_forgotten():
    frame = pd.DataFrame(ticks, columns=["t"])
    model = pm.Exp() @ Linear() @ x
    assert list(model.fit(frame, np.exp(t)).feature_names_in_) == ["t"]
    assert not hasattr(model.fit(ticks, np.exp(t)), "feature_names_in_")
    labels = pm.Softmax() @ Linear() @ x
    assert hasattr(labels.fit(ticks, t > 0), "classes_")
    assert not hasattr(labels.fit(ticks, POINTS["probabilities"][1]), "classes_")


def test_it_is_read_from_the_left_in_any_order():
    rho, phi, psi = pm.Softmax(), pm.Tanh(), pm.Standardize()
    texts = {
        repr(rho @ MLP() @ phi @ psi),
        repr(rho @ (MLP() @ (phi @ psi))),
        repr((rho @ MLP()) @ phi @ psi),
    }
    assert texts == {"Softmax() @ MLP() @ (Tanh() @ Standardize())"}
    both = pm.Exp() @ (pm.Affine([[2.0]]) @ Linear() @ phi)
    assert isinstance(both, Readout)
    assert repr(both.readout) == "Exp() @ Affine(weight=[[2.0]])"
    assert repr((pm.Exp() + pm.Identity()) @ Linear() @ phi).startswith("(Exp() + Identity()) @ L")
    family = pm.Softmax() @ Linear() @ pm.RandomFourier.family()
    assert repr(family) == "Softmax() @ Linear() @ RandomFourier.family()"
    with pytest.raises(OperandError, match="joins feature maps"):
        rho @ 3


def test_a_readout_without_a_way_back_decides_and_does_not_fit():
    pure = Readout(pm.Tanh(), MLP() @ x, pm.Euclidean(1))
    assert pm.decide(pure, pm.Universal, on=LINE).holds is False
    with pytest.raises(ParameterError, match="No way is known from targets back"):
        pure.fit(ticks, t)
    with pytest.raises(ParameterError, match="does not say what the targets are"):
        pm.decide(pm.Tanh() @ MLP() @ x, pm.Universal, on=LINE)
    with pytest.raises(OperandError, match="not read out again"):
        pm.Exp() @ pure
    for alone in (pm.Exp() @ Linear(), pm.Exp() @ Linear() @ pm.RandomFourier.family()):
        with pytest.raises(ParameterError, match="behind a readout regresses"):
            alone.fit(ticks, np.exp(t))


@pytest.mark.parametrize(
    ("rho", "wrong"),
    [
        (pm.Softmax(), np.full((81, 2), 0.6)),
        (pm.Softmax(), np.tile([1.5, -0.5], (81, 1))),
        (pm.Softmax(), np.ones((81, 1, 1))),
        (pm.Exp(), np.where(t > 0, t, 0.0)),
        (pm.Exp(), np.where(t > 0, 1.0, np.nan)),
        (pm.Exp(), np.where(t > 0, 1.0, np.inf)),
        (pm.UnitNorm(), np.tile([1.0, 1.0], (81, 1))),
        (pm.UnitNorm(), np.ones((81, 1))),
        (pm.SymmetricExp(), np.tile([[1.0, 2.0], [2.0, 1.0]], (81, 1, 1))),
        (pm.SymmetricExp(), np.tile([[1.0, 0.5], [0.0, 1.0]], (81, 1, 1))),
        (pm.SymmetricExp(), np.ones((81, 2, 3))),
        (WINDING, np.tile([2.0, 0.0], (81, 1))),
        (pm.Identity(), ["a"] * 81),
    ],
)
def test_wrong_targets_are_refused_before_anything_changes(rho, wrong):
    model = rho @ Linear() @ x
    right = next(y for other, y in POINTS.values() if type(other) is type(rho))
    before = model.fit(ticks, right).predict(ticks)
    with pytest.raises(InputError):
        model.fit(ticks, wrong)
    np.testing.assert_array_equal(model.predict(ticks), before)


def test_targets_that_are_rounded_are_taken():
    shares = (POINTS["probabilities"][1] * (1 + 1e-7)).astype(np.float32)
    assert not pm.Simplex(3).contains(shares).any()
    fitted = (pm.Softmax() @ Ridge(1e-6) @ pm.Polynomial(12)).fit(ticks, shares)
    np.testing.assert_allclose(fitted.predict(ticks), shares, atol=0.02)


def test_a_value_outside_of_the_targets_is_refused_not_returned():
    model = (pm.Exp() @ Linear(1e-9) @ x).fit([[0.0], [1.0]], [1.0, 1e30])
    with pytest.raises(InputError, match="no value in its targets at row 1"):
        model.predict([[1.0], [100.0]])
    far = KernelRidge(pm.kernels.RBF(gamma=1.0))
    turned = (pm.UnitNorm() @ far @ x).fit(ticks, spread(t, t * 0 + 1))
    with pytest.raises(InputError, match="no value in its targets at row 0"):
        turned.predict([[1e3]])


# --- the way back ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", POINTS)
def test_lifted_targets_come_back_but_for_the_collar(name):
    rho, y = POINTS[name]
    codomain = rho.codomain
    points = codomain.read(y)
    errors = []
    for collar in (1e-1, 1e-2, 1e-3):
        back = np.asarray(rho(codomain.lift(points, collar)))
        assert codomain.contains(back).all()
        errors.append(float(np.abs(back - points).max()))
    if name == "probabilities":
        # |r_t(p) - p| = t |p - 1/n|, coordinate by coordinate.
        farthest = float(np.abs(points - 1 / 3).max())
        np.testing.assert_allclose(errors, farthest * np.array([1e-1, 1e-2, 1e-3]), rtol=1e-9)
    else:
        assert max(errors) < 1e-13 * (1 + np.abs(points).max())


def test_winding_readouts_know_their_circle():
    rho = pm.Fourier([[-3.0]], scale=-2.0, center=[0.7])
    assert isinstance(rho.codomain, Circle)
    angles = np.linspace(-7, 7, 50)
    y = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    np.testing.assert_allclose(rho(rho.codomain.lift(rho.codomain.read(y), 0.01)), y, atol=1e-12)
    assert pm.Fourier([[1.0, 2.0]]).codomain is None
    assert pm.Fourier([[0.0]]).codomain is None
    assert pm.UnitNorm("l1").codomain is None
    assert pm.UnitNorm(floor=1.0).codomain is None
    assert pm.Tanh().codomain is None
    kinds = (type(m.codomain) for m in (pm.Softmax(), pm.Exp(), pm.SymmetricExp()))
    assert list(kinds) == [Probabilities, PositiveNumbers, PositiveDefinite]


# --- the matrix exponential --------------------------------------------------------------------
def test_the_matrix_exponential_is_that_of_scipy_and_keeps_lengths():
    from scipy.linalg import expm

    z = rng.standard_normal((5, 6))
    rows, columns = np.triu_indices(3)
    for point, value in zip(z, pm.SymmetricExp()(z), strict=True):
        a = np.zeros((3, 3))
        a[rows, columns] = a[columns, rows] = point * np.where(rows == columns, 1, np.sqrt(0.5))
        assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(point))
        np.testing.assert_allclose(value, expm(a), rtol=1e-12)
    with pytest.raises(ShapeError, match="do not fill the triangle"):
        pm.SymmetricExp()(z[:, :4])
    # Equal eigenvalues do no harm to gradients.
    point = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
    pm.SymmetricExp()(point).sum().backward()
    np.testing.assert_allclose(point.grad, [[1.0, np.sqrt(2.0), 1.0]])
    assert np.isinf(pm.SymmetricExp()(np.array([[1e4, 0.0, 1.0]]))).any()


def test_its_constants_on_a_ball_are_those_of_the_scalar_exponential():
    ball = pm.Ball([0.0] * 3, 2.0)
    low, high = (
        pm.decide(pm.SymmetricExp(), p, on=ball).value for p in (pm.Lipschitz, pm.LowerLipschitz)
    )
    assert low[1] == pytest.approx(np.exp(2))
    assert high[0] == pytest.approx(np.exp(-2))
    assert pm.decide(pm.SymmetricExp(), pm.Injective, on=pm.Euclidean(6)).holds
    assert pm.decide(pm.SymmetricExp(), pm.DenseImage, on=pm.Euclidean(6)).holds is False


# --- verdicts ----------------------------------------------------------------------------------
def verdict(subject, on):
    return pm.decide(subject, pm.Universal, on=on)


@pytest.mark.parametrize("rho", [pm.Softmax(), pm.Exp(), pm.UnitNorm(), pm.SymmetricExp(), x])
def test_a_section_keeps_what_is_universal_and_a_collision_does_not(rho):
    said = verdict(rho @ MLP() @ pm.Tanh(), PLANE)
    assert said.holds is True
    assert "lifted by a section" in str(said)
    assert verdict(rho @ MLP(), PLANE).holds is True
    assert verdict(rho @ Linear() @ pm.RandomFourier.family(), PLANE).holds is True
    merged = verdict(rho @ MLP() @ pm.Relu(), PLANE)
    assert merged.holds is False
    assert merged.witness.verify(pm.Relu())
    assert verdict(rho @ Linear() @ pm.RandomFourier(9).bind(ticks), LINE).holds is False
    assert verdict(rho @ Polynomial(4) @ x, LINE).holds is False
    unknown = verdict(rho @ MLP() @ pm.from_function(torch.sinh), LINE)
    assert unknown.holds is None
    assert any("Injective" in text for text in unknown.missing)


def test_what_a_class_misses_is_missed_behind_a_homeomorphism_only():
    assert verdict(pm.Exp() @ Monotone() @ x, LINE).holds is False
    assert verdict(pm.SymmetricExp() @ Monotone() @ x, LINE).holds is False
    # Of two probabilities only the difference of two members counts, and differences of monotone
    # functions are dense.
    assert verdict(pm.Softmax() @ Monotone() @ x, LINE).holds is None
    additive = pm.models.Additive()
    assert verdict(pm.Softmax() @ additive @ x, PLANE).holds is (
        False if additive.linear and verdict(additive @ x, PLANE).holds is False else None
    )


def test_trees_are_approximately_universal_behind_a_section():
    approximately = pm.ApproximatelyUniversal
    for rho in (pm.Softmax(), pm.SymmetricExp(), WINDING):
        for model in (Trees(), MLP()):
            assert pm.decide(rho @ model @ x, approximately, on=LINE).holds is True
        assert verdict(rho @ Trees() @ x, LINE).holds is None
        assert pm.decide(rho @ Trees() @ pm.Abs(), approximately, on=LINE).holds is False
    stumps = pm.Exp() @ pm.models.BoostedTrees(1) @ x
    assert pm.decide(stumps, approximately, on=PLANE).holds is False
    assert pm.decide(WINDING @ MLP() @ x, approximately, on=CIRCLE).holds is False
    # Trees tear the circle where the angle jumps.
    assert pm.decide(WINDING @ Trees() @ x, approximately, on=CIRCLE).holds is None
    seen = CIRCLE.net(2e-4)
    torn = (WINDING @ pm.models.KNeighbors(1) @ x).fit(seen, seen)
    rows = CIRCLE.sample(300, 2)
    assert np.linalg.norm(torn.predict(rows) - rows, axis=1).max() < 1e-3


def test_differences_of_monotone_functions_fit_probabilities_that_no_monotone_one_does():
    y = np.column_stack([0.5 + 0.4 * np.sin(6 * t), 0.5 - 0.4 * np.sin(6 * t)])
    z = pm.Softmax().codomain.lift(y, 1e-9) + 20 * ticks
    assert (np.diff(z, axis=0) > 0).all()
    np.testing.assert_allclose(pm.Softmax()(z), y, atol=1e-8)


def test_finitely_many_dimensions_do_not_have_all_signs():
    # Directions of f = a x + b: u_1 changes its sign once at most, and three signs are wanted.
    grid = np.linspace(-1, 1, 41)
    a = rng.standard_normal((20000, 2))
    signs = np.sign(a[:, :1] * grid[[0, 20, 40]] + a[:, 1:])
    assert not (signs == [1, -1, 1]).all(axis=1).any()
    said = verdict(pm.UnitNorm() @ Linear() @ x, LINE)
    assert said.holds is False
    assert "do not have all signs" in str(said)
    # On as many points as there are dimensions they do.
    assert verdict(pm.UnitNorm() @ Linear() @ x, pm.Finite([[0.0], [1.0]])).holds is True


def test_a_constant_that_no_value_comes_near_to_is_out_of_reach():
    for rho, width in ((pm.Tanh(), 1), (pm.Relu(), 2), (pm.Softmax(), 3), (pm.Exp(), 1)):
        said = verdict(Readout(rho, MLP() @ x, pm.Euclidean(width)), LINE)
        assert said.holds is False, rho
        assert "constant target" in str(said)
    assert verdict(Readout(pm.LeakyRelu(), MLP() @ x, pm.Euclidean(1)), LINE).holds is None


def test_a_fitted_readout_is_asked_about_with_its_map():
    fitted = (pm.Exp() @ Linear() @ pm.Standardize()).fit(ticks, np.exp(t))
    assert verdict(fitted, LINE).holds is False
    network = (pm.Exp() @ MLP(width=3, max_iter=2000) @ pm.Standardize()).fit(ticks, np.exp(t))
    assert verdict(network, LINE).holds is True


def test_what_float64_merges_is_out_of_reach_as_it_is_computed():
    steep = pm.Tanh() @ pm.Affine([[10.0]])
    on = pm.Box([-5.0], [5.0])
    pure = Readout(pm.Relu(), MLP() @ x, pm.Euclidean(1))
    for subject, word in (
        (pm.Softmax() @ MLP() @ steep, "refuted"),
        (pm.Softmax() @ MLP() @ x, "unknown"),
        (pure, "unknown"),
        (pm.Softmax() @ MLP(), "unknown"),
        (pm.Softmax() @ Linear() @ pm.RandomFourier.family(), "unknown"),
    ):
        assert pm.decide(subject, pm.Universal, on=on, arithmetic="float64").word == word


# --- the circle: onto is not enough ------------------------------------------------------------
@pytest.mark.parametrize("model", [MLP(), Linear(), KernelRidge(), Polynomial(5)])
def test_an_angle_fails_on_a_circle_for_every_class_of_continuous_functions(model):
    said = verdict(WINDING @ model @ x, CIRCLE)
    assert said.holds is False
    assert "greatest distance" in str(said)


def test_an_angle_works_where_loops_can_be_drawn_together():
    sphere, finite = pm.Sphere([0.0] * 3, 1.0), pm.Finite([[0.0, 1.0], [1.0, 0.0]])
    ball, simplex = pm.Ball([0.0] * 2, 1.0), pm.Simplex(3)
    for on in (LINE, PLANE, sphere, finite, ball, simplex, pm.Euclidean(2)):
        assert verdict(WINDING @ MLP() @ x, on).holds is True
    # A circle in a circle's product is as bad, though that is not said.
    torus = pm.spaces.Product((CIRCLE, LINE))
    assert verdict(WINDING @ MLP() @ x, torus).holds is None
    # Trees are not continuous: they tear the circle, and may follow the angle.
    assert verdict(WINDING @ Trees() @ x, CIRCLE).holds is None
    # On an unbounded box a half-open one is as good.
    assert verdict(WINDING @ MLP() @ x, pm.Box([0.0], [1.0], closed="left")).holds is True


def test_its_error_on_the_circle_is_2_for_every_member_and_small_on_an_arc():
    net = CIRCLE.net(2e-4)
    kernel = KernelRidge(pm.kernels.RBF(gamma=2.0), 1e-4)
    seen = CIRCLE.sample(400, 1)
    for model in (kernel, Linear(), MLP(width=20, max_iter=2000)):
        fitted = (WINDING @ model @ x).fit(seen, seen)
        error = np.linalg.norm(fitted.predict(net) - net, axis=1)
        # The least distance of a point of the net from the opposite of the target is its step
        # times how fast the angle runs away from it.
        angle = np.unwrap(fitted.lifted(sorted_by_angle(net))[:, 0])
        step = np.abs(np.diff(angle)).max() + 4e-4
        assert error.max() >= 2 * np.cos(step / 4)
        assert error.max() > 1.99
    arc = net[net[:, 0] > -0.5]
    fitted = (WINDING @ kernel @ x).fit(seen[seen[:, 0] > -0.6], seen[seen[:, 0] > -0.6])
    assert np.linalg.norm(fitted.predict(arc) - arc, axis=1).max() < 0.05
    # Directions are not angles: z / |z| has a section, and has no such trouble.
    whole = (pm.UnitNorm() @ kernel @ x).fit(seen, seen)
    assert np.linalg.norm(whole.predict(net) - net, axis=1).max() < 0.01


def sorted_by_angle(points):
    return points[np.argsort(np.arctan2(points[:, 1], points[:, 0]))]


def test_softmax_reaches_the_closed_simplex_by_the_collar():
    # g(x) runs along an edge of the simplex, where log is not defined.
    share = (t + 1) / 2
    y = np.column_stack([share, 1 - share, 0 * share])
    assert verdict(pm.Softmax() @ KernelRidge() @ x, LINE).holds is True
    lifted = pm.Softmax().codomain.lift
    for collar in (0.1, 0.01, 0.001):
        error = np.linalg.norm(pm.Softmax()(lifted(y, collar)) - y, axis=1).max()
        # t |p - 1/3| is greatest at a vertex.
        assert error == pytest.approx(collar * np.sqrt(2 / 3), rel=1e-9)
    kernel = KernelRidge(pm.kernels.RBF(gamma=4.0), 1e-8)
    reached = []
    for collar in (0.1, 0.01):
        fitted = Readout(pm.Softmax(), kernel @ x, collar=collar).fit(ticks, y)
        reached.append(np.linalg.norm(fitted.predict(ticks) - y, axis=1).max())
    assert reached[0] < 0.1
    assert reached[1] < 0.03
