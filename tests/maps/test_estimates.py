"""The mean inner product of every random map is the kernel that the map states.

The maps are found; `VARIANTS` only adds other choices of their parameters. An entry takes the
number of coordinates and returns maps, whose seeds are set here.
"""

import importlib
import pkgutil
from statistics import NormalDist

import numpy as np
import pytest

import phimaps as pm
from phimaps import maps

for module in pkgutil.walk_packages(maps.__path__, "phimaps.maps."):
    importlib.import_module(module.name)

SEEDS = 400
DIMENSIONS = [1, 2, 3, 8]
# No multiples of 2, 3 or 8, and one of an odd and one of an even number.
WIDTHS = [7, 22]


def polynomial_sketches(kind):
    return lambda d: [
        kind(degree=p, gamma=g, coef0=c, n_components=n, exact_low=low)
        for p, g, c, n, low in [
            (2, 1.0, 0.0, 7, False), (2, 0.5, 1.0, 22, False), (3, 0.7, 0.5, 22, True),
            (3, 1.0, 1.0, 1, True), (2, 1.0, 1.0, 5, True), (1, 2.0, 0.3, 2, True),
            (5, 0.4, 1.0, 9, False),
        ]
    ]  # fmt: skip


VARIANTS = {
    "TensorSketch": polynomial_sketches(pm.TensorSketch),
    "ProductSketch": polynomial_sketches(pm.ProductSketch),
    "RandomMaclaurin": lambda d: [
        pm.RandomMaclaurin(kernel, n, exact_low=low, by_spread=spread)
        for kernel, n, low, spread in [
            (pm.kernels.Exponential(0.7), 7, False, False),
            (pm.kernels.Exponential(0.7), 22, True, True),
            (pm.kernels.PolynomialKernel(3, 0.5, 1.0), 22, True, False),
            (pm.kernels.Linear(), 3, True, True),
        ]
    ],
    "SparseProjection": lambda d: [pm.SparseProjection(7), pm.SparseProjection(22, density=1 / 3)],
    "Srht": lambda d: [pm.Srht(1), pm.Srht(7)],
}


def kinds(kind=pm.FeatureMap):
    """The public random maps that state a kernel."""
    for sub in kind.__subclasses__():
        yield from kinds(sub)
        public = getattr(pm, sub.__name__, None) is sub
        if public and "random_state" in sub._get_param_names() and hasattr(sub, "estimates"):
            yield sub


FOUND = {kind.__name__: kind for kind in kinds()}


def variants(name, d):
    """The map at its defaults in each width, and what the table adds."""
    kind = FOUND[name]
    example = kind.example()
    if "n_components" in example.get_params(deep=False):
        made = [kind.example().set_params(n_components=n) for n in WIDTHS]
    else:
        made = [example]
    return made + (VARIANTS[name](d) if name in VARIANTS else [])


def points(phi, d):
    X = 0.7 * np.random.default_rng(5).standard_normal((4, d))
    return np.abs(X) if phi.positive else X


def stated(phi, X):
    kernel = phi.estimates
    if kernel is None:
        return None
    kernel = kernel if kernel.closed else kernel.bind(X)
    return kernel(X)


def test_maps_are_found_and_the_table_has_no_others():
    assert len(FOUND) >= 8
    assert set(VARIANTS) <= set(FOUND)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("name", FOUND)
def test_the_mean_inner_product_is_the_stated_kernel(name, d):
    """A normal test for each pair of points at a joint level of 1e-5, over fixed seeds."""
    told = 0
    for phi in variants(name, d):
        X = points(phi, d)
        truth = stated(phi, X)
        if truth is None:
            continue
        told += 1
        grams = []
        for seed in range(SEEDS):
            features = phi.set_params(random_state=seed).bind(X).transform(X)
            grams.append(features @ features.T)
        mean, deviation = np.mean(grams, axis=0), np.std(grams, axis=0, ddof=1)
        level = 1e-5 / (len(DIMENSIONS) * 2 * 10 * len(FOUND))
        bound = NormalDist().inv_cdf(1 - level / 2) * deviation / np.sqrt(SEEDS)
        # What does not vary is exact up to rounding.
        bound += 1e-12 * (1 + np.abs(truth))
        assert (np.abs(mean - truth) <= bound).all(), (phi, mean - truth, bound)
        # The bounds are narrow enough to see a bias.
        assert np.median(bound) <= 0.5 * np.abs(truth).max() + 0.5, phi
    print(f"{name}, d = {d}: {told} variants")
