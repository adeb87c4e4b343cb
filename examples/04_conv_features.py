"""Digits: a linear model on pixels, on a convolution, and on its activation.

The filters are principal components of image patches; no label and no gradient is used for them.
Prints the three errors, and whether anything of the image is lost.
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_val_score

import phimaps as pm

X, y = load_digits(return_X_y=True)
X = (X / 16).reshape(-1, 1, 8, 8)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
images = pm.Images(1, 8, 8, 0, 1)

z = pm.PatchPCAConv2d(n_filters=9, kernel_size=3, padding=1)  # pre-activation z = w * x
a = pm.CRelu() @ z  # activation (relu(z), relu(-z))
pooled = pm.Flatten() @ pm.AvgPool2d(2)

for name, phi in (
    ("pixels x", pm.Flatten()),
    ("z, pooled", pooled @ z),
    ("a, pooled", pooled @ a),
):
    # The map is fitted inside every fold, as part of the estimator.
    learner = pm.models.Linear() @ (pm.Standardize() @ phi)
    error = 1 - cross_val_score(learner, X, y, cv=folds).mean()
    print(f"{name:<10} {100 * error:.2f} % errors")

print()
for name, phi in (("z", z), ("a = (relu(z), relu(-z))", a), ("relu(z)", pm.Relu() @ z)):
    closed = phi.bind(X)
    verdict = pm.decide(closed, pm.Injective, on=images)
    stretch = pm.decide(closed, pm.Lipschitz, on=images).value[1]
    print(f"{name}: injective is {verdict.word}; stretches distances at most {stretch:.3f} times")
