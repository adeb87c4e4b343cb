"""Two photographs that a convolution layer cannot tell apart, and one that it gives away.

Prints, for layers of 2, 4, 8 and 16 filters, how far an image can be changed without a change of
its features, or that this is proved to be impossible; then how exactly the image is recovered.
"""

import numpy as np
from sklearn.datasets import load_sample_images

import phimaps as pm

SIDE = 32
crops = [v[100 : 100 + SIDE, 200 : 200 + SIDE] for v in load_sample_images().images]
china, flower = (crop.transpose(2, 0, 1) / 255 for crop in crops)


def layer(count: int) -> pm.FeatureMap:
    """relu(w * x) for random filters of mean 0 and norm 1."""
    w = np.random.default_rng(0).standard_normal((count, 3, 3, 3))
    w -= w.mean((1, 2, 3), keepdims=True)
    w /= np.linalg.norm(w.reshape(count, -1), axis=1)[:, None, None, None]
    return pm.Relu() @ pm.Conv2d(w, padding=1)


for count in (2, 4, 8, 16):
    print(f"{count:2} filters: {pm.cnn.collide(layer(count), china, toward=flower)}")

look = pm.cnn.collide(layer(4), china, toward=flower)
assert look.collision.verify(layer(4))

for count in (4, 8):
    phi = layer(count)
    print(f"{count:2} filters, inverted: {pm.cnn.invert(phi, phi(china[None])[0])}")
