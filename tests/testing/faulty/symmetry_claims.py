"""Maps that are called invariant, equivariant or homogeneous, and are not."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import phimaps as pm

from .case import BOX, PLANE, Bed, Plain

BED = Bed()
INVARIANT, EQUIVARIANT = "check_invariant", "check_equivariant"
HOMOGENEOUS = "check_homogeneous"

SWAP = pm.Affine(np.eye(3)[[1, 0, 2]])
TURN = pm.Affine([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
DISC = pm.Ball([0.0, 0.0], 2.0)
IMAGE = pm.Images(1, 6, 6)


def move(order):
    """The motion of pictures that reads the pixels in another order."""
    numbers = np.arange(36).reshape(6, 6)
    return pm.Affine(np.eye(36)[order(numbers).ravel()])


FLAT = pm.Box([0.0] * 36, [1.0] * 36)
SHIFT = move(lambda a: np.roll(a, 1, axis=1))
FLIP = move(lambda a: a[:, ::-1])
QUARTER = move(np.rot90)


@BED.add(
    "a weight for each place: exchanging two changes the sum",
    INVARIANT,
    claims=(pm.Invariant(SWAP),),
)
def weighted_sum(x):
    return (x * torch.tensor([1.0, 1.001, 1.0]).to(x)).sum(-1, keepdim=True)


@BED.add(
    "the greatest coordinate is not the norm: turns change it",
    INVARIANT,
    on=DISC,
    claims=(pm.Invariant(TURN),),
)
def greatest_coordinate(x):
    return x.abs().amax(-1, keepdim=True)


@BED.add(
    "the norm, with a little of the first coordinate",
    INVARIANT,
    on=DISC,
    claims=(pm.Invariant(TURN),),
)
class NearlyRadial(Plain):
    def features(self, X):
        return np.linalg.norm(X, axis=1, keepdims=True) + 1e-4 * X[:, :1]


@BED.add(
    "zero padding sees the border: the mean is not invariant under cyclic shifts",
    INVARIANT,
    on=FLAT,
    claims=(pm.Invariant(SHIFT),),
)
class PaddedMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x.reshape(-1, 1, 6, 6))).mean((-1, -2))


@BED.add(
    "a filter that is not symmetric: mirrored pictures differ",
    INVARIANT,
    on=FLAT,
    claims=(pm.Invariant(FLIP),),
)
class MirroredMean(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        return torch.relu(self.conv(x.reshape(-1, 1, 6, 6))).mean((-1, -2))


@BED.add(
    "augmented by turns of 0, 90 and 180 degrees: 270 is missing",
    INVARIANT,
    on=FLAT,
    claims=(pm.Invariant(QUARTER),),
)
class ThreeTurns(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        x = x.reshape(-1, 1, 6, 6)
        turns = [torch.relu(self.conv(torch.rot90(x, k, (-2, -1)))) for k in range(3)]
        return sum(turn.mean((-1, -2)) for turn in turns)


@BED.add("a recurrent sum over a set depends on its order", INVARIANT, claims=(pm.Invariant(SWAP),))
class RecurrentSet(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x[..., None])[0][:, -1]


@BED.add(
    "zero padding: the convolution does not commute with cyclic shifts",
    EQUIVARIANT,
    on=FLAT,
    claims={"equivariant": (SHIFT, SHIFT)},
)
class PaddedShift(nn.Module):
    def forward(self, x):
        w = torch.tensor([[[[0.1, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.1]]]]).to(x)
        return F.conv2d(x.reshape(-1, 1, 6, 6), w, padding=1).flatten(1)


@BED.add(
    "a filter with a left and a right does not commute with mirroring",
    EQUIVARIANT,
    on=FLAT,
    claims={"equivariant": (FLIP, FLIP)},
)
class MirroredEdges(nn.Module):
    def forward(self, x):
        w = torch.tensor([[[[-1.0, 0.0, 1.0]]]]).to(x)
        return F.conv2d(x.reshape(-1, 1, 6, 6), w, padding=(0, 1)).flatten(1)


@BED.add(
    "positions are added: no map of sets commutes with exchanging its elements then",
    EQUIVARIANT,
    claims={"equivariant": (SWAP, SWAP)},
)
def positions_added(x):
    return torch.tanh(x + torch.linspace(0, 0.01, 3).to(x))


@BED.add(
    "scaling every coordinate by its own factor does not commute with turns",
    EQUIVARIANT,
    on=DISC,
    claims={"equivariant": (TURN, TURN)},
)
def squashed_by_coordinate(x):
    return torch.tanh(x)


@BED.add("a bias of 1e-3", HOMOGENEOUS, claims=(pm.PositivelyHomogeneous(1),))
class SmallBias(nn.Module):
    def forward(self, x):
        return torch.relu(x + 1e-3)


@BED.add("degree 2 with a term of degree 1", HOMOGENEOUS, claims=(pm.PositivelyHomogeneous(2),))
class MixedDegrees(Plain):
    def features(self, X):
        return np.hstack([X**2, X[:, :1] * X[:, 1:2], 0.01 * X])


@BED.add("sqrt|x| has the degree 1/2", HOMOGENEOUS, on=PLANE, claims=(pm.PositivelyHomogeneous(1),))
def root_degree(x):
    return x.abs().sqrt()


@BED.add(
    "the direction with 0.01 in the denominator is not of degree 0",
    HOMOGENEOUS,
    on=BOX,
    claims=(pm.PositivelyHomogeneous(0),),
)
class DirectionWithFloor(Plain):
    def features(self, X):
        return X / (np.linalg.norm(X, axis=1, keepdims=True) + 0.01)
