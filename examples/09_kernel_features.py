"""Kernels as features: linear models on them against the exact kernel machines."""

from time import perf_counter

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import phimaps as pm
from phimaps.kernels import RBF, ArcCosine, Linear, Matern, PolynomialKernel

# --- digits: half for training, half for testing ------------------------------------------------
X, y = load_digits(return_X_y=True)
X /= 16
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)


def row(name, model, error=""):
    start = perf_counter()
    model.fit(X_train, y_train)
    score = model.score(X_test, y_test)
    print(f"{name:44}{error:>10}{100 * score:9.1f} %{1000 * (perf_counter() - start):9.0f} ms")


rbf = RBF(gamma="scale")
print(f"{'digits':44}{'kernel':>10}{'correct':>11}{'fit and test':>15}")
row("exact: SVC with the RBF kernel", SVC(C=10, gamma="scale"))
choices = {
    "RBF, 300 waves": (rbf, rbf.features(300)),
    "RBF, 1000 waves": (rbf, rbf.features(1000)),
    "RBF, 300 landmarks": (rbf, rbf.features(300, "nystrom")),
    "(x·y / 20 + 1)³, 1000 features": (
        kernel := PolynomialKernel(3, gamma=0.05),
        kernel.features(1000),
    ),
    "arc-cosine, 500 features": (ArcCosine(), ArcCosine().features(500)),
    "RBF · Matérn + x·y / 10, 500 features": (
        kernel := rbf * Matern(length_scale=4.0) + 0.1 * Linear(),
        kernel.features(500),
    ),
}
for name, (kernel, phi) in choices.items():
    found = pm.check.kernel_error(phi, kernel, on=X_train)
    row(name, make_pipeline(phi, RidgeClassifier(alpha=0.1)), f"{100 * found.value:.1f} %")

# --- as many features as an error needs -------------------------------------------------------
for method in ("fourier", "nystrom"):
    phi = rbf.features(method=method, error=0.05, on=X_train)
    found = pm.check.kernel_error(phi, rbf, on=X_train)
    row(
        f"RBF, error 5 %: {phi.n_components} by {method!r}",
        make_pipeline(phi, RidgeClassifier(alpha=0.1)),
        f"{100 * found.value:.1f} %",
    )

# --- a regression -------------------------------------------------------------------------------
X, y = load_diabetes(return_X_y=True)
X /= X.std(0)
X_train, X_test, y_train, y_test = train_test_split(X, y - y.mean(), random_state=0)
kernel = RBF(gamma=0.01)
exact = KernelRidge(kernel="rbf", gamma=0.01, alpha=0.3).fit(X_train, y_train)
expected = exact.predict(X_test)
print(f"\ndiabetes, exact kernel ridge: R² {exact.score(X_test, y_test):.3f}")
for method, error in (("fourier", 0.01), ("nystrom", 0.01), ("nystrom", 0.0001)):
    phi = kernel.features(method=method, error=error, on=X_train)
    model = make_pipeline(phi, Ridge(alpha=0.3, fit_intercept=False)).fit(X_train, y_train)
    gap = np.abs(model.predict(X_test) - expected).max() / np.ptp(y_test)
    print(
        f"{phi.n_components:5} features by {method!r} for an error of {error:g}: "
        f"R² {model.score(X_test, y_test):.3f}, predictions {100 * gap:.2f} % of the range apart"
    )
