"""Layers of a network as features in scikit-learn: z or a, pooled, each image computed once.

The network is a small residual one with random weights. Prints errors of a linear model behind its
layers, how many images a grid search computes, and what a user's network looks like afterwards.
"""

import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

import phimaps as pm


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu_(x + self.bn2(self.conv2(y)))


class Small(nn.Module):
    computed = 0

    def __init__(self, width=32):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.layer1, self.layer2 = Block(width), Block(width)
        self.fc = nn.Linear(width, 10)

    def forward(self, x):
        Small.computed += len(x)
        x = functional.relu(self.bn(self.conv(x)), inplace=True)
        return self.fc(self.layer2(self.layer1(x)).mean(dim=(2, 3)))


torch.manual_seed(0)
net = Small()
net.train()
before = {name: value.clone() for name, value in net.state_dict().items()}

# Images as bytes: they stay bytes until a chunk of them goes through the network.
X, digit = load_digits(return_X_y=True)
X = (X * 15).astype(np.uint8).reshape(-1, 1, 8, 8)

# A layer by its name; its activation is found, by whatever spelling, in place or not.
z = pm.from_torch(net, layer="bn", stage="pre", pool=("grid", 4, 4))
a = pm.from_torch(net, layer="bn", stage="post", pool=("grid", 4, 4))
deep = pm.from_torch(net, layer="layer1", stage="post", pool=("grid", 4, 4))
both = pm.from_torch(net, layer=["bn", "layer1"], stage="post", pool=("grid", 4, 4))
print("a name:", a.fit(X).get_feature_names_out()[17], "of", len(a.get_feature_names_out()))

grid = {"ridgeclassifier__alpha": [1, 10, 100, 1000]}


def search(phi):
    model = make_pipeline(phi, StandardScaler(), RidgeClassifier())
    return GridSearchCV(model, grid, cv=3).fit(X, digit)


for name, phi in (
    ("pixels", pm.Flatten()),
    ("z of the first layer", z),
    ("a of the first layer", a),
    ("a of the first block", deep),
    ("both, in one pass", both),
):
    print(f"{name:<22} {100 * (1 - search(phi).best_score_):5.2f} % errors")

# 4 values x 3 folds ask 25 times for features; each image is computed once. Without what is kept,
# each is computed each time.
for kept in (64 * 2**20, 0):
    pm.cache.forget()
    Small.computed, start = 0, time.perf_counter()
    with pm.config_context(cache_bytes=kept):
        search(deep)
    seconds = time.perf_counter() - start
    print(
        f"cache of {kept:>8} bytes: {Small.computed} images computed of {len(X)}, {seconds:.1f} s"
    )

# The network is as it was: in training mode, with its statistics, without hooks.
same = all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
hooks = any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
print(f"unchanged: {same}, in training mode: {net.training}, hooks: {hooks}")

# Data sets and loaders are read batch by batch.
rows = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(digit))
loader = torch.utils.data.DataLoader(rows, batch_size=256)
print("from a loader:", a.transform(loader).shape, a.transform(loader).dtype)
