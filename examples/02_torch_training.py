"""A feature map as a torch module: train its weights, get a map back.

Prints the loss before and after training, and shows that the original map did not change.
"""

import numpy as np
import torch

import phimaps as pm

torch.manual_seed(0)
x = torch.linspace(-2, 2, 200, dtype=torch.float64)[:, None]
y = torch.sin(3 * x) + 0.3 * x

# A closed map is a function: tensors in, tensors out, with gradients.
phi = pm.Tanh() @ pm.Affine(np.random.default_rng(0).normal(size=(1, 16)), np.zeros(16))
point = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
phi(point).sum().backward()
print(f"derivative of the sum of features at 0.5: {point.grad.item():.4f}")

# As a module, every array of the map is a named parameter.
module = pm.as_module(phi)
print("parameters:", *(f"{name} {tuple(p.shape)}" for name, p in module.named_parameters()))

network = torch.nn.Sequential(module, torch.nn.Linear(16, 1, dtype=torch.float64))
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
losses = []
for _ in range(500):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(network(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"mean squared error: {losses[0]:.4f} before, {losses[-1]:.6f} after training")

# Training works on a copy. `to_map` gives the trained map, a value like any other.
trained = module.to_map()
moved = float((trained(x) - phi(x)).abs().max())
print(f"the trained features differ from the original ones by up to {moved:.2f}")
line = pm.Box([-2.0], [2.0])
print(f"Lipschitz constant of the trained map: {pm.decide(trained, pm.Lipschitz, on=line).value}")
