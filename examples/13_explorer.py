"""Writes a page on which to look through a small network by hand: layers, channels, units.

The filters of its two layers are learned from patches of two photographs, without a label and
without a gradient; the last one of the first layer is dead by its bias. Prints what the page
shows, and where it lies.
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

import phimaps as pm

china, flower = load_sample_images().images
crops = [(china, 200, 200), (flower, 130, 250), (china, 90, 300), (flower, 250, 190)]
X = np.stack([photo[i : i + 48, j : j + 48] for photo, i, j in crops])
X = (X / 255).astype(np.float32).transpose(0, 3, 1, 2)
names = ["gate", "petals", "roof", "leaf"]

first = pm.PatchPCAConv2d(n_filters=8, kernel_size=5).bind(X)
weight = first.array("weight")
bias = np.where(np.arange(len(weight)) == 7, -50.0, 0.0)
edges = pm.Relu() @ pm.Conv2d(weight.astype(np.float32), bias.astype(np.float32))
pooled = pm.MaxPool2d(2) @ edges
second = pm.PatchPCAConv2d(n_filters=10, kernel_size=3).bind(pooled(X))
phi = pm.Relu() @ second @ pooled

print(pm.cnn.units(phi, X, on=pm.Images(3, 48, 48, 0, 1)))
field = pm.cnn.receptive_field(phi, (0, 13, 13), in_shape=(3, 48, 48))
print(f"a unit of the second layer sees {field.size[0]} x {field.size[1]} pixels")

page = Path(tempfile.gettempdir()) / "phimaps-explorer.html"
text = pm.cnn.explorer(phi, X, page, names=names, units=1, patches=4)
print(f"the page, {len(text) / 1e6:.1f} MB in one file: {page}")
