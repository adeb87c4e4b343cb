"""Maps that are trained and lose nothing: digits, spirals, and what no homeomorphism can do.

Prints the scores of linear models with and without a trained map, that each map is proved to be
injective, how exactly it is undone, and the error of least squares on -|x|² behind a homeomorphism
of the plane and behind a lift.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import phimaps as pm

# --- digits ------------------------------------------------------------------------------------
X, y = load_digits(return_X_y=True)
split = train_test_split(X / 16, y, test_size=0.25, random_state=0, stratify=y)
train, test, digit, expected = split
plain = make_pipeline(pm.Standardize(), RidgeClassifier(10.0)).fit(train, digit)
behind = make_pipeline(pm.CReluNetwork((128,)), RidgeClassifier(10.0)).fit(train, digit)
print(f"digits: {plain.score(test, expected):.1%} linear", end=", ")
print(f"{behind.score(test, expected):.1%} behind the CReLU chain")

phi, images = behind[0], pm.Box([0.0] * 64, [1.0] * 64)
low = pm.decide(phi.map_, pm.LowerLipschitz, on=images).value[0]
print(
    f"injective: {pm.decide(phi.map_, pm.Injective, on=images).word}, distances shrink to {low:.2f}"
)
print(f"images are recovered up to {np.abs(phi.inverse(phi.transform(test)) - test).max():.0e}")


# --- spirals -----------------------------------------------------------------------------------
def spirals(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved spirals of one and a half turns."""
    rng = np.random.default_rng(seed)
    label, s = rng.integers(0, 2, n), np.sqrt(rng.uniform(0.02, 1, n))
    angle = 3 * np.pi * s + np.pi * label
    points = s[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + rng.normal(0, 0.01, (n, 2)), label


seen, new = spirals(1000, 1), spirals(2000, 2)
chain = pm.CReluNetwork((64,), n_epochs=100, learning_rate=0.01)
model = make_pipeline(chain, LogisticRegression(C=100, max_iter=5000)).fit(*seen)
print(f"spirals: {LogisticRegression().fit(*seen).score(*new):.1%} linear", end=", ")
print(f"{model.score(*new):.1%} behind the CReLU chain")

# --- least squares on -|x|² --------------------------------------------------------------------
ticks, angles = np.linspace(-1, 1, 41), np.linspace(0, 2 * np.pi, 720, endpoint=False)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
circle = np.column_stack([np.cos(angles), np.sin(angles)])
disc = np.concatenate([grid[np.hypot(*grid.T) <= 1], circle])
points = np.random.default_rng(0).uniform(-1, 1, (1500, 2))
for name, phi in {
    "a homeomorphism of the plane": pm.ReconfigurationNetwork(3, n_epochs=15),
    "a lift and a coupling": pm.CouplingNetwork(64),
}.items():
    phi.fit(points, -(points**2).sum(axis=1))
    features = np.column_stack([np.ones(len(disc)), phi.transform(disc)])
    best = pm.check.chebyshev(features, -(disc**2).sum(axis=1))
    print(f"best error on -|x|² behind {name}: {best.error:.3f}")
