"""What is inferred of an expression from its parts: lineax, CoLA, CVXPY and phimaps.

All four libraries infer a property of an expression from properties of its parts: of scaled,
negated, composed, stacked or sliced matrices there, of maps here. The questions differ, the kind is
the same. Each answer stands beside the truth, worked out here from the numbers of the expression.
The questions put to the peers are chosen around rules that are unsound in some version, with a few
others beside them: the counts are no rates.

The peers answer with a bool, and where that is False the property is only not known to hold, so a
False is never counted as wrong. phimaps answers proved, refuted or unknown. Wrong is an answer that
the numbers contradict.

    python benchmarks/peers.py

The peers are optional: ``pip install lineax cola-ml cvxpy``. Exits with 1 when phimaps is wrong,
and when a stated truth is not what the numbers say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

import phimaps as pm

# The peers compute in single precision here and there.
SMALL = 1e-4
RNG = np.random.default_rng(0)
GENERAL, OTHER = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))
PSD_1, PSD_2 = GENERAL @ GENERAL.T, OTHER @ OTHER.T


@dataclass(frozen=True)
class Row:
    """A question, the answer (None: unknown), the truth, and the numbers that show it."""

    question: str
    answer: bool | None
    truth: bool
    shown: str
    bools: bool = True

    @property
    def judged(self) -> str:
        if self.answer is None:
            return "open"
        if self.answer == self.truth:
            return "right"
        return "open" if self.bools and not self.answer else "WRONG"

    def __str__(self) -> str:
        words = ("False", "True") if self.bools else ("refuted", "proved")
        said = "unknown" if self.answer is None else words[self.answer]
        true = "yes" if self.truth else "no"
        return f"  {self.question:<52} {said:<8} {true:<5} {self.judged:<6} {self.shown}"


# --- matrices ----------------------------------------------------------------------------------
def semidefinite(matrix: np.ndarray, sign: int = 1) -> tuple[bool, str]:
    """Whether sign times the matrix is symmetric positive semidefinite."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        return False, f"its shape is {matrix.shape}"
    skew = np.abs(matrix - matrix.T).max()
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    bad = values[0] if sign > 0 else values[-1]
    word = "least" if sign > 0 else "greatest"
    shown = f"{word} eigenvalue {bad:.3g}" + (f", |A - A'| {skew:.3g}" if skew > SMALL else "")
    return bool(skew <= SMALL and sign * bad >= -SMALL), shown


def symmetric(matrix: np.ndarray) -> tuple[bool, str]:
    skew = np.abs(np.asarray(matrix) - np.asarray(matrix).T).max()
    return bool(skew <= SMALL), f"|A - A'| {skew:.3g}"


def unitary(matrix: np.ndarray) -> tuple[bool, str]:
    values = np.linalg.svd(np.asarray(matrix), compute_uv=False)
    shown = f"singular values {values[-1]:.3g} to {values[0]:.3g}"
    return bool(np.abs(values - 1).max() <= SMALL), shown


def lineax() -> Iterator[Row]:
    import lineax as lx

    def marked(matrix: np.ndarray, *tags: object) -> object:
        import jax.numpy as jnp

        return lx.MatrixLinearOperator(jnp.asarray(matrix), tags)

    def row(question: str, operator: object, ask: Callable, truth: Callable) -> Row:
        return Row(question, bool(ask(operator)), *truth(np.asarray(operator.as_matrix())))

    p, q = (marked(m, lx.positive_semidefinite_tag) for m in (PSD_1, PSD_2))
    n, g = marked(-PSD_1, lx.negative_semidefinite_tag), marked(GENERAL)
    unit = marked(np.eye(3) + np.tril(GENERAL, -1), lx.unit_diagonal_tag)
    band = marked(np.diag([1.0, 2.0, 3.0]) + np.diag([1.0, 1.0], 1), lx.tridiagonal_tag)
    yield row("P @ Q is symmetric", p @ q, lx.is_symmetric, symmetric)
    psd, nsd = lx.is_positive_semidefinite, lx.is_negative_semidefinite
    yield row("P @ Q is positive semidefinite", p @ q, psd, semidefinite)
    yield row("N @ N is negative semidefinite", n @ n, nsd, lambda m: semidefinite(m, -1))
    yield row("-G is positive semidefinite, G not marked", -g, psd, semidefinite)
    yield row("-G is negative semidefinite, G not marked", -g, nsd, lambda m: semidefinite(m, -1))
    yield row(
        "3 * U has unit diagonal, U does",
        3 * unit,
        lx.has_unit_diagonal,
        lambda m: (bool(np.allclose(np.diag(m), 1)), f"its diagonal is {np.diag(m)}"),
    )
    yield row(
        "T @ T is tridiagonal, T is",
        band @ band,
        lx.is_tridiagonal,
        lambda m: (bool(m[0, 2] == m[2, 0] == 0), f"its corner is {m[0, 2]:.3g}"),
    )
    yield row("-P is negative semidefinite", -p, nsd, lambda m: semidefinite(m, -1))
    yield row("P + Q is positive semidefinite", p + q, psd, semidefinite)
    yield row("2 * P is positive semidefinite", 2 * p, psd, semidefinite)


def cola() -> Iterator[Row]:
    import cola
    import torch

    def dense(matrix: np.ndarray) -> object:
        return cola.ops.Dense(torch.tensor(matrix))

    def row(question: str, operator: object, annotation: object, truth: Callable) -> Row:
        return Row(question, operator.isa(annotation), *truth(operator.to_dense().numpy()))

    p, q = cola.PSD(dense(PSD_1)), cola.PSD(dense(PSD_2))
    u = cola.Unitary(dense(np.linalg.qr(GENERAL)[0]))
    yield row("-1 * P is PSD", -1 * p, cola.PSD, semidefinite)
    yield row("-P is PSD", -p, cola.PSD, semidefinite)
    yield row("3 * U is Unitary", 3 * u, cola.Unitary, unitary)
    yield row("U / 2 is Unitary", u / 2, cola.Unitary, unitary)
    yield row("2 * P is PSD", 2 * p, cola.PSD, semidefinite)
    yield row("U @ U is Unitary", u @ u, cola.Unitary, unitary)
    yield row("P @ Q is PSD", p @ q, cola.PSD, semidefinite)
    yield row("P[0:2, 1:3] is PSD", p[0:2, 1:3], cola.PSD, semidefinite)


def cvxpy() -> Iterator[Row]:
    import cvxpy as cp

    def row(question: str, expression: object) -> Row:
        return Row(question, bool(expression.is_psd()), *semidefinite(expression.value))

    p = cp.Parameter((2, 2), PSD=True, value=np.array([[2.0, -1.0], [-1.0, 2.0]]))
    yield row("vec(P).is_psd()", cp.vec(p, order="F"))
    yield row("hstack([P, P]).is_psd()", cp.hstack([p, p]))
    yield row("P[::-1, :].is_psd()", p[::-1, :])
    yield row("bmat([[P, 2 P], [2 P, P]]).is_psd()", cp.bmat([[p, 2 * p], [2 * p, p]]))
    corner = p[0:1, 1:2]
    yield row("P[0:1, 1:2].is_psd()", corner)
    convex, curvature = cp.quad_form(cp.Variable(1), corner).is_convex(), 2 * corner.value.item()
    shown = f"second derivative {curvature:.3g}"
    yield Row("quad_form(x, P[0:1, 1:2]).is_convex()", convex, curvature >= 0, shown)
    yield row("(-P).is_psd()", -p)
    yield row("(P + 2 P).is_psd()", p + 2 * p)
    yield row("(P @ P).is_psd()", p @ p)


# --- maps --------------------------------------------------------------------------------------
def stretches(phi: pm.FeatureMap, points: np.ndarray) -> tuple[float, float]:
    """The least and the greatest |φ(x) - φ(y)| / |x - y| among these points."""
    points = np.unique(points, axis=0)
    values, flat = phi(points).reshape(len(points), -1), points.reshape(len(points), -1)
    i, j = np.triu_indices(len(points), 1)
    apart = np.linalg.norm(flat[i] - flat[j], axis=1)
    ratios = np.linalg.norm(values[i] - values[j], axis=1) / apart
    return ratios.min(), ratios.max()


def isometry(question: str, phi: pm.FeatureMap, on: pm.Space, truth: bool) -> Row:
    """Up to 1e-9, as proved constants are rounded outward."""
    least, greatest = stretches(phi, on.sample(200))
    assert truth == (abs(least - 1) < SMALL and abs(greatest - 1) < SMALL), question
    claims = pm.Lipschitz(1 + 1e-9), pm.LowerLipschitz(1 - 1e-9)
    held = [pm.decide(phi, claim, on=on).holds for claim in claims]
    answer = False if False in held else None if None in held else True
    return Row(question, answer, truth, f"stretches {least:.3g} to {greatest:.3g}", bools=False)


def injective(question: str, phi: pm.FeatureMap, on: pm.Space, merged: tuple | None = None) -> Row:
    """True unless two points are given that have one value."""
    if merged is None:
        least = stretches(phi, on.sample(200))[0]
        assert least > 0, question
        shown = f"stretches {least:.3g} at least"
    else:
        x, y = np.array(merged)
        assert on.contains(np.stack([x, y])).all(), question
        assert (x != y).any(), question
        gap = np.abs(phi(x[None]) - phi(y[None])).max()
        assert gap < 1e-12, question
        shown = f"values of {x} and {y} differ by {gap:.2g}"
    answer = pm.decide(phi, pm.Injective, on=on).holds
    return Row(question, answer, merged is None, shown, bools=False)


def alike(question: str, phi: pm.FeatureMap, goal: pm.Property, truth: bool) -> Row:
    """Homogeneous of degree 1, or invariant under a motion."""
    on = pm.Euclidean(2)
    x = RNG.normal(size=(200, 2))
    if goal.name == "Invariant":
        off = np.abs(phi(goal.about(x)) - phi(x)).max()
    else:
        off = np.abs(phi(3 * x) - 3 * phi(x)).max()
    assert truth == (off < 1e-9), question
    answer = pm.decide(phi, goal, on=on).holds
    return Row(question, answer, truth, f"off by {off:.2g}", bools=False)


def onto(question: str, phi: pm.FeatureMap, truth: bool) -> Row:
    values = phi(np.linspace(-9, 9, 1001)[:, None])
    assert truth == bool(values.min() < -1000 and values.max() > 1000), question
    answer = pm.decide(phi, pm.Surjective, on=pm.Euclidean(1)).holds
    return Row(
        question, answer, truth, f"values {values.min():.3g} to {values.max():.3g}", bools=False
    )


def ours() -> Iterator[Row]:
    plane, square = pm.Euclidean(2), pm.Box([-1.0, -1.0], [1.0, 1.0])
    turn, x, swap = pm.Affine([[0.0, 1.0], [-1.0, 0.0]]), pm.Identity(), pm.Select([1, 0])
    yield isometry("-1 * turn is an isometry", -1 * turn, plane, True)
    yield isometry("3 * turn is an isometry", 3 * turn, plane, False)
    yield isometry("turn @ swap is an isometry", turn @ swap, plane, True)
    yield isometry("turn + turn is an isometry", turn + turn, plane, False)
    yield isometry("turn & turn (stacked) is an isometry", turn & turn, plane, False)
    yield isometry("0.6 turn & 0.8 turn is an isometry", 0.6 * turn & 0.8 * turn, plane, True)
    yield injective("0 * x is injective", 0 * x, square, ([0.0, 0], [1, 0]))
    yield injective("x - x is injective", x - x, plane, ([0.0, 0], [1, 0]))
    yield injective(
        "swap[0:1] @ turn is injective", pm.Select([0]) @ turn, plane, ([1.0, 0], [2, 0])
    )
    conv = pm.Conv2d(RNG.normal(size=(2, 1, 3, 3)), padding="same", padding_mode="circular")
    images = pm.Images(1, 6, 6)
    yield injective("-1 * conv is injective", -1 * conv, images)
    mixed = pm.Select(list(RNG.permutation(72))) @ pm.Flatten() @ (-1 * conv)
    yield injective("-1 * conv, coordinates permuted, is injective", mixed, images)
    yield injective("x + 0.5 tanh(x) is injective", x + 0.5 * pm.Tanh(), plane)
    root = 1.9150080481545375
    flat = ([root, 0.0], [-root, 0.0])
    yield injective("x - 2 tanh(x) is injective", x - 2 * pm.Tanh(), plane, flat)
    yield injective("tanh ∘ relu is injective", pm.Tanh() @ pm.Relu(), square, ([-1.0, 0], [0, 0]))
    yield injective("abs ∘ exp is injective, abs is not", pm.Abs() @ pm.Exp(), square)
    both = pm.Relu() & pm.Relu()
    yield injective("(relu(x), relu(x)) is injective", both, square, ([-1.0, 0], [0, 0]))
    yield injective("(relu(x), relu(-x)) is injective", pm.CRelu(), square)
    line, half = pm.Box([-1.0], [1.0]), pm.Box([0.0], [1.0])
    yield injective("x² is injective on [-1, 1]", pm.Power(2), line, ([-1.0], [1.0]))
    yield injective("x² restricted to [0, 1] is injective", pm.Power(2).on(half), half)
    yield injective("x ⊗ x is injective on [-1, 1]", x * x, line, ([-1.0], [1.0]))
    yield injective("x ⊗ x is injective on [0, 1]", x * x, half)
    relu, degree = pm.Relu() @ turn, pm.PositivelyHomogeneous(1)
    yield alike("-1 * relu ∘ turn is homogeneous", -1 * relu, degree, True)
    moved = pm.Relu() @ pm.Affine([[0.0, 1.0], [-1.0, 0.0]], [1.0, 1.0])
    yield alike("relu ∘ (turn + 1) is homogeneous", moved, degree, False)
    yield alike("turn ∘ sort sees no swap", turn @ pm.Sort(), pm.Invariant(swap), True)
    yield alike("sort ∘ turn sees no swap", pm.Sort() @ turn, pm.Invariant(swap), False)
    yield onto("-1 * sinh is onto", -1 * pm.Sinh(), True)
    yield onto("-1 * exp is onto", -1 * pm.Exp(), False)
    yield onto("sinh - sinh is onto", pm.Sinh() - pm.Sinh(), False)


# --- the table ---------------------------------------------------------------------------------
PEERS = {"lineax": lineax, "cola-ml": cola, "cvxpy": cvxpy}


def report(title: str, rows: list[Row]) -> int:
    """Print the rows of one library; how many answers are wrong."""
    counts = {word: sum(r.judged == word for r in rows) for word in ("right", "open", "WRONG")}
    print(f"{title}: {len(rows)} questions, {counts['right']} right, {counts['open']} left open, "
          f"{counts['WRONG']} wrong")  # fmt: skip
    print(f"  {'question':<52} {'answer':<8} {'truth':<5}")
    for row in rows:
        print(row)
    print()
    return counts["WRONG"]


def main() -> int:
    for name, ask in PEERS.items():
        if find_spec(ask.__name__) is None:
            print(f"{name}: not installed: pip install {name}; skipped\n")
            continue
        report(f"{name} {version(name)}", list(ask()))
    return int(report(f"phimaps {pm.__version__}", list(ours())) > 0)


if __name__ == "__main__":
    sys.exit(main())
