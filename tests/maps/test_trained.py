"""What training gives, what it needs, and in which words it refuses."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

import phimaps as pm
from phimaps.errors import InputError, ParameterError, ShapeError, UnboundError

OPEN = {
    "reconfiguration": lambda **more: pm.ReconfigurationNetwork(2, 2, **more),
    "crelu": lambda **more: pm.CReluNetwork((5, 4), **more),
    "coupling": lambda **more: pm.CouplingNetwork(6, 2, **more),
    "residual": lambda **more: pm.InvertibleResidualNetwork(2, 8, **more),
}
trains = pytest.mark.parametrize("make", OPEN.values(), ids=OPEN)
X = np.random.default_rng(0).uniform(-2.0, 5.0, (60, 3)) * [1.0, 100.0, 1e-3]
Y = np.sin(X[:, 0]) + X[:, 1] / 100
LABEL = np.where(X[:, 0] * X[:, 1] > 0, "in", "out")


def spirals(n, seed):
    """Two interleaved spirals of one and a half turns, with noise of standard deviation 0.01."""
    rng = np.random.default_rng(seed)
    label, s = rng.integers(0, 2, n), np.sqrt(rng.uniform(0.02, 1, n))
    angle = 3 * np.pi * s + np.pi * label
    points = s[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + rng.normal(0, 0.01, (n, 2)), label


def test_a_linear_model_behind_the_crelu_chain_reads_digits():
    data, digit = load_digits(return_X_y=True)
    split = train_test_split(data / 16, digit, test_size=0.25, random_state=0, stratify=digit)
    train, test, a, b = split
    plain = make_pipeline(pm.Standardize(), RidgeClassifier(10.0)).fit(train, a)
    behind = make_pipeline(pm.CReluNetwork((128,)), RidgeClassifier(10.0)).fit(train, a)
    assert behind.score(test, b) >= 0.975 > plain.score(test, b)
    phi = behind[0]
    box = pm.Box([0.0] * 64, [1.0] * 64)
    assert pm.decide(phi.map_, pm.Injective, on=box).holds
    assert pm.decide(phi.map_, pm.LowerLipschitz, on=box).value[0] > 0
    np.testing.assert_allclose(phi.inverse(phi.transform(test)), test, atol=1e-10)


def test_a_linear_model_behind_the_crelu_chain_parts_two_spirals():
    (train, a), (test, b) = spirals(1000, 1), spirals(2000, 2)
    assert LogisticRegression().fit(train, a).score(test, b) < 0.75
    phi = pm.CReluNetwork((64,), n_epochs=100, learning_rate=0.01)
    behind = make_pipeline(phi, LogisticRegression(C=100, max_iter=5000)).fit(train, a)
    assert behind.score(test, b) >= 0.99


def test_least_squares_is_upgraded_by_the_lift_and_not_by_a_homeomorphism():
    # Linear functions of a homeomorphism are open maps, with no maximum inside of the ball, while
    # -|x|² falls by 1 from the centre to the circle: the error is at least 1/2.
    ticks = np.linspace(-1, 1, 41)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    ball = np.concatenate([grid[np.hypot(*grid.T) <= 1], circle])
    train = np.random.default_rng(0).uniform(-1, 1, (1500, 2))
    disc = pm.Ball([0.0, 0.0], 1.0)

    def target(x):
        return -(x**2).sum(axis=1)

    def best(phi):
        features = phi.transform(ball)
        return pm.check.chebyshev(np.column_stack([np.ones(len(ball)), features]), target(ball))

    plane = pm.ReconfigurationNetwork(3, n_epochs=15).fit(train, target(train))
    assert pm.decide(plane.map_, pm.Homeomorphism, on=disc).holds
    found = best(plane)
    # The greatest value on the circle is missed by at most the slope times half a gap.
    slope = pm.decide(plane.map_, pm.Lipschitz, on=disc).value[1] * np.linalg.norm(
        found.weights[1:]
    )
    assert found.lower >= 0.5 - slope * np.pi / 720 / 2 - 1e-12
    assert found.lower > 0.49
    lifted = pm.CouplingNetwork(64, n_epochs=60).fit(train, target(train))
    assert pm.decide(lifted.map_, pm.Homeomorphism, on=disc).holds
    assert best(lifted).error < 0.1


@trains
@pytest.mark.parametrize("y", [None, Y, LABEL, np.column_stack([Y, -Y])], ids=lambda y: str(y)[:9])
def test_training_repeats_itself_and_the_inverse_undoes_it(make, y):
    phi = make(n_epochs=3).fit(X, y)
    features = phi.transform(X)
    assert np.array_equal(make(n_epochs=3).fit(X, y).transform(X), features)
    assert not np.array_equal(make(n_epochs=3, random_state=1).fit(X, y).transform(X), features)
    np.testing.assert_allclose(phi.inverse(features) / X.std(axis=0), X / X.std(axis=0), atol=1e-9)
    back = phi.inverse(torch.from_numpy(features))
    assert isinstance(back, torch.Tensor)
    assert np.array_equal(back.numpy(), phi.inverse(features))
    assert pm.decide(phi.map_, pm.Homeomorphism, on=pm.Euclidean(3)).holds
    assert pm.decide(phi.map_, pm.UAPInvariant, on=pm.Euclidean(3)).holds


@trains
def test_training_changes_the_map_and_nothing_else(make):
    data, target = X.copy(), Y.copy()
    seed = torch.random.get_rng_state()
    with torch.no_grad():
        trained = make(n_epochs=3).fit(data, target)
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert np.array_equal(data, X)
    assert np.array_equal(target, Y)
    assert not np.allclose(trained.transform(X), make(n_epochs=3).fit(X).transform(X))
    with torch.inference_mode():
        again = make(n_epochs=3).fit(data, target)
    assert np.array_equal(again.transform(X), trained.transform(X))


@trains
def test_training_lowers_the_error_of_a_linear_model(make):
    def error(phi):
        features = np.column_stack([np.ones(len(X)), phi.transform(X)])
        return np.linalg.norm(features @ np.linalg.lstsq(features, Y)[0] - Y)

    assert error(make(n_epochs=200, learning_rate=0.03).fit(X, Y)) < 0.7 * error(pm.Identity())


def test_the_target_is_read_by_its_kind():
    def labels(values, loss="auto"):
        return pm.CouplingNetwork(4, n_epochs=2, loss=loss).fit(X, values).transform(X)

    whole = np.arange(60) % 3
    assert np.array_equal(labels(whole), labels(np.array(["a", "b", "c"])[whole]))
    assert np.array_equal(labels(whole), labels(whole[:, None]))
    assert np.array_equal(labels(whole), labels(torch.from_numpy(whole)))
    assert np.array_equal(labels(whole), labels(whole * 1.0, "logistic"))
    assert not np.array_equal(labels(whole), labels(whole * 1.0))
    assert np.array_equal(labels(whole, "ridge"), labels(whole * 1.0))


def test_it_is_searched_over_in_a_pipeline():
    steps = make_pipeline(pm.CReluNetwork((2,), n_epochs=2), LogisticRegression(max_iter=500))
    search = GridSearchCV(steps, {"crelunetwork__widths": [(1,), (6,)]}, cv=2).fit(X, LABEL)
    assert search.best_params_["crelunetwork__widths"] in ((1,), (6,))


def skewless(**changed):
    parts = {
        "centre": [0.0, 0.0],
        "generators": [[[0.0, 1.0], [0.0, 0.0]]],
        "widths": [1.0],
        "weight": np.eye(2),
        "bias": [0.0, 0.0],
        "height": [1.0, 1.0],
    }
    return pm.ReconfigurationUnit(**parts | changed).fit(np.zeros((1, 2)))


def fitted():
    return pm.CouplingNetwork(4, n_epochs=1).fit(X)


TWIST = [[[0.0, 1.0], [0.0, 0.0]]]
MESSAGES = {
    "twist parts": (
        lambda: pm.Twist([0.0, 0.0, 0.0], TWIST, [1.0]).fit(X),
        ParameterError,
        """The parts of Twist do not fit together.
  got:  centre of shape (3,), generators of shape (1, 2, 2), widths of shape (1,)
  need: shapes (d,), (k, d, d) and (k,)
  do:   one d x d matrix and one width for each profile""",
    ),
    "twist widths": (
        lambda: pm.Twist([0.0, 0.0], TWIST, [-1.0]).fit(X[:, :2]),
        ParameterError,
        """The widths of Twist must be positive.
  got:  widths[0] = -1
  need: w > 0 in exp(-(r / w)² / 2)
  do:   Twist(...) with np.abs(widths)""",
    ),
    "twist turns": (
        lambda: pm.Twist([0.0, 0.0], np.array(TWIST) * 1e4, [1.0]).fit(X[:, :2]),
        ParameterError,
        """Twist turns by up to 1e+04 radians.
  got:  Σ|A_k| <= 1e+04
  need: at most 1000
  do:   smaller generators; a turn of 2π is the identity""",
    ),
    "unit parts": (
        lambda: skewless(bias=[0.0]),
        ParameterError,
        """The parts of ReconfigurationUnit do not fit together.
  got:  weight of shape (2, 2), bias of shape (1,), height of shape (2,), for a centre of shape (2,)
  need: shapes (2, 2), (2,) and (2,)
  do:   give all of them for the same number of coordinates""",
    ),
    "unit weight": (
        lambda: skewless(weight=np.ones((2, 2))),
        ParameterError,
        """The weight of ReconfigurationUnit is not certainly invertible.
  got:  a least singular value that may be 0
  need: a matrix that is invertible by a margin above rounding
  do:   scipy.linalg.expm(B) of a matrix B of moderate size""",
    ),
    "height": (
        lambda: pm.MonotoneResidual([1.0, -0.5]).fit(X[:, :2]),
        ParameterError,
        """The heights of MonotoneResidual must not be negative.
  got:  height[1] = -0.5
  need: a >= 0, so that x + a tanh(x) increases
  do:   MonotoneResidual(...) with np.abs(height)""",
    ),
    "coupling parts": (
        lambda: pm.Coupling([[1.0, 2.0]], [0.0], [[1.0], [1.0]]).fit(X[:, :2]),
        ParameterError,
        """The parts of Coupling do not fit together.
  got:  weight of shape (1, 2), bias of shape (1,), out of shape (2, 1)
  need: shapes (m, n_hidden), (n_hidden,) and (n_hidden, D)
  do:   Coupling(weight, bias, out) adds tanh(x @ weight + bias) @ out""",
    ),
    "contraction parts": (
        lambda: pm.InvertibleResidual([[1.0], [1.0]], [0.0], [[1.0]]).fit(X[:, :2]),
        ParameterError,
        """The parts of InvertibleResidual do not fit together.
  got:  weight of shape (2, 1), bias of shape (1,), out of shape (1, 1)
  need: shapes (d, n_hidden), (n_hidden,) and (n_hidden, d)
  do:   InvertibleResidual(weight, bias, out) adds tanh(x @ weight + bias) @ out""",
    ),
    "no contraction": (
        lambda: pm.InvertibleResidual([[3.0]], [0.0], [[0.5]]).fit(X[:, :1]),
        ParameterError,
        """What InvertibleResidual adds is not certainly a contraction.
  got:  |W| |V| <= 1.5
  need: a product of the greatest singular values below 1
  do:   InvertibleResidual(weight, bias, out * 0.6)""",
    ),
    "slow contraction": (
        lambda: pm.InvertibleResidual([[1.0]], [0.0], [[1e-9 - 1]]).inverse([[1.0], [1e-12]]),
        InputError,
        """The inverse of InvertibleResidual is not near after 20000 steps.
  got:  an error of up to 0.001 in row 1, with c = 0.999999999
  need: an error within 1.5e-08, half of the digits
  do:   a smaller c = |W| |V|: each step divides the error by 1 / c""",
    ),
    "width": (
        lambda: pm.MonotoneResidual([1.0, 2.0]).fit(X),
        ShapeError,
        """X has 3 features, but MonotoneResidual is expecting 2 features as input.
  got:  shape (1, 3)
  need: shape (n, 2)
  do:   pass rows of that width; put Flatten() first for images""",
    ),
    "inverse shape": (
        lambda: pm.MonotoneResidual([1.0, 2.0]).inverse(np.zeros((4, 3))),
        ShapeError,
        """What MonotoneResidual gives does not have the shape (4, 3).
  got:  y=float64[4, 3]
  need: shape (n, 2)
  do:   MonotoneResidual.inverse(phi(x))""",
    ),
    "inverse shape of any width": (
        lambda: pm.Lift().inverse(np.zeros(3)),
        ShapeError,
        """What Lift gives does not have the shape (3,).
  got:  y=float64[3]
  need: shape (n, d_out)
  do:   Lift.inverse(phi(x))""",
    ),
    "inverse of what is not finite": (
        lambda: pm.MonotoneResidual([1.0]).inverse([[1.0], [np.nan]]),
        InputError,
        """Points that are not finite are no values of MonotoneResidual.
  got:  1 such rows of 2
  need: finite numbers
  do:   MonotoneResidual.inverse(phi(x))""",
    ),
    "inverse before fit": (
        lambda: pm.CouplingNetwork().inverse(X),
        UnboundError,
        """This CouplingNetwork instance is not fitted yet: it has no inverse.
  got:  CouplingNetwork()
  need: a map that is bound to data
  do:   phi.fit(X, y).inverse(phi.transform(X))""",
    ),
    "inverse of a trained map": (
        lambda: fitted().inverse(X),
        ShapeError,
        """What CouplingNetwork gives does not have the shape (60, 3).
  got:  y=float64[60, 3]
  need: shape (n, 4)
  do:   CouplingNetwork.inverse(phi(x))""",
    ),
    "widths": (
        lambda: pm.CReluNetwork((3, -1)).fit(X),
        ParameterError,
        """The 'widths' parameter of CReluNetwork must hold numbers of columns. Got (3, -1) instead.
  got:  widths=(3, -1)
  need: at least one integer, none negative
  do:   CReluNetwork(widths=(64,))""",
    ),
    "target of other rows": (
        lambda: pm.CReluNetwork().fit(X, Y[:5]),
        InputError,
        """The target of CReluNetwork does not have one value for each of the 60 rows.
  got:  y=float64[5]
  need: shape (60,) or (60, outputs)
  do:   CReluNetwork().fit(X, y) with the target of the same rows""",
    ),
    "target with holes": (
        lambda: pm.CReluNetwork().fit(X, np.where(Y > 1, np.nan, Y)),
        InputError,
        """CReluNetwork cannot be trained for this target by the loss 'auto'.
  got:  y=float64[60]
  need: finite numbers, or one label for each row for the logistic loss
  do:   CReluNetwork(loss='ridge') for numbers, y of shape (n,) for labels""",
    ),
    "labels for ridge": (
        lambda: pm.CReluNetwork(loss="ridge").fit(X, ["a"] * 60),
        InputError,
        """CReluNetwork cannot be trained for this target by the loss 'ridge'.
  got:  y=<U1[60]
  need: finite numbers, or one label for each row for the logistic loss
  do:   CReluNetwork(loss='ridge') for numbers, y of shape (n,) for labels""",
    ),
    "diverged": (
        lambda: pm.ReconfigurationNetwork(1, learning_rate=1e6, n_epochs=9).fit(X, Y),
        ParameterError,
        """The training of ReconfigurationNetwork diverged.
  got:  a loss that is not finite, with learning_rate=1e+06
  need: arrays that stay in range
  do:   set_params(learning_rate=100000)""",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_errors_are_said_word_for_word(name):
    call, kind, text = MESSAGES[name]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def test_what_is_refused_changes_nothing():
    phi = fitted()
    before = phi.transform(X)
    with pytest.raises(InputError):
        phi.fit(X, Y[:5])
    assert np.array_equal(phi.transform(X), before)
