"""How tight the proved Lipschitz constants are: `decide` against the strongest search.

For each map: the interval that ``pm.decide`` proves for its Lipschitz and lower Lipschitz constant,
the constant itself, and the ratio of the proved bound to it. The constant is a closed form, worked
out here with NumPy, or else the extreme of |φ(x) - φ(y)| / |x - y| that a search over pairs comes
to. The search starts at random pairs, near and far, and along the singular vectors of the Jacobian,
and refines the best. It runs beside a closed form too, as a check of both.

    python benchmarks/tightness.py [--fast]

Exits with 1 where a verdict that calls itself exact is off by more than 1e-6, where a pair lies
outside a proved interval, or where the search contradicts a closed form.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import cosh, exp, inf, nan, sqrt
from statistics import median

import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import phimaps as pm

AGREE = 1e-6
# Pairs nearer than this say more about rounding than about the map.
NEAREST = 3e-8
# A ratio below this is rounding of a 0: two points at NEAREST have values that agree.
ZERO = 1e-8
SEEDS, ROUNDS, ELITE, BROOD = 2, 90, 40, 7
WIDE, JACOBIANS = 5000, 100_000


# --- the search --------------------------------------------------------------------------------
def ratios(phi: pm.FeatureMap, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """|φ(x) - φ(y)| / |x - y| of paired points; NaN for pairs that are too near."""
    with torch.no_grad():
        moved = phi(torch.from_numpy(x)) - phi(torch.from_numpy(y))
    apart = np.linalg.norm((x - y).reshape(len(x), -1), axis=1)
    far = np.linalg.norm(moved.numpy().reshape(len(x), -1), axis=1)
    return np.where(apart >= NEAREST, far / np.maximum(apart, NEAREST), nan)


def inside(on: pm.Space, x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of the space near x with these differences, kept where the space is a box."""
    y = on.nearest(on.nearest(x) + step)
    x = on.nearest(y - step)
    return x, on.nearest(x + step)


def singular_directions(phi: pm.FeatureMap, x: np.ndarray) -> Iterator[np.ndarray]:
    """The last and the first right singular vectors of the Jacobian at the points."""
    points = torch.tensor(x, requires_grad=True)
    values = phi(points).reshape(len(x), -1)
    rows = [
        torch.autograd.grad(value, points, retain_graph=True)[0] for value in values.sum(0).unbind()
    ]
    jacobians = torch.stack(rows, dim=1).reshape(len(x), len(rows), -1).numpy()
    directions = np.linalg.eigh(jacobians.transpose(0, 2, 1) @ jacobians)[1]
    for i in (0, -1):
        yield directions[:, :, i].reshape(x.shape)


def starts(phi: pm.FeatureMap, on: pm.Space, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Pairs to start from: far and near, mirrored, along an axis, along singular vectors."""
    many = on.sample(WIDE, rng)
    x = many[:400]
    axis = np.eye(on.size)[rng.integers(on.size, size=len(x))].reshape(x.shape)
    noise = rng.standard_normal(x.shape)
    steps = [rng.permutation(x) - x, -2 * x, axis, -axis, 1e-6 * axis]
    pairs = [(x, step) for step in [*steps, noise, 1e-3 * noise, 1e-6 * noise]]
    # Samples lie on the boundary too, their means inside; corners and constants are special.
    many = many[: max(20, JACOBIANS // (on.size * phi(x[:1]).size))]
    low, high = on.bounds()
    mean = many.reshape(len(many), -1).mean(axis=1).reshape(-1, *[1] * (x.ndim - 1))
    corners = np.where(rng.random(many.shape) < 0.5, high, low)
    special = [many, many / 10, (many + rng.permutation(many)) / 2, corners, many * 0 + mean]
    points = on.nearest(np.concatenate(special))
    pairs += [(points, 1e-6 * v) for v in singular_directions(phi, points)]
    moved = [inside(on, points, step) for points, step in pairs]
    return np.concatenate([x for x, _ in moved]), np.concatenate([y for _, y in moved])


def extremes(phi: pm.FeatureMap, on: pm.Space) -> tuple[float, float]:
    """The greatest and the least ratio that the search finds on the space."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x, y = starts(phi, on, rng)
        found += [refine(phi, on, x, y, sign, rng) for sign in (1, -1)]
    least = min(found)
    return max(found), 0.0 if least < ZERO else least


def refine(
    phi: pm.FeatureMap,
    on: pm.Space,
    x: np.ndarray,
    y: np.ndarray,
    sign: int,
    rng: np.random.Generator,
) -> float:
    """The greatest (sign 1) or least (sign -1) ratio near the best pairs."""
    low, high = on.bounds()
    for radius in np.geomspace(0.5, 1e-7, ROUNDS):
        value = ratios(phi, x, y)
        best = np.argsort(-sign * value)[:ELITE]
        x, y = x[best], y[best]
        parents, step = np.repeat(x, BROOD, axis=0), np.repeat(y - x, BROOD, axis=0)
        # The pair moves as a whole, and its difference changes relative to its own length.
        mask = (rng.random(parents.shape) < 0.7) * radius
        moved = parents + mask * (high - low) * rng.standard_normal(parents.shape)
        length = np.abs(step).reshape(len(step), -1).max(axis=1)
        length = length.reshape(-1, *[1] * (step.ndim - 1))
        step = step * np.exp(radius * rng.standard_normal(length.shape))
        step = step + mask * length * rng.standard_normal(step.shape)
        born = inside(on, moved, step)
        x, y = np.concatenate([x, born[0]]), np.concatenate([y, born[1]])
    value = ratios(phi, x, y)
    return float(np.nanmax(sign * value) * sign)


# --- the maps ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Case:
    """A map on a space, with its constants where they have a closed form.

    The search looks in `window`: the space itself, or for an unbounded one a box in it.
    """

    name: str
    phi: pm.FeatureMap
    on: pm.Space
    lipschitz: float | None = None
    lower: float | None = None
    window: pm.Space | None = None
    fast: bool = False


def cube(d: int, low: float = -1.0, high: float = 1.0) -> pm.Box:
    return pm.Box([low] * d, [high] * d)


def ends(weight: np.ndarray) -> tuple[float, float]:
    """The greatest and least factor by which x ↦ x @ weight changes lengths."""
    values = np.linalg.svd(weight, compute_uv=False)
    return values[0], values[-1] if weight.shape[1] >= weight.shape[0] else 0.0


def dense(phi: pm.FeatureMap, shape: tuple[int, ...]) -> np.ndarray:
    """The matrix of an affine map, from its values at 0 and at the unit vectors."""
    n = int(np.prod(shape))
    points = np.concatenate([np.zeros((1, n)), np.eye(n)]).reshape(n + 1, *shape)
    values = phi(points).reshape(n + 1, -1)
    return values[1:] - values[0]


def curves() -> Iterator[Case]:
    """Maps that act on each coordinate: the constants are the extreme slopes."""
    steep = exp(-3) / (1 + exp(-3)) ** 2
    yield Case("Tanh", pm.Tanh(), cube(3, -2, 2), 1.0, cosh(2) ** -2, fast=True)
    yield Case("Sigmoid", pm.Sigmoid(), cube(2, -3, 3), 0.25, steep)
    logistic = [1 / (1 + exp(-t)) for t in (-2, 2)]
    yield Case("Softplus", pm.Softplus(), cube(2, -2, 2), logistic[1], logistic[0])
    yield Case("Gelu", pm.Gelu(), cube(2, -3, 3), None, 0.0)
    yield Case("Silu, right of its minimum", pm.Silu(), cube(2, 0, 4))
    yield Case("Exp", pm.Exp(), cube(2), exp(1), exp(-1))
    yield Case("Log", pm.Log(), cube(2, 1, 4), 1.0, 0.25)
    yield Case("Power(3)", pm.Power(3), cube(2, 0.5, 1), 3.0, 0.75)
    yield Case("Sin", pm.Sin(), cube(2), 1.0, np.cos(1))
    yield Case("LeakyRelu(0.1)", pm.LeakyRelu(0.1), cube(3), 1.0, 0.1)
    yield Case("CRelu", pm.CRelu(), cube(3), 1.0, sqrt(0.5), fast=True)
    yield Case("-2 * Tanh", -2 * pm.Tanh(), cube(2), 2.0, 2 * cosh(1) ** -2)


def layers(rng: np.random.Generator) -> Iterator[Case]:
    """Affine maps with activations, and what is built from them by the algebra."""
    weight, square, bias = rng.normal(size=(3, 5)), rng.normal(size=(3, 3)), rng.normal(size=3)
    again, large = rng.normal(size=(3, 3)), cube(3, -50, 50)
    affine, whole = pm.Affine(square, bias), pm.Euclidean(3)
    yield Case("Affine 3 -> 5", pm.Affine(weight), whole, *ends(weight), cube(3), fast=True)
    # Where all units are active the layer is affine, where none is it is constant.
    top = ends(weight)[0]
    relu = pm.Relu() @ pm.Affine(weight, np.ones(5))
    yield Case("Relu ∘ Affine 3 -> 5", relu, whole, top, None, large)
    relu = pm.Relu() @ pm.Affine(square, np.ones(3))
    yield Case("Relu ∘ Affine 3 -> 3", relu, whole, ends(square)[0], 0.0, large, fast=True)
    # z' = -z changes all signs at once, in every direction, as the matrix is invertible.
    crelu, (top, least) = pm.CRelu() @ affine, ends(square)
    yield Case("CRelu ∘ Affine", crelu, whole, top, least * sqrt(0.5), large, fast=True)
    leaky = pm.LeakyRelu(0.2) @ affine
    yield Case("LeakyRelu ∘ Affine", leaky, whole, window=large)
    stack = pm.LeakyRelu(0.2) @ pm.Affine(again) @ leaky
    yield Case("2 layers, LeakyRelu", stack, whole, window=large)
    tanh = pm.Tanh() @ affine
    yield Case("Tanh ∘ Affine", tanh, cube(3))
    yield Case("2 layers, Tanh", pm.Tanh() @ pm.Affine(again) @ tanh, cube(3))
    residual = pm.Identity() + 0.5 * pm.Tanh()
    yield Case("x + 0.5 Tanh(x)", residual, cube(3), 1.5, 1 + 0.5 * cosh(1) ** -2)
    residual = pm.Identity() + 0.5 * (pm.Tanh() @ pm.Affine(square / ends(square)[0]))
    yield Case("x + 0.5 Tanh(Wx), |W| = 1", residual, cube(3))
    waves = pm.Fourier(rng.normal(size=(2, 16)), 0.25)
    yield Case("Fourier, 16 waves", waves, cube(2), fast=True)
    both = pm.Tanh() & pm.Power(2)
    yield Case("Tanh & Power(2)", both, cube(2))
    yield Case("CRelu & Identity", pm.CRelu() & pm.Identity(), cube(2), sqrt(2), sqrt(1.5))
    yield Case("Identity * Tanh (tensor)", pm.Identity() * pm.Tanh(), cube(2), lower=0.0)
    pair = pm.product(pm.Tanh(), pm.Affine([[3.0]]), widths=(1, 1))
    yield Case("product(Tanh, 3x)", pair, cube(2), 3.0, cosh(1) ** -2)
    yield Case("Polynomial(2)", pm.Polynomial(2), cube(2), fast=True)
    yield Case("Polynomial(3)", pm.Polynomial(3), cube(1), sqrt(14), 1.0)


def images(rng: np.random.Generator) -> Iterator[Case]:
    """Convolutions and pools on small images."""
    weight, on = rng.normal(size=(2, 1, 3, 3)), pm.Images(1, 6, 6, -1, 1)
    for name, options in (
        ("circular", {"padding": "same", "padding_mode": "circular"}),
        ("zero padding", {"padding": "same"}),
        ("stride 2", {"stride": 2, "padding": 1}),
    ):
        conv = pm.Conv2d(weight, **options)
        top, least = ends(dense(conv, on.shape))
        yield Case(f"Conv2d, {name}", conv, on, top, least)
        if name == "circular":
            yield Case("Relu ∘ Conv2d", pm.Relu() @ conv, on)
            # z' = -z as above: there is no bias, and the box is symmetric.
            yield Case("CRelu ∘ Conv2d", pm.CRelu() @ conv, on, top, least * sqrt(0.5))
            pooled = pm.AvgPool2d(2) @ conv
            yield Case("AvgPool2d(2) ∘ Conv2d", pooled, on, *ends(dense(pooled, on.shape)))
    odd = pm.Images(1, 5, 5)
    # A pixel that four windows share may be the maximum of all four.
    yield Case("MaxPool2d(3, stride 2)", pm.MaxPool2d(3, 2), odd, 2.0, 0.0)
    yield Case("MaxPool2d(2)", pm.MaxPool2d(2), pm.Images(1, 4, 4), 1.0, 0.0)
    average = pm.AvgPool2d(3, 2)
    yield Case("AvgPool2d(3, stride 2)", average, odd, *ends(dense(average, odd.shape)))


def normalizations() -> Iterator[Case]:
    """Maps that divide a vector by its size."""
    # The Jacobian diag(p) - p pᵀ has norm 1/2 at most, at p = (1/2, 1/2, 0).
    yield Case("Softmax", pm.Softmax(), pm.Euclidean(3), 0.5, 0.0, cube(3, -30, 30))
    yield Case("Softmax", pm.Softmax(), cube(3), lower=0.0)
    # Steepest where all coordinates agree: there the variance is 0, and eps is 1e-5.
    yield Case("LayerNorm", pm.LayerNorm(), cube(3), 1e5**0.5, 0.0)
    # x / r(x) with r(x)² = mean x² + ε: 1 / r(x) across a ray, ε / r(x)³ along it.
    rms = pm.RmsNorm(1e-6)
    yield Case("RmsNorm", rms, cube(3, 1, 2), (1 + 1e-6) ** -0.5, 1e-6 * (4 + 1e-6) ** -1.5)
    # Rays are merged; across them the stretch is 1 / |x|.
    yield Case("Normalize", pm.Normalize(), cube(2, 1, 2), sqrt(0.5), 0.0)
    yield Case("Squash", pm.Squash(), pm.Ball([0.0, 0.0], 2.0))
    yield Case("Sort", pm.Sort(), cube(3), 1.0, 0.0)


def fitted() -> Iterator[Case]:
    """Maps fitted to data, and hand-built columns."""
    for name, X, kept in (
        ("wine", load_wine().data, 13),
        ("wine", load_wine().data, 5),
        ("digits", load_digits().data, 16),
    ):
        on = pm.Box(X.min(axis=0), X.max(axis=0))
        scaler, pca = StandardScaler().fit(X), PCA(kept, random_state=0)
        pca.fit(scaler.transform(X))
        weight = pca.components_.T / scaler.scale_[:, None]
        # Pixels that never change have one value in the box: there is no moving along them.
        constants = ends(weight[np.ptp(X, axis=0) > 0])
        phi = (pm.from_sklearn(PCA(kept, random_state=0)) @ pm.Standardize()).bind(X)
        yield Case(f"PCA({kept}) ∘ Standardize, {name}", phi, on, *constants)
    on = pm.Box([1.0, 1.0], [2.0, 3.0])
    area = pm.Columns("height * width").over("height", "width")
    yield Case('Columns "height * width"', area, on, sqrt(13), 0.0, fast=True)
    area = pm.Columns("height * width", "height").over("height", "width")
    yield Case('Columns "height * width", "height"', area, on)
    area = pm.Columns("log(height)", "width").over("height", "width")
    yield Case('Columns "log(height)", "width"', area, on, 1.0, 0.5)
    area = pm.Columns("height / width").over("height", "width")
    yield Case('Columns "height / width"', area, on, sqrt(5), 0.0)


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    yield from curves()
    yield from layers(rng)
    yield from images(rng)
    yield from normalizations()
    yield from fitted()


# --- what is printed ---------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """One constant: what is proved, what is true, and what was found."""

    case: Case
    goal: str
    low: float
    high: float
    exact: bool
    truth: float
    closed: bool
    found: float

    @property
    def ratio(self) -> float:
        """By what factor the proved bound misses the constant; 1 is best."""
        bound, truth = (
            (self.high, self.truth) if self.goal == "greatest" else (self.truth, self.low)
        )
        return 1.0 if bound == truth else inf if truth == 0 else bound / truth

    def wrong(self) -> str:
        """What is wrong with the row, or nothing."""
        slack = AGREE * max(1.0, self.found)
        if self.exact and max(self.high - self.truth, self.truth - self.low) > slack:
            return "called exact, and is not"
        if self.truth > self.high + slack or self.truth < self.low - slack:
            return "the constant lies outside the proved interval"
        over = self.found - self.truth if self.goal == "greatest" else self.truth - self.found
        return "a pair contradicts the closed form" if over > slack else ""


def measure(case: Case) -> Iterator[Row]:
    """The rows of a case."""
    found = extremes(case.phi, case.on if case.window is None else case.window)
    for goal, claim, known, seen in (
        ("greatest", pm.Lipschitz, case.lipschitz, found[0]),
        ("least", pm.LowerLipschitz, case.lower, found[1]),
    ):
        verdict = pm.decide(case.phi, claim, on=case.on)
        low, high = verdict.value or (0.0, inf)
        truth = seen if known is None else float(known)
        yield Row(case, goal, low, high, verdict.exact, truth, known is not None, seen)


def show(row: Row) -> str:
    space = repr(row.case.on)
    space = space if len(space) <= 26 else space[:25] + "…"
    where = "closed form" if row.closed else "search"
    return (
        f"{row.case.name:<34} {space:<26} {row.goal:<8}  [{row.low:<8.6g}, {row.high:<8.6g}]  "
        f"{row.truth:<9.6g} {where:<11} {row.ratio:>7.4g}  {'yes' if row.exact else 'no'}"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="a few maps only")
    fast = parser.parse_args(arguments).fast
    # The products are small, and threads of a busy machine wait for one another.
    torch.set_num_threads(1)
    begun, rows, faults = time.perf_counter(), [], []
    print(
        f"{'map':<34} {'space':<26} {'':<8}  {'proved interval':<20}  {'constant':<9} "
        f"{'from':<11} {'ratio':>7}  exact"
    )
    for case in cases():
        if fast and not case.fast:
            continue
        for row in measure(case):
            rows.append(row)
            print(show(row))
            if row.wrong():
                faults.append(f"WRONG: {row.case.name}, {row.goal}: {row.wrong()} ({row})")
    for goal, name in (("greatest", "Lipschitz"), ("least", "lower Lipschitz")):
        these = [r for r in rows if r.goal == goal]
        ratios_ = [r.ratio for r in these]
        print(
            f"{name}: {len(these)} constants, {sum(r.exact for r in these)} proved exactly; "
            f"median ratio {median(ratios_):.4g}, within 10 %: {sum(r <= 1.1 for r in ratios_)}, "
            f"no bound at all: {sum(r == inf for r in ratios_)}"
        )
    print(f"{time.perf_counter() - begun:.0f} s; wrong: {len(faults)}")
    for fault in faults:
        print(fault)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
