"""Targets that are no plain numbers: probabilities, positive numbers, matrices, directions.

Prints how well each is predicted, what a model without a readout predicts that cannot be, what is
proved of each class, and the error of an angle where a direction was to be followed once around.
"""

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

import phimaps as pm
from phimaps.models import MLP, KernelRidge, Linear, Ridge

images, label = load_digits(return_X_y=True)
images = images / 16

# --- probabilities -----------------------------------------------------------------------------
train, test, seen, expected = train_test_split(images, label, test_size=0.25, random_state=0)
phi = pm.RandomFourier(1000)
model = (pm.Softmax() @ Ridge(0.1) @ phi).fit(train, seen)
shares = model.predict_proba(test)
sure = shares.max(axis=1) > 0.8
right = model.predict(test) == expected
print(f"digits: {right.mean():.1%} right, {right[sure].mean():.1%} of those above 80 %")
print(f"shares from {shares.min():.4f}, sums {shares.sum(axis=1).min():.3f} at least")

# --- positive numbers --------------------------------------------------------------------------
X, y = load_diabetes(return_X_y=True)
split = train_test_split(X, y, test_size=0.25, random_state=0)
plain = (Linear() @ pm.Polynomial(2) @ pm.Standardize()).fit(split[0], split[2])
positive = (pm.Exp() @ Linear() @ pm.Polynomial(2) @ pm.Standardize()).fit(split[0], split[2])
far = 3 * split[1]
print(
    f"diabetes: least prediction far out {plain.predict(far).min():.0f} without a readout", end=""
)
print(f", {positive.predict(far).min():.2f} with exp, which is > 0")

# --- positive definite matrices ----------------------------------------------------------------
across, down = np.gradient(images.reshape(-1, 8, 8), axis=(2, 1))
slopes = np.stack([across, down], axis=-1)[:, 4:].reshape(len(images), -1, 2)
tensors = slopes.swapaxes(1, 2) @ slopes / slopes.shape[1] + 1e-6 * np.eye(2)
upper = images[:, :32]
kernel = KernelRidge(pm.kernels.RBF(gamma=0.3), 0.1)
entries = (kernel @ pm.Identity()).fit(upper[:1200], tensors[:1200].reshape(1200, 4))
matrices = (pm.SymmetricExp() @ kernel @ pm.Identity()).fit(upper[:1200], tensors[:1200])
outer = 3 * upper[1200:]
least = np.linalg.eigvalsh(entries.predict(outer).reshape(-1, 2, 2))[:, 0]
print(f"matrices: {(least < 0).sum()} of {len(least)} indefinite without a readout", end=", ")
print(f"{(np.linalg.eigvalsh(matrices.predict(outer))[:, 0] <= 0).sum()} with the exponential")

# --- directions --------------------------------------------------------------------------------
# Black around it, so that nothing is cut off when it turns.
seven = np.pad(images[label == 7].mean(axis=0).reshape(8, 8), 3)


def turned(degrees: np.ndarray) -> np.ndarray:
    """One picture, turned: a circle of pictures."""
    return np.stack([rotate(seven, d, reshape=False, order=3).ravel() for d in degrees])


def direction(degrees: np.ndarray) -> np.ndarray:
    return np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


known, new = np.arange(0.0, 360.0, 4.0), np.arange(0.0, 360.0, 0.5)
kernel = KernelRidge(pm.kernels.RBF(gamma=0.5), 1e-6)
for name, rho in {
    "direction z / |z|": pm.UnitNorm(),
    "angle (cos t, sin t)": pm.Fourier([[1.0]]),
}.items():
    fitted = (rho @ kernel @ pm.Identity()).fit(turned(known), direction(known))
    off = np.linalg.norm(fitted.predict(turned(new)) - direction(new), axis=1)
    print(f"{name}: greatest error {off.max():.4f}, median {np.median(off):.4f}")

# --- what is proved ----------------------------------------------------------------------------
circle, interval = pm.Sphere([0.0, 0.0], 1.0), pm.Box([0.0], [1.0])
print("networks behind")
for rho, on in (
    (pm.Softmax(), interval),
    (pm.UnitNorm(), circle),
    (pm.Fourier([[1.0]]), interval),
    (pm.Fourier([[1.0]]), circle),
):
    word = pm.decide(rho @ MLP() @ pm.Identity(), pm.Universal, on=on).word
    print(f"  {type(rho).__name__} on {on}: universal is {word}")
logistic = pm.Softmax() @ Linear() @ pm.Polynomial(9).bind(np.zeros((2, 1)))
print(f"linear models of ten powers: {pm.decide(logistic, pm.Universal, on=interval).word}")
