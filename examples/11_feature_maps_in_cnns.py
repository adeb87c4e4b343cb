"""Which of x, z and a is the feature map of a convolutional layer, and what do its units do?

Prints every stage of a small network by its name, the errors of a linear classifier on pixels, on z
and on a, and which filters never respond: to these digits, and to any image at all.
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from torch import manual_seed, nn

import phimaps as pm

X, y = load_digits(return_X_y=True)
X = (X / 16).astype("float32").reshape(-1, 1, 8, 8)

# In-place activations, a batch normalization: the names say what each stage is.
manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(32, 10),
)  # fmt: skip
print(pm.cnn.trace(net, X[:1]), "\n")

# The same nine filters before and after the rectifier, averaged over windows.
z = pm.PatchPCAConv2d(9, kernel_size=3, padding=1)
pooled = pm.Flatten() @ pm.AvgPool2d(3, stride=2, padding=1)
folds = StratifiedKFold(5, shuffle=True, random_state=0)
for name, phi in (
    ("pixels x", pm.Flatten()),
    ("z, pooled", pooled @ z),
    ("a, pooled", pooled @ pm.CRelu() @ z),
):
    model = make_pipeline(pm.Standardize() @ phi, RidgeClassifier())
    error = 1 - cross_val_score(model, X, y, cv=folds).mean()
    print(f"{name:<10} {100 * error:.1f} % errors")

# Filters that are silent on the digits, and filters that are silent on every image.
net[0].bias.data[3] = net[4].bias.data[5] = -100.0
net[4].bias.data[6] = -2.0
found = pm.cnn.units(net, X, on=pm.Images(1, 8, 8, 0, 1))
print(f"\n{found}\n")
for layer in found:
    silent, never = layer.dead.nonzero()[0].tolist(), layer.proved_dead.nonzero()[0].tolist()
    print(f"layer {layer.name}: silent on the digits {silent}, proved dead for all images {never}")
