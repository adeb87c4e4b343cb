"""Every claim that `decide` makes over thousands of random expressions is attacked, and stands."""

from collections import Counter

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import DomainError, UnboundError
from phimaps.maps.affine import Standardize
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.density import subject
from phimaps.testing.expressions import expressions, leaf_examples
from phimaps.testing.falsify import ATTACKS
from phimaps.theorem import TABLE

SHARDS, EACH = 10, 205
QUESTIONS = (
    pm.Continuous,
    pm.Injective,
    pm.property.Affine,
    pm.Lipschitz,
    pm.LowerLipschitz,
    pm.Bounded,
)


def attack(phi, on, counts):
    """Ask every question, attack every answer; the lines that describe what broke."""
    broken = []
    inner, model = subject(phi)
    probe = Probe(inner, on)
    for goal in (pm.Universal,) if model is not None else QUESTIONS:
        verdict = pm.decide(phi, goal, on=on)
        counts[f"{goal.name} {verdict.word}"] += 1
        for claim in claims(verdict):
            witness = verdict.witness if claim.name in ("Injective", "Universal") else None
            found = falsify(phi, claim, on, witness=witness, probe=probe)
            counts["attacked"] += 1
            if found is not None:
                broken.append(f"{phi!r} on {on!r} ({verdict.strength}): {found}")
    return broken


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_attack_breaks_a_decided_claim(shard):
    counts, broken = Counter(), []
    for phi, on in expressions(EACH, random_state=1000 + shard):
        counts["expressions"] += 1
        broken += attack(phi, on, counts)
    print(f"\nshard {shard}:", ", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
    assert not broken, "\n".join(broken)
    assert counts["attacked"] > 3 * EACH
    assert SHARDS * EACH >= 2000


def test_random_expressions_contain_every_map_that_takes_rows_or_images():
    seen, lines = set(), []
    for phi, _ in expressions(600, random_state=5, report=lines.append):
        pending = [phi]
        while pending:
            part = pending.pop()
            seen.add(type(part).__name__)
            pending += [*getattr(part, "maps", ()), *([part.map] if hasattr(part, "map") else [])]
    print("\n" + "\n".join(lines))
    refused = {line.split(":")[0] for line in lines}
    closed = {type(m).__name__ for m in leaf_examples(lambda line: None) if m.closed}
    assert {"Compose", "Concat", "Sum", "Scale", "Tensor", "Product", "On", "Assume"} <= seen
    assert closed - refused <= seen


def test_random_expressions_are_reproducible():
    first = [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=3)]
    assert first == [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=3)]
    assert first != [f"{phi!r} on {on!r}" for phi, on in expressions(20, random_state=4)]


# --- the attacks can win -----------------------------------------------------------------------
ONE, SYMMETRIC, POSITIVE = pm.Box([0.0], [1.0]), pm.Box([-1.0], [1.0]), pm.Box([0.1], [2.0])
PLANE = pm.Box([-1.0, -1.0], [1.0, 1.0])


class Floor(pm.FeatureMap):
    """x ↦ ⌊x⌋."""

    def forward(self, x):
        return torch.floor(x)

    def out_shape(self, shape):
        return shape


class Reciprocal(Floor):
    """x ↦ 1/x, which does not say that it has no value at 0."""

    def forward(self, x):
        return 1 / x


FALSE = [
    (Floor(), pm.Continuous, pm.Box([-2.5], [2.5])),
    (pm.Normalize(), pm.Continuous, PLANE),
    (pm.Relu(), ~pm.Continuous, SYMMETRIC),
    (pm.Abs(), pm.Injective, SYMMETRIC),
    (pm.Relu(), pm.Injective, SYMMETRIC),
    (pm.Relu(), pm.Injective, pm.Box([-1e-3], [1.0])),
    (pm.Gelu(), pm.Injective, pm.Box([-3.0], [1.0])),
    (pm.Silu(), pm.Injective, pm.Box([-5.0], [1.0])),
    (pm.Cos() & pm.Sin(), pm.Injective, pm.Box([0.0], [7.0])),
    (pm.Cos() @ pm.Affine([[1.0, 0.3], [0.2, 1.4]]), pm.Injective, pm.Box([-5] * 2, [5] * 2)),
    (pm.Affine([[1.0], [2.0]]), pm.Injective, PLANE),
    (pm.Tanh(), ~pm.Injective, SYMMETRIC),
    (pm.Identity(), ~pm.Injective, pm.Finite([[0.0, 1.0], [2.0, 1.0]])),
    (pm.Abs(), pm.property.Affine, SYMMETRIC),
    (pm.Power(2), pm.property.Affine, pm.Finite([[0.0], [1.0], [2.0]])),
    (pm.Identity(), ~pm.property.Affine, PLANE),
    (pm.Power(2), pm.Lipschitz(1.9), ONE),
    (pm.Power(2), ~pm.Lipschitz(2.1), ONE),
    (pm.Relu(), pm.Lipschitz(1 - 1e-15), SYMMETRIC),
    (pm.Sqrt(), pm.Lipschitz, ONE),
    (pm.Power(2), pm.Lipschitz, pm.Euclidean(1)),
    (pm.Tanh(), ~pm.Lipschitz, pm.Euclidean(1)),
    (pm.CRelu(), pm.LowerLipschitz(0.72), SYMMETRIC),
    (pm.CRelu(), ~pm.LowerLipschitz(0.70), SYMMETRIC),
    (pm.Power(3), pm.LowerLipschitz, SYMMETRIC),
    (pm.Tanh(), ~pm.LowerLipschitz, SYMMETRIC),
    (pm.Tanh(), pm.LowerLipschitz, pm.Euclidean(1)),
    (pm.Identity(), pm.Bounded(1.4), PLANE),
    (pm.Identity(), ~pm.Bounded(1.5), PLANE),
    (pm.Exp(), pm.Bounded, pm.Euclidean(1)),
    (pm.Tanh(), ~pm.Bounded, pm.Euclidean(1)),
    (0.0 * Reciprocal(), pm.Continuous, SYMMETRIC),
    (pm.Log(), pm.Injective, SYMMETRIC),
    (pm.Log("nan"), pm.Injective, SYMMETRIC),
    (pm.models.MLP() @ pm.Abs(), pm.Universal, SYMMETRIC),
    (pm.models.MLP() @ Floor(), pm.Universal, SYMMETRIC),
    (pm.models.Linear() @ pm.Identity(), pm.Universal, ONE),
    (pm.models.MLP() @ pm.Tanh(), ~pm.Universal, ONE),
]


@pytest.mark.parametrize(("phi", "claim", "on"), FALSE, ids=lambda v: repr(v)[:40])
def test_a_false_claim_is_contradicted(phi, claim, on):
    found = falsify(phi, claim, on)
    assert found is not None
    assert found.to_dict()["claim"] in str(found)


TRUE = [
    (pm.Tanh(), pm.Injective, pm.Box([30.0], [50.0])),
    (pm.Sigmoid(), pm.Injective, pm.NonNegative(1)),
    (pm.Tanh() @ pm.Affine([[1e6]]), pm.Continuous, SYMMETRIC),
    (pm.Sqrt(), pm.Continuous, ONE),
    (pm.Power(0.01), pm.Continuous, ONE),
    (pm.Identity() + pm.Affine([[0.0]], [1e16]), pm.Continuous, SYMMETRIC),
    (pm.Relu(), pm.Lipschitz(1.0), pm.Euclidean(3)),
    (pm.Power(3), ~pm.LowerLipschitz(0.0), SYMMETRIC),
    (pm.Softplus(), pm.Injective, pm.Euclidean(1)),
    (pm.Exp(), pm.Continuous, pm.Euclidean(1)),
    (pm.Normalize(), pm.Bounded(1.0), pm.Euclidean(3)),
    (pm.Affine([[1e8, 1.0], [1e-8, 3.0]]), pm.property.Affine, PLANE),
    (pm.Power(2), ~pm.Lipschitz, pm.Euclidean(2)),
    (pm.Log(), ~pm.LowerLipschitz, pm.Box([1.0], [np.inf])),
    (pm.models.MLP() @ pm.Tanh(), pm.Universal, pm.Box([-5.0], [5.0])),
]


@pytest.mark.parametrize(("phi", "claim", "on"), TRUE, ids=lambda v: repr(v)[:40])
@pytest.mark.parametrize("seed", range(3))
def test_a_true_claim_raises_no_false_alarm(phi, claim, on, seed):
    assert falsify(phi, claim, on, random_state=seed) is None


def test_a_wrong_witness_is_rejected():
    near = pm.Collision(np.array([-1.0]), np.array([1.0 + 1e-9]), "not quite", exact=True)
    outside = pm.Collision(np.array([-2.0]), np.array([2.0]), "even", exact=True)
    same = pm.Collision(np.array([0.5]), np.array([0.5]), "no pair", exact=True)
    good = pm.Collision(np.array([-1.0]), np.array([1.0]), "even", exact=True)
    for witness in (near, outside, same):
        assert falsify(pm.Abs(), ~pm.Injective, SYMMETRIC, witness=witness) is not None
    assert falsify(pm.Abs(), ~pm.Injective, SYMMETRIC, witness=good) is None


def test_every_property_that_a_theorem_concludes_has_an_attack():
    assert {row.then.name for row in TABLE} <= set(ATTACKS)


def test_falsify_says_what_it_needs():
    with pytest.raises(pm.errors.OperandError, match=r"a signed property"):
        falsify(pm.Relu(), "injective", ONE)
    with pytest.raises(pm.errors.ParameterError, match=r"F @ phi"):
        falsify(pm.Relu(), pm.Universal, ONE)
    with pytest.raises(pm.errors.ParameterError, match=r"on=pm.Box"):
        falsify(pm.Relu(), pm.Injective)


# --- binding never contradicts -----------------------------------------------------------------
def _open_maps():
    found = [m for m in leaf_examples(lambda line: None) if not m.closed]
    standardize = Standardize()
    composed = [pm.Tanh() @ standardize, standardize & pm.Relu(), standardize + pm.Abs()]
    return found + composed + [m @ standardize for m in found]


@pytest.mark.parametrize("phi", _open_maps(), ids=repr)
def test_binding_never_contradicts(phi):
    rng = np.random.default_rng(0)
    settled = 0
    for d in (1, 2, 4):
        data = rng.uniform(0.5, 2.0, (30, d))
        try:
            bound = phi.bind(data)
        except pm.errors.PhimapsError:
            continue
        for on in (pm.Box([-1.0] * d, [2.0] * d), pm.Euclidean(d), pm.Ball([1.0] * d, 0.5)):
            for goal in QUESTIONS:
                try:
                    before, after = pm.decide(phi, goal, on=on), pm.decide(bound, goal, on=on)
                except (DomainError, UnboundError):
                    # The data reach where a part has no value, or fix the shape that is asked for.
                    continue
                if before.holds is not None:
                    settled += 1
                    assert after.holds is before.holds, f"{before!r}; bound: {after!r}"
    assert settled or type(phi) is not Standardize
