"""Brackets of approximation errors: truths are kept, no word is too strong, what fails says so."""

import importlib.util
import json
import re
import sys
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator

import phimaps as pm
from phimaps.check.below import Bound, from_order, from_slope, from_span
from phimaps.check.study import Clock, Study
from phimaps.errors import (
    ContradictionError,
    DependencyError,
    InputError,
    OperandError,
    ParameterError,
    UnboundError,
)
from phimaps.models.base import Model
from phimaps.property import Universal

LINE = pm.Box([-1.0], [1.0])
MLP = pm.models.MLP()


def ramp(x):
    return x[:, 0]


def bend(x):
    return np.abs(x[:, 0] - 0.3)


# --- words and numbers of known cases ------------------------------------------------------------
def test_a_square_merges_what_a_ramp_tells_apart():
    report = pm.check.universality(MLP @ pm.Power(2), on=LINE, targets=ramp)
    assert report.verdict == "refuted (witness)"
    assert report.witness.verify(pm.Power(2))
    # The defect of x² for the ramp on [-1, 1] is 1.
    (row,) = report.rows
    assert 1 - 1e-9 <= row.lower <= 1 <= row.upper <= 1.01
    assert row.below.certified
    assert min(row.identity) < 1e-6


def test_an_even_target_is_no_trouble_behind_a_square():
    report = pm.check.universality(MLP @ pm.Power(2), on=LINE, targets=lambda x: x[:, 0] ** 2)
    assert report.verdict == "refuted (witness)"
    assert report.lower <= 1e-6
    assert report.upper <= 1e-6


def test_pairs_are_sought_for_each_target():
    # sin 5x differs most between -a and a at a = π/10, where |sin 5a| = 1, and not at the ends.
    def wave(x):
        return np.sin(5 * x[:, 0])

    report = pm.check.universality(
        MLP @ pm.Power(2), on=LINE, targets=[wave, pm.check.Target("known", wave, 5.0)]
    )
    for row in report.rows:
        # The net has a point within 0.001 of a, where sin 5x is flat: 1 - (5 · 0.001)²/2.
        assert 0.999 <= row.lower <= 1.0
        assert 0.9999 <= row.upper <= 1.001
    # Enclosures say where the pair is only up to a radius, and what g does within it is known of
    # the second alone.
    assert [row.below.certified for row in report.rows] == [False, True]


def test_a_proof_is_shown_as_one_whatever_was_measured():
    report = pm.check.universality(MLP @ pm.Power(3), on=LINE, targets=bend)
    assert report.verdict == "proved"
    assert report.decision.holds is True
    assert report.lower == 0
    assert "by theorem" in str(report)


def test_a_black_box_that_is_injective_is_consistent_and_no_more():
    phi = pm.from_function(torch.sinh)
    report = pm.check.universality(MLP @ phi, on=LINE, targets=[ramp, bend])
    assert report.verdict.startswith("consistent at resolution 0.0")
    assert report.verdict.endswith("on Box([-1], [1])")
    assert report.eps <= report.tolerance
    assert "not about every point" in str(report)


def test_a_black_box_that_merges_is_refuted_by_a_pair():
    def square(x):
        return (x - 0.1) ** 2

    report = pm.check.universality(MLP @ pm.from_function(square), on=LINE, targets=ramp)
    assert report.verdict == "refuted (witness)"
    assert report.witness.verify(square)
    assert not report.rows[0].below.certified
    # The farthest pair is -0.8 and 1.
    assert 0.899 <= report.lower <= report.upper <= 0.92


def test_saturation_refutes_nothing():
    phi = pm.from_function(lambda x: torch.tanh(40 * x))
    report = pm.check.universality(MLP @ phi, on=LINE, targets=ramp)
    assert report.verdict == "inconclusive"
    assert report.witness is None
    assert report.lower == 0
    # A plateau, as the features of 0.5 and 1 are equal in float64.
    assert report.upper > 0.2
    assert "refutes nothing" in report.notes[-1]


def test_affine_functions_of_few_features_stay_away():
    phi = pm.RandomFourier(8, gamma=4.0, random_state=0).bind([[0.0]])
    report = pm.check.universality(pm.models.Linear() @ phi, on=LINE)
    assert report.verdict == "refuted (witness)"
    worst = report.rows[0]
    assert worst.target == "the worst of slope 1"
    # 10 points in [-1, 1] are 2/9 apart at most, and half of that is what the theorem promises.
    assert 0.05 < worst.lower <= worst.upper < 0.2
    assert worst.lower >= 0.99 * pm.check.adversary(phi, on=LINE).bound
    witness = report.witness

    def kernel(x):
        features = phi.forward(x)
        return features @ features.T + 1

    assert witness.verify(kernel)


def test_the_best_line_misses_the_absolute_value_by_a_half():
    report = pm.check.universality(
        pm.models.Linear() @ pm.Identity(), on=LINE, targets=lambda x: np.abs(x[:, 0])
    )
    assert abs(report.lower - 0.5) < 1e-12
    assert abs(report.upper - 0.5) < 1e-12
    assert "exact" in report.rows[0].because


def test_finitely_many_points_are_all_looked_at():
    on = pm.Finite([[0.0], [1.0], [2.0], [3.0]])
    one_hot = pm.from_function(lambda x: torch.eye(4, dtype=x.dtype)[x[:, 0].long()])
    report = pm.check.universality(pm.models.Linear() @ one_hot, on=on, targets=bend)
    assert report.verdict.startswith("consistent")
    assert (report.net, report.radius, report.fresh) == (4, 0.0, 0)
    assert "which are all" in str(report)
    line = pm.check.universality(pm.models.Linear() @ pm.Identity(), on=on, targets=bend)
    assert line.verdict.startswith("refuted")


def test_drawn_points_stand_in_where_a_net_would_be_too_wide():
    on = pm.Box([-1.0] * 6, [1.0] * 6)
    report = pm.check.universality(pm.models.Linear() @ pm.Identity(), on=on, targets=ramp)
    assert report.radius == np.inf
    assert "drawn at random" in str(report)
    assert report.upper < 1e-12


def test_what_is_reported_is_drawn_from_the_seed():
    pulled = pm.models.Linear() @ pm.Power(2)
    one, again = (pm.check.universality(pulled, on=LINE, random_state=3) for _ in range(2))
    other = pm.check.universality(pulled, on=LINE, random_state=4)
    assert str(one) == str(again) != str(other)


def test_the_probability_is_that_of_the_greatest_of_independent_errors():
    report = pm.check.universality(pm.models.Linear() @ pm.Power(3), on=LINE, targets=bend)
    beta = 1 - report.confidence
    assert report.exceeded == pytest.approx(log(1 / beta) / report.fresh, rel=1e-12)
    # (1 - p)^m <= exp(-p m) = β for that p.
    assert (
        (1 - report.exceeded) ** report.fresh
        <= exp(-report.exceeded * report.fresh)
        <= 1.001 * beta
    )


@pytest.mark.parametrize("seed", range(3))
def test_bounds_from_spans_hold_for_members_drawn_at_random(seed):
    rng = np.random.default_rng(seed)
    points = np.linspace(-1, 1, 60)[:, None]
    basis = np.concatenate([np.ones((60, 1)), np.cos(points @ rng.normal(size=(1, 5)) * 3)], axis=1)
    values = rng.normal(size=60)
    best, bound = from_span(basis, points, values)
    assert 0 < bound.value <= best.error * (1 + 1e-12)
    for scale in (0.0, 1e-6, 1e-3, 1.0):
        weights = best.weights + scale * rng.normal(size=6)
        assert np.abs(basis @ weights - values).max() >= bound.value * (1 - 1e-12)


def test_bounds_from_slopes_hold_and_are_attained():
    class Steep:
        lipschitz = 2.0

    points = np.linspace(0, 1, 11)[:, None]
    bound = from_slope(Steep(), points, points, 5 * points[:, 0])
    # (5 - 2) / 2 at the ends, attained by 2x + 1.5.
    assert abs(bound.value - 1.5) < 1e-9
    assert np.abs(5 * points - 2 * points - 1.5).max() <= bound.value + 1e-9
    assert from_slope(Steep(), points, points, points[:, 0]) is None
    assert from_slope(MLP, points, points, 5 * points[:, 0]) is None


def test_bounds_from_order_hold_and_are_attained():
    rng = np.random.default_rng(5)
    points, values = rng.uniform(-1, 1, (40, 2)), rng.normal(size=40)
    turn = pm.Affine([[1.0, -0.5], [0.5, 1.0]])
    features = turn(points)
    bound = from_order(pm.models.Monotone(), turn, points, features, values)
    assert bound.certified
    below = (features[:, None] <= features).all(axis=2)
    # The least non-decreasing function above all values, moved down by the bound.
    best = np.where(below, values[:, None], -np.inf).max(axis=0) - bound.value
    assert (np.diff(best[np.argsort(features[:, 0])]) < 0).any()
    assert all(best[i] <= best[j] for i, j in zip(*np.nonzero(below), strict=True))
    assert abs(np.abs(best - values).max() - bound.value) < 1e-12
    for _ in range(20):
        member = np.tanh(features @ rng.uniform(0, 3, (2, 5)) + rng.normal(size=5)).sum(axis=1)
        assert np.abs(member - values).max() >= bound.value
        assert (
            bound.witness.weights
            @ member[[np.flatnonzero((points == p).all(1))[0] for p in bound.witness.points]]
            <= 0
        )
    assert (
        abs(
            bound.witness.bound(lambda x: [values[(points == p).all(1)][0] for p in x])
            - bound.value
        )
        < 1e-12
    )
    # Of a function as computed nothing is known between points, and so not at them either.
    black = pm.from_function(lambda x: x)
    assert not from_order(pm.models.Monotone(), black, points, points, values).certified
    assert from_order(MLP, turn, points, features, values) is None
    rising = features.sum(axis=1)
    assert from_order(pm.models.Monotone(), turn, points, features, rising) is None


def test_an_ordered_pair_bounds_monotone_classes_of_rounded_features_as_computed_only():
    # tanh(20) and tanh(36) are 1.0 in float64, and their enclosures overlap.
    points, steep = np.array([[20.0], [36.0]]), pm.Tanh()
    bound = from_order(pm.models.Monotone(), steep, points, steep(points), np.array([1.0, 0.0]))
    assert not bound.certified


def test_a_report_on_a_monotone_class_shows_the_ordered_pair():
    falling = pm.models.Monotone(n_estimators=8) @ pm.Affine([[2.0]])
    report = pm.check.universality(falling, on=LINE, targets={"-x": lambda x: -x[:, 0]}, budget=0.5)
    assert report.verdict == "refuted (witness)"
    row = report.rows[0]
    assert (row.below.kind, row.below.certified) == ("order", True)
    assert abs(row.lower - 1.0) < 1e-12
    assert row.lower <= row.upper
    assert "orders [-1] and [1]" in str(report)
    assert report.witness.verify(lambda x: np.hstack([x, x**3]))


# --- what must never pass ------------------------------------------------------------------------
def test_a_false_assumption_is_found_out():
    phi = pm.assume(pm.Power(2), pm.Injective, because="wrong")
    with pytest.raises(ContradictionError):
        pm.check.universality(MLP @ phi, on=LINE, targets=ramp)


class Shifted(BaseEstimator):
    """Fits anything, and diverges where it is told to."""

    def __init__(self, value=0.0):
        self.value = value

    def fit(self, X, y):
        if self.value == "raises":
            raise ValueError("Solver produced non-finite parameter weights.")
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_) + self.value


class Declared(Model):
    """A class of which nothing is known but what its fields say; abstract in all but the test."""

    task = "regression"

    def __init__(self, value=0.0, false_measure=False):
        self.value = value
        self.false_measure = false_measure

    def facts(self, on):
        yield from ()

    def member(self, classify):
        return Shifted(self.value)

    def annihilator(self, on, random_state=0):
        if not self.false_measure:
            return None
        return pm.AnnihilatingMeasure([[-1.0], [1.0]], [0.5, 0.5], "claimed", exact=False)


def test_functions_chosen_on_few_points_are_no_worse_than_a_constant():
    # 400 points in dimension 9 say little of others; one span is enough to see it.
    on = pm.Box([-1.0] * 9, [1.0] * 9)
    phi = pm.from_function(torch.sin)
    report = pm.check.universality(
        MLP @ phi, on=on, targets=lambda x: np.cos(9 * x).sum(axis=1), budget=1.0
    )
    (row,) = report.rows
    assert row.capacities[0] == "constant"
    assert row.upper <= 1.05 * row.size


def test_many_features_still_have_a_measure():
    phi = pm.RandomFourier(220, gamma=9.0, random_state=0).bind([[0.0, 0.0]])
    on = pm.Box([-1.0, -1.0], [1.0, 1.0])
    report = pm.check.universality(pm.models.Linear() @ phi, on=on, budget=0.5)
    assert report.verdict == "refuted (witness)"
    assert report.witness.verify(lambda x: phi.forward(x) @ phi.forward(x).T + 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e12, "raises"], ids=str)
def test_a_model_that_diverges_gives_no_verdict(value):
    report = pm.check.universality(Declared(value) @ pm.Identity(), on=LINE, targets=ramp)
    assert report.verdict == "inconclusive"
    assert report.upper == np.inf
    assert any("diverged" in text or "failed" in text for text in report.notes)
    assert "inf" in str(report)
    assert report.plot().axes[0].get_title() == "ramp"


def test_a_poor_fit_refutes_nothing():
    report = pm.check.universality(Declared() @ pm.Identity(), on=LINE, targets=ramp)
    assert report.verdict == "inconclusive"
    assert report.upper == pytest.approx(1.0, abs=0.01)


def test_a_measure_that_does_not_annihilate_members_is_found_out():
    pulled = Declared(false_measure=True) @ pm.Identity()
    with pytest.raises(ContradictionError, match="that a bound from below rules out"):
        pm.check.universality(pulled, on=LINE, targets=lambda x: 1.0 + 0.1 * x[:, 0])


def test_a_bound_above_an_error_is_found_out(monkeypatch):
    def mistaken(self, g, side):
        return Bound(3.0, "a mistake", True, "pair", self.merged[0].witness)

    monkeypatch.setattr(Study, "_near", mistaken)
    with pytest.raises(ContradictionError, match="that a bound from below rules out"):
        pm.check.universality(MLP @ pm.Power(2), on=LINE, targets=ramp)


# --- bad input -----------------------------------------------------------------------------------
def test_bad_questions_are_refused():
    ask = pm.check.universality
    with pytest.raises(OperandError, match="about a model class behind a map"):
        ask(pm.Power(2), on=LINE)
    with pytest.raises(UnboundError):
        ask(MLP @ pm.RandomFourier(4), on=LINE)
    for space in (pm.Euclidean(1), None, pm.Box([0.0], [np.inf])):
        with pytest.raises(ParameterError, match="compact"):
            ask(MLP @ pm.Power(2), on=space)
    for budget in (0, -1.0, np.nan, "fast", np.inf):
        with pytest.raises(ParameterError, match="'budget'"):
            ask(MLP @ pm.Power(2), on=LINE, budget=budget)
    with pytest.raises(ParameterError, match="'tolerance'"):
        ask(MLP @ pm.Power(2), on=LINE, tolerance=0.0)


def test_a_target_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="'pole' is not finite on the space"):
        pm.check.universality(
            MLP @ pm.Power(3), on=LINE, targets={"pole": lambda x: np.where(x[:, 0] > 0, np.nan, 0)}
        )


def test_features_that_are_not_finite_are_refused():
    phi = pm.from_function(lambda x: torch.where(x > 0, torch.inf, x))
    with pytest.raises(InputError, match="features at a point of the space are not finite"):
        pm.check.universality(MLP @ phi, on=LINE, targets=ramp)


def test_a_budget_too_small_gives_no_verdict(monkeypatch):
    phi = pm.from_function(torch.sinh)
    report = pm.check.universality(MLP @ phi, on=LINE, budget=1e-9)
    assert report.verdict == "inconclusive"
    assert report.rows == ()
    assert "nothing was measured within the budget" in str(report)
    assert report.to_frame().empty
    assert "inconclusive" in report.to_html()
    # At any moment that the budget may end, what was measured is told.
    for moment in (1, 2, 3, 4):
        ticks = iter(range(1000))
        monkeypatch.setattr(Clock, "over", property(lambda _, t=ticks, m=moment: next(t) >= m))
        some = pm.check.universality(MLP @ phi, on=LINE, targets=[ramp, bend])
        assert some.verdict == "inconclusive"
        assert "the budget was used up" in str(some)
    ticks = iter(range(1000))
    monkeypatch.setattr(Clock, "over", property(lambda _: next(ticks) >= 2))
    affine = pm.check.universality(pm.models.Linear() @ phi, on=LINE, targets=ramp)
    assert affine.rows[0].capacities == ("constant",)
    monkeypatch.undo()
    # What has begun is finished, and that is told.
    assert re.search(r"s of processor time were used of a budget of 1e-09 s", str(report))
    enough = pm.check.universality(MLP @ pm.Power(2), on=LINE, targets=ramp)
    assert "processor time" not in str(enough)
    # What is proved without measuring stays proved.
    assert pm.check.universality(MLP @ pm.Power(3), on=LINE, budget=1e-9).verdict == "proved"


# --- how it is shown -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def report():
    return pm.check.universality(
        MLP @ pm.Power(2), on=LINE, targets={"ramp <1>": ramp, "bend": bend}
    )


def test_the_frame_has_a_line_for_each_capacity(report):
    frame = report.to_frame()
    assert list(frame.columns) == [
        "target",
        "capacity",
        "error",
        "identity",
        "lower",
        "certified",
        "because",
        "size",
    ]
    assert len(frame) == sum(len(row.capacities) for row in report.rows)
    assert (frame.groupby("target")["error"].min() >= frame.groupby("target")["lower"].max()).all()


def test_the_page_stands_alone(report):
    page = report.to_html()
    assert page.startswith("<!doctype html>")
    assert "refuted (witness)" in page
    assert "ramp &lt;1&gt;" in page
    assert "http" not in page
    assert "src=" not in page


def test_a_figure_of_errors_that_are_0():
    report = pm.check.universality(
        pm.models.Linear() @ pm.Power(2), on=LINE, targets=lambda x: np.zeros(len(x))
    )
    assert (report.lower, report.upper) == (0.0, 0.0)
    assert [axis.get_yscale() for axis in report.plot().axes] == ["linear"]


def test_the_figure_shows_each_target(report):
    figure = report.plot()
    assert [axis.get_title() for axis in figure.axes] == ["ramp <1>", "bend"]
    drawn = figure.axes[0].get_lines()[0].get_ydata()
    assert tuple(drawn) == report.rows[0].errors


def test_the_witness_is_plain_data(report):
    assert json.loads(json.dumps(report.witness.to_dict()))["kind"] == "collision"


@pytest.mark.parametrize(
    ("missing", "use"),
    [("pandas", lambda r: r.to_frame()), ("matplotlib.figure", lambda r: r.plot())],
    ids=["pandas", "matplotlib"],
)
def test_what_is_not_installed_is_said(report, monkeypatch, missing, use):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DependencyError, match="which is not installed"):
        use(report)


def test_a_class_is_never_more_than_its_facts():
    # The class of the test above claims nothing: no proof may come of it.
    assert pm.decide(Declared() @ pm.Identity(), Universal, on=LINE).holds is None


# --- how fast errors fall -------------------------------------------------------------------------
@pytest.fixture
def rates(monkeypatch):
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location("rates", folder / "rates.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "rates", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PIECES", (7, 15, 31))
    return module


@pytest.mark.parametrize("p", [2, 5])
def test_errors_fall_as_the_inverse_lets_them(rates, p):
    even, quantile = rates.rate(p, "even"), rates.rate(p, "quantile")
    assert abs(even.slope + 1 / p) <= 0.05 / p
    assert abs(quantile.slope + 1) <= 0.05
    # In the middle piece f∘φ is odd but for a constant: |x| is missed by half its greatest value.
    assert even.errors[0] == pytest.approx((1 / 7) ** (1 / p) / 2, rel=1e-6)


def test_another_slope_is_seen(rates):
    assert not rates.Rate(2, "even", rates.rate(3, "even").errors).right
