"""Operators of kernels: values, notation, parameters, copies."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.gaussian_process import kernels as gp

import phimaps as pm
from phimaps.kernels import (
    RBF,
    Cauchy,
    Constant,
    Kernel,
    Laplacian,
    Linear,
    Matern,
    Power,
    Product,
    Pullback,
    Scaled,
    Sum,
)

rng = np.random.default_rng(5)
X, Y = rng.normal(size=(9, 3)), rng.normal(size=(7, 3))
G, C, L = RBF(gamma=0.5), Cauchy(gamma=0.5), Linear()
NAMES = {**vars(pm.kernels), **{n: getattr(pm, n) for n in dir(pm) if n not in ("Sum", "product")}}
NAMES.update(Sum=Sum)

EXPRESSIONS = {
    "RBF(gamma=0.5) + 2.0 * Linear() + Constant()": lambda: G + 2 * L + 1,
    "2.0 * (RBF(gamma=0.5) * Linear())": lambda: 2 * (G * L),
    "RBF(gamma=0.5) * (2.0 * Linear())": lambda: G * (2 * L),
    "2.0 * Linear() * RBF(gamma=0.5)": lambda: (2 * L) * G,
    "(RBF(gamma=0.5) + Constant()) ** 2": lambda: (G + 1) ** 2,
    "(RBF(gamma=0.5) * Linear()) ** 2": lambda: (G * L) ** 2,
    "RBF(gamma=0.5) @ Abs() @ Relu()": lambda: G @ pm.Abs() @ pm.Relu(),
    "(Linear() + Constant()) @ (Abs() & Relu())": lambda: (L + 1) @ (pm.Abs() & pm.Relu()),
    "RBF(gamma=0.5) * (Linear() @ Abs())": lambda: G * (L @ pm.Abs()),
    "Linear() @ Abs() * RBF(gamma=0.5)": lambda: (L @ pm.Abs()) * G,
    "Linear() ** 2 @ Abs()": lambda: L**2 @ pm.Abs(),
    "(Linear() @ Abs()) ** 2": lambda: (L @ pm.Abs()) ** 2,
    "Linear() @ (2.0 * Abs())": lambda: L @ (2.0 * pm.Abs()),
    "Linear() + Linear() * Linear() + Linear()": lambda: L + (L * L + L),
    "(Linear() + RBF(gamma=0.5)) * Cauchy(gamma=0.5)": lambda: (L + G) * C,
    "RBF(length_scale=[1.0, 2.0, 0.5])": lambda: RBF(length_scale=np.array([1.0, 2.0, 0.5])),
    "Matern(nu=0.5, gamma='median')": lambda: Matern(nu=0.5, gamma="median"),
    "6.0 * Linear()": lambda: 2 * (3 * L),
    "Linear() ** 6": lambda: (L**2) ** 3,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_notation_evaluates_back(text):
    kernel = EXPRESSIONS[text]()
    assert repr(kernel) == text
    again = eval(text, dict(NAMES))
    assert repr(again) == text
    assert np.array_equal(again(X), kernel(X))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_copies_are_the_same_kernel(text):
    kernel = EXPRESSIONS[text]()
    for twin in (
        clone(kernel),
        pickle.loads(pickle.dumps(kernel)),
        copy.deepcopy(kernel),
        copy.copy(kernel),
    ):
        assert twin is not kernel
        assert repr(twin) == text
        assert np.array_equal(twin(X), kernel(X))
        assert sorted(twin.get_params()) == sorted(kernel.get_params())


def test_values_follow_the_operators():
    assert np.allclose((G + C)(X, Y), G(X, Y) + C(X, Y), rtol=1e-15)
    assert np.allclose((G * C)(X, Y), G(X, Y) * C(X, Y), rtol=1e-15)
    assert np.allclose((3 * G)(X, Y), 3 * G(X, Y), rtol=1e-15)
    assert np.allclose((G / 4)(X, Y), G(X, Y) / 4, rtol=1e-15)
    assert np.allclose((G * 3)(X, Y), 3 * G(X, Y), rtol=1e-15)
    assert np.allclose((G + 0.5)(X, Y), G(X, Y) + 0.5, rtol=1e-15)
    assert np.allclose((0.5 + G)(X, Y), G(X, Y) + 0.5, rtol=1e-15)
    assert np.allclose((G**3)(X, Y), G(X, Y) ** 3, rtol=1e-13)
    assert np.allclose((G @ pm.Abs())(X, Y), G(np.abs(X), np.abs(Y)), rtol=1e-14)
    assert np.allclose((np.float64(2.0) * G)(X), 2 * G(X))
    assert (G + np.float32(1.0))(X).dtype == np.float64
    assert np.allclose(sum([G, C, L])(X), G(X) + C(X) + L(X))


def test_nesting_is_flat():
    assert len((G + (C + L)).kernels) == len(((G + C) + L).kernels) == 3
    assert len((G * (C * L)).kernels) == 3
    assert isinstance(G + C * L, Sum)
    assert isinstance(G * C + L, Sum)
    assert isinstance((G + C) * L, Product)
    assert (2 * (3 * G)).factor == 6.0
    assert ((G**2) ** 3).exponent == 6
    pulled = G @ pm.Abs() @ pm.Relu()
    assert isinstance(pulled, Pullback)
    assert repr(pulled.map) == "Abs() @ Relu()"


def test_the_kernel_of_a_map_is_its_inner_product():
    phi = pm.RandomFourier(n_components=10) @ pm.Standardize()
    closed = phi.bind(X)
    kernel = closed.kernel
    assert isinstance(kernel, Pullback)
    value = closed(X) @ closed(Y).T
    assert np.allclose(kernel(X, Y), value, rtol=0, atol=1e-14)
    assert np.array_equal(phi.kernel(X), kernel(X))
    assert np.allclose((pm.Abs() & pm.Relu()).kernel(X), (pm.Abs().kernel + pm.Relu().kernel)(X))
    assert np.allclose((pm.Abs() * pm.Relu()).kernel(X), (pm.Abs().kernel * pm.Relu().kernel)(X))
    assert np.allclose((3 * pm.Abs()).kernel(X), (9 * pm.Abs().kernel)(X))


def test_parameters_are_reached_by_name():
    kernel = RBF() + 2 * Linear() + RBF(gamma=1.0)
    names = kernel.get_params()
    assert names["rbf-1__gamma"] is None
    assert names["rbf-2__gamma"] == 1.0
    kernel.set_params(**{"rbf-1__gamma": 0.25})
    kernel.set_params(**{"rbf-2": Laplacian(gamma=2.0)})
    assert kernel.kernels[0].gamma == 0.25
    assert isinstance(kernel.kernels[2], Laplacian)
    nested = RBF() * (Linear() @ pm.RandomFourier())
    nested.set_params(pullback__map__n_components=7)
    assert nested.kernels[1].map.n_components == 7
    power = (RBF(gamma=1.0) + 1) ** 2
    power.set_params(kernel__rbf__gamma=3.0, exponent=3)
    assert repr(power) == "(RBF(gamma=3.0) + Constant()) ** 3"
    scaled = 2 * RBF(gamma=1.0)
    scaled.set_params(factor=0.5, kernel__gamma=4.0)
    assert repr(scaled) == "0.5 * RBF(gamma=4.0)"


def test_parts_that_stand_elsewhere_keep_their_parameters():
    part = RBF(gamma=1.0)
    kernel = part + Linear()
    kernel.set_params(rbf__gamma=5.0)
    assert part.gamma == 1.0
    assert kernel.kernels[0].gamma == 5.0


def test_binding_closes_every_part():
    kernel = RBF() + 2 * Laplacian(gamma="median") * Matern() ** 2 + L @ pm.Standardize()
    assert not kernel.closed
    closed = kernel.bind(X)
    assert closed.closed
    assert not kernel.closed
    assert np.array_equal(kernel(X), closed(X))
    assert closed.bind(Y) is closed


def test_inner_kernels_are_bound_on_features():
    kernel = (RBF() @ (pm.Abs() & pm.Relu())).bind(X)
    features = np.concatenate([np.abs(X), np.maximum(X, 0)], axis=1)
    assert np.isclose(kernel.kernel.gamma, RBF().bind(features).gamma, rtol=1e-14)


def test_domains_and_tastes_are_those_of_the_parts():
    chi = pm.kernels.AdditiveChi2()
    assert (chi + G).positive
    assert not (chi + G).sparse
    assert (G + L).sparse
    assert (2 * G).sparse
    assert (G**2).sparse
    assert not (G @ pm.Abs()).positive
    assert (G @ pm.Sqrt()).positive == pm.Sqrt().positive
    affine = pm.Affine(np.ones((3, 2)))
    assert (G @ affine).takes == (3,)
    assert (2 * (G @ affine) + L).takes == (3,)
    assert (G @ affine).domain == affine.domain or (G @ affine).domain.shape == (3,)
    assert (chi + G).undefined(pm.Box([-1.0], [1.0])) is not None
    assert (2 * chi).undefined(pm.Box([0.0], [1.0])) is None
    assert (chi @ pm.Abs()).undefined(pm.Box([-1.0], [1.0])) is None


def test_scikit_learns_kernels_may_stand_at_the_side():
    mixed = G + gp.RBF(2.0)
    assert np.allclose(mixed(X), G(X) + gp.RBF(2.0)(X))
    assert np.allclose((G * gp.RBF(2.0))(X), G(X) * gp.RBF(2.0)(X))
    # Theirs on the left takes ours for a constant; it is taken back.
    assert np.allclose(pm.kernels.as_kernel(gp.RBF(2.0) + G)(X), mixed(X))


def test_gradients_pass_through_the_algebra():
    kernel = (G + 2 * L) * C**2 + G @ pm.Tanh()
    x = torch.from_numpy(X[:4]).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: kernel(a, torch.from_numpy(Y[:3])), (x,))
    weight = torch.ones((3, 2), dtype=torch.float64, requires_grad=True)
    kernel = L @ pm.Affine(weight, np.zeros(2))
    kernel(torch.from_numpy(X)).sum().backward()
    assert weight.grad is not None


def test_examples_are_kernels():
    for kind in (Sum, Product, Scaled, Power, Pullback, Constant):
        kernel = kind.example()
        assert isinstance(kernel, Kernel)
        assert kernel(X).shape == (9, 9)
