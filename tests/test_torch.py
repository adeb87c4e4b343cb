"""Closed maps as torch modules: trained, saved, called functionally."""

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import OperandError, UnboundError

X = np.random.default_rng(0).normal(size=(40, 3))


def composite():
    return (pm.Tanh() @ pm.Affine(np.eye(3)) & pm.RandomFourier(7)) @ pm.Standardize()


def test_training_changes_the_module_and_not_the_map():
    closed = composite().bind(X)
    before = closed.transform(X)
    module = pm.as_module(closed)
    x = torch.tensor(X)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = (module(x).sum(dim=1) - x[:, 0] ** 2).pow(2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_array_equal(closed.transform(X), before)
    np.testing.assert_allclose(module.to_map().transform(X), module(x).detach().numpy())


def test_every_tensor_is_a_named_parameter_with_a_gradient():
    module = pm.as_module(composite().bind(X))
    names = dict(module.named_parameters())
    assert "diagonal__weight" in names
    assert "concat__compose__affine__weight" in names
    module(torch.tensor(X)).pow(2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in names.values())


def test_state_dict_and_functional_call():
    first, second = (pm.as_module(composite().bind(X + shift)) for shift in (0, 1))
    x = torch.tensor(X)
    assert not torch.equal(first(x), second(x))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))
    zeros = {n: torch.zeros_like(p) for n, p in first.named_parameters()}
    called = torch.func.functional_call(first, zeros, (x,))
    assert not torch.equal(called, first(x))


def test_float_and_fitted_maps():
    module = pm.as_module(composite().fit(X), dtype=torch.float32)
    assert module(torch.tensor(X, dtype=torch.float32)).dtype == torch.float32


def test_open_maps_and_other_things_are_refused():
    with pytest.raises(UnboundError, match="not fitted yet"):
        pm.as_module(pm.RandomFourier())
    with pytest.raises(OperandError, match="as_module takes a map"):
        pm.as_module(3)


def test_to_gives_a_copy_with_tensors():
    closed = composite().bind(X)
    single = closed.to(torch.float32)
    assert single.maps[0].weight.dtype == torch.float32
    assert isinstance(closed.maps[0].weight, np.ndarray)
    np.testing.assert_allclose(single.transform(X), closed.transform(X), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_the_same_map_on_the_accelerator():
    closed = composite().bind(X)
    expected = closed.transform(X)
    moved = closed.to("cuda")
    assert moved(torch.tensor(X, device="cuda")).device.type == "cuda"
    np.testing.assert_allclose(moved.transform(X), expected, atol=1e-12)
    with pm.config_context(device="cuda"):
        np.testing.assert_allclose(closed.transform(X), expected, atol=1e-12)
