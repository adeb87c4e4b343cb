"""Model classes and their pull-backs: estimators, and things to decide about."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import phimaps as pm
from phimaps.errors import OperandError, ParameterError

MODELS = [pm.models.Linear(), pm.models.MLP(width=10, max_iter=2000)]
LINE = pm.Box([-1.0], [1.0])


@parametrize_with_checks(
    [
        pm.models.Linear(task="regression") @ pm.Standardize(),
        pm.models.Linear(task="classification") @ (pm.Identity() & pm.Tanh()),
    ]
)
def test_pullbacks_meet_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_linear_on_features_is_the_scikit_learn_model_on_features():
    X, y = load_diabetes(return_X_y=True)
    phi = pm.RandomFourier(20)
    ours = (pm.models.Linear(alpha=0.1) @ phi).fit(X, y)
    theirs = make_pipeline(phi, Ridge(alpha=0.1)).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))

    X, y = load_wine(return_X_y=True)
    ours = (pm.models.Linear(alpha=0.5) @ pm.Standardize()).fit(X, y)
    theirs = make_pipeline(pm.Standardize(), LogisticRegression(C=2.0, max_iter=1000)).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
    assert ours.score(X, y) == theirs.score(X, y)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_target_says_whether_it_is_regression(model):
    X = np.linspace(-1, 1, 40)[:, None]
    regressor = clone(model @ pm.Identity()).fit(X, X[:, 0])
    classifier = clone(model @ pm.Identity()).fit(X, np.where(X[:, 0] > 0, "up", "down"))
    assert is_regressor(regressor)
    assert is_classifier(classifier)
    assert set(classifier.predict(X)) == {"up", "down"}
    assert classifier.score(X, np.where(X[:, 0] > 0, "up", "down")) > 0.9
    with pytest.raises(ParameterError, match="'task' parameter"):
        clone(model).set_params(task="cluster").classifies([1.0])


def test_in_a_pipeline_and_a_grid_search_over_nested_names():
    X, y = load_wine(return_X_y=True)
    model = pm.models.Linear(task="classification") @ (pm.RandomFourier(30) @ pm.Standardize())
    grid = {"pullback__map__randomfourier__gamma": [0.001, 0.05], "pullback__model__alpha": [0.1]}
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert model.map.maps[1].gamma == "scale"
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.3


def test_fitting_leaves_the_operands_unfitted():
    phi = pm.Standardize()
    model = pm.models.Linear() @ phi
    model.fit(np.arange(6.0)[:, None], np.arange(6.0))
    assert not hasattr(phi, "map_")


def test_what_is_not_a_map_is_refused():
    with pytest.raises(OperandError, match="'@' puts a feature map before a model class"):
        pm.models.Linear() @ 3


# --- universality ------------------------------------------------------------------------------
def test_a_continuous_injective_map_keeps_a_universal_class_universal():
    verdict = pm.decide(pm.models.MLP() @ (pm.Tanh() @ pm.Affine([[2.0]])), pm.Universal, on=LINE)
    assert verdict.holds is True
    assert "Kratsios" in str(verdict)
    assert "Leshno" in str(verdict)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_collision_refutes_universality_for_every_class(model):
    phi = pm.Relu()
    verdict = pm.decide(model @ phi, pm.Universal, on=LINE)
    assert verdict.holds is False
    witness = pm.decide(pm.models.MLP() @ phi, pm.Universal, on=LINE).witness
    assert witness.verify(phi)
    assert LINE.contains([witness.x, witness.y]).all()


def test_a_linear_class_behind_a_fixed_map_is_never_universal_on_an_infinite_space():
    phi = pm.Polynomial(5)
    assert pm.decide(pm.models.Linear() @ phi, pm.Universal, on=LINE).holds is False
    # On two points every function is affine; eight are more than five powers and two constants.
    for points, truth in ((2, True), (8, False)):
        on = pm.Finite(np.linspace(0.0, 1.0, points)[:, None])
        assert pm.decide(pm.models.Linear() @ phi, pm.Universal, on=on).holds is truth


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_networks_are_universal_unless_the_activation_is_a_polynomial(activation):
    assert pm.decide(pm.models.MLP(activation), pm.Universal, on=LINE).holds is True
    assert pm.decide(pm.models.MLP("identity"), pm.Universal, on=LINE).holds is False


def test_an_unknown_map_leaves_universality_unknown_and_names_the_premises():
    phi = pm.from_function(lambda x: x.sinh())
    verdict = pm.decide(pm.models.MLP() @ phi, pm.Universal, on=LINE)
    assert verdict.holds is None
    assert len(verdict.missing) == 2
    assert "Continuous" in verdict.missing[0]
    assert "Injective" in verdict.missing[1]
