"""What is proved of one map: on which space, in which arithmetic, with which constants.

Prints a table of verdicts about a few maps, and what changes with the space and the arithmetic.
"""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

import phimaps as pm

QUESTIONS = (
    pm.Continuous,
    pm.Injective,
    pm.Homeomorphism,
    pm.Smooth,
    pm.Lipschitz,
    pm.LowerLipschitz,
    pm.Surjective,
    pm.UAPInvariant,
)

X = load_wine().data
box = pm.Box(X.min(axis=0), X.max(axis=0))
scaler = pm.from_sklearn(StandardScaler().fit(X))
maps = {
    "standardized": scaler,
    "tanh of it": pm.Tanh() @ scaler,
    "relu of it": pm.Relu() @ scaler,
    "both signs": pm.CRelu() @ scaler,
    "Fourier": pm.RandomFourier(64, gamma=0.01, random_state=0).bind(scaler(X)) @ scaler,
}
print("On the box that the 178 wines span:")
for name, phi in maps.items():
    answers = []
    for goal in QUESTIONS:
        verdict = pm.decide(phi, goal, on=box)
        text = f"{goal.name} {verdict.word}"
        if verdict.value is not None:
            text += f" [{verdict.value[0]:.3g}, {verdict.value[1]:.3g}]"
        answers.append(text)
    print(f"  {name}: " + "; ".join(answers))

# The same map on other spaces.
first = pm.Select([0, 1])
for space in (pm.Box([0.0] * 3, [1.0] * 3), pm.Sphere([0.0] * 3, 1.0), pm.Simplex(3)):
    print(f"two of three coordinates on {space!r}: {pm.decide(first, pm.Injective, on=space).word}")

# The same map in other arithmetics.
steep, line = pm.Tanh() @ pm.Affine([[10.0]]), pm.Box([-5.0], [5.0])
for arithmetic in ("real", "float64", "float32"):
    verdict = pm.decide(steep, pm.Injective, on=line, arithmetic=arithmetic)
    print(f"tanh(10x) is injective, {arithmetic} arithmetic: {verdict.word}")

# Constants are intervals; `exact` says when the best one is known.
turn = pm.Affine(np.array([[0.6, 0.8], [-0.8, 0.6]]))
for phi in (turn, 3 * turn, pm.Identity() + 0.5 * pm.Tanh() @ turn):
    verdict = pm.decide(phi, pm.Lipschitz, on=pm.Ball([0.0, 0.0], 1.0))
    print(f"{phi!r}: L in {verdict.value}, exact: {verdict.exact}")
