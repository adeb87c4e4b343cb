"""The map made of expressions: parameters, data frames, scikit-learn, and what is proved of it."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import phimaps as pm
from phimaps.errors import (
    DomainError,
    ExpressionError,
    InputError,
    ParameterError,
    ShapeError,
    UnboundError,
)
from phimaps.maps.column import col
from phimaps.maps.columns import Columns

BOXES = {
    "volume": [1.0, 2.0, 3.0],
    "weight": [2.0, 4.0, 0.5],
    "height": [1.0, 2.0, 3.0],
    "width": [5.0, 6.0, 7.0],
}
EXPECTED = [[1.0, 0.5, 5.0], [1.0, 0.5, 12.0], [1.0, 6.0, 21.0]]
PHI = Columns("1", "volume / weight", "height * width", volume=(0, None), weight=(0.1, 50))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_only_the_columns_mentioned_are_read(frame):
    table = frame({"label": ["a", "b", "c"], **BOXES, "broken": [np.nan, np.inf, None]})
    phi = clone(PHI).fit(table)
    np.testing.assert_array_equal(phi.transform(table), EXPECTED)
    assert list(phi.get_feature_names_out()) == ["1", "volume / weight", "height * width"]
    assert phi.map_.columns == ("label", *BOXES, "broken")
    out = clone(PHI).set_output(transform="pandas").fit_transform(table)
    assert list(out.columns) == list(phi.get_feature_names_out())


def test_names_that_are_no_identifiers_stand_in_backticks():
    X, _ = load_wine(return_X_y=True, as_frame=True)
    phi = Columns(
        "`od280/od315_of_diluted_wines` / hue",
        col("od280/od315_of_diluted_wines").log(),
        **{"od280/od315_of_diluted_wines": (0.5, 10)},
    )
    ratio = X["od280/od315_of_diluted_wines"]
    expected = np.stack([ratio / X["hue"], np.log(ratio)], axis=1)
    np.testing.assert_allclose(phi.fit_transform(X), expected, rtol=1e-14)
    assert repr(phi) == (
        "Columns('`od280/od315_of_diluted_wines` / hue', 'log(`od280/od315_of_diluted_wines`)', "
        "**{'od280/od315_of_diluted_wines': (0.5, 10)})"
    )


def test_array_columns_have_scikit_learns_names():
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert Columns("x1 - x0", 2, col("x0")).fit_transform(X).tolist() == [[1, 2, 1], [1, 2, 3]]


@pytest.mark.parametrize("chunk_bytes", [8, 2**20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_and_arrays_agree_and_keep_their_dtype(dtype, chunk_bytes):
    X = np.random.default_rng(0).uniform(1, 2, (50, 2)).astype(dtype)
    phi = Columns("x0 / x1", "log(x0) ** 2").bind(X)
    with pm.config_context(chunk_bytes=chunk_bytes):
        values = phi.transform(X)
    assert values.dtype == dtype
    x = torch.from_numpy(X).requires_grad_()
    assert torch.equal(phi(x).detach(), torch.from_numpy(values))
    (gradient,) = torch.autograd.grad(phi(x)[:, 0].sum(), x)
    np.testing.assert_allclose(gradient[:, 0], 1 / X[:, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "phi",
    [
        PHI,
        Columns("1", col("a") / col("b b"), on_domain_error="nan", a=(None, 5)),
        Columns("a", on_domain_error=0.0),
        Columns("a / b", on_domain_error=-1.5, **{"b": (0, 1)}),
        Columns(" a +\n`b  c` ", **{"b  c": (0, 1), "a": (0, 1)}),
        PHI.over("volume", "weight", "height", "width"),
    ],
    ids=repr,
)
def test_a_copy_says_and_is_the_same(phi):
    for twin in (eval(repr(phi)), clone(phi), pickle.loads(pickle.dumps(phi))):
        assert repr(twin) == repr(phi)
        assert twin.ranges == phi.ranges
        assert twin.columns == phi.columns
        assert twin.closed is phi.closed


def test_a_clone_is_not_fitted_and_keeps_its_settings():
    phi = clone(PHI).set_output(transform="pandas").fit(pd.DataFrame(BOXES))
    twin = clone(phi)
    assert not hasattr(twin, "map_")
    with pytest.raises(UnboundError):
        twin.transform(pd.DataFrame(BOXES))
    assert isinstance(twin.fit_transform(pd.DataFrame(BOXES)), pd.DataFrame)
    twin.ranges["weight"] = (1, 2)
    assert phi.ranges["weight"] == (0.1, 50)


def test_parameters_are_scikit_learns():
    assert PHI.get_params() == {
        "expressions": ("1", "volume / weight", "height * width"),
        "on_domain_error": "raise",
        "ranges": {"volume": (0, None), "weight": (0.1, 50)},
    }
    phi = clone(PHI).fit(pd.DataFrame(BOXES))
    phi.set_params(expressions=("x0",), ranges={}, on_domain_error="nan")
    assert repr(phi) == "Columns('x0', on_domain_error='nan')"
    assert not hasattr(phi, "map_")
    assert phi.fit_transform([[1.0]]).tolist() == [[1.0]]
    assert str(inspect.signature(Columns)).startswith("(*expressions")
    assert "Columns" in phi._repr_html_()


def test_a_grid_search_chooses_expressions():
    X = np.random.default_rng(0).uniform(1, 2, (60, 2))
    steps = make_pipeline(Columns("x0"), LinearRegression())
    choices = [("x0",), ("x0 / x1",), (col("x0") * 2, "x1")]
    search = GridSearchCV(steps, {"columns__expressions": choices}, cv=3)
    search.fit(X, X[:, 0] / X[:, 1])
    assert search.best_params_ == {"columns__expressions": ("x0 / x1",)}


def test_the_scikit_learn_checks_pass():
    reports = check_estimator(Columns("1", "x0", "x0 ** 2"), on_fail=None, on_skip=None)
    failed = {r["check_name"]: str(r["exception"]) for r in reports if r["status"] == "failed"}
    assert failed == {}
    assert sum(r["status"] == "passed" for r in reports) > 40


def test_it_is_one_of_the_maps():
    table = pd.DataFrame(BOXES)
    ratio, area = Columns("volume / weight"), Columns("height * width")
    both = (ratio & area).fit(table)
    assert both.transform(table).tolist() == [row[1:] for row in EXPECTED]
    assert list(both.get_feature_names_out()) == [
        "columns-1__volume / weight",
        "columns-2__height * width",
    ]
    nested = Columns("`volume / weight` ** 2") @ ratio
    assert nested.fit_transform(table).tolist() == [[0.25], [0.25], [36.0]]


# --- errors -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: Columns("volume / weight", volum=(0, 1)),
            ParameterError,
            "A range is given for 'volum', which no expression mentions.|volum=(0, 1)"
            "|ranges of ['volume', 'weight']|did you mean 'volume'?",
        ),
        (
            lambda: Columns("a", on_domain_eror="nan"),
            ParameterError,
            "A range is given for 'on_domain_eror', which no expression mentions."
            "|on_domain_eror='nan'|ranges of ['a']|did you mean 'on_domain_error'?",
        ),
        (
            lambda: Columns("1", z=(0, 1)),
            ParameterError,
            "A range is given for 'z', which no expression mentions.|z=(0, 1)"
            "|ranges of no column|leave it out",
        ),
        *[
            (
                lambda pair=pair: Columns("a", a=pair),
                ParameterError,
                f"The range of 'a' is not a range.|a={pair!r}|(low, high) with low < high; None "
                "leaves a side open|a=(0, None)",
            )
            for pair in [(1, 0), (1, 1), 3, (1,), "ab", (True, 2), (float("nan"), 1), (0, "1")]
        ],
        (
            lambda: Columns("a * b", "1", "a*b"),
            ParameterError,
            "Two expressions are the same.|'a * b' and 'a*b'|expressions that differ|leave one out",
        ),
        *[
            (
                lambda policy=policy: Columns("a", on_domain_error=policy),
                ParameterError,
                f"The 'on_domain_error' parameter of Columns cannot be used.|on_domain_error="
                f"{policy!r}|'raise', 'nan' or a finite number|Columns(..., on_domain_error='nan')",
            )
            for policy in ["skip", None, True, float("inf"), float("nan"), [1]]
        ],
        (
            lambda: Columns().fit([[1.0]]),
            ParameterError,
            "The 'expressions' parameter of Columns must hold at least one expression."
            "|expressions=()|a non-empty tuple of str, numbers or pm.col(...)"
            "|Columns('1', 'volume / weight')",
        ),
        (
            lambda: Columns("a").set_params(expressions="a").fit([[1.0]]),
            ParameterError,
            "The 'expressions' parameter of Columns must hold at least one expression."
            "|expressions='a'|a non-empty tuple of str, numbers or pm.col(...)"
            "|Columns('1', 'volume / weight')",
        ),
        (
            lambda: Columns("x0").set_params(ranges=3).fit([[1.0]]),
            ParameterError,
            "The 'ranges' parameter of Columns must be a dict.|ranges=3"
            "|a dict of column names to (low, high)|set_params(ranges={'weight': (0.1, 50)})",
        ),
        (
            lambda: Columns("volum / weight").fit(pd.DataFrame(BOXES)),
            InputError,
            "There is no column 'volum'.|columns ['volume', 'weight', 'height', 'width']"
            "|columns ['volum', 'weight'], each once|did you mean 'volume'?",
        ),
        (
            lambda: Columns("volume").fit([[1.0, 2.0]]),
            InputError,
            "There is no column 'volume'.|columns ['x0', 'x1']|columns ['volume'], each once"
            "|an array's are named x0, x1, ...",
        ),
        (
            lambda: Columns("a").over("a", "b", "a"),
            InputError,
            "There are two columns 'a'.|columns ['a', 'b', 'a']|columns ['a'], each once"
            "|rename one of them",
        ),
        (
            lambda: Columns("a").over("a", "b").fit(pd.DataFrame({"b": [1.0], "a": [1.0]})),
            InputError,
            "The columns are not those to which the map is bound.|columns ['b', 'a']"
            "|columns ['a', 'b'], in this order|bind the open map: Columns(...).bind(X)",
        ),
        (
            lambda: Columns("x0").fit(np.ones((2, 3, 4, 4))),
            ShapeError,
            "Columns takes rows of named numbers.|shape (2, 3, 4, 4)|shape (n, d)"
            "|put pm.Flatten() before it, or select the columns first",
        ),
        (
            lambda: Columns("a").over("a", "b")(torch.ones(2, 3)),
            ShapeError,
            "Columns takes rows of named numbers.|shape (2, 3)|shape (n, 2)"
            "|put pm.Flatten() before it, or select the columns first",
        ),
    ],
)
def test_wrong_use_is_explained(make, kind, message):
    with pytest.raises(kind) as caught:
        make()
    what, got, need, do = message.split("|")
    assert str(caught.value) == f"{what}\n  got:  {got}\n  need: {need}\n  do:   {do}"


def test_text_is_read_at_once():
    with pytest.raises(ExpressionError, match="'\\^' is not an operator"):
        Columns("1", "x0 ^ 2")


def test_the_policy_reaches_the_rows():
    X = np.array([[1.0, 2.0], [1.0, 0.0]])
    with pytest.raises(DomainError, match="Row 1 has a division by zero, in 'x0 / x1'"):
        Columns("x0 / x1").fit(X).transform(X)
    marked = Columns("x0 / x1", "x0", on_domain_error="nan").fit_transform(X)
    np.testing.assert_array_equal(marked, [[0.5, 1], [np.nan, 1]])
    assert Columns("x0 / x1", on_domain_error=9).fit_transform(X).tolist() == [[0.5], [9.0]]
    ranged = Columns("x0 / x1", on_domain_error=0, x1=(0.1, 1)).fit_transform(X)
    assert ranged.tolist() == [[0.0], [0.0]]


# --- what is proved ---------------------------------------------------------------------------
def holds(phi, goal, on=None):
    return pm.decide(phi, goal, on=on).holds


def test_what_is_shown_to_be_defined_is_continuous():
    phi = PHI.over(*BOXES)
    assert phi.domain.low.tolist() == [0, 0.1, -np.inf, -np.inf]
    assert holds(phi, pm.Continuous) is True
    unranged = Columns("x0 / x1").over("x0", "x1")
    assert holds(unranged, pm.Continuous, pm.Box([0, 1], [1, 2])) is True
    assert holds(unranged, pm.Continuous, pm.Box([0, -1], [1, 2])) is None
    assert holds(unranged, pm.Lipschitz, pm.Box([0, -1], [1, 2])) is None
    assert holds(Columns("sqrt(x0)").over("x0"), pm.Lipschitz, pm.Box([0], [1])) is None
    assert holds(Columns("x0 / x1"), pm.Continuous, pm.Box([0, 1], [1, 2])) is None


def test_the_lipschitz_constant_is_bounded():
    phi = Columns("3 * x0 + 4 * x1").over("x0", "x1")
    assert pm.decide(phi, pm.Lipschitz, on=pm.Euclidean(2)).value[1] == 5.0
    ratio = Columns("a / b").over("a", "b")
    box = pm.Box([0, 0.5], [8, 2])
    bound = pm.decide(ratio, pm.Lipschitz, on=box).value[1]
    assert bound == pytest.approx(np.hypot(2, 32))
    assert pm.decide(ratio, pm.Lipschitz, on=pm.Ball([4, 1.25], 0.5)).value[1] < bound
    x, y = box.sample(300, 0), box.sample(300, 1)
    gaps = np.abs(ratio.transform(x) - ratio.transform(y)).ravel()
    assert (gaps <= bound * box.distance(x, y)).all()


def test_it_is_injective_when_every_coordinate_is_among_the_expressions():
    box = pm.Box([0, 0], [1, 1])
    full = Columns("x1", "x0 * x1", "x0").over("x0", "x1")
    assert holds(full, pm.Injective, box) is True
    assert pm.decide(full, pm.LowerLipschitz, on=box).value[0] >= 1
    assert holds(Columns("x0", "x0 * x1").over("x0", "x1"), pm.Injective, box) is None
    assert holds(Columns("x0", "2 * x1").over("x0", "x1"), pm.Injective, box) is None


def test_a_column_that_is_not_read_gives_a_collision():
    phi = Columns("x0 / x1").over("x0", "x1", "x2")
    verdict = pm.decide(phi, pm.Injective, on=pm.Box([0, 1, 5], [1, 2, 6]))
    assert verdict.holds is False
    assert verdict.witness.verify(phi)
    # A column that is constant is not lost, but two dimensions do not fit into one.
    assert holds(phi, pm.Injective, pm.Box([0, 1, 5], [1, 2, 5])) is False
    assert holds(phi, pm.Injective, pm.Box([0, 1, 5], [0, 2, 5])) is not True


def test_affine_is_claimed_of_affine_expressions_only():
    line = pm.Euclidean(2)
    affine, square = Columns("1", "2 * x0 - x1 / 3"), Columns("x0", "x0 ** 2")
    assert holds(affine.over("x0", "x1"), pm.property.Affine, line) is True
    assert holds(square.over("x0", "x1"), pm.property.Affine, line) is not True


def test_nothing_is_asked_outside_the_declared_ranges():
    phi = Columns("x0", x0=(0, 1)).over("x0", "x1")
    assert holds(phi, pm.Continuous, pm.Box([0, 0], [1, 9])) is True
    with pytest.raises(DomainError, match="declared range"):
        pm.decide(phi, pm.Continuous, on=pm.Box([0, 0], [2, 9]))
    assert list(phi.facts(pm.Box([0, 0], [2, 9]))) == []


def test_the_image_encloses_the_values():
    phi = Columns("1", "x0 * x0", "1 / x1", "x0 / x1").over("x0", "x1")
    image = phi.image(pm.Box([-1, 0.5], [2, 4])).outer
    assert image.low == pytest.approx([1, 0, 0.25, -2])
    assert image.high == pytest.approx([1, 4, 2, 4])
    partial = phi.image(pm.Box([-1, 0], [2, 4])).outer
    assert partial.low.tolist() == [1, 0, -np.inf, -np.inf]
    assert image.contains(phi.transform(pm.Box([-1, 0.5], [2, 4]).sample(200))).all()
