"""Small networks in which layers and their activations meet in every way."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SPELLINGS = {
    "nn.ReLU": lambda: nn.ReLU(),
    "nn.ReLU in place": lambda: nn.ReLU(inplace=True),
    "F.relu": lambda: functional.relu,
    "F.relu_": lambda: functional.relu_,
    "F.relu(inplace=True)": lambda: InPlace(),
    "torch.relu": lambda: torch.relu,
    "torch.relu_": lambda: torch.relu_,
    ".relu()": lambda: torch.Tensor.relu,
    ".relu_()": lambda: torch.Tensor.relu_,
}


class InPlace(nn.Module):
    def forward(self, z):
        return functional.relu(z, inplace=True)


class Plain(nn.Module):
    """Convolution, normalisation, a rectifier, and what writes over its result."""

    def __init__(self, rectify):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.rectify = rectify
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4 * 16, 5)

    def forward(self, x):
        a = self.rectify(self.norm(self.conv(x)))
        kept = self.pool(a)
        a.zero_()
        return self.head(kept.flatten(1))


class Block(nn.Module):
    """A residual block: the rectifier is used twice."""

    def __init__(self, channels, rectify):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.rectify = rectify
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        identity = x
        x = self.rectify(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x += identity
        return self.rectify(x)


class Residual(nn.Module):
    def __init__(self, rectify=None):
        super().__init__()
        rectify = nn.ReLU(inplace=True) if rectify is None else rectify
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = nn.Sequential(Block(4, rectify), Block(4, rectify))
        self.drop = nn.Dropout(0.9)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.layer1(functional.relu(self.stem(x), inplace=True))
        return self.fc(self.drop(x.mean((2, 3))))


class Branches(nn.Module):
    """What is called depends on the numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.other = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        z = self.conv(x)
        if z.mean() > 0 and not z.isnan().any():
            return torch.relu_(z)
        return torch.relu(self.other(x)) + z


class Raises(nn.Module):
    def __init__(self, kind=ZeroDivisionError):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.broken = Broken(kind)

    def forward(self, x):
        return self.broken(self.conv(x))


class Broken(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        raise self.kind("halfway")


def settled(net, seed=0):
    """The module with random statistics, in training mode, as people leave it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
                for p in part.parameters():
                    p.copy_(torch.randn(p.shape, generator=generator))
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.copy_(torch.randn(part.num_features, generator=generator))
                part.running_var.copy_(0.5 + torch.rand(part.num_features, generator=generator))
    return net.train()


def images(n=3, size=8, seed=1):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def state(net):
    """Everything about a module that must not change."""
    hooks = (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_forward_hooks_with_kwargs",
    )
    hooks += ("_backward_pre_hooks", "_forward_hooks_always_called")
    tensors = {k: (v.clone(), v.data_ptr(), v._version) for k, v in net.state_dict().items()}
    return {
        "tensors": {
            k: (v.numpy().tobytes(), at, version) for k, (v, at, version) in tensors.items()
        },
        "flags": [(m.training, sorted(vars(m))) for m in net.modules()],
        "hooks": [dict(getattr(m, h)) for m in net.modules() for h in hooks],
        "gradients": [(p.requires_grad, p.grad) for p in net.parameters()],
        "devices": [p.device for p in net.parameters()],
    }


def close(value, expected):
    """Whether numbers in single precision agree, which come out of five layers of at most 36 terms.

    In each sum the order may differ, and folding a normalisation rounds its factors once more: 400
    roundings are more than all of these.
    """
    value = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
    expected = expected.detach().numpy().reshape(value.shape)
    np.testing.assert_allclose(value, expected, rtol=0, atol=400 * 2.0**-24 * abs(expected).max())
