"""Filters drawn at random and learned from patches, and what they are worth on digits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import phimaps as pm
from phimaps.errors import ParameterError

X = np.random.default_rng(0).standard_normal((20, 2, 6, 5))


def test_random_filters_have_mean_zero_and_norm_one():
    closed = pm.RandomConv2d(7, (2, 3), padding=1, bias_scale=0.5).bind(X)
    weight = closed.array("weight")
    assert weight.shape == (7, 2, 2, 3)
    assert np.allclose(weight.sum(axis=(1, 2, 3)), 0)
    assert np.allclose((weight**2).sum(axis=(1, 2, 3)), 1)
    assert closed.array("bias").std() > 0.1
    assert np.array_equal(weight, pm.RandomConv2d(7, (2, 3)).bind(X).array("weight"))
    free = pm.RandomConv2d(3, random_state=None)
    assert free.random
    assert not np.array_equal(free.bind(X).array("weight"), free.bind(X).array("weight"))
    single = pm.RandomConv2d(3, 1).bind(X[:, :1])
    assert np.allclose(np.abs(single.array("weight")), 1)


def test_components_are_those_of_all_patches():
    patches = torch.nn.functional.unfold(torch.from_numpy(X), (2, 3)).transpose(1, 2)
    reference = PCA(5).fit(patches.reshape(-1, 12).numpy()).components_
    closed = pm.PatchPCAConv2d(5, (2, 3), normalize=False).bind(X)
    ours = closed.array("weight").reshape(5, -1)
    assert np.allclose(np.abs((ours * reference).sum(axis=1)), 1)


def test_normalized_components_but_the_last_have_mean_zero():
    weight = pm.PatchPCAConv2d(None, 3, padding=1).bind(X).array("weight").reshape(18, -1)
    assert np.allclose(weight @ weight.T, np.eye(18))
    assert np.allclose(weight[:-1].sum(axis=1), 0)
    # Contrast does not count: scaling and shifting the images changes no filter.
    again = pm.PatchPCAConv2d(None, 3).bind(100 * X + 7).array("weight").reshape(18, -1)
    plain = pm.PatchPCAConv2d(None, 3).bind(X).array("weight").reshape(18, -1)
    assert np.allclose(again[:-1], plain[:-1], atol=1e-8)


def test_paired_filters_do_what_crelu_does():
    pairs = (pm.Relu() @ pm.PatchPCAConv2d(3, paired=True)).bind(X)(X)
    both = (pm.CRelu() @ pm.PatchPCAConv2d(3)).bind(X)(X)
    assert np.allclose(pairs[:, ::2], both[:, :3], atol=1e-12)
    assert np.allclose(pairs[:, 1::2], both[:, 3:], atol=1e-12)


def test_few_patches_are_enough_and_too_many_filters_are_refused():
    drawn = pm.PatchPCAConv2d(4, max_patches=50)
    assert np.array_equal(drawn.bind(X).array("weight"), drawn.bind(X).array("weight"))
    constant = pm.PatchPCAConv2d(4).bind(np.ones((3, 1, 5, 5)))
    assert np.isfinite(constant.array("weight")).all()
    with pytest.raises(ParameterError) as caught:
        pm.PatchPCAConv2d(19).fit(X)
    assert str(caught.value) == (
        "Patches with 18 entries do not have 19 principal components.\n"
        "  got:  n_filters=19, patches of 2 channels and 3 x 3 pixels\n"
        "  need: n_filters <= 18, or None for all\n"
        "  do:   set_params(n_filters=18), or a larger kernel_size"
    )


def test_binding_never_contradicts():
    for phi in (pm.RandomConv2d(4, padding=1), pm.PatchPCAConv2d(4, padding=1)):
        on = pm.Images(2, 6, 5)
        for goal in (pm.Affine, pm.Continuous):
            assert pm.decide(phi, goal, on=on).holds is True
            assert pm.decide(phi.bind(X), goal, on=on).holds is True
        assert phi.out_shape((2, 6, 5)) == phi.bind(X).out_shape((2, 6, 5)) == (4, 6, 5)
        assert phi.bind(X.astype(np.float32)).transform(X.astype(np.float32)).dtype == np.float32


def test_all_components_with_signs_lose_nothing():
    phi = (pm.CRelu() @ pm.PatchPCAConv2d(None, padding=1, in_shape=(2, 6, 5))).bind(X)
    low, _ = pm.decide(phi, pm.LowerLipschitz, on=pm.Box([-3.0] * 60, [3.0] * 60)).value
    # Every pixel is in at least four patches, and an orthogonal matrix keeps each one's norm.
    assert low >= 2 / np.sqrt(2) - 1e-9


def test_rectified_features_of_digits_are_worth_three_times_their_pixels():
    data, digit = load_digits(return_X_y=True)
    learn = pm.PatchPCAConv2d(padding=1, in_shape=(1, 8, 8))
    after = (pm.AvgPool2d(3, stride=2, padding=1), pm.Flatten(), pm.Standardize())
    maps = {
        "pixels": pm.Standardize(),
        "z": pm.pipe(learn, *after),
        "a": pm.pipe(learn, pm.CRelu(), *after),
    }
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    error = {}
    for name, phi in maps.items():
        model = make_pipeline(phi, LogisticRegression(max_iter=1000))
        error[name] = 1 - cross_val_score(model, data / 16, digit, cv=folds).mean()
    assert error["a"] <= 0.010
    assert error["a"] <= error["pixels"] / 3
    assert error["z"] >= 0.02


@pytest.mark.parametrize("kind", [pm.RandomConv2d, pm.PatchPCAConv2d])
def test_scikit_learn_accepts_them(kind):
    check_estimator(kind.example(), on_skip=None)
