"""What is proved about a map: proofs, refutations by a witness, unknown, assumptions.

Prints one verdict of each kind.
"""

import numpy as np
import torch

import phimaps as pm

square = pm.Box([-1.0, -1.0], [1.0, 1.0])

# Proved: the tree says why, and how firmly.
shear = pm.Affine(np.array([[1.0, 2.0], [0.0, 1.0]]))
print(pm.decide(pm.Tanh() @ shear, pm.Injective, on=square))

# A constant comes as an interval that certainly contains it.
verdict = pm.decide(pm.CRelu() @ shear, pm.LowerLipschitz, on=square)
print(f"\nCRelu after a shear keeps at least l times every distance, l in {verdict.value}")

# Refuted: two points with the same features, which anyone can check.
verdict = pm.decide(pm.Relu(), pm.Injective, on=square)
pair = verdict.witness
print(f"\nRelu is injective on the square: {verdict.word}")
print(f"  x = {pair.x}, y = {pair.y}, features differ by {pair.gap(pm.Relu())}")

# The same map is injective elsewhere: questions are asked on a space.
positive = pm.Box([0.0, 0.0], [1.0, 1.0])
print(f"and where nothing is negative: {pm.decide(pm.Relu(), pm.Injective, on=positive).word}")

# Unknown is not False, and a verdict refuses to be taken for a truth value.
wave = pm.from_function(lambda x: torch.sin(x) + 2 * x)
verdict = pm.decide(wave, pm.Injective, on=square)
print(f"\nx -> sin(x) + 2x is injective: {verdict.word}")
try:
    bool(verdict)
except TypeError as error:
    print("  " + str(error).splitlines()[0])

# What you know and the library does not can be assumed. Every tree that uses it says so.
known = pm.assume(wave, pm.Injective, because="its derivative cos(x) + 2 is positive")
known = pm.assume(known, pm.Continuous, because="a sum of continuous functions")
print(f"\n{pm.decide(pm.models.MLP() @ known, pm.Universal, on=square)}")
