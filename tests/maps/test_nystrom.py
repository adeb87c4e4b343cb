"""Nyström features: against scikit-learn's, against the kernel, and in every precision."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.gaussian_process import kernels as gp
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics import pairwise
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator
from threadpoolctl import threadpool_limits

import phimaps as pm
from phimaps.errors import InputError, ParameterError, ShapeError
from phimaps.kernels import RBF, AdditiveChi2, Callable, Laplacian, Linear, Matern, PolynomialKernel
from phimaps.maps.landmarks import RULES, Reservoir
from phimaps.testing import falsify

EPS = np.finfo(np.float64).eps
X = np.random.default_rng(3).uniform(size=(60, 4))
EACH_RULE = pytest.mark.parametrize("rule", ["uniform", *RULES])


def gram(phi, X, Y=None):
    Z = phi.transform(X).astype(np.float64)
    return Z @ (Z if Y is None else phi.transform(Y).astype(np.float64)).T


def error(phi, X, K):
    return np.linalg.norm(gram(phi, X) - K) / np.linalg.norm(K)


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16.0, y


def named(value):
    """A name that is the same in every process: functions show their address."""
    return re.sub(" at 0x[0-9a-f]+", "", str(value))


# --- against scikit-learn ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"gamma": 0.7},
        {"kernel": "laplacian", "gamma": 0.3},
        {"kernel": "laplacian"},
        {"kernel": "poly", "degree": 2, "coef0": 0.5, "gamma": 0.2},
        {"kernel": "polynomial"},
        {"kernel": "linear"},
        {"kernel": "cosine"},
        {"kernel": "chi2"},
        {"kernel": "chi2", "gamma": 0.4},
        {"kernel": "rbf", "kernel_params": {"gamma": 0.9}},
        {"kernel": "rbf", "kernel_params": {"gamma": 0.9}, "gamma": 2.0},
        {"kernel": lambda x, y: np.minimum(x, y).sum()},
        {"kernel": lambda x, y, a: (a + x @ y) ** 2, "kernel_params": {"a": 2.0}},
    ],
    ids=named,
)
def test_the_gram_matrix_is_that_of_scikit_learn_on_the_same_landmarks(parameters):
    theirs = Nystroem(**parameters, n_components=12, random_state=0).fit(X)
    ours = pm.Nystrom(**parameters, landmarks=theirs.components_).fit(X)
    Z = theirs.transform(X)
    assert ours.transform(X).shape == Z.shape
    K = ours.map_.kernel(theirs.components_)
    # Where the landmarks' matrix is singular, both miss the truth by roots of their jitters.
    full = np.linalg.eigvalsh(K)[0] > 1e-10
    atol = 1e-9 if full else 1e-5
    np.testing.assert_allclose(gram(ours, X), Z @ Z.T, atol=atol * np.abs(Z @ Z.T).max())


def test_the_parameters_of_scikit_learn_are_parameters_and_mean_the_same_defaults():
    ours, theirs = (inspect.signature(kind).parameters for kind in (pm.Nystrom, Nystroem))
    for name in theirs.keys() - {"n_jobs"}:
        assert name in ours
        # A seed is set unless one asks for chance.
        assert name == "random_state" or ours[name].default == theirs[name].default
    gamma = pm.Nystrom(n_components=3).fit(X).map_.kernel.gamma
    assert gamma == 1 / X.shape[1]


@pytest.mark.parametrize("seed", range(3))
def test_with_all_rows_as_landmarks_it_is_exact(seed):
    X = np.random.RandomState(seed).uniform(size=(10, 4))
    for kernel, truth in (
        (None, pairwise.rbf_kernel(X)),
        ("chi2", pairwise.chi2_kernel(X, gamma=1)),
        ("laplacian", pairwise.laplacian_kernel(X)),
    ):
        phi = pm.Nystrom(**({} if kernel is None else {"kernel": kernel}), n_components=10).fit(X)
        np.testing.assert_allclose(gram(phi, X), truth, atol=1e-10)


@pytest.mark.parametrize("name", sorted(pairwise.PAIRWISE_KERNEL_FUNCTIONS))
def test_every_named_kernel_is_taken_or_refused_with_a_reason(name):
    phi = pm.Nystrom(name, n_components=5)
    if name == "sigmoid":
        with pytest.raises(ParameterError, match="need: a positive definite kernel"):
            phi.fit(X)
    else:
        assert phi.fit_transform(X).shape == (60, 5)


def test_singular_kernel_matrices_do_not_matter():
    Y = np.vstack([np.random.RandomState(0).rand(10, 20)] * 2)
    phi = pm.Nystrom(gamma=100, n_components=20).fit(Y)
    np.testing.assert_allclose(gram(phi, Y), pairwise.rbf_kernel(Y, gamma=100), atol=1e-12)


def test_arguments_are_left_as_they_were():
    # scikit-learn's writes gamma into the dictionary.
    held = {}
    phi = pm.Nystrom(gamma=0.1, n_components=3, kernel_params=held)
    phi.fit(X).transform(X)
    assert held == {}
    points = X[:5].copy()
    fitted = pm.Nystrom(landmarks=points).fit(X)
    before = fitted.transform(X)
    points[:] = 0
    np.testing.assert_array_equal(fitted.transform(X), before)


def test_a_callable_is_called_for_pairs_of_rows_with_its_parameters():
    calls = []

    def logged(x, y, log):
        log.append((x.shape, y.shape))
        return np.minimum(x, y).sum()

    phi = pm.Nystrom(logged, kernel_params={"log": calls}, n_components=9).fit([*X[:10]])
    assert ((4,), (4,)) in calls
    matrix = pm.Nystrom(lambda a, b: np.minimum(a[:, None], b[None]).sum(2), n_components=9)
    np.testing.assert_allclose(phi.transform(X), matrix.fit(X[:10]).transform(X), atol=1e-12)


def test_names_of_features():
    names = pm.Nystrom(n_components=3).fit(X).get_feature_names_out()
    assert names.tolist() == ["nystrom0", "nystrom1", "nystrom2"]


# --- kernels of all kinds ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "kernel",
    [
        RBF(length_scale=[0.5, 1.0, 2.0, 3.0]),
        RBF(gamma="median"),
        Matern(nu=1.5),
        Laplacian(),
        PolynomialKernel(2),
        AdditiveChi2(),
        RBF() + 0.5 * Linear(),
        RBF() @ pm.Standardize(),
        gp.RBF(0.7) + 2.0 * gp.Matern(1.2, nu=2.5),
        Callable(lambda a, b: a @ b.T),
    ],
    ids=repr,
)
def test_it_takes_any_kernel(kernel):
    phi = pm.Nystrom(kernel, n_components=60).fit(X)
    K = pm.kernels.as_kernel(kernel).bind(X)(X)
    np.testing.assert_allclose(gram(phi, X), K, atol=1e-9 * K.max())
    few = pm.Nystrom(kernel, n_components=7).fit(X)
    left = K - gram(few, X)
    # What is left is positive semidefinite: nothing is overstated.
    assert np.linalg.eigvalsh(left)[0] > -1e-10 * K.max()


def test_a_kernel_that_waits_for_data_is_bound_to_all_of_them():
    phi = pm.Nystrom(RBF(gamma="scale"), n_components=5).fit(X)
    assert phi.map_.kernel.gamma == pytest.approx(1 / (4 * X.var()))
    assert pm.Nystrom(gamma="median", n_components=5).fit(X).map_.kernel.closed
    assert phi.kernel.gamma == "scale"


@pytest.mark.parametrize("rule", ["uniform", "cholesky", "leverage"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_precomputed_matrix_stands_for_the_rows(rule, dtype):
    kernel = RBF(gamma=2.0)
    K, cross = kernel(X).astype(dtype), kernel(X[:7] + 0.1, X).astype(dtype)
    phi = pm.Nystrom("precomputed", n_components=20, landmarks=rule).fit(K)
    same = pm.Nystrom(kernel, n_components=20, landmarks=rule).fit(X.astype(dtype))
    assert phi.transform(cross).dtype == dtype
    expected = gram(same, X[:7] + 0.1, X)
    found = phi.transform(cross).astype(float) @ phi.transform(K).astype(float).T
    # The landmarks are those that the points themselves would give.
    np.testing.assert_allclose(found, expected, atol=2e-4 if dtype == np.float32 else 1e-9)
    with pytest.raises(InputError, match="X has 59 features, but Nystrom is expecting 60"):
        phi.transform(cross[:, :-1])


def test_a_precomputed_kernel_is_split_by_both_indices():
    X, y = digits()
    model = pm.models.Linear(task="classification") @ pm.Nystrom("precomputed", n_components=50)
    K = pairwise.rbf_kernel(X[:300], gamma=0.05)
    assert model.__sklearn_tags__().input_tags.pairwise
    assert cross_val_score(model, K, y[:300], cv=3).mean() > 0.8


# --- landmarks -----------------------------------------------------------------------------------
@EACH_RULE
def test_landmarks_are_chosen_by_the_seed_alone(rule):
    phi = pm.Nystrom(landmarks=rule, n_components=10, random_state=5)
    first = phi.bind(X)
    np.random.seed(99)
    again, other = phi.bind(X), phi.set_params(random_state=6).bind(X)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    assert not np.array_equal(first.landmarks, other.landmarks)
    assert first.landmarks.shape == (10, 4)
    if rule != "kmeans":
        assert len({*map(tuple, first.landmarks)} & {*map(tuple, X)}) == 10


def test_states_of_generators_are_not_used_up():
    for state in (np.random.RandomState(3), np.random.default_rng(3)):
        phi = pm.Nystrom(n_components=10, random_state=state)
        np.testing.assert_array_equal(phi.bind(X).landmarks, phi.bind(X).landmarks)
    phi = pm.Nystrom(n_components=10, random_state=None)
    assert not np.array_equal(phi.bind(X).landmarks, phi.bind(X).landmarks)


def test_means_of_clusters_err_less_than_rows_of_homogeneous_data():
    X, _ = digits()
    held, K = X[1000:], pairwise.rbf_kernel(X[1000:], gamma=0.05)
    for seed in range(3):
        phi = pm.Nystrom(gamma=0.05, n_components=128, random_state=seed)
        uniform, means = (
            error(clone(phi).set_params(landmarks=rule).fit(X[:1000]), held, K)
            for rule in ("uniform", "kmeans")
        )
        assert means < 0.85 * uniform


@pytest.mark.parametrize("rule", RULES)
def test_small_clusters_are_not_missed(rule):
    rng = np.random.default_rng(0)
    sizes = [3000] + [20] * 30
    centres = 6 * rng.standard_normal((31, 16))
    X = np.concatenate(
        [c + 0.5 * rng.standard_normal((k, 16)) for c, k in zip(centres, sizes, strict=True)]
    )
    some = np.concatenate([X[3000:], X[:300]])
    kernel = RBF(gamma="scale").bind(X)
    K = kernel(some)
    for seed in range(3):
        phi = pm.Nystrom(kernel, n_components=200, random_state=seed)
        uniform = error(clone(phi).fit(X), some, K)
        assert uniform > 5 * error(clone(phi).set_params(landmarks=rule).fit(X), some, K)


def _counted(count, trials, expected):
    """The greatest |z| of binomial counts."""
    p = np.asarray(expected)
    return np.abs((count - trials * p) / np.sqrt(trials * p * (1 - p))).max()


def test_uniform_landmarks_are_uniform_pairs():
    trials, n = 4000, 6
    rows, count = torch.arange(float(n))[:, None], np.zeros((n, n))
    for seed in range(trials):
        sample = Reservoir(np.empty((0, 1)), np.empty(0), np.random.default_rng(seed))
        i, j = sample.take(rows[:4], 2).take(rows[4:], 2).rows.ravel().astype(int)
        count[i, j] += 1
    pairs = count[~np.eye(n, dtype=bool)]
    assert pairs.sum() == trials
    # 30 cells, two-sided, at a level of 1e-4 in all.
    assert _counted(pairs, trials, np.full(30, 1 / 30)) < 4.7


class Table:
    """A kernel matrix as a kernel of row numbers."""

    sparse = False

    def __init__(self, matrix):
        self.matrix = torch.from_numpy(matrix)

    def between(self, x, y):
        return self.matrix[x.long().ravel()][:, y.long().ravel()]

    def diagonal(self, x):
        return self.matrix.diagonal()[x.long().ravel()]


def test_pivots_follow_the_law_of_randomly_pivoted_cholesky():
    trials = 2000
    points = np.array([[0.0], [0.1], [0.3], [2.0], [2.5]])
    K = (PolynomialKernel(2, coef0=0.5) + RBF(gamma=1.0))(points)
    d, law = np.diag(K), np.zeros((5, 5))
    for i in range(5):
        left = np.maximum(d - K[:, i] ** 2 / d[i], 0.0)
        left[i] = 0.0
        law[i] = d[i] / d.sum() * left / left.sum()
    count = np.zeros((5, 5))
    numbers, table = torch.arange(5.0)[:, None], Table(K)
    with threadpool_limits(1):
        for seed in range(trials):
            i, j = RULES["cholesky"](table, numbers, 2, np.random.default_rng(seed)).ravel()
            count[int(i), int(j)] += 1
    seen = law > 0
    assert not count[~seen].any()
    assert _counted(count[seen], trials, law[seen]) < 4.7


@EACH_RULE
def test_repeated_rows_and_constant_columns_are_no_trouble(rule):
    Y = np.concatenate([X, X, X])
    Y[:, 2] = 3.0
    for dtype, close in ((np.float64, 1e-9), (np.float32, 1e-4)):
        K = RBF(gamma=1.0)(Y)
        phi = pm.Nystrom(gamma=1.0, n_components=180, landmarks=rule).fit(Y.astype(dtype))
        np.testing.assert_allclose(gram(phi, Y.astype(dtype)), K, atol=close)
    alike = np.full((12, 3), 0.7)
    phi = pm.Nystrom("linear", n_components=12, landmarks=rule).fit(alike)
    np.testing.assert_allclose(gram(phi, alike), alike @ alike.T, atol=1e-12)
    zeros = pm.Nystrom("linear", n_components=3, landmarks=rule).fit(np.zeros((5, 2)))
    assert not zeros.transform(np.zeros((5, 2))).any()


@EACH_RULE
def test_one_landmark_is_enough(rule):
    phi = pm.Nystrom(n_components=1, landmarks=rule).fit(X)
    z = phi.map_.landmarks
    np.testing.assert_allclose(phi.transform(X), pairwise.rbf_kernel(X, z), rtol=1e-12)


def test_given_landmarks_are_taken_as_they_are():
    points = np.random.default_rng(5).uniform(size=(7, 4))
    phi = pm.Nystrom(landmarks=points.tolist(), gamma=0.5).fit(X)
    np.testing.assert_array_equal(phi.map_.landmarks, points)
    np.testing.assert_allclose(gram(phi, points), RBF(gamma=0.5)(points), atol=1e-12)
    assert clone(phi).fit(X).transform(X).shape == (60, 7)
    assert pm.Nystrom(landmarks=points).fit(X.astype(np.float32)).transform(X[:2]).dtype == float


# --- precision -----------------------------------------------------------------------------------
@pytest.mark.parametrize("offset", [0.0, 1000.0])
@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_float32_loses_at_most_a_factor_of_three_above_1e_6(share, offset):
    rng = np.random.default_rng(0)
    rows = (rng.standard_normal((1200, 64)) + offset).astype(np.float32)
    gamma = share / (2 * 128)
    K = RBF(gamma=gamma)(rows[:300].astype(np.float64))
    single, double = (
        error(pm.Nystrom(gamma=gamma, n_components=800).fit(Y), Y[:300], K)
        for Y in (rows, rows.astype(np.float64))
    )
    assert single < max(3 * double, 1e-6)
    if share == 0.01 and not offset:
        theirs = Nystroem(gamma=gamma, n_components=800, random_state=0).fit(rows)
        assert error(theirs, rows[:300], K) > 50 * single


def test_single_rows_for_a_map_of_doubles_are_computed_in_double():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((900, 16)).astype(np.float32)
    K = RBF(gamma=1e-3)(rows[:200].astype(np.float64))
    phi = pm.Nystrom(gamma=1e-3, n_components=500).fit(rows.astype(np.float64))
    assert phi.transform(rows[:200]).dtype == np.float32
    double = error(phi, rows[:200].astype(np.float64), K)
    assert error(phi, rows[:200], K) < double + 1e-7
    sparse = scipy.sparse.csr_array(rows[:200])
    np.testing.assert_allclose(phi.transform(sparse), phi.transform(rows[:200]), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kernel", [RBF(gamma=0.3), Linear(), Laplacian(gamma=0.4), Matern(0.5)])
def test_sparse_rows_are_dense_rows(kernel, dtype):
    dense = np.where(np.random.default_rng(2).uniform(size=(50, 30)) < 0.8, 0.0, 1.0).astype(dtype)
    dense *= np.random.default_rng(1).uniform(size=dense.shape).astype(dtype)
    sparse = scipy.sparse.csr_array(dense)
    for rule in ("uniform", *RULES):
        phi = pm.Nystrom(kernel, n_components=12, landmarks=rule)
        a, b = clone(phi).fit(dense), clone(phi).fit(sparse)
        atol = 2e-4 if dtype == np.float32 else 1e-10
        np.testing.assert_allclose(a.map_.landmarks, b.map_.landmarks, atol=atol)
        assert b.transform(sparse).dtype == dtype
        np.testing.assert_allclose(gram(a, dense), gram(b, sparse), atol=atol)
        np.testing.assert_allclose(gram(a, sparse), gram(a, dense), atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_written_is_what_is_returned(dtype):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((300, 6))).to(dtype)
    phi = pm.Nystrom(n_components=40).bind(x)
    expected = phi(x)
    wide = torch.full((300, 50), torch.nan, dtype=dtype)
    close = 300 * torch.finfo(dtype).eps / float(np.diag(phi.array("factor")).min())
    for out in (torch.empty_like(expected), wide[:, 3:43]):
        with torch.no_grad():
            phi.write(x, out)
        assert (out - expected).abs().max() < close
    assert wide[:, :3].isnan().all()
    assert wide[:, 43:].isnan().all()


# --- gradients, copies ---------------------------------------------------------------------------
def test_gradients_are_those_of_the_formula():
    phi = pm.Nystrom(gamma=0.5, n_components=6).bind(X)
    x = torch.from_numpy(X[:4]).requires_grad_()
    assert torch.autograd.gradcheck(phi, x)
    landmarks = torch.from_numpy(X[:3].copy()).requires_grad_()
    factor = torch.linalg.cholesky(RBF(gamma=0.5)(landmarks.detach()))
    trained = pm.EmpiricalKernelMap(landmarks, factor, RBF(gamma=0.5))
    trained(torch.from_numpy(X)).square().sum().backward()
    assert landmarks.grad.abs().min() > 0


def test_half_precision_tensors_keep_their_dtype():
    phi = pm.Nystrom(n_components=6).bind(X)
    x = torch.from_numpy(X)
    for dtype in (torch.float16, torch.bfloat16):
        value = phi(x.to(dtype))
        assert value.dtype == dtype
        assert (value.double() - phi(x.to(dtype).double())).abs().max() < 0.05


def test_pickles_hold_the_landmarks_as_arrays():
    phi = pm.Nystrom(n_components=6).fit(X)
    held = pickle.loads(pickle.dumps(phi))
    assert isinstance(held.map_.landmarks, np.ndarray)
    np.testing.assert_array_equal(held.transform(X), phi.transform(X))
    moved = phi.map_.to(torch.float32)
    assert moved.landmarks.dtype == torch.float32
    np.testing.assert_allclose(moved.transform(X), phi.transform(X), atol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
@EACH_RULE
def test_every_device_has_the_same_landmarks(rule):
    for dtype, atol in ((np.float64, 1e-9), (np.float32, 1e-4)):
        rows = X.astype(dtype)
        here = pm.Nystrom(landmarks=rule, n_components=9).fit(rows)
        there = pm.Nystrom(landmarks=rule, n_components=9).fit(torch.from_numpy(rows).cuda())
        np.testing.assert_allclose(there.map_.landmarks, here.map_.landmarks, atol=atol)
        value = there.map_(torch.from_numpy(rows).cuda())
        assert value.is_cuda
        np.testing.assert_allclose(value.cpu().numpy(), here.transform(rows), atol=atol)
        with pm.config_context(device="cuda"):
            np.testing.assert_allclose(here.transform(rows), value.cpu().numpy(), atol=atol)


# --- batches -------------------------------------------------------------------------------------
@pytest.mark.parametrize("sizes", [[60], [10] * 6, [1] * 60, [3, 40, 17], [59, 1]], ids=len)
@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_array, torch.from_numpy])
def test_any_batches_give_the_same_landmarks(sizes, kind):
    whole = pm.Nystrom(n_components=8, random_state=2).fit(X)
    parts, start = pm.Nystrom(n_components=8, random_state=2), 0
    for size in sizes:
        assert parts.partial_fit(kind(X[start : start + size])) is parts
        start += size
    np.testing.assert_array_equal(parts.map_.landmarks, whole.map_.landmarks)
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


def test_batches_before_the_first_map():
    phi = pm.Nystrom(n_components=8)
    phi.partial_fit(X[:5])
    with pytest.raises(pm.errors.UnboundError, match="not fitted yet"):
        phi.transform(X)
    assert phi.partial_fit(X[5:9]).transform(X).shape == (60, 8)


def test_fit_can_be_continued_and_what_is_kept_goes_with_the_parameters():
    phi = pm.Nystrom(n_components=8).fit(X[:20]).partial_fit(X[20:])
    np.testing.assert_array_equal(phi.transform(X), pm.Nystrom(n_components=8).fit_transform(X))
    restored = pickle.loads(pickle.dumps(phi)).partial_fit(X[:5])
    np.testing.assert_array_equal(
        restored.transform(X), copy.deepcopy(phi).partial_fit(X[:5]).transform(X)
    )
    assert "state_" not in vars(clone(phi))
    assert "state_" not in vars(phi.set_params(n_components=7))
    phi.partial_fit(X)
    np.testing.assert_array_equal(phi.transform(X), pm.Nystrom(n_components=7).fit_transform(X))


def test_a_batch_that_is_refused_changes_nothing():
    phi = pm.Nystrom(n_components=8).partial_fit(X[:20])
    before = dict(vars(phi))
    for bad in (X[:, :3], np.full((2, 4), np.nan)):
        with pytest.raises(InputError):
            phi.partial_fit(bad)
    assert vars(phi) == before


def test_only_uniform_landmarks_come_in_batches():
    assert not hasattr(pm.Nystrom(landmarks="kmeans"), "partial_fit")
    assert not hasattr(pm.Nystrom("precomputed"), "partial_fit")
    kernel = RBF(gamma="scale")
    phi = pm.Nystrom(kernel, n_components=8).partial_fit(X[:30]).partial_fit(X[30:])
    assert phi.map_.kernel.gamma == kernel.bind(phi.map_.landmarks).gamma


# --- what is certain -----------------------------------------------------------------------------
def claims_of(phi, on):
    return {name: pm.decide(phi, getattr(pm, name), on=on) for name in ("Lipschitz", "Bounded")}


@pytest.mark.parametrize("kernel", [RBF(gamma=0.8), RBF(length_scale=[0.5, 2.0])], ids=repr)
def test_projections_do_not_stretch(kernel):
    on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-0.7, 0.4]])
    phi = pm.Nystrom(kernel, landmarks=points).bind(points)
    least = np.min(kernel.lengths)
    found = claims_of(phi, on)
    assert found["Lipschitz"].value[1] == pytest.approx(1 / least, rel=1e-6)
    assert found["Bounded"].value[1] == pytest.approx(1.0, rel=1e-6)
    assert falsify(phi, pm.Lipschitz(found["Lipschitz"].value[1]), on=on) is None
    assert falsify(phi, pm.Bounded(found["Bounded"].value[1]), on=on) is None


def test_three_landmarks_that_are_no_line_tell_all_points_of_a_plane_apart():
    plane = pm.Euclidean(2)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    for kernel in (RBF(gamma=1.0), Matern(0.5, length_scale=1.0)):
        phi = pm.Nystrom(kernel, landmarks=corners).bind(corners)
        verdict = pm.decide(phi, pm.Injective, on=plane)
        assert verdict.holds is True
        assert "trilateration" in str(verdict)
        assert pm.decide(phi, pm.Continuous, on=plane).holds is True
    for line in (corners[:2], np.array([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])):
        phi = pm.Nystrom(gamma=1.0, landmarks=line).bind(line)
        assert pm.decide(phi, pm.Injective, on=plane).holds is not True
    # Tenths are no exact fractions of two, so these do span the plane, barely.
    nearly = np.array([[0.0, 0.0], [0.1, 0.1], [0.3, np.nextafter(0.3, 1)]])
    phi = pm.Nystrom(gamma=1.0, landmarks=nearly).bind(nearly)
    assert pm.decide(phi, pm.Injective, on=plane).holds is True


def test_a_large_map_is_still_decided():
    phi = pm.Nystrom(n_components=600).bind(np.random.default_rng(0).standard_normal((600, 3)))
    on = pm.Box([-1.0] * 3, [1.0] * 3)
    assert pm.decide(phi, pm.Continuous, on=on).holds is True
    assert pm.decide(phi, pm.Injective, on=on).holds is True


# --- errors --------------------------------------------------------------------------------------
def test_indefinite_kernels_are_named_with_their_eigenvalue():
    def distance(x, y):
        return float(np.linalg.norm(x - y))

    least = np.linalg.eigvalsh(pairwise.euclidean_distances(X))[0]
    with pytest.raises(InputError, match=f"eigenvalue {least:.3g}") as caught:
        pm.Nystrom(distance, n_components=60).fit(X)
    assert "not positive definite" in str(caught.value)
    bad = np.diag([1.0, 1.0, -2.0])
    with pytest.raises(InputError, match="eigenvalue -2"):
        pm.Nystrom("precomputed", n_components=3).fit(bad)
    for rule in ("cholesky", "leverage"):
        with pytest.raises(InputError, match="eigenvalue"):
            pm.Nystrom(distance, n_components=30, landmarks=rule).fit(X)


@pytest.mark.parametrize("given", [{"gamma": 1}, {"coef0": 1}, {"degree": 2}])
@pytest.mark.parametrize("kernel", [lambda x, y: x @ y, "precomputed", RBF()], ids=named)
def test_parameters_of_names_do_not_go_with_other_kernels(kernel, given):
    with pytest.raises(ParameterError, match="Don't pass gamma, coef0 or degree to"):
        pm.Nystrom(kernel, n_components=5, **given).fit(np.eye(6))


def test_shapes_of_matrices_and_landmarks():
    with pytest.raises(ShapeError, match="not square"):
        pm.Nystrom("precomputed", n_components=2).fit(X)
    with pytest.raises(ShapeError, match="landmarks are no rows like those"):
        pm.Nystrom(landmarks=X[:, :2]).fit(X)
    with pytest.raises(ParameterError, match="factor of EmpiricalKernelMap"):
        pm.EmpiricalKernelMap(X[:2], np.ones((2, 2))).fit(X)
    with pytest.raises(InputError, match="cannot choose n_components=100"):
        pm.Nystrom().fit(X)


def test_scikit_learn_accepts_each_rule():
    for rule in RULES:
        results = check_estimator(
            pm.Nystrom(n_components=3, landmarks=rule), on_skip=None, on_fail=None
        )
        assert not [r["check_name"] for r in results if r["status"] == "failed"]


# --- what it is for ------------------------------------------------------------------------------
def test_digits_by_a_linear_machine_on_features():
    # The split and the kernel of scikit-learn's example of explicit feature maps.
    X, y = digits()
    X = X - X.mean(axis=0)
    half = len(X) // 2

    def score(phi):
        phi.fit(X[:half])
        machine = LinearSVC(random_state=42).fit(phi.transform(X[:half]), y[:half])
        return machine.score(phi.transform(X[half:]), y[half:])

    gap = [
        score(pm.Nystrom(gamma=0.2, n_components=120, landmarks="kmeans", random_state=seed))
        - score(pm.RandomFourier(120, gamma=0.2, random_state=seed))
        for seed in range(3)
    ]
    assert min(gap) >= 0.02
    # There are 898 rows to choose from; with the others, unlabelled, 1200 landmarks.
    assert score(pm.Nystrom(gamma=0.2, n_components=half)) >= 0.96
    assert score(pm.Nystrom(gamma=0.2, landmarks=X[:1200])) >= 0.96
