"""A map of your own: write the function, state what you know, and the algebra does the rest.

Prints what is decided of compositions with the new map.
"""

from typing import final

import numpy as np
import torch

import phimaps as pm


@final
class Arctan(pm.FeatureMap):
    """x ↦ arctan(s x), coordinate by coordinate, s > 0."""

    steepness: float = 1.0

    def forward(self, x):
        return torch.arctan(self.steepness * x)

    def facts(self, on):
        yield pm.Injective, "arctan increases"
        yield pm.Lipschitz(self.steepness), "the slope s / (1 + s²x²) is at most s"


phi = Arctan(steepness=2.0) @ pm.Standardize()

# It is a scikit-learn transformer, ...
X = np.random.default_rng(0).normal(size=(100, 3))
print("features:", phi.fit_transform(X).shape)
print("parameters:", phi.get_params()["arctan__steepness"])

# ... a differentiable function of tensors, ...
x = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
Arctan(2.0)(x).sum().backward()
print("gradient at 0:", x.grad.tolist())

# ... and a mathematical object. Continuity follows from the Lipschitz constant.
box = pm.Box([-3.0] * 3, [3.0] * 3)
closed = phi.bind(X)
for goal in (pm.Continuous, pm.Injective, pm.Lipschitz):
    verdict = pm.decide(closed, goal, on=box)
    print(f"{goal.name}: {verdict.word}", "" if verdict.value is None else verdict.value)
print(pm.decide(pm.models.MLP() @ closed, pm.Universal, on=box))
