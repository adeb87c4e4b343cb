"""Maps whose properties are known by a short argument; `decide` may not know, but never errs."""

from collections import Counter

import numpy as np
import pytest

import phimaps as pm

T, F = True, False
ROOT_HALF = np.sqrt(0.5)


def box(low, high, d=1):
    return pm.Box([low] * d, [high] * d)


R1, R2, R3, R4 = (pm.Euclidean(d) for d in (1, 2, 3, 4))
GENERIC = np.random.default_rng(0).normal(size=(2, 4))
SQUARE = np.array([[1.0, 0.5], [-0.25, 1.0]])
ROTATION = np.array([[0.6, 0.8], [-0.8, 0.6]])

# name, map, space, injective, continuous, (Lipschitz constant, lower one) where known, the reason
TRUTHS = [
    ("abs", pm.Abs(), box(-1, 1), F, T, (1, 0), "even"),
    ("abs, positive", pm.Abs(), box(0, 1), T, T, (1, 1), "the identity there"),
    ("square, positive", pm.Power(2), box(0, 1), T, T, (2, 0), "increasing, flat at 0"),
    ("square", pm.Power(2), box(-1, 1), F, T, (2, 0), "even"),
    ("cube", pm.Power(3), box(-1, 1), T, T, (3, 0), "increasing, flat at 0"),
    ("cube, all", pm.Power(3), R1, T, T, (np.inf, 0), "increasing, steeper and steeper"),
    ("reciprocal", pm.Power(-1), box(1, 2), T, T, (1, 0.25), "decreasing with slope -1/x²"),
    ("root", pm.Sqrt(), box(0, 1), T, T, (np.inf, 0.5), "vertical at 0"),
    ("log", pm.Log(), box(1, 4), T, T, (1, 0.25), "slope 1/x"),
    ("exp", pm.Exp(), R1, T, T, (np.inf, 0), "increasing"),
    ("relu", pm.Relu(), box(-1, 1), F, T, (1, 0), "a dead half-line"),
    ("relu, positive", pm.Relu(), box(0, 1), T, T, (1, 1), "the identity there"),
    ("leaky relu", pm.LeakyRelu(0.01), box(-1, 1), T, T, (1, 0.01), "two positive slopes"),
    ("leaky relu, slope 0", pm.LeakyRelu(0.0), box(-1, 1), F, T, (1, 0), "it is relu"),
    ("leaky relu, slope -1", pm.LeakyRelu(-1.0), box(-1, 1), F, T, (1, 0), "it is abs"),
    ("crelu", pm.CRelu(), box(-1, 1, 3), T, T, (1, ROOT_HALF), "x = relu(x) - relu(-x)"),
    ("crelu, positive", pm.CRelu(), box(0, 1, 3), T, T, (1, 1), "no coordinate changes sign"),
    ("gelu", pm.Gelu(), box(-3, 1), F, T, None, "a minimum at -0.7518"),
    ("gelu, right", pm.Gelu(), box(-0.7, 1), T, T, None, "increasing right of its minimum"),
    ("gelu, left", pm.Gelu(), box(-3, -0.8), T, T, None, "decreasing left of its minimum"),
    ("silu", pm.Silu(), box(-5, 1), F, T, None, "a minimum at -1.27846"),
    ("silu, unit", pm.Silu(), box(-1, 1), T, T, None, "increasing right of its minimum"),
    ("softplus", pm.Softplus(), R1, T, T, (1, 0), "increasing with slope in (0, 1)"),
    ("sigmoid", pm.Sigmoid(), R1, T, T, (0.25, 0), "increasing, slope at most 1/4"),
    ("tanh(10x)", pm.Tanh() @ pm.Affine([[10.0]]), box(-5, 5), T, T, None, "increasing"),
    ("tanh, saturated", pm.Tanh(), box(30, 40), T, T, None, "increasing, though floats agree"),
    ("tanh, all", pm.Tanh(), R1, T, T, (1, 0), "increasing, flat at infinity"),
    ("cos, half", pm.Cos(), box(0, 1), T, T, (np.sin(1), 0), "decreasing on [0, π]"),
    ("cos", pm.Cos(), box(-1, 1), F, T, (np.sin(1), 0), "even"),
    ("cos, all", pm.Cos(), R1, F, T, (1, 0), "periodic"),
    ("sin", pm.Sin(), box(-1, 1), T, T, (1, np.cos(1)), "increasing on [-π/2, π/2]"),
    ("sin, wide", pm.Sin(), box(-2, 2), F, T, (1, 0), "it turns at π/2"),
    ("selection", pm.Select([0, 1]), R3, F, T, (1, 0), "a coordinate is dropped"),
    ("permutation", pm.Select([2, 0, 1]), R3, T, T, (1, 1), "an isometry"),
    ("repetition", pm.Select([0, 0, 1]), R2, T, T, (np.sqrt(2), 1), "one coordinate twice"),
    (
        "selection on a slice",
        pm.Select([0]),
        pm.Box([0, 2], [1, 2]),
        T,
        T,
        (1, 1),
        "what is dropped is constant",
    ),
    ("normalize", pm.Normalize(), box(-1, 1, 2), F, F, (np.inf, 0), "rays; a jump at 0"),
    ("normalize, away", pm.Normalize(), box(1, 2, 2), F, T, (ROOT_HALF, 0), "rays"),
    ("[W; -W] relu", pm.Relu() @ pm.Affine(np.hstack([SQUARE, -SQUARE])), R2, T, T, None, "CReLU"),
    ("crelu of W", pm.CRelu() @ pm.Affine(SQUARE), R2, T, T, None, "CReLU of a bijection"),
    ("2n relu units", pm.Relu() @ pm.Affine(GENERIC), R2, F, T, None, "too few are active"),
    ("n relu units", pm.Relu() @ pm.Affine(SQUARE), R2, F, T, None, "an orthant collapses"),
    ("n leaky units", pm.LeakyRelu(0.1) @ pm.Affine(SQUARE), R2, T, T, None, "two bijections"),
    ("rotation", pm.Affine(ROTATION), R2, T, T, (1, 1), "an isometry"),
    ("projection", pm.Affine(ROTATION[:, :1]), R2, F, T, (1, 0), "a dimension is dropped"),
    ("mean", pm.Affine(np.full((4, 1), 0.25)), R4, F, T, (0.5, 0), "rank 1"),
    ("group average", pm.Affine(np.full((4, 4), 0.25)), R4, F, T, (1, 0), "a projection of rank 1"),
    ("rank deficient", pm.Affine([[1.0, 2.0], [2.0, 4.0]]), R2, F, T, (5, 0), "rank 1"),
    ("embedding", pm.Affine([[1.0, 0.0, 2.0]]), R1, T, T, (np.sqrt(5), np.sqrt(5)), "a line"),
    ("zero scale", 0.0 * pm.Identity(), box(0, 1), F, T, (0, 0), "constant"),
    ("zero scale, a point", 0.0 * pm.Identity(), box(1, 1), T, T, (0, None), "one point"),
    ("constant", pm.Power(0), box(0, 1), F, T, (0, 0), "x ↦ 1"),
    ("diagonal with 0", pm.Diagonal([2.0, 0.0], [0.0, 1.0]), R2, F, T, (2, 0), "a lost coordinate"),
    ("diagonal", pm.Diagonal([2.0, -3.0], [0.0, 1.0]), R2, T, T, (3, 2), "no scale is 0"),
    ("identity and square", pm.Identity() & pm.Power(2), R2, T, T, (np.inf, 1), "it contains x"),
    ("cos and sin, one turn", pm.Cos() & pm.Sin(), box(0, 7), F, T, None, "2π apart"),
    ("cos and sin, short", pm.Cos() & pm.Sin(), box(0, 1), T, T, None, "cos decreases"),
    ("x ⊗ x", pm.Identity() * pm.Identity(), box(-1, 1), F, T, (2, 0), "even"),
    ("residual", pm.Identity() + 0.5 * pm.Tanh(), R2, T, T, (1.5, None), "½ tanh is ½-Lipschitz"),
    ("x - x", pm.Identity() - pm.Identity(), R2, F, T, (0, 0), "constant"),
    ("x + relu", pm.Identity() + pm.Relu(), box(-1, 1), T, T, (2, 1), "slopes 1 and 2"),
    (
        "product",
        pm.product(pm.Abs(), pm.Identity(), widths=(1, 1)),
        box(-1, 1, 2),
        F,
        T,
        (1, 0),
        "one part merges",
    ),
    (
        "product, good",
        pm.product(pm.Tanh(), pm.Affine([[3.0]]), widths=(1, 1)),
        box(-1, 1, 2),
        T,
        T,
        (3, 1 / np.cosh(1.0) ** 2),
        "both parts are injective",
    ),
    ("abs ∘ exp", pm.Abs() @ pm.Exp(), R1, T, T, (np.inf, 0), "exp is positive"),
    ("log ∘ exp", pm.Log() @ pm.Exp(), box(-1, 1), T, T, (1, 1), "the identity"),
    ("square ∘ abs", pm.Power(2) @ pm.Abs(), box(-1, 1), F, T, (2, 0), "abs merges first"),
    ("restriction", pm.Power(2).on(box(0, 1)), box(0, 1), T, T, (2, 0), "restricted to x >= 0"),
    ("finite", pm.Identity(), pm.Finite([[0.0], [1.0]]), T, T, (1, 1), "an isometry"),
    ("finite, square", pm.Power(2), pm.Finite([[-1.0], [1.0]]), F, T, (0, 0), "two points merge"),
    ("ball", pm.Tanh(), pm.Ball([0.0, 0.0], 1.0), T, T, (1, None), "increasing"),
    ("waves", pm.RandomFourier(2, gamma=1.0).bind(np.zeros((2, 2))), R2, F, T, None, "a period"),
]  # fmt: skip


def asked(phi, on, goal, truth, counts, name):
    verdict = pm.decide(phi, goal, on=on)
    counts["asked"] += 1
    counts["decided"] += verdict.holds is not None
    assert verdict.holds in (None, truth), f"{name}: {verdict}"
    return verdict


@pytest.mark.parametrize(
    ("phi", "on", "injective", "continuous", "constants"),
    [t[1:6] for t in TRUTHS],
    ids=[t[0] for t in TRUTHS],
)
def test_a_known_truth_is_never_contradicted(phi, on, injective, continuous, constants, request):
    name = request.node.callspec.id
    judge(phi, on, injective, continuous, constants, Counter(), name)


def judge(phi, on, injective, continuous, constants, counts, name):
    verdict = asked(phi, on, pm.Injective, injective, counts, name)
    if verdict.witness is not None:
        pair = np.stack([verdict.witness.x, verdict.witness.y])
        assert verdict.witness.verify(phi), name
        assert on.contains(pair).all(), name
    asked(phi, on, pm.Continuous, continuous, counts, name)
    for goal, constant in zip((pm.Lipschitz, pm.LowerLipschitz), constants or (), strict=False):
        if constant is None:
            continue
        positive = goal.quantity == "least"
        truth = constant < np.inf if positive else constant > 0
        found = asked(phi, on, goal, truth, counts, name)
        # The numbers in the list are rounded.
        low, high = found.value[0] * (1 - 1e-9), found.value[1] * (1 + 1e-9)
        assert low <= constant <= high, f"{name}: {constant} and {found!r}"
    # Composed with a universal class, a continuous map decides universality by its injectivity.
    if continuous and on.compact:
        asked(pm.models.MLP() @ phi, on, pm.Universal, injective, counts, name)


CLASSES = [
    ("linear on the identity", pm.models.Linear() @ pm.Identity(), box(0, 1), F),
    ("linear on squares", pm.models.Linear() @ (pm.Identity() & pm.Power(2)), box(0, 1), F),
    ("networks on the identity", pm.models.MLP() @ pm.Identity(), box(-1, 1, 2), T),
    ("tanh networks", pm.models.MLP(activation="tanh") @ pm.Tanh(), box(-1, 1, 2), T),
    ("affine networks", pm.models.MLP(activation="identity") @ pm.Identity(), box(0, 1), F),
    ("networks on abs", pm.models.MLP() @ pm.Abs(), box(-1, 1), F),
    ("networks on abs, positive", pm.models.MLP() @ pm.Abs(), box(0, 1), T),
    ("networks on a constant at a point", pm.models.MLP() @ (0.0 * pm.Identity()), box(1, 1), T),
]  # fmt: skip


@pytest.mark.parametrize(
    ("phi", "on", "truth"), [c[1:] for c in CLASSES], ids=[c[0] for c in CLASSES]
)
def test_a_known_truth_about_a_class_is_never_contradicted(phi, on, truth, request):
    asked(phi, on, pm.Universal, truth, Counter(), request.node.callspec.id)


def test_at_least_nine_in_ten_known_truths_are_decided():
    counts: Counter = Counter()
    open_questions = []
    for name, phi, on, injective, continuous, constants, _ in TRUTHS:
        before = counts["asked"] - counts["decided"]
        judge(phi, on, injective, continuous, constants, counts, name)
        if counts["asked"] - counts["decided"] > before:
            open_questions.append(name)
    for name, phi, on, truth in CLASSES:
        asked(phi, on, pm.Universal, truth, counts, name)
    print(f"\n{counts['decided']} of {counts['asked']} decided; open: {', '.join(open_questions)}")
    assert counts["decided"] >= 0.9 * counts["asked"]
