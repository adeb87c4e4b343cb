"""Certified constants of large convolutions: never wrong on small ones, and near the truth."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse
import torch
from scipy.sparse.linalg import svds

import phimaps as pm
from phimaps.maps import conv, norms
from phimaps.maps.spectrum import coercivity, extremes, spectrum, torus

RNG = np.random.default_rng(0)


def known(phi, on):
    """The best number of each signed claim."""
    found = {}
    for claim, _ in phi.facts(on):
        if claim.quantity is not None:
            key, number = (claim.name, claim.holds), claim.number
            found[key] = claim.better(found.get(key, number), number)
    return found


def truth(phi, item):
    """The greatest singular value, and the least one or 0 where there is a kernel."""
    n = int(np.prod(item))
    basis = torch.eye(n, dtype=torch.float64).reshape(n, *item)
    matrix = phi(basis).reshape(n, -1).numpy()
    values = np.linalg.svd(matrix, compute_uv=False)
    return values[0], values[-1] if matrix.shape[1] >= n else 0.0


def sound(phi, item):
    """Check every number against a dense SVD; what was found."""
    found, (top, least) = known(phi, pm.Images(*item, -1.0, 1.0)), truth(phi, item)
    slack = 1e-12 * top
    assert found["Lipschitz", True] >= top - slack
    assert found.get(("Lipschitz", False), 0.0) <= top + slack
    assert found.get(("LowerLipschitz", True), 0.0) <= least + slack
    assert found.get(("LowerLipschitz", False), np.inf) >= least - slack
    return found, top, least


@pytest.fixture(autouse=True)
def _large(monkeypatch):
    """Every convolution counts as too large for its matrix."""
    monkeypatch.setattr(conv, "DENSE_ENTRIES", 0)


KERNELS = [(1, 1, 3, 3), (2, 1, 3, 3), (3, 2, 2, 3), (4, 1, 2, 2), (2, 3, 3, 1), (9, 1, 4, 3)]
WAYS = [*product([1, 2, 3, (2, 1)], [0, 1, 2, (3, 0), 4], ["zeros", "circular"])]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("kind", ["gauss", "one tap", "sparse"])
def test_no_number_is_wrong(kernel, kind):
    seen = dict.fromkeys(("exact", "covers", "tap", "neither"), 0)
    for (stride, padding, mode), size in product(WAYS, [(4, 6), (5, 3)]):
        weight = RNG.standard_normal(kernel)
        if kind == "one tap":
            weight[:, :, min(1, kernel[2] - 1), min(1, kernel[3] - 1)] += 20 * np.eye(*kernel[:2])
        if kind == "sparse":
            weight *= RNG.random(kernel) < 0.4
            weight[0, 0, 0, 0] = 1.0
        phi, item = pm.Conv2d(weight, None, stride, padding, mode), (kernel[1], *size)
        if 0 in phi.window().counts(item):
            continue
        found, top, least = sound(phi, item)
        about = torus(phi.window(), item)
        if about.exact:
            seen["exact"] += 1
            assert found["Lipschitz", True] <= top * (1 + 1e-11)
        elif ("LowerLipschitz", True) in found and found["LowerLipschitz", True] > 0:
            seen["covers" if about.covers else "tap"] += 1
        else:
            seen["neither"] += 1
        # Whatever the twist, a padded convolution lies in the torus.
        if mode == "zeros":
            for twist in product((0, 1), (0, 1)):
                high, _, _, low = extremes(weight, about.sizes, about.stride, twist)
                assert high >= top * (1 - 1e-12)
                if about.covers and kernel[0] >= kernel[1] * np.prod(about.stride):
                    assert low <= least + 1e-12 * top
    assert seen["neither"]
    if kernel in KERNELS[:2]:
        assert seen["exact"]
        assert seen["covers"]
        assert seen["tap"] or kind != "one tap"


def test_full_padding_is_injective_even_where_frequencies_vanish():
    # The transform of 1, -1 vanishes at frequency 0; images of alternating sign avoid it.
    for weight in ([[[[1.0, -1.0]]]], [[[[1.0, 1.0, 1.0]]]], [[[[1.0, -2.0, 1.0]]]]):
        k = len(weight[0][0][0])
        phi = pm.Conv2d(weight, padding=(0, k - 1))
        found, _, least = sound(phi, (1, 1, 12))
        assert 0 < found["LowerLipschitz", True] <= least * (1 + 1e-12)
        assert pm.decide(phi, pm.Injective, on=pm.Images(1, 40, 40)).holds is True
    edge = pm.Conv2d([[[[1.0, -1.0]]]], padding=(0, 1))
    assert (
        abs(known(edge, pm.Images(1, 1, 12))["LowerLipschitz", True] - truth(edge, (1, 1, 12))[1])
        < 1e-12
    )
    assert (
        pm.decide(pm.Conv2d([[[[1.0, -1.0]]]]), pm.Injective, on=pm.Images(1, 9, 9)).holds is False
    )


def test_patches_side_by_side_are_exact_without_padding():
    phi = pm.Conv2d(RNG.standard_normal((16, 3, 2, 2)), stride=2)
    found, top, least = sound(phi, (3, 4, 6))
    values = np.linalg.svd(np.asarray(phi.weight).reshape(16, 12), compute_uv=False)
    assert np.allclose([top, least], values[[0, -1]])
    for key, value in (("Lipschitz", top), ("LowerLipschitz", least)):
        for holds in (True, False):
            assert abs(found[key, holds] - value) < 1e-11


def test_an_outweighing_tap_bounds_from_below():
    delta = np.zeros((3, 3, 3, 3))
    delta[:, :, 1, 1] = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    weight = delta + 0.03 * RNG.standard_normal(delta.shape)
    phi = pm.Conv2d(weight, padding=1)
    found, _, least = sound(phi, (3, 7, 7))
    assert 0.3 < found["LowerLipschitz", True] < least
    assert coercivity(delta + 1e-3, (8, 8), (1, 1)) > 0.9
    assert coercivity(RNG.standard_normal((3, 3, 3, 3)), (8, 8), (1, 1)) == 0.0
    # The tap at the corner stands at the pixel itself only in an image shifted by one.
    corner = np.roll(weight, 1, axis=(2, 3))
    assert ("LowerLipschitz", True) not in {
        k for k, v in known(pm.Conv2d(corner, padding=1), pm.Images(3, 7, 7)).items() if v > 0
    }


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1])
def test_the_bounds_for_padding_by_zeros_are_near_the_norm(stride, padding):
    worst = [1.0, 1.0]
    for trial in range(16):
        rng = np.random.default_rng(trial)
        c_out, c_in, n = int(rng.choice([1, 4, 8])), int(rng.choice([1, 3])), 16 + trial
        weight = rng.standard_normal((c_out, c_in, 3, 3))
        weight = (weight, np.abs(weight), weight * (rng.random(weight.shape) < 0.4))[trial % 3]
        weight[0, 0, 1, 1] = 1.0
        phi = pm.Conv2d(weight, None, stride, padding)
        matrix = scipy.sparse.csr_array(phi.matrix((c_in, n, n)))
        start = rng.standard_normal(min(matrix.shape))
        top = float(svds(matrix, k=1, ncv=40, v0=start, return_singular_vectors=False)[0])
        found = known(phi, pm.Images(c_in, n, n))
        low, high = found["Lipschitz", False], found["Lipschitz", True]
        assert low <= top * (1 + 1e-8) <= high * (1 + 2e-8)
        worst = [max(worst[0], high / top), min(worst[1], low / top)]
    print(f"upper bound at most {worst[0]:.4f}, lower at least {worst[1]:.4f} times the norm")
    assert worst[0] < 1.03
    assert worst[1] > 0.98


@pytest.mark.parametrize("power", [-900, -700, 700, 1000])
def test_huge_and_tiny_weights_are_scaled_exactly(power):
    weight = RNG.standard_normal((2, 1, 3, 3))
    for way in ({}, {"padding": 1}, {"padding": 2}, {"padding": 1, "padding_mode": "circular"}):
        small = known(pm.Conv2d(weight, **way), pm.Images(1, 6, 6))
        large = known(pm.Conv2d(np.ldexp(weight, power), **way), pm.Images(1, 6, 6))
        for key, value in small.items():
            assert large[key] == float(np.ldexp(value, power))


def test_numbers_at_the_ends_of_the_range_are_rounded_outward():
    on = pm.Images(1, 4, 4)
    huge = known(pm.Conv2d(np.full((1, 1, 3, 3), 1.5e308), padding=1), on)
    assert huge["Lipschitz", True] == np.inf
    assert huge["Lipschitz", False] <= np.finfo(float).max
    tiny = known(pm.Conv2d(np.full((1, 1, 3, 3), 5e-324), padding=1), on)
    assert 9 * 5e-324 <= tiny["Lipschitz", True] <= np.finfo(float).tiny
    assert tiny.get(("Lipschitz", False), 0.0) <= 9 * 5e-324
    nothing = known(pm.Conv2d(np.zeros((1, 1, 3, 3)), padding=1), on)
    assert nothing["Lipschitz", True] <= np.finfo(float).tiny * 10
    assert nothing.get(("LowerLipschitz", True), 0.0) == 0.0


def test_more_than_a_round_of_a_torus_repeats():
    phi = pm.Conv2d(RNG.standard_normal((2, 1, 3, 3)), None, 1, (1, 5), "circular")
    found, top, least = sound(phi, (1, 4, 4))
    assert torus(phi.window(), (1, 4, 4)).repeats == 3
    assert found["Lipschitz", True] <= np.sqrt(2) * top
    assert 0 < found["LowerLipschitz", True] <= least


def test_the_spectrum_counts_every_frequency():
    for sizes, stride in (((4, 4), (1, 1)), ((5, 3), (1, 1)), ((6, 4), (2, 2)), ((1, 6), (1, 3))):
        values = spectrum(np.ones((2, 1, 1, 1)), sizes, stride)
        assert len(values) == min(np.prod(sizes), 2 * np.prod(sizes) // np.prod(stride))
        assert np.isclose((values**2).sum(), 2 * np.prod(sizes) / np.prod(stride))


def test_test_vectors_do_not_depend_on_the_mode_of_gradients():
    numbers = norms._Norms(RNG.standard_normal((2, 2, 3, 3)), pm.Conv2d(
        np.ones((2, 2, 3, 3)), padding=1).window(), (2, 9, 9))  # fmt: skip
    before = numbers.ratios()
    numbers.found = None
    with torch.inference_mode():
        assert numbers.ratios() == before
    assert 0 < before[0] < before[1]
