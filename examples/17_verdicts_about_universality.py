"""One example for each word that a verdict about universality may use, on data of patients.

The diabetes data of scikit-learn: the body mass index and the blood pressure of 442 patients. May
networks behind a map of these numbers come near to every continuous function of them? Prints what
is proved, what is refuted with two patients that a map merges, what is consistent with the errors
that were measured, and where they say nothing.
"""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import Normalizer

import phimaps as pm

data = load_diabetes(scaled=False)
both, progression = data.data[:, [2, 3]], data.target
bmi = both[:, :1]
seen = pm.Box(bmi.min(axis=0), bmi.max(axis=0))
networks = pm.models.MLP()

# --- proved ------------------------------------------------------------------------------------
# A map that was trained, and that is continuous and injective whatever the training does.
chain = pm.CReluNetwork((8,)).fit(bmi, progression)
report = pm.check.universality(networks @ chain.map_, on=seen)
print(f"a trained chain of layers: {report.verdict}")
print(f"  every target is reached; measured, to {report.eps:.2f} of what a constant misses")

# --- refuted, with a witness ---------------------------------------------------------------------
# Rows of length 1: two patients with one ratio become one.
unit = pm.from_sklearn(Normalizer().fit(both))
report = pm.check.universality(
    networks @ unit,
    on=pm.Box(both.min(axis=0), both.max(axis=0)),
    targets={"body mass index": lambda x: x[:, 0]},
)
pair = np.stack([report.witness.x, report.witness.y])
print(f"\nrows normalized by scikit-learn: {report.verdict}")
print(f"  {pair[0].round(3)} and {pair[1].round(3)} are merged, verified: ", end="")
print(report.witness.verify(unit))
print(f"  so no model at all can be nearer to the body mass index than {report.lower:.2f}")
model = (pm.models.KernelRidge() @ unit).fit(both, progression)
print(f"  one that was fitted tells the two apart: {np.ptp(model.predict(pair)) > 1e-6}")

# --- consistent at a resolution ------------------------------------------------------------------
# A function of which nothing is known. It is injective, and no measurement can prove that.
middle, spread = float(bmi.mean()), float(bmi.std())


def shrunk(x: torch.Tensor) -> torch.Tensor:
    """sign(z) log(1 + |z|), for the standardized z."""
    z = (x - middle) / spread
    return torch.sign(z) * torch.log1p(z.abs())


report = pm.check.universality(networks @ pm.from_function(shrunk), on=seen)
print(f"\na logarithm that is written by hand: {report.verdict}")
print(f"  with confidence 95 % one point in {1 / report.exceeded:.0f} is missed by more, at most")
print(f"  a proof: {report.decision.word}")

# --- inconclusive --------------------------------------------------------------------------------


def switch(x: torch.Tensor) -> torch.Tensor:
    """1 / (1 + exp(-40 z)): injective, and nearly constant away from the middle."""
    return torch.sigmoid(40 * (x - middle) / spread)


report = pm.check.universality(networks @ pm.from_function(switch), on=seen)
print(f"\na steep switch: {report.verdict}")
print(f"  errors stay at {report.eps:.2f} of what a constant misses, which refutes nothing:")
print(f"  a witness: {report.witness}")
