"""Streamed ridge regression: that of all features at once, in memory that rows do not fill."""

import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import phimaps as pm
from phimaps.errors import InputError, ParameterError
from phimaps.models.ridge import Moments, StreamedRidge

EPS = np.finfo(np.float64).eps
X = np.random.default_rng(0).standard_normal((200, 5)) + np.array([0, 1, 10, 100, 1000])
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2] - 50.0], axis=1)


@parametrize_with_checks(
    [
        pm.models.Ridge(task="regression") @ pm.Standardize(),
        pm.models.Ridge(task="classification") @ (pm.Identity() & pm.Tanh()),
        pm.models.Ridge(task="regression", streaming=False) @ pm.Standardize(),
        pm.models.Ridge(task="classification", streaming=False) @ pm.Tanh(),
    ]
)
def test_it_meets_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def close(F, alpha, weights=None):
    """How far solutions may be apart: the condition of the normal equations, times rounding."""
    weights = np.ones(len(F)) if weights is None else weights
    F = F - np.average(F, axis=0, weights=weights)
    values = np.linalg.eigvalsh((F * weights[:, None]).T @ F)
    return 64 * len(values) * EPS * (values[-1] + alpha) / (max(values[0], 0.0) + alpha)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("chunk", [1, 3000, 2**25])
@pytest.mark.parametrize("target", [Y[:, 0], Y])
def test_it_is_ridge_regression_on_the_dense_features(alpha, weighted, chunk, target):
    weights = np.random.default_rng(1).uniform(0, 2, len(X)) if weighted else None
    phi = pm.RandomFourier(20, gamma=0.05) @ pm.Standardize() & pm.Identity()
    with pm.config_context(chunk_bytes=chunk):
        ours = (pm.models.Ridge(alpha) @ phi).fit(X, target, sample_weight=weights)
        found = ours.predict(X)
    F = clone(phi).fit_transform(X)
    theirs = Ridge(alpha, solver="svd").fit(F, target, sample_weight=weights)
    rtol = close(F, alpha, weights)
    assert rtol < 1e-3
    size = np.abs(target).max()
    np.testing.assert_allclose(found, theirs.predict(F), atol=rtol * size)
    scale = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.model_.coef_, theirs.coef_, atol=rtol * scale)
    assert np.shape(ours.model_.intercept_) == np.shape(theirs.intercept_)
    assert ours.score(X, target) == pytest.approx(theirs.score(F, target), abs=1e-9)


def test_moments_do_not_lose_the_spread_beside_a_great_mean():
    rows = np.random.default_rng(0).standard_normal((1000, 3)) + 1e7
    held = Moments(3)
    for start in range(0, 1000, 37):
        part = rows[start : start + 37]
        held.add(np.concatenate([part, np.zeros((1, 3))]), None)
    spread = rows - rows.mean(axis=0)
    truth = np.triu(spread.T @ spread)
    np.testing.assert_allclose(held.mean, rows.mean(axis=0), rtol=1e-15)
    # Subtracting the mean of numbers of 1e7 leaves 9 digits; E[x²] - E[x]² would leave 2.
    np.testing.assert_allclose(np.triu(held.products), truth, atol=1e-7 * truth.max())


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_batches_are_the_whole(task):
    X, y = load_wine(return_X_y=True)
    phi = pm.Nystrom(n_components=30, gamma=0.05) @ pm.Standardize()
    whole = (pm.models.Ridge(0.1, task=task) @ phi.bind(X)).fit(X, y.astype(float))
    parts = pm.models.Ridge(0.1, task=task) @ phi.bind(X)
    # Sorted labels: later batches bring classes that the first ones did not know.
    for start in range(0, len(X), 25):
        assert (
            parts.partial_fit(X[start : start + 25], y[start : start + 25].astype(float)) is parts
        )
    np.testing.assert_allclose(parts.model_.coef_, whole.model_.coef_, atol=1e-9)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), atol=1e-9)
    again = pickle.loads(pickle.dumps(parts)).partial_fit(X[:9], y[:9].astype(float))
    assert again.model_.moments_.total == len(X) + 9
    assert parts.model_.moments_.total == len(X)


def test_an_open_map_is_bound_to_the_first_batch_and_kept():
    model = pm.models.Ridge() @ pm.Standardize()
    model.partial_fit(X[:50], Y[:50, 0])
    bound = model.map_
    model.partial_fit(X[50:], Y[50:, 0])
    assert model.map_ is bound
    np.testing.assert_array_equal(bound.weight, pm.Standardize().fit(X[:50]).map_.weight)
    model.fit(X, Y[:, 0]).partial_fit(X, Y[:, 0])
    assert model.model_.moments_.total == 2 * len(X)


def test_classes_are_those_of_scikit_learn():
    for load in (load_wine, load_digits):
        X, y = load(return_X_y=True)
        labels = np.array([f"class {k}" for k in y])
        phi = pm.Standardize()
        ours = (pm.models.Ridge(2.0) @ phi).fit(X, labels)
        F = clone(phi).fit_transform(X)
        theirs = RidgeClassifier(2.0, solver="svd").fit(F, labels)
        assert (ours.predict(X) == theirs.predict(F)).all()
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        assert not hasattr(ours, "predict_proba")
        assert ours.score(X, labels) == theirs.score(F, labels)
        dense = (pm.models.Ridge(2.0, streaming=False) @ phi).fit(X, labels)
        assert (dense.predict(X) == ours.predict(X)).all()


class Wide(pm.FeatureMap):
    """x ↦ waves of x; counts the rows that it is given at a time."""

    width: int = 1000
    seen = []

    def forward(self, x):
        self.seen.append(len(x))
        return torch.cos(x[:, :1] * torch.arange(self.width, dtype=x.dtype))

    def out_shape(self, shape):
        return (self.width,)


def test_features_are_never_held_as_a_whole():
    X = np.random.default_rng(0).uniform(0, 3, (20_000, 1))
    phi = Wide(200)
    whole = 8 * len(X) * 200
    with pm.config_context(chunk_bytes=2**20):
        model = pm.models.Ridge(1e-3) @ phi
        model.fit(X[:100], X[:100, 0])
        Wide.seen.clear()
        tracemalloc.start()
        model.fit(X, np.cos(5 * X[:, 0]))
        predicted = model.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert max(Wide.seen) <= 2**20 // (8 * 200)
    assert peak < whole / 4
    np.testing.assert_allclose(predicted, np.cos(5 * X[:, 0]), atol=1e-3)


def test_single_precision_features_are_added_in_double():
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((5000, 4)) + 300).astype(np.float32)
    y = rows @ [1.0, -2.0, 3.0, 4.0]
    model = (pm.models.Ridge(0.0) @ pm.Identity()).fit(rows, y)
    np.testing.assert_allclose(model.model_.coef_, [1.0, -2.0, 3.0, 4.0], rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1e-300])
def test_without_a_penalty_dependent_features_get_the_shortest_solution(alpha):
    F = np.concatenate([X[:, :2], X[:, :2], np.full((200, 1), 7.0)], axis=1)
    y = F[:, 0] - 3 * F[:, 1] + 2
    member = StreamedRidge(alpha).fit(F, y)
    np.testing.assert_allclose(member.coef_, [0.5, -1.5, 0.5, -1.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(member.predict(F), y, atol=1e-7)
    constant = StreamedRidge(alpha).fit(np.ones((4, 2)), np.arange(4.0))
    np.testing.assert_allclose(constant.predict(np.ones((1, 2))), [1.5])


def test_rows_of_all_kinds():
    dense = np.where(np.random.default_rng(1).uniform(size=(60, 8)) < 0.7, 0.0, 1.0)
    y = dense @ np.arange(8.0)
    model = pm.models.Ridge(0.1) @ pm.Affine(np.eye(8))
    expected = clone(model).fit(dense, y).predict(dense)
    for rows in (scipy.sparse.csr_array(dense), torch.from_numpy(dense), dense.tolist()):
        np.testing.assert_allclose(clone(model).fit(rows, y).predict(rows), expected, atol=1e-12)


def test_in_a_search_and_as_regressor_and_classifier():
    X, y = load_diabetes(return_X_y=True)
    model = pm.models.Ridge() @ (pm.Nystrom(n_components=50) @ pm.Standardize())
    assert is_regressor(clone(model).fit(X, y))
    assert is_classifier(clone(model).fit(X, y > 100))
    grid = {"model__alpha": [0.1, 1.0, 1e6], "map__nystrom__gamma": [0.01, 0.1]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.35
    assert search.best_params_["model__alpha"] < 1e6


def test_what_is_known_of_affine_functions_is_known_of_it():
    on = pm.Box([-1.0], [1.0])
    for model in (pm.models.Linear(), pm.models.Ridge()):
        assert pm.decide(model @ pm.Polynomial(5), pm.Universal, on=on).holds is False
        two = pm.Finite(np.linspace(0.0, 1.0, 2)[:, None])
        assert pm.decide(model @ pm.Polynomial(5), pm.Universal, on=two).holds is True


def test_what_is_refused():
    for alpha in (-1.0, np.nan, np.inf, "1", True):
        with pytest.raises(ParameterError, match="'alpha' parameter of Ridge"):
            (pm.models.Ridge(alpha) @ pm.Identity()).fit(X, Y)
    model = pm.models.Ridge() @ pm.Identity()
    with pytest.raises(InputError, match="inconsistent numbers of samples"):
        model.fit(X, Y[:-1])
    with pytest.raises(ParameterError, match="sample_weight does not weigh the rows"):
        model.fit(X, Y, sample_weight=-np.ones(len(X)))
    with pytest.raises(InputError, match="y contains NaN"):
        model.fit(X, np.full(len(X), np.nan))
    with pytest.raises(InputError, match="Unknown label type: continuous"):
        (pm.models.Ridge(task="classification") @ pm.Identity()).fit(X, Y[:, 0])
    model.fit(X, Y)
    with pytest.raises(InputError, match="targets of this batch"):
        model.partial_fit(X, Y[:, 0])
    with pytest.raises(InputError, match="is expecting 5 features"):
        model.partial_fit(X[:, :2], Y)
    assert model.model_.moments_.total == len(X)
    assert not hasattr(pm.models.Linear() @ pm.Identity(), "partial_fit")
    assert not hasattr(pm.models.Ridge(streaming=False) @ pm.Identity(), "partial_fit")
