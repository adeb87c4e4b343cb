"""Searching for collisions of functions of which nothing is known: no false word, few missed."""

import sys

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.check.below import pairs_of
from phimaps.decide import decide
from phimaps.errors import OperandError, ParameterError, UnboundError
from phimaps.witness import Collision

from .black_boxes import BED, BlackBox

LINE = pm.Box([-1.0], [1.0])


@pytest.mark.parametrize("box", BED, ids=lambda b: b.name)
def test_the_bed(box: BlackBox):
    phi = pm.from_function(box.function)
    verdict = pm.check.separation(phi, on=box.on)
    if box.injective:
        assert verdict.holds is None
        assert "none was found" in str(verdict)
        return
    assert verdict.holds is False
    witness = verdict.witness
    assert isinstance(witness, Collision)
    assert witness.verify(box.function)
    assert box.on.contains(np.stack([witness.x, witness.y])).all()
    # Two points of one fibre, far apart beside the resolution of float64.
    low, high = box.on.bounds()
    assert np.linalg.norm(witness.x - witness.y) >= 1e-3 * np.linalg.norm(high - low)
    assert verdict.strength == "numerically"


def test_the_bed_is_worth_the_name():
    assert len(BED) >= 60
    assert sum(not b.injective for b in BED) >= 30
    assert len({b.name for b in BED}) == len(BED)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("box", [b for b in BED if b.injective], ids=lambda b: b.name)
def test_no_seed_refutes_what_is_injective(box: BlackBox, seed):
    verdict = pm.check.separation(pm.from_function(box.function), on=box.on, random_state=seed)
    assert verdict.holds is None


def test_what_is_known_decides_first():
    proved = pm.check.separation(pm.Tanh() @ pm.Affine([[40.0]]), on=LINE)
    assert (proved.holds, proved.strength) == (True, "by exact computation")
    refuted = pm.check.separation(pm.Power(2), on=LINE)
    assert (refuted.holds, refuted.strength) == (False, "by witness")


def test_a_pair_that_enclosures_show_is_more_than_numerical():
    phi = pm.Sin() @ pm.Affine([[6.0]]) & pm.Sin() @ pm.Affine([[12.0]])
    on = pm.Box([-0.2], [0.8])
    verdict = pm.check.separation(phi, on=on)
    assert verdict.holds is False
    np.testing.assert_allclose(
        sorted([verdict.witness.x[0], verdict.witness.y[0]]), [0, np.pi / 6], atol=1e-6
    )


def test_modules_are_searched_as_well():
    torch.manual_seed(0)
    net = torch.nn.Bilinear(2, 2, 1)

    class Even(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.form = net

        def forward(self, x):
            return self.form(x, x)

    phi = pm.from_torch(Even())
    verdict = pm.check.separation(phi, on=pm.Box([-1.0, -1.0], [1.0, 1.0]))
    assert verdict.holds is False
    assert verdict.witness.verify(phi)


FIXED = {
    "cast": lambda x: torch.tanh(40 * x.double()),
    "constant": lambda x: torch.tanh(40 * (x - torch.zeros(1, dtype=torch.float64))),
    "numpy": lambda x: torch.from_numpy(np.tanh(40 * x.numpy().astype(np.float64))),
    "cast and back": lambda x: torch.tanh(40 * x.double()).to(x.dtype),
    "single": lambda x: torch.tanh(40 * x.float()),
    "single and back": lambda x: torch.tanh(40 * x.float()).to(x.dtype),
    "half and back": lambda x: torch.tanh(10 * x.half()).to(x.dtype),
}


@pytest.mark.parametrize("name", FIXED)
def test_saturation_in_one_precision_for_all_is_no_plateau(name):
    assert pm.check.separation(pm.from_function(FIXED[name]), on=LINE).holds is None


def test_steps_have_few_values_and_merge_all_the_same():
    for steps in (lambda x: torch.floor(5 * x), lambda x: torch.sign(x.float())):
        verdict = pm.check.separation(pm.from_function(steps), on=LINE)
        assert verdict.holds is False


def test_what_cannot_be_asked():
    with pytest.raises(OperandError, match="separation is about a map"):
        pm.check.separation("map", on=LINE)
    with pytest.raises(ParameterError, match="separation is about a map on a compact space"):
        pm.check.separation(pm.Abs(), on=pm.Euclidean(1))
    with pytest.raises(UnboundError, match="not fitted yet"):
        pm.check.separation(pm.RandomFourier(), on=LINE)


def test_points_without_values_are_left_out():
    def half(x):
        return torch.where(x > 0, x, torch.nan)

    verdict = pm.check.separation(pm.from_function(half), on=LINE)
    assert verdict.holds is None
    assert "float64 then tells points" in str(verdict)


@pytest.mark.parametrize(
    "phi",
    [pm.Silu(), pm.Power(2), pm.Tanh() @ pm.Gelu(), pm.from_function(torch.sinh)],
    ids=repr,
)
def test_every_tool_asks_once_whether_the_map_is_injective(phi, monkeypatch):
    asked = []

    def counted(subject, goal, **given):
        asked.append(goal.name)
        return decide(subject, goal, **given)

    for module in ("separation", "fibres", "below"):
        monkeypatch.setattr(sys.modules[f"phimaps.check.{module}"], "decide", counted)
    for tool in (
        lambda: pm.check.separation(phi, on=LINE),
        lambda: pm.check.fibre_diameter(phi, on=LINE, cells=40),
        lambda: pairs_of(phi, LINE, 0),
    ):
        asked.clear()
        tool()
        assert asked.count("Injective") == 1


def test_more_features_than_coordinates_are_searched_too():
    # An optimizer that is given more equations than unknowns may corrupt memory.
    degrees = [(i, j, k) for i in range(7) for j in range(7 - i) for k in range(7 - i - j)]

    def monomials(x):
        return torch.stack([(x ** torch.tensor(d)).prod(dim=1) for d in degrees[1:]], dim=1)

    verdict = pm.check.separation(pm.from_function(monomials), on=pm.Box([-1.0] * 3, [1.0] * 3))
    assert verdict.holds is None
    even = pm.check.separation(
        pm.from_function(lambda x: monomials(x**2)), on=pm.Box([-1.0] * 3, [1.0] * 3)
    )
    assert even.holds is False
