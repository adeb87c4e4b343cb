"""Every claim that `decide` makes over thousands of random expressions is attacked, and stands."""

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import DomainError, UnboundError
from phimaps.kernels import Kernel
from phimaps.maps.affine import Standardize
from phimaps.search import Search
from phimaps.spaces import Product
from phimaps.testing import Probe, falsify
from phimaps.testing.campaign import QUESTIONS, Tally, campaign
from phimaps.testing.descent import extreme_ratio
from phimaps.testing.expressions import Grower, expressions, leaf_examples
from phimaps.testing.falsify import ATTACKS
from phimaps.testing.gram import KERNEL_ATTACKS
from phimaps.testing.single import single
from phimaps.theorem import TABLE

SHARDS, EACH = 10, 45


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_attack_breaks_a_decided_claim(shard):
    tally = Tally()
    for told in campaign(EACH, random_state=1000 + shard):
        tally += told
    counts = tally.counts
    print(f"\nshard {shard}:", ", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
    assert not tally.broken, "\n".join(tally.broken)
    assert not tally.failed, "\n".join(tally.failed)
    assert counts["attacked"] > 8 * EACH
    # What is said to exist, a search finds, but for one in two hundred.
    assert len(tally.doubtful) <= counts["attacked"] / 200, "\n".join(tally.doubtful)


def test_random_expressions_contain_every_map_that_takes_rows_or_images():
    seen, lines = set(), []
    for phi, _ in expressions(600, random_state=5, depth=3, report=lines.append):
        pending = [phi]
        while pending:
            part = pending.pop()
            seen.add(type(part).__name__)
            pending += [*getattr(part, "maps", ()), *([part.map] if hasattr(part, "map") else [])]
    print("\n" + "\n".join(lines))
    refused = {line.split(":")[0] for line in lines}
    closed = {type(m).__name__ for m in leaf_examples(lambda line: None) if m.closed}
    assert {"Compose", "Concat", "Sum", "Scale", "Tensor", "Product", "On", "Assume"} <= seen
    assert closed - refused <= seen


def test_random_expressions_are_reproducible():
    first = [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=3)]
    assert first == [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=3)]
    assert first != [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=4)]


def test_what_random_expressions_assume_is_true():
    codes = pm.Categories(4)
    assert falsify(pm.Relu(), pm.Lipschitz(1.0), codes) is not None
    for euclidean in (True, False):
        grower = Grower(np.random.default_rng(0), [], euclidean)
        assert isinstance(grower._assumed(pm.Relu()), pm.Relu) != euclidean
        assert not isinstance(grower._assumed(pm.Tanh()), pm.Tanh)


# --- the attacks can win -----------------------------------------------------------------------
ONE, SYMMETRIC, POSITIVE = pm.Box([0.0], [1.0]), pm.Box([-1.0], [1.0]), pm.Box([0.1], [2.0])
PLANE = pm.Box([-1.0, -1.0], [1.0, 1.0])
TILTED = pm.Subspace([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], [-0.73, -1.71, 2.12], PLANE)
SWAP = pm.Affine([[0.0, 1.0], [1.0, 0.0]])


class Floor(pm.FeatureMap):
    """x ↦ ⌊x⌋."""

    def forward(self, x):
        return torch.floor(x)

    def out_shape(self, shape):
        return shape


class Wrap(Floor):
    """x ↦ x for x < 1, then x - 1: a jump, beyond which values return."""

    def forward(self, x):
        return torch.where(x < 1, x, x - 1)


class Pole(Floor):
    """x ↦ 1/x, and 0 ↦ 0."""

    def forward(self, x):
        return torch.where(x == 0, x, 1 / torch.where(x == 0, torch.ones_like(x), x))


class Eight(Floor):
    """R to a curve like the digit 8, traversed once: far out the values return to that of 0."""

    def forward(self, x):
        angle = 2 * torch.atan(x)
        return torch.cat([torch.sin(2 * angle), torch.sin(angle)], dim=1)

    def out_shape(self, shape):
        return (2,)


class Loose(Floor):
    """x ↦ x, which in float32 takes another branch."""

    def forward(self, x):
        return x if x.dtype == torch.float64 else torch.where(x > 0.5, -x, x)


class Cube(Floor):
    """x ↦ x³, of which no formula is known."""

    def forward(self, x):
        return x**3


class Reciprocal(Floor):
    """x ↦ 1/x, which does not say that it has no value at 0."""

    def forward(self, x):
        return 1 / x


FALSE = [
    (Floor(), pm.Continuous, pm.Box([-2.5], [2.5])),
    (pm.Normalize(), pm.Continuous, PLANE),
    (pm.Relu(), ~pm.Continuous, SYMMETRIC),
    (pm.Abs(), pm.Injective, SYMMETRIC),
    (pm.Relu(), pm.Injective, SYMMETRIC),
    (pm.Relu(), pm.Injective, pm.Box([-1e-3], [1.0])),
    (pm.Gelu(), pm.Injective, pm.Box([-3.0], [1.0])),
    (pm.Silu(), pm.Injective, pm.Box([-5.0], [1.0])),
    (pm.Cos() & pm.Sin(), pm.Injective, pm.Box([0.0], [7.0])),
    (pm.Cos() @ pm.Affine([[1.0, 0.3], [0.2, 1.4]]), pm.Injective, pm.Box([-5] * 2, [5] * 2)),
    (pm.Affine([[1.0], [2.0]]), pm.Injective, PLANE),
    (pm.Tanh(), ~pm.Injective, SYMMETRIC),
    (pm.Identity(), ~pm.Injective, pm.Finite([[0.0, 1.0], [2.0, 1.0]])),
    (pm.Abs(), pm.property.Affine, SYMMETRIC),
    (pm.Power(2), pm.property.Affine, pm.Finite([[0.0], [1.0], [2.0]])),
    (pm.Identity(), ~pm.property.Affine, PLANE),
    (pm.Power(2), pm.Lipschitz(1.9), ONE),
    (pm.Power(2), ~pm.Lipschitz(2.1), ONE),
    (pm.Relu(), pm.Lipschitz(1 - 1e-15), SYMMETRIC),
    (pm.Sqrt(), pm.Lipschitz, ONE),
    (pm.Power(2), pm.Lipschitz, pm.Euclidean(1)),
    (pm.Tanh(), ~pm.Lipschitz, pm.Euclidean(1)),
    (pm.CRelu(), pm.LowerLipschitz(0.72), SYMMETRIC),
    (pm.CRelu(), ~pm.LowerLipschitz(0.70), SYMMETRIC),
    (pm.Power(3), pm.LowerLipschitz, SYMMETRIC),
    (pm.Tanh(), ~pm.LowerLipschitz, SYMMETRIC),
    (pm.Tanh(), pm.LowerLipschitz, pm.Euclidean(1)),
    (pm.Identity(), pm.Bounded(1.4), PLANE),
    (pm.Identity(), ~pm.Bounded(1.5), PLANE),
    (pm.Exp(), pm.Bounded, pm.Euclidean(1)),
    (pm.Tanh(), ~pm.Bounded, pm.Euclidean(1)),
    (pm.Relu(), pm.Smooth, SYMMETRIC),
    (pm.Relu() @ pm.Affine([[1.0, 2.0], [0.3, 0.1]], [0.1, 0.2]), pm.Smooth(1), PLANE),
    (pm.Power(2) @ pm.Relu(), pm.Smooth(2), SYMMETRIC),
    (pm.Power(3) @ pm.Relu(), pm.Smooth(np.inf), PLANE),
    (pm.Sqrt(), pm.Smooth(1), ONE),
    (pm.Power(1.5), pm.Smooth(2), ONE),
    (Floor(), pm.Smooth(1), pm.Box([-2.5], [2.5])),
    (pm.Tanh(), ~pm.Smooth(2), SYMMETRIC),
    (pm.Power(3) @ pm.Relu(), ~pm.Smooth(1), SYMMETRIC),
    (pm.Identity(), ~pm.Smooth(0), pm.Finite([[0.0], [1.0]])),
    (pm.Abs(), pm.Homeomorphism, SYMMETRIC),
    (Floor() & pm.Identity(), pm.Homeomorphism, pm.Box([-2.5], [2.5])),
    (Eight(), pm.Homeomorphism, pm.Euclidean(1)),
    (pm.Exp(), ~pm.Homeomorphism, SYMMETRIC),
    (pm.Identity(), ~pm.Homeomorphism, PLANE),
    (pm.Exp(), pm.Proper, pm.Euclidean(1)),
    (pm.Relu(), pm.Proper, pm.Euclidean(2)),
    (pm.Affine([[1.0], [2.0]]), pm.Proper, pm.Euclidean(2)),
    (Floor(), pm.Proper, pm.Box([-2.5], [2.5])),
    (pm.Power(3), ~pm.Proper, pm.Euclidean(1)),
    (pm.Softplus(), ~pm.Proper, pm.NonNegative(2)),
    (pm.Sin(), ~pm.Proper, ONE),
    (pm.Exp(), pm.Surjective, pm.Euclidean(1)),
    (pm.Power(2), pm.DenseImage, pm.Euclidean(2)),
    (pm.Identity() & pm.Identity(), pm.DenseImage, pm.Euclidean(1)),
    (pm.Identity(), pm.Surjective, pm.Box([-50.0], [50.0])),
    (pm.Power(3), ~pm.Surjective, pm.Euclidean(2)),
    (pm.Affine([[1.0], [2.0]]), ~pm.DenseImage, pm.Euclidean(2)),
    (pm.Tanh(), pm.PositivelyHomogeneous(1), SYMMETRIC),
    (pm.Relu(), pm.PositivelyHomogeneous(2), SYMMETRIC),
    (pm.Affine([[1.0]], [1e-9]), pm.PositivelyHomogeneous(1), SYMMETRIC),
    (Floor(), pm.PositivelyHomogeneous(1), pm.Box([-2.5], [2.5])),
    (pm.Power(2), ~pm.PositivelyHomogeneous(2), SYMMETRIC),
    (pm.LeakyRelu(0.3), ~pm.PositivelyHomogeneous(1), PLANE),
    (pm.Relu(), pm.Invariant(pm.Affine([[-1.0]])), SYMMETRIC),
    (pm.Select([0]), pm.Invariant(SWAP), PLANE),
    (pm.Sin(), pm.Invariant(pm.Affine([[1.0]], [6.28318])), pm.Box([0.0], [9.0])),
    (pm.Abs(), ~pm.Invariant((pm.Affine([[-1.0]]), pm.Identity())), SYMMETRIC),
    (pm.Affine([[1.0], [1.0]]), ~pm.Invariant(SWAP), PLANE),
    (pm.Abs(), pm.UAPInvariant, SYMMETRIC),
    (Floor() & pm.Identity(), pm.UAPInvariant, pm.Box([-2.5], [2.5])),
    (pm.Tanh(), ~pm.UAPInvariant, ONE),
    (pm.Abs(), pm.ApproximatelyUAPInvariant, SYMMETRIC),
    (Wrap(), pm.ApproximatelyUAPInvariant, pm.Box([0.0], [1.5])),
    (Pole(), pm.ApproximatelyUAPInvariant, SYMMETRIC),
    (pm.Tanh(), ~pm.ApproximatelyUAPInvariant, ONE),
    (Cube().on(TILTED), pm.property.Affine, TILTED),
    (0.0 * Reciprocal(), pm.Continuous, SYMMETRIC),
    (pm.Log(), pm.Injective, SYMMETRIC),
    (pm.Log("nan"), pm.Injective, SYMMETRIC),
    (pm.models.MLP() @ pm.Abs(), pm.Universal, SYMMETRIC),
    (pm.models.MLP() @ Floor(), pm.Universal, SYMMETRIC),
    (pm.models.Linear() @ pm.Identity(), pm.Universal, ONE),
    (pm.models.MLP() @ pm.Tanh(), ~pm.Universal, ONE),
]


@pytest.mark.parametrize(("phi", "claim", "on"), FALSE, ids=lambda v: repr(v)[:40])
def test_a_false_claim_is_contradicted(phi, claim, on):
    found = falsify(phi, claim, on)
    assert found is not None
    assert found.to_dict()["claim"] in str(found)


TRUE = [
    (pm.Tanh(), pm.Injective, pm.Box([30.0], [50.0])),
    (pm.Sigmoid(), pm.Injective, pm.NonNegative(1)),
    (pm.Tanh() @ pm.Affine([[1e6]]), pm.Continuous, SYMMETRIC),
    (pm.Sqrt(), pm.Continuous, ONE),
    (pm.Power(0.01), pm.Continuous, ONE),
    (pm.Identity() + pm.Affine([[0.0]], [1e16]), pm.Continuous, SYMMETRIC),
    (pm.Relu(), pm.Lipschitz(1.0), pm.Euclidean(3)),
    (pm.Power(3), ~pm.LowerLipschitz(0.0), SYMMETRIC),
    (pm.Softplus(), pm.Injective, pm.Euclidean(1)),
    (pm.Exp(), pm.Continuous, pm.Euclidean(1)),
    (pm.Normalize(), pm.Bounded(1.0), pm.Euclidean(3)),
    (pm.Affine([[1e8, 1.0], [1e-8, 3.0]]), pm.property.Affine, PLANE),
    (pm.Power(2), ~pm.Lipschitz, pm.Euclidean(2)),
    (pm.Log(), ~pm.LowerLipschitz, pm.Box([1.0], [np.inf])),
    (pm.models.MLP() @ pm.Tanh(), pm.Universal, pm.Box([-5.0], [5.0])),
    (pm.Relu(), ~pm.Smooth(0), SYMMETRIC),
    (pm.Power(4) @ pm.Relu(), ~pm.Smooth(3), SYMMETRIC),
    (pm.Power(4) @ pm.Relu(), pm.Smooth(3), SYMMETRIC),
    (pm.Normalize(), ~pm.Smooth(0), pm.Euclidean(3)),
    (pm.Tanh() @ pm.Affine([[1e4]]), pm.Smooth(np.inf), SYMMETRIC),
    (pm.Gelu(), pm.Smooth(np.inf), pm.Euclidean(1)),
    (pm.Power(1.01), pm.Smooth(1), ONE),
    (pm.Identity() + pm.Affine([[0.0]], [1e16]), pm.Smooth(np.inf), SYMMETRIC),
    (pm.Tanh(), pm.Homeomorphism, pm.Euclidean(1)),
    (pm.Softplus() & pm.Relu(), pm.Homeomorphism, pm.Euclidean(1)),
    (pm.Sin() & pm.Cos(), ~pm.Homeomorphism, pm.Box([0.0], [6.3])),
    (pm.Identity() & pm.Exp(), pm.Proper, pm.Euclidean(1)),
    (pm.CRelu(), pm.Proper, pm.Euclidean(3)),
    (pm.Log(), pm.Proper, pm.Box([1.0], [np.inf])),
    (pm.Tanh(), ~pm.Proper, pm.Euclidean(2)),
    (pm.Affine([[1.0], [2.0]]), ~pm.Proper, pm.Euclidean(2)),
    (pm.Power(3), pm.Surjective, pm.Euclidean(2)),
    (pm.Affine([[1.0], [2.0]]), pm.DenseImage, pm.Euclidean(2)),
    (pm.Affine([[1e-6]], [1e6]), pm.Surjective, pm.Euclidean(1)),
    (pm.Exp(), ~pm.DenseImage, pm.Euclidean(1)),
    (pm.Identity() & pm.Abs(), ~pm.Surjective, pm.Euclidean(1)),
    (pm.Power(2), pm.PositivelyHomogeneous(2), pm.Euclidean(2)),
    (pm.Sqrt(), pm.PositivelyHomogeneous(0.5), pm.NonNegative(2)),
    (pm.Affine([[0.1], [0.7]]), pm.PositivelyHomogeneous(1), PLANE),
    (pm.Tanh(), ~pm.PositivelyHomogeneous(1), pm.Box([1e-3], [1.0])),
    (pm.Affine([[0.1], [0.1]]), pm.Invariant(SWAP), PLANE),
    (pm.Abs(), pm.Invariant((pm.Affine([[-1.0]]),)), SYMMETRIC),
    (pm.Relu(), ~pm.Invariant(SWAP), PLANE),
    (pm.Relu(), pm.Invariant(pm.Affine([[1.0]], [-5.0])), ONE),
    (pm.Tanh(), pm.UAPInvariant, pm.Box([30.0], [50.0])),
    (pm.Abs(), ~pm.UAPInvariant, SYMMETRIC),
    (pm.Exp(), pm.ApproximatelyUAPInvariant, pm.Euclidean(1)),
    (pm.Identity() & Floor(), pm.ApproximatelyUAPInvariant, pm.Box([-2.5], [2.5])),
    (Wrap(), ~pm.ApproximatelyUAPInvariant, pm.Box([0.0], [1.5])),
    # Its values are as small as 1e-784, and differ.
    (pm.Gelu(), pm.Injective, pm.Box([-60.0], [-20.0])),
    # The lower end of the segment is rounded outward, and is no open end.
    (
        pm.Relu(),
        pm.Proper,
        Product((pm.NonNegative(1), pm.Subspace([[1.0]], [-1.95], pm.Box([-0.5], [0.5])))),
    ),
]


@pytest.mark.parametrize(("phi", "claim", "on"), TRUE, ids=lambda v: repr(v)[:40])
@pytest.mark.parametrize("seed", range(3))
def test_a_true_claim_raises_no_false_alarm(phi, claim, on, seed):
    assert falsify(phi, claim, on, random_state=seed) is None


def test_the_search_reaches_the_extreme_ratios():
    rng = np.random.default_rng(0)

    def extremes(value, distance, back, d):
        x, y = (back(torch.from_numpy(rng.standard_normal((128, d)))) for _ in range(2))
        found = []
        for sign in (-1, 1):
            a, b = extreme_ratio(x, y, value, distance, sign, 150, 0.1, back)
            ratio = (value(a) - value(b)).norm(dim=1) / distance(a, b)
            ratio = ratio[distance(a, b) > 1e-3]
            found.append(float(ratio.min() if sign < 0 else ratio.max()))
        return found

    def sphere(z):
        return z / z.norm(dim=1, keepdim=True)

    def geodesic(x, y):
        return 2 * torch.atan2((x - y).norm(dim=1), (x + y).norm(dim=1))

    # Antipodal points: a chord of 2 over a half circle of π.
    assert np.allclose(extremes(lambda z: z, geodesic, sphere, 3), [2 / np.pi, 1], atol=1e-3)

    def positive(z):
        return sphere(z.abs())

    # 2 √p on the simplex is twice the positive part of the sphere; its corners are π apart.
    def fisher_rao(x, y):
        return 2 * geodesic(x, y)

    expected = [2 * np.sqrt(2) / np.pi, 1]
    assert np.allclose(extremes(lambda z: 2 * z, fisher_rao, positive, 4), expected, atol=1e-3)


def test_float32_is_compared_with_float64():
    assert single(Probe(Loose(), SYMMETRIC)) is not None
    for phi in (pm.Tanh() @ pm.Affine([[1e6]]), Floor(), pm.Log() @ pm.Abs(), pm.Exp()):
        assert single(Probe(phi, pm.Box([0.1], [80.0]))) is None


def test_a_wrong_witness_is_rejected():
    near = pm.Collision(np.array([-1.0]), np.array([1.0 + 1e-9]), "not quite", exact=True)
    outside = pm.Collision(np.array([-2.0]), np.array([2.0]), "even", exact=True)
    same = pm.Collision(np.array([0.5]), np.array([0.5]), "no pair", exact=True)
    good = pm.Collision(np.array([-1.0]), np.array([1.0]), "even", exact=True)
    for witness in (near, outside, same):
        assert falsify(pm.Abs(), ~pm.Injective, SYMMETRIC, witness=witness) is not None
    assert falsify(pm.Abs(), ~pm.Injective, SYMMETRIC, witness=good) is None


def test_every_property_that_a_theorem_concludes_has_an_attack():
    for row in TABLE:
        attacks = KERNEL_ATTACKS if issubclass(row.about, Kernel) else ATTACKS
        assert row.then.name in attacks, row.name


def test_falsify_says_what_it_needs():
    with pytest.raises(pm.errors.OperandError, match=r"a signed property"):
        falsify(pm.Relu(), "injective", ONE)
    with pytest.raises(pm.errors.ParameterError, match=r"F @ phi"):
        falsify(pm.Relu(), pm.Universal, ONE)
    with pytest.raises(pm.errors.ParameterError, match=r"on=pm.Box"):
        falsify(pm.Relu(), pm.Injective)


def test_growth_beside_a_great_constant_is_no_standing_still():
    # log(1 + y) reaches 92 at y = 1e40, which the norm does not show beside 1e24.
    phi = pm.product(pm.Abs() + 1e24, pm.Log1p(), widths=(1, 1))
    assert falsify(phi, pm.Proper, pm.NonNegative(2)) is None
    found = falsify(
        pm.product(pm.Abs() + 1e24, pm.Tanh(), widths=(1, 1)), pm.Proper, pm.NonNegative(2)
    )
    assert found is not None
    assert found.certain


def test_values_whose_squares_overflow_are_attacked_without_a_warning():
    phi = pm.Affine([[1e200, 1e-200]])
    assert falsify(phi, pm.Homeomorphism, pm.Euclidean(1)) is None


# --- binding never contradicts -----------------------------------------------------------------
def _open_maps():
    found = [m for m in leaf_examples(lambda line: None) if not m.closed]
    standardize = Standardize()
    composed = [pm.Tanh() @ standardize, standardize & pm.Relu(), standardize + pm.Abs()]
    return found + composed + [m @ standardize for m in found]


@pytest.mark.parametrize("phi", _open_maps(), ids=repr)
def test_binding_never_contradicts(phi):
    rng = np.random.default_rng(0)
    settled = 0
    for d in (1, 3):
        data = rng.uniform(0.5, 2.0, (30, d))
        try:
            bound = phi.bind(data)
        except pm.errors.PhimapsError:
            continue
        for on in (pm.Box([-1.0] * d, [2.0] * d), pm.Euclidean(d), pm.Ball([1.0] * d, 0.5)):
            open_, closed = Search(TABLE), Search(TABLE)
            for goal in QUESTIONS:
                try:
                    before = pm.decide(phi, goal, on=on, table=open_)
                    after = pm.decide(bound, goal, on=on, table=closed)
                except (DomainError, UnboundError):
                    # The data reach where a part has no value, or fix the shape that is asked for.
                    continue
                if before.holds is not None:
                    settled += 1
                    assert after.holds is before.holds, f"{before!r}; bound: {after!r}"
    assert settled or type(phi) is not Standardize
