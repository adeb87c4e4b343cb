"""What is certain about a convolutional layer: constants, injectivity, dead filters.

The filters are drawn at random or learned from the digits; nothing is trained.
"""

import numpy as np
from sklearn.datasets import load_digits

import phimaps as pm

rng = np.random.default_rng(0)
images = pm.Images(16, 32, 32, -1, 1)
weight = rng.normal(size=(32, 16, 3, 3)) / 12

# Circular padding: all singular values, at the frequencies of the image.
circular = pm.Conv2d(weight, padding="same", padding_mode="circular")
values = circular.singular_values((16, 32, 32))
print(f"circular: {len(values)} singular values from {values[-1]:.4f} to {values[0]:.4f}")

# Padding by zeros: the norm as an interval that certainly contains it, with a stride too.
for stride in (1, 2):
    layer = pm.Conv2d(weight, stride=stride, padding=1)
    low, high = pm.decide(layer, pm.Lipschitz, on=images).value
    gap = 100 * (high / low - 1)
    print(f"zeros, stride {stride}: norm in [{low:.4f}, {high:.4f}], {gap:.2f} % wide")

# After a rectifier: filters in pairs w, -w lose nothing, and how much distances shrink is known.
X = load_digits().data.reshape(-1, 1, 8, 8) / 16
digits = pm.Images(1, 8, 8, 0, 1)
paired = pm.PatchPCAConv2d(None, padding=1, padding_mode="circular", paired=True).bind(X)
verdict = pm.decide(pm.Relu() @ paired, pm.LowerLipschitz, on=digits)
print(f"relu of paired filters is injective: {verdict.word}, l in {np.round(verdict.value, 4)}")

# A bias that keeps units active on all images does the same; one that kills them is noticed.
for bias in (4.0, -4.0):
    filters = pm.Conv2d(rng.normal(size=(4, 1, 3, 3)) / 3, np.full(4, bias), padding=1)
    verdict = pm.decide(pm.Relu() @ filters, pm.Injective, on=digits)
    dead = filters.dead_channels(digits).sum()
    print(f"bias {bias:+}: injective is {verdict.word}, {dead} of 4 channels are dead")
