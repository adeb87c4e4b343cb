"""Filters without a trained network: digits and textures behind k-means and random filters.

No label and no gradient is used for the filters. Prints errors of linear models on pixels and on
untrained features, and what is proved of the layer.
"""

import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import phimaps as pm


def behind(*maps):
    return make_pipeline(pm.pipe(*maps), pm.Standardize(), RidgeClassifier(alpha=10))


print("Digits, 5 folds")
X, digit = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
shape = {"padding": 1, "in_shape": (1, 8, 8)}
pool = pm.AvgPool2d(3, stride=2, padding=1), pm.Flatten()
for name, maps in (
    ("pixels", (pm.Identity(),)),
    ("32 random filters", (pm.RandomConv2d(32, normalize=True, **shape), pm.Relu(), *pool)),
    ("24 k-means filters", (pm.PatchKMeansConv2d(24, **shape), *pool)),
):
    error = 1 - cross_val_score(behind(*maps), X, digit, cv=folds).mean()
    print(f"{name:<20} {100 * error:.2f} % errors")

print("\nTextures: which photograph, from 16 x 16 pixels; learned left, tested right")
# Squares side by side, each less its mean and divided by its standard deviation.
halves = [[], []]
for picture in load_sample_images().images:
    grey = picture.mean(axis=2)[:416]
    for side, half in zip(halves, (grey[:, :320], grey[:, 320:]), strict=True):
        squares = half.reshape(26, 16, 20, 16).swapaxes(1, 2).reshape(-1, 1, 16, 16)
        squares = squares - squares.mean(axis=(2, 3), keepdims=True)
        side.append(squares / np.maximum(squares.std(axis=(2, 3), keepdims=True), 1e-9))
left, right = (np.concatenate(side).astype(np.float32) for side in halves)
which = np.repeat([0, 1], 520)
kmeans = pm.PatchKMeansConv2d(256, activation="relu", eps_norm=0.01)
for name, maps in (
    ("pixels", (pm.Flatten(),)),
    ("256 k-means filters", (kmeans, pm.GlobalPool("avg"))),
):
    error = 1 - behind(*maps).fit(left, which).score(right, which)
    print(f"{name:<20} {100 * error:.1f} % errors")

layer = pm.PatchKMeansConv2d(8).bind(left)
on = pm.Images(1, 16, 16)
print("\nThe layer is", " @ ".join(type(part).__name__ for part in reversed(layer.maps)))
for goal in (pm.Continuous, pm.Injective):
    print(f"{goal.name}: {pm.decide(layer, goal, on=on).word}")
same = pm.decide(layer.maps[0], pm.Injective, on=on).witness
print("two images that it merges differ by", sorted({float(v) for v in (same.y - same.x).flat}))
