"""A random ReLU layer as features of a kernel: how near, at which width, and what it is good for.

Prints the error of the kernel matrix by width, errors of a linear model on digits, and verdicts.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import phimaps as pm

X, digit = load_digits(return_X_y=True)
X = X / 16

# The inner products of relu(w·x) over many random w are those of the arc-cosine kernel. Directions
# that are orthogonal, of one length and in pairs w, -w make half of it exact.
kernel = pm.kernels.ArcCosine()(X[:400])


def distance(phi):
    z = phi.fit_transform(X[:400])
    return np.linalg.norm(z @ z.T - kernel) / np.linalg.norm(kernel)


print("width   independent   pairs, orthogonal   folded")
for width in (128, 512, 2048):
    plain = distance(pm.RandomRelu(width, sampling="iid", antithetic=False))
    ours = distance(pm.RandomRelu(width))
    folded = distance(pm.RandomRelu(width, antithetic="folded"))
    print(f"{width:5} {plain:13.4f} {ours:19.4f} {folded:8.4f}")

# A linear model behind the layer is a network whose first layer is not trained.
folds = StratifiedKFold(5, shuffle=True, random_state=0)
for name, phi in (
    ("64 pixels", pm.Identity()),
    ("500 random ReLU features", pm.RandomRelu(500)),
    ("500 tangent features", pm.RandomNtk(500)),
):
    score = cross_val_score(make_pipeline(phi, RidgeClassifier(0.1)), X, digit, cv=folds).mean()
    print(f"{name:<25} {100 * (1 - score):.2f} % errors")

# With both signs over directions that span, no two images share their features, and distances
# shrink by no more than √2. With one sign that is not known of a random layer.
closed = pm.RandomRelu(500).bind(X)
everywhere = pm.Euclidean(64)
low, high = (pm.decide(closed, p, on=everywhere).value for p in (pm.LowerLipschitz, pm.Lipschitz))
print(f"distances are kept between {low[0]:.4f} and {high[1]:.4f} times")

# Yet linear models on such layers never reach some functions, however wide the layers are.
circle = pm.Sphere([0.0, 0.0], 1.0)
for bias in (0.0, 1.0):
    verdict = pm.decide(pm.kernels.ArcCosine(bias=bias), pm.Universal, on=circle)
    print(f"bias {bias:g}: universal on the circle is {verdict.word}")
