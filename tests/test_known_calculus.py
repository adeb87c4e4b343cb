"""Known truths about all properties and spaces; `decide` may not know, but never errs."""

from collections import Counter

import numpy as np
import pytest

import phimaps as pm

T, F, INF = True, False, np.inf
AFFINE = pm.property.Affine


def box(low, high, d=1):
    return pm.Box([low] * d, [high] * d)


def circulant(kernel, n):
    """The matrix of the circular convolution with the kernel."""
    first = np.zeros(n)
    first[: len(kernel)] = kernel
    return np.stack([np.roll(first, i) for i in range(n)])


R1, R2, R3, R4, R8 = (pm.Euclidean(d) for d in (1, 2, 3, 4, 8))
SWAP, FLIP, SHIFT = pm.Select([1, 0]), -1.0 * pm.Identity(), pm.Select([3, 0, 1, 2])
SPHERE, SIMPLEX = pm.Sphere([0.0, 0.0, 0.0], 1.0), pm.Simplex(3)
PLANE = pm.Subspace([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
MEAN = pm.Affine(np.full((4, 1), 0.25))
STEEP = pm.Tanh() @ pm.Affine([[10.0]])
SQRT1 = pm.Sqrt() @ pm.Affine([[1.0]], [1.0])
SQUARE = np.array([[1.0, 0.5], [-0.25, 1.0]])
H = circulant([1.0, 0.3, -0.2], 8)

# name, map, space, property, truth (or the best constant), reason
TRUTHS = [
    ("tanhshrink", pm.Tanhshrink(), box(-1, 1), pm.Injective, T, "its slope tanh² is 0 only at 0"),
    ("tanhshrink", pm.Tanhshrink(), box(-1, 1), pm.LowerLipschitz, 0.0, "flat at 0"),
    ("softshrink", pm.Softshrink(), box(-1, 1), pm.Injective, F, "a dead zone"),
    ("hardshrink", pm.Hardshrink(), box(-1, 1), pm.Continuous, F, "it jumps at the thresholds"),
    ("step", pm.Step(), box(-1, 1), pm.Continuous, F, "it jumps at 0"),
    ("mish", pm.Mish(), box(-5, 1), pm.Injective, F, "a minimum at -1.19"),
    ("mish, right", pm.Mish(), box(-1, 1), pm.Injective, T, "it increases there"),
    ("elu", pm.Elu(), R1, pm.Injective, T, "it increases"),
    ("elu", pm.Elu(), box(-1, 1), pm.Smooth(1), T, "the slopes meet at 0"),
    ("elu", pm.Elu(), box(-1, 1), pm.Smooth(2), F, "the second derivative jumps from 1 to 0"),
    ("selu", pm.Selu(), R1, pm.Injective, T, "it increases"),
    ("softsign", pm.Softsign(), box(-1, 1), pm.LowerLipschitz, 0.25, "slope (1 + |x|)⁻²"),
    ("arctan", pm.Arctan(), R1, pm.Surjective, F, "its values lie below π/2"),
    ("sinh", pm.Sinh(), R1, pm.Surjective, T, "it increases without bound"),
    ("sinh", pm.Sinh(), R1, pm.Proper, T, "|sinh x| goes to infinity"),
    ("sigmoid", pm.Sigmoid(), R1, pm.Lipschitz, 0.25, "its slope at 0"),
    ("softmax", pm.Softmax(), R3, pm.Injective, F, "a shift of all coordinates is lost"),
    ("softmax", pm.Softmax(), R3, pm.Lipschitz, 0.5, "half, by Popoviciu's inequality"),
    ("layer norm", pm.LayerNorm(), R3, pm.Injective, F, "a shift of all coordinates is lost"),
    ("rms norm", pm.RmsNorm(0.5), R3, pm.Injective, T, "lengths are squeezed, directions kept"),
    ("squash", pm.Squash(), R3, pm.Injective, T, "a homeomorphism onto the ball"),
    ("squash", pm.Squash(), R3, pm.Bounded, 1.0, "onto the open ball"),
    ("squash", pm.Squash(), R3, pm.Homeomorphism, T, "its inverse is y / (1 - |y|)"),
    ("sort", pm.Sort(), R3, pm.Injective, F, "the order is lost"),
    ("sort", pm.Sort(), R3, pm.Lipschitz, 1.0, "sorting is a permutation at each point"),
    ("sort", pm.Sort(), R2, pm.Invariant(SWAP), T, "the order is lost"),
    ("sort, ordered", pm.Sort(), pm.Box([0.0, 1.0], [1.0, 2.0]), pm.Injective, T, "the identity"),
    ("tanh(10x)", STEEP, box(-5, 5), pm.Injective, T, "increasing"),
    ("tanh(10x)", STEEP, box(-5, 5), pm.UAPInvariant, T, "continuous and injective"),
    ("tanh(10x)", STEEP, box(-5, 5), pm.Homeomorphism, T, "of a compact set"),
    ("tanh", pm.Tanh(), R1, pm.Homeomorphism, T, "onto the open interval"),
    ("tanh", pm.Tanh(), R1, pm.Proper, F, "bounded"),
    ("tanh", pm.Tanh(), R1, pm.DenseImage, F, "bounded"),
    ("abs", pm.Abs(), box(-1, 1), pm.UAPInvariant, F, "even"),
    ("abs", pm.Abs(), box(-1, 1), pm.ApproximatelyUAPInvariant, F, "even"),
    ("abs", pm.Abs(), R1, pm.PositivelyHomogeneous, T, "|tx| = t|x|"),
    ("abs", pm.Abs(), R2, pm.Invariant(FLIP), T, "even"),
    ("abs", pm.Abs(), R1, pm.Proper, T, "|x| grows"),
    ("relu", pm.Relu(), R1, pm.Proper, F, "a dead half-line"),
    ("relu", pm.Relu(), box(-1, 1), pm.Smooth, 0.0, "a kink"),
    ("relu, positive", pm.Relu(), box(0, 1), pm.Smooth, INF, "the identity"),
    ("relu of affine", pm.Relu() @ pm.Affine(SQUARE), R2, pm.PositivelyHomogeneous, T, "no bias"),
    ("relu of affine", pm.Relu() @ pm.Affine(SQUARE), box(-1, 1, 2), pm.Smooth, 0.0, "a kink"),
    ("exp", pm.Exp(), R1, pm.PositivelyHomogeneous, F, "exp(2x) is not 2 exp(x)"),
    ("square", pm.Power(2), R1, pm.PositivelyHomogeneous(2), T, "(tx)² = t² x²"),
    ("square", pm.Power(2), R1, pm.PositivelyHomogeneous(1), F, "(2x)² is 4 x²"),
    ("cube", pm.Power(3), R1, pm.Surjective, T, "it increases without bound"),
    ("cube", pm.Power(3), R1, pm.Homeomorphism, T, "its inverse is the cube root"),
    ("cube root", pm.Cbrt(), R1, pm.Injective, T, "the inverse of the cube"),
    ("cube root", pm.Cbrt(), box(-1, 1), pm.Lipschitz, INF, "vertical at 0"),
    ("mean pool", MEAN, R4, pm.Injective, F, "rank 1"),
    ("mean pool", MEAN, R4, pm.Invariant(SHIFT), T, "equal weights"),
    ("mean of tanh", MEAN @ pm.Tanh(), R4, pm.Invariant(SHIFT), T, "equal weights"),
    ("a bijection", pm.Affine(SQUARE), R2, pm.Surjective, T, "invertible"),
    ("a bijection", pm.Affine(SQUARE), R2, pm.Invariant(SWAP), F, "unequal rows"),
    ("a projection", pm.Affine(SQUARE[:, :1]), R2, pm.Proper, F, "constant on lines"),
    ("a projection", pm.Affine(SQUARE[:, :1]), R2, pm.Surjective, T, "not 0"),
    ("an embedding", pm.Affine([[1.0, 2.0]]), R1, pm.DenseImage, F, "a line in the plane"),
    ("an embedding", pm.Affine([[1.0, 2.0]]), R1, pm.Proper, T, "bi-Lipschitz"),
    ("circular conv + relu", pm.Relu() @ pm.Affine(H), R8, pm.Injective, F, "all negative"),
    ("circular conv + crelu", pm.CRelu() @ pm.Affine(H), R8, pm.Injective, T, "min |DFT| > 0"),
    ("pca on its plane", pm.Affine(np.eye(3)[:, :2]), PLANE, pm.Injective, T, "isometry"),
    ("pca on its plane", pm.Affine(np.eye(3)[:, :2]), PLANE, pm.Lipschitz, 1.0, "isometry"),
    ("pca off its plane", pm.Affine(np.eye(3)[:, 1:]), PLANE, pm.Injective, F, "rank 1"),
    ("pca", pm.Affine(np.eye(3)[:, :2]), R3, pm.Injective, F, "a dimension is dropped"),
    ("sphere to the plane", pm.Select([0, 1]), SPHERE, pm.Injective, F, "Borsuk-Ulam"),
    ("sphere", pm.Normalize(), SPHERE, pm.Continuous, T, "0 is not on it"),
    ("sphere, identity", pm.Identity(), SPHERE, pm.Homeomorphism, T, "compact"),
    ("simplex", pm.Sqrt(), SIMPLEX, pm.Injective, T, "increasing in each coordinate"),
    ("simplex, a face", pm.Select([0]), SIMPLEX, pm.Injective, F, "two dimensions, one output"),
    ("simplex, all but one", pm.Select([0, 1]), SIMPLEX, pm.Injective, T, "the rest is 1 - x - y"),
    ("one-hot", pm.OneHot([[0.0, 1.0, 2.0]]), pm.Categories(3), pm.Injective, T, "distinct"),
    ("one-hot", pm.OneHot([[0.0, 1.0, 2.0]]), pm.Categories(3), pm.Lipschitz, np.sqrt(2), "√2"),
    ("log, open", pm.Log(), pm.Interval(0.0, 1.0, closed="right"), pm.Injective, T, "increasing"),
    ("log, open", pm.Log(), pm.Interval(0.0, 1.0, closed="right"), pm.Lipschitz, INF, "slope 1/x"),
    ("circle", pm.Cos() & pm.Sin(), box(0, 1), pm.Homeomorphism, T, "less than a turn"),
    ("x + ½ tanh", pm.Identity() + 0.5 * pm.Tanh(), R2, pm.Homeomorphism, T, "Banach"),
    ("x + ½ tanh", pm.Identity() + 0.5 * pm.Tanh(), R2, pm.Smooth, INF, "analytic"),
    ("append x", pm.Identity() & pm.Step(), box(-1, 1), pm.UAPInvariant, F, "it jumps"),
    ("append x", pm.Identity() & pm.Step(), box(-1, 1), pm.ApproximatelyUAPInvariant, T, "kept"),
    ("zero scale", 0.0 * pm.Exp(), R1, AFFINE, T, "constant"),
    ("finite", pm.Power(2), pm.Finite([[1.0], [2.0], [3.0]]), pm.Lipschitz, 5.0, "9 - 4"),
    ("finite, merged", pm.Abs(), pm.Finite([[-1.0], [1.0]]), pm.Injective, F, "even"),
    ("finite, step", pm.Step(), pm.Finite([[-1.0], [1.0]]), pm.Continuous, T, "no point between"),
    ("√ of 1 + x²", SQRT1 @ pm.Power(2), R1, pm.Injective, F, "even"),
]  # fmt: skip


def asked(phi, on, goal, truth):
    """The verdict, and whether it decides what is known; it must not contradict it."""
    verdict = pm.decide(phi, goal, on=on)
    if goal.quantity is None or goal.bound is not None:
        assert verdict.holds in (None, truth), str(verdict)
        return verdict.holds is not None
    low, high = verdict.value
    assert low * (1 - 1e-9) <= truth, str(verdict)
    assert truth <= high * (1 + 1e-9), str(verdict)
    settled = 0 < truth < INF
    return verdict.exact or (settled and verdict.holds is True and goal.quantity == "least")


@pytest.mark.parametrize(
    ("phi", "on", "goal", "truth"),
    [t[1:5] for t in TRUTHS],
    ids=[f"{t[0]}-{t[3].name}" for t in TRUTHS],
)
def test_a_known_truth_is_never_contradicted(phi, on, goal, truth):
    asked(phi, on, goal, truth)


def test_at_least_nine_in_ten_known_truths_are_decided():
    counts, left = Counter(), []
    for name, phi, on, goal, truth, _ in TRUTHS:
        decided = asked(phi, on, goal, truth)
        counts[decided] += 1
        left += [] if decided else [f"{name} {goal!r}"]
    print(f"\n{counts[True]} of {len(TRUTHS)} decided; open: {', '.join(left)}")
    assert counts[True] >= 0.9 * len(TRUTHS)


# --- the same question in three arithmetics ------------------------------------------------------
ARITHMETIC = [
    # map, space, in real arithmetic, in float64, in float32
    (STEEP, box(-5, 5), T, F, F),
    (pm.Tanh(), pm.Box([30.0], [40.0]), T, F, F),
    (pm.Identity(), box(-5, 5), T, T, T),
    (pm.Identity() & STEEP, box(-5, 5), T, T, T),
    (STEEP & pm.Identity(), box(-5, 5), T, T, T),
    (pm.CRelu(), box(-5, 5, 2), T, T, T),
    (pm.Abs(), box(-1, 1), F, F, F),
    (pm.Abs(), box(0, 1), T, T, T),
    (pm.Relu() @ pm.Select([1, 0]), box(0, 1, 2), T, T, T),
    (pm.Affine([[1.0]], [1e9]), box(-1, 1), T, F, F),
    (pm.Sigmoid(), box(0, 100), T, F, F),
    (-1.0 * pm.Identity(), R2, T, T, T),
]


@pytest.mark.parametrize(("phi", "on", "real", "double", "single"), ARITHMETIC, ids=repr)
def test_the_arithmetic_is_part_of_the_question(phi, on, real, double, single):
    for arithmetic, truth in (("real", real), ("float64", double), ("float32", single)):
        verdict = pm.decide(phi, pm.Injective, on=on, arithmetic=arithmetic)
        assert verdict.holds is truth, str(verdict)
        assert verdict.arithmetic == arithmetic
        if arithmetic != "real" and not truth:
            assert verdict.witness.arithmetic == arithmetic
            assert verdict.witness.verify(phi)
            assert on.contains(np.stack([verdict.witness.x, verdict.witness.y])).all()
            assert arithmetic in str(verdict)
    kept = pm.decide(phi, pm.UAPInvariant, on=on, arithmetic="float64")
    assert kept.holds is double
    assert pm.decide(phi, pm.Continuous, on=on, arithmetic="float64").holds


def test_a_collision_of_the_computed_map_is_none_of_the_map():
    found = pm.decide(STEEP, pm.Injective, on=box(-5, 5), arithmetic="float64").witness
    assert found.verify(STEEP)
    apart = pm.Collision(np.array([0.0]), np.array([0.1]), "wrong", arithmetic="float64")
    assert not apart.verify(STEEP)
    assert found.to_dict()["arithmetic"] == "float64"
    universal = pm.decide(
        pm.models.MLP() @ STEEP, pm.Universal, on=box(-5, 5), arithmetic="float32"
    )
    assert universal.holds is False


def test_what_rounds_on_the_way_stays_unknown_where_no_collision_is_found():
    verdict = pm.decide(2.0 * pm.Identity(), pm.Injective, on=box(1, 2), arithmetic="float64")
    assert verdict.holds is None
    assert "ask with arithmetic='real'" in str(verdict)
    assert pm.decide(pm.Standardize(), pm.Injective, on=R1, arithmetic="float32").missing == (
        "phi.bind(X)",
    )


def test_constants_of_exactly_computed_maps_carry_over():
    verdict = pm.decide(pm.Abs(), pm.Lipschitz, on=box(-1, 1), arithmetic="float64")
    assert verdict.value[1] == 1.0


# --- stacks --------------------------------------------------------------------------------------
def test_a_stack_of_two_hundred_layers_is_decided():
    rng = np.random.default_rng(0)
    layers = []
    for _ in range(100):
        turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
        layers += [pm.Affine(turn, 0.01 * rng.normal(size=6)), pm.LeakyRelu(0.5)]
    phi, on = pm.pipe(*layers), box(-1, 1, 6)
    for goal in (pm.Continuous, pm.Injective, pm.Homeomorphism, pm.UAPInvariant):
        assert pm.decide(phi, goal, on=on).holds
    low, high = pm.decide(phi, pm.Lipschitz, on=on).value
    assert 0 < low <= high < 1 + 1e-9
