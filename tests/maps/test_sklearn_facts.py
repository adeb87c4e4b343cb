"""What is known of scikit-learn's transformers: each statement decided, and attacked."""

import warnings

import numpy as np
import pytest
import torch
from sklearn import decomposition, preprocessing, random_projection
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, RBFSampler
from sklearn.pipeline import make_pipeline

import phimaps as pm
from phimaps.errors import DomainError
from phimaps.testing import Probe, claims, falsify, precise

RNG = np.random.default_rng(0)
# Two columns from -2 to 3 and from 0 to 5, the second with ties; in a third nothing varies.
A = np.sort(np.concatenate([[-2.0, 3.0], RNG.uniform(-2, 3, 38)]))
B = np.repeat(np.arange(6.0), [4, 7, 7, 7, 7, 8])[RNG.permutation(40)]
B[:2] = 0.0, 5.0
TWO = np.stack([A, RNG.permutation(np.linspace(0, 5, 40))], axis=1)
TIED = np.stack([A, B], axis=1)
FLAT = np.stack([A, np.full(40, 7.0)], axis=1)
POSITIVE = np.abs(TWO) + 0.5
CODES = np.array([[0.0, 2.0], [1.0, 4.0], [2.0, 4.0], [1.0, 2.0]])

PLANE = pm.Euclidean(2)
INSIDE = pm.Box([-1.9, 0.1], [2.9, 4.9])
WHOLE = pm.Box([-2.0, 0.0], [3.0, 5.0])
BEYOND = pm.Box([-2.5, 0.0], [3.0, 5.0])
BETWEEN_TIES = pm.Box([-1.9, 1.2], [2.9, 1.8])
AWAY = pm.Box([0.5, 0.5], [3.0, 3.0])
ROUND_ZERO = pm.Box([-1.0, -1.0], [1.0, 1.0])


def grid(*columns):
    return pm.Finite([[a, b] for a in columns[0] for b in columns[1]])


SEEN = grid([0.0, 1.0, 2.0], [2.0, 4.0])
ONE_UNSEEN = grid([0.0, 1.0, 9.0], [2.0, 4.0])
TWO_UNSEEN = grid([0.0, 8.0, 9.0], [2.0, 4.0])
FIRST_AND_UNSEEN = grid([0.0, 9.0], [2.0])

T, F, U = True, False, None
Spline = preprocessing.SplineTransformer
Quantile = preprocessing.QuantileTransformer
Poly = preprocessing.PolynomialFeatures
Hot = preprocessing.OneHotEncoder

# (transformer, data, space, injective, continuous)
FACTS = {
    "StandardScaler, a constant column": (preprocessing.StandardScaler(), FLAT, PLANE, T, T),
    "MinMaxScaler, a constant column": (preprocessing.MinMaxScaler(), FLAT, PLANE, T, T),
    "RobustScaler, a constant column": (preprocessing.RobustScaler(), FLAT, PLANE, T, T),
    "MaxAbsScaler, a constant column": (preprocessing.MaxAbsScaler(), FLAT * [1, 0], PLANE, T, T),
    "MinMaxScaler(clip) beyond": (preprocessing.MinMaxScaler(clip=True), TWO, BEYOND, F, T),
    "MinMaxScaler(clip) inside": (preprocessing.MinMaxScaler(clip=True), TWO, INSIDE, T, T),
    "MaxAbsScaler(clip) beyond": (preprocessing.MaxAbsScaler(clip=True), TWO, PLANE, F, T),
    "QuantileTransformer beyond": (Quantile(n_quantiles=20), TWO, BEYOND, F, T),
    "QuantileTransformer inside": (Quantile(n_quantiles=20), TWO, WHOLE, T, T),
    "QuantileTransformer at ties": (Quantile(n_quantiles=40), TIED, WHOLE, T, F),
    "QuantileTransformer between ties": (Quantile(n_quantiles=40), TIED, BETWEEN_TIES, T, T),
    "QuantileTransformer(normal) inside": (
        Quantile(n_quantiles=20, output_distribution="normal"), TWO, INSIDE, T, T,
    ),
    "QuantileTransformer(normal) up to the ends": (
        Quantile(n_quantiles=20, output_distribution="normal"), TWO, WHOLE, F, T,
    ),
    "PowerTransformer": (preprocessing.PowerTransformer(), TWO, PLANE, T, T),
    "PowerTransformer(box-cox)": (preprocessing.PowerTransformer("box-cox"), POSITIVE, AWAY, T, T),
    "PowerTransformer, a constant column": (preprocessing.PowerTransformer(), FLAT, PLANE, T, T),
    "Normalizer": (preprocessing.Normalizer(), TWO, ROUND_ZERO, F, F),
    "Normalizer away from 0": (preprocessing.Normalizer(), TWO, AWAY, F, T),
    "Normalizer(l1) away from 0": (preprocessing.Normalizer("l1"), TWO, AWAY, F, T),
    "Normalizer(max)": (preprocessing.Normalizer("max"), TWO, ROUND_ZERO, F, F),
    "Binarizer": (preprocessing.Binarizer(), TWO, ROUND_ZERO, F, F),
    "Binarizer on one side": (preprocessing.Binarizer(), TWO, AWAY, F, T),
    "KBinsDiscretizer": (
        preprocessing.KBinsDiscretizer(3, encode="ordinal", strategy="uniform"), TWO, WHOLE, F, F,
    ),
    "KBinsDiscretizer(onehot)": (
        preprocessing.KBinsDiscretizer(3, strategy="uniform"), TWO, WHOLE, F, F,
    ),
    "PolynomialFeatures": (Poly(2), TWO, PLANE, T, T),
    "PolynomialFeatures(interaction_only)": (Poly(2, interaction_only=True), TWO, PLANE, T, T),
    "PolynomialFeatures((2, 2))": (Poly((2, 2)), TWO, PLANE, F, T),
    "PolynomialFeatures((2, 2)) on the orthant": (Poly((2, 2)), TWO, pm.NonNegative(2), T, T),
    "PolynomialFeatures((3, 3))": (Poly((3, 3)), TWO, PLANE, T, T),
    "PolynomialFeatures((2, 3))": (Poly((2, 3)), TWO, PLANE, T, T),
    "PolynomialFeatures((3, 3), interaction_only)": (
        Poly((3, 3), interaction_only=True), np.c_[TWO, A], pm.Euclidean(3), F, T,
    ),
    "PolynomialFeatures((2, 2), interaction_only) away from 0": (
        Poly((2, 2), interaction_only=True), np.c_[TWO, A], pm.Box([1] * 3, [2] * 3), T, T,
    ),
    "PolynomialFeatures(0)": (Poly(0), TWO, WHOLE, F, T),
    "SplineTransformer inside": (Spline(), TWO, WHOLE, T, T),
    "SplineTransformer without bias inside": (Spline(include_bias=False), TWO, WHOLE, T, T),
    "SplineTransformer(degree=1) inside": (Spline(degree=1), TWO, WHOLE, T, T),
    "SplineTransformer(constant) beyond": (Spline(), TWO, BEYOND, F, T),
    "SplineTransformer(periodic) beyond": (Spline(7, extrapolation="periodic"), TWO, BEYOND, F, T),
    "SplineTransformer(periodic) inside": (Spline(7, extrapolation="periodic"), TWO, INSIDE, T, T),
    "SplineTransformer(linear)": (Spline(extrapolation="linear"), TWO, PLANE, T, T),
    "SplineTransformer(linear) without bias": (
        Spline(extrapolation="linear", include_bias=False), TWO, PLANE, T, T,
    ),
    "SplineTransformer(continue)": (Spline(extrapolation="continue"), TWO, PLANE, T, T),
    "SplineTransformer(degree=0)": (Spline(3, degree=0), TWO, INSIDE, F, F),
    "PCA": (decomposition.PCA(), TWO, PLANE, T, T),
    "PCA(1)": (decomposition.PCA(1), TWO, PLANE, F, T),
    "TruncatedSVD(1)": (decomposition.TruncatedSVD(1, random_state=0), TWO, PLANE, F, T),
    "GaussianRandomProjection(1)": (
        random_projection.GaussianRandomProjection(1, random_state=0), TWO, PLANE, F, T,
    ),
    "SparseRandomProjection(1)": (
        random_projection.SparseRandomProjection(1, random_state=0), TWO, PLANE, F, T,
    ),
    "OneHotEncoder": (Hot(), CODES, SEEN, T, T),
    "OneHotEncoder(sparse_output=False)": (Hot(sparse_output=False), CODES, SEEN, T, T),
    "OneHotEncoder(drop='first')": (Hot(drop="first"), CODES, SEEN, T, T),
    "OneHotEncoder(ignore), seen": (Hot(handle_unknown="ignore"), CODES, SEEN, T, T),
    "OneHotEncoder(ignore), one unseen": (Hot(handle_unknown="ignore"), CODES, ONE_UNSEEN, T, T),
    "OneHotEncoder(ignore), two unseen": (Hot(handle_unknown="ignore"), CODES, TWO_UNSEEN, F, T),
    "OneHotEncoder(ignore) on a box": (Hot(handle_unknown="ignore"), CODES, WHOLE, F, F),
    "OneHotEncoder(drop='first', ignore)": (
        Hot(drop="first", handle_unknown="ignore"), CODES, FIRST_AND_UNSEEN, F, T,
    ),
    "OrdinalEncoder": (preprocessing.OrdinalEncoder(), CODES, SEEN, T, T),
    "OrdinalEncoder, two unseen": (
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        CODES, TWO_UNSEEN, F, T,
    ),
    "RBFSampler(1)": (RBFSampler(n_components=1, random_state=0), TWO, PLANE, F, T),
    "AdditiveChi2Sampler": (AdditiveChi2Sampler(), np.abs(TWO), pm.NonNegative(2), T, T),
    "Nystroem": (Nystroem(n_components=9, random_state=0), TWO, WHOLE, U, U),
    "scaled, then rotated": (
        make_pipeline(preprocessing.StandardScaler(), decomposition.PCA()), FLAT, PLANE, T, T,
    ),
    "columns apart": (
        ColumnTransformer(
            [("a", preprocessing.StandardScaler(), [1])], remainder=preprocessing.MinMaxScaler()
        ),
        TWO, PLANE, T, T,
    ),
    "a column used twice": (
        ColumnTransformer(
            [("a", preprocessing.Binarizer(), [1]), ("b", preprocessing.StandardScaler(), [1, 0])]
        ),
        TWO, PLANE, T, U,
    ),
    "a column dropped": (
        ColumnTransformer([("a", preprocessing.StandardScaler(), [1])]), TWO, PLANE, F, T,
    ),
}  # fmt: skip


def closed(transformer, data):
    with warnings.catch_warnings():
        # scikit-learn warns of constant columns.
        warnings.simplefilter("ignore", UserWarning)
        return pm.from_sklearn(transformer).bind(data)


@pytest.mark.parametrize("case", FACTS)
def test_the_statement_is_decided_so(case):
    transformer, data, on, injective, continuous = FACTS[case]
    phi = closed(transformer, data)
    assert pm.decide(phi, pm.Injective, on=on).holds is injective
    assert pm.decide(phi, pm.Continuous, on=on).holds is continuous


GOALS = (
    pm.Continuous,
    pm.Injective,
    pm.property.Affine,
    pm.Lipschitz,
    pm.LowerLipschitz,
    pm.Bounded,
    pm.Smooth,
)


def broken(phi, on):
    """The claims of `decide` that a certain attack contradicts."""
    probe = Probe(phi, on)
    for goal in GOALS:
        try:
            verdict = pm.decide(phi, goal, on=on)
        except DomainError:
            continue
        for claim in claims(verdict):
            witness = verdict.witness if claim.name == "Injective" else None
            found = falsify(phi, claim, on, witness=witness, probe=probe)
            # Kinks and jumps may be too fine for a search that finds nothing.
            if found is not None and found.certain:
                yield f"{phi!r} on {on!r}: {found}"


@pytest.mark.parametrize("case", FACTS)
def test_no_attack_contradicts_what_is_said_of_it(case):
    transformer, data, on, _, _ = FACTS[case]
    assert not list(broken(closed(transformer, data), on))


SEPARATE = [
    (Quantile(n_quantiles=7), TIED),
    (Quantile(n_quantiles=40, output_distribution="normal"), TIED),
    (Quantile(n_quantiles=3), FLAT),
    (preprocessing.PowerTransformer(standardize=False), TWO),
    (preprocessing.PowerTransformer("box-cox"), POSITIVE),
    (preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), TIED),
    (preprocessing.Normalizer("l1"), TWO),
    (Poly((2, 3), interaction_only=True), np.c_[TWO, A]),
    *(
        (Spline(5, p, extrapolation=e), TIED)
        for p in (0, 1, 2, 3)
        for e in ("constant", "continue")
    ),
    *((Spline(5, p, extrapolation=e), TWO) for p in (2, 3) for e in ("linear", "periodic")),
    (Hot(handle_unknown="ignore"), CODES),
    (AdditiveChi2Sampler(), np.abs(TWO)),
]


def around(data, rng):
    """Boxes and balls inside the data, beyond them, across their ends, thin ones, and unbounded."""
    low, high = data.min(axis=0), data.max(axis=0)
    wide = high - low + 1e-3
    at = data[rng.integers(len(data))]
    half = low.copy()
    half[0] = -np.inf
    yield pm.Box(low, high)
    yield pm.Box(low + 0.3 * wide, high - 0.3 * wide + 1e-3)
    yield pm.Box(low - 2 * wide, high + wide)
    yield pm.Box(high + wide, high + 2 * wide)
    yield pm.Box(at, at + 0.1 * wide * rng.integers(0, 2, len(at)))
    yield pm.Box(half, high)
    yield pm.Ball((low + high) / 2, float(wide.min()))
    yield pm.Finite(data[rng.integers(len(data), size=4)])
    yield pm.Euclidean(len(at))


@pytest.mark.parametrize(("transformer", "data"), SEPARATE, ids=lambda v: repr(v)[:60])
def test_claims_stand_inside_the_data_across_their_ends_and_beyond(transformer, data):
    phi = closed(transformer, data)
    found = [b for on in around(data, np.random.default_rng(1)) for b in broken(phi, on)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("transformer", "data"), SEPARATE, ids=lambda v: repr(v)[:60])
def test_the_second_definition_and_the_range_agree_with_the_values(transformer, data):
    phi, rng = closed(transformer, data), np.random.default_rng(2)
    for on in around(data, rng):
        if phi.undefined(on) is not None:
            continue
        points = on.sample(40, rng)
        values = phi(torch.from_numpy(points)).numpy()
        low, high = phi.image(on).outer.bounds()
        room = 1e-9 * np.maximum(1, np.abs(values))
        assert ((low - room <= values) & (values <= high + room)).all()
        for x, value in zip(points[:8], values, strict=False):
            exact = precise(phi, x).astype(float)
            np.testing.assert_allclose(value, exact, rtol=1e-9, atol=1e-9 * np.abs(exact).max())


NUMBERS = [
    case for case in FACTS if "Encoder" not in case and not FACTS[case][0].get_params().get("drop")
]


@pytest.mark.parametrize("case", NUMBERS)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_values_are_those_of_the_transformer_next_to_thresholds_and_far_out(case, kind):
    transformer, data, _, _, _ = FACTS[case]
    phi, rng = closed(transformer, data), np.random.default_rng(4)
    low, high = data.min(axis=0), data.max(axis=0)
    found = [data, np.nextafter(data, np.inf), np.nextafter(data, -np.inf)]
    found.append(rng.uniform(2 * low - high - 1, 2 * high - low + 1, (200, len(low))))
    if kind is np.float64:
        # The floor of a norm is another one in float32.
        sizes = 10.0 ** rng.uniform(-30, 30, (60, 1))
        found.append(rng.standard_normal((60, len(low))) * sizes)
    points = np.concatenate(found)
    if case in ("AdditiveChi2Sampler", "PowerTransformer(box-cox)"):
        points = np.abs(points) + 1e-3
    if case == "SplineTransformer(degree=0)":
        # Above the last knot scikit-learn 1.9 raises.
        points = np.minimum(points, high - 0.01)
    points = points.astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = clone(transformer).fit(data).transform(points)
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    values = phi(torch.from_numpy(points)).numpy()
    assert values.dtype == kind
    eps = np.finfo(kind).eps
    spread = 0.0
    for _ in range(12):
        moved = points * (1 + 2 * eps * rng.choice([-1, 1], points.shape)).astype(kind)
        spread = np.maximum(spread, np.abs(phi(torch.from_numpy(moved)).numpy() - values))
    size = np.abs(expected) + np.abs(expected).mean(axis=1, keepdims=True)
    assert (np.abs(values - expected) <= 8 * spread + 256 * eps * size).all()


def test_the_middle_of_a_jump_is_taken_at_a_tie():
    phi = closed(Quantile(n_quantiles=40), TIED)
    at = np.array([[0.0, 2.0], [0.0, np.nextafter(2, 0)], [0.0, np.nextafter(2, 3)]])
    middle, before, after = phi.transform(at)[:, 1]
    assert after - before > 0.1
    assert middle == pytest.approx((before + after) / 2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("degree", [1, 2, 3, 5])
@pytest.mark.parametrize("beyond", ["constant", "continue"])
def test_splines_times_the_means_of_their_knots_are_the_identity(degree, beyond, bias):
    phi = closed(Spline(6, degree, extrapolation=beyond, include_bias=bias), A[:, None])
    knots = phi.column(0)
    means = np.array([knots[j + 1 : j + degree + 1].mean() for j in range(phi.splines)])
    x = np.linspace(-2, 3, 101)[:, None]
    if beyond == "continue":
        x = x * 3
    values = phi.transform(x)
    if bias:
        np.testing.assert_allclose(values @ means, x[:, 0], atol=1e-9)
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-9)
    else:
        shifted = means[:-1] - means[-1]
        np.testing.assert_allclose(values @ shifted + means[-1], x[:, 0], atol=1e-9)


def test_splines_are_as_smooth_as_their_degree_says():
    for degree in (1, 2, 3):
        phi = closed(Spline(6, degree), TWO)
        verdict = pm.decide(phi, pm.Smooth, on=INSIDE)
        assert verdict.value == (degree - 1, degree - 1)
        assert pm.decide(phi, pm.Smooth, on=BEYOND).value == (0, 0)
    assert pm.decide(closed(preprocessing.PowerTransformer(), TWO), pm.Smooth, on=WHOLE).holds


def test_random_waves_have_the_constant_of_their_matrix():
    phi = closed(RBFSampler(gamma=0.5, n_components=11, random_state=0), TWO)
    sampler = RBFSampler(gamma=0.5, n_components=11, random_state=0).fit(TWO)
    top = np.sqrt(2 / 11) * np.linalg.svd(sampler.random_weights_)[1][0]
    verdict = pm.decide(phi, pm.Lipschitz, on=PLANE)
    assert verdict.value[1] == pytest.approx(top)
    assert pm.decide(phi, pm.Bounded, on=PLANE).holds is True


def test_encoders_without_codes_for_unknown_numbers_are_not_asked_about_them():
    with pytest.raises(DomainError, match="not over categories"):
        pm.decide(closed(Hot(), CODES), pm.Injective, on=WHOLE)
    with pytest.raises(DomainError, match="which is no category"):
        pm.decide(closed(preprocessing.OrdinalEncoder(), CODES), pm.Injective, on=ONE_UNSEEN)


def test_categories_times_a_box():
    phi = closed(Hot(handle_unknown="ignore"), np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]]))
    on = pm.spaces.Product((pm.Categories(3), pm.Box([5.0], [5.0])))
    assert pm.decide(phi, pm.Injective, on=on).holds is True
    on = pm.spaces.Product((pm.Categories(5), pm.Box([0.0], [1.0])))
    verdict = pm.decide(phi, pm.Injective, on=on)
    assert verdict.holds is False
    assert on.contains(np.stack([verdict.witness.x, verdict.witness.y])).all()
    assert verdict.witness.verify(phi)


def test_linear_splines_that_scikit_learn_extrapolates_from_inner_knots_are_left_to_it():
    # In 1.9.1 the degree grows while the columns are gone through: the second column differs.
    spline = Spline(4, degree=1, extrapolation="linear").fit(np.stack([A, A], axis=1))
    first, second = np.split(spline.transform([[-5.0, -5.0]])[0], 2)
    assert isinstance(pm.from_sklearn(spline), pm.Transformer) == (not np.allclose(first, second))
