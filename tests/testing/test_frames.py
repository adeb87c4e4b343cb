"""Domains of data frames: what lies in them, how far apart, and where their edges are."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest

from phimaps.errors import DependencyError, DomainError, InputError, InputTypeError, ParameterError
from phimaps.testing import Frame

MIXED = Frame(
    {
        "hour": range(24),
        "weight": (0.1, 50.0),
        "colour": ["red", "green", "blue"],
        "open": [False, True],
        "day": [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-29")],
        "size": [1, 2.5, 10],
        "change": (-1, 1),
    },
    missing=["colour", "change"],
)


def test_samples_lie_in_the_domain_and_repeat():
    rows = MIXED.sample(400, random_state=3)
    assert rows.shape == (400, 7)
    assert list(rows.columns) == list(MIXED.columns)
    assert MIXED.contains(rows).all()
    pd.testing.assert_frame_equal(rows, MIXED.sample(400, random_state=3))
    assert not rows.equals(MIXED.sample(400, random_state=4))
    assert set(rows.hour) == set(range(24))
    assert {0.1, 50.0} < set(rows.weight)
    assert rows.colour.isna().any()
    assert rows.change.isna().any()
    assert not rows.drop(columns=["colour", "change"]).isna().any().any()


def test_the_types_of_columns_do_not_depend_on_the_draw():
    kinds = [MIXED.sample(n, random_state=n).dtypes.tolist() for n in (0, 1, 2, 3, 50)]
    assert all(k == kinds[0] for k in kinds)
    rows = MIXED.sample(5)
    assert rows.hour.dtype == np.int64
    assert rows.weight.dtype == rows["size"].dtype == np.float64
    assert rows.open.dtype == bool
    assert rows.day.dtype.kind == "M"


def test_the_edges_are_there_each_once():
    edges = MIXED.special()
    assert MIXED.contains(edges).all()
    assert not edges.duplicated().any()
    assert {0, 23} <= set(edges.hour)
    assert {0.1, 50.0} <= set(edges.weight)
    assert {-1.0, 0.0, 1.0} <= set(edges.change)
    # Rows that differ in one column alone.
    first, last = edges[edges.hour == 0], edges[edges.hour == 23]
    alike = [(a == b).sum() for a in first.to_numpy() for b in last.to_numpy()]
    assert max(alike) >= 5
    assert edges.colour.isna().any()


def test_all_rows_are_listed_when_they_are_few():
    small = Frame({"hour": range(24), "colour": ["red", "green"]}, missing="colour")
    rows = small.enumerate()
    assert len(rows) == 24 * 3
    assert not rows.duplicated().any()
    assert small.contains(rows).all()
    assert small.enumerate(limit=71) is None
    assert small.enumerate(limit=72) is not None
    assert not small.infinite
    assert MIXED.infinite
    assert MIXED.enumerate() is None


def test_a_row_belongs_when_each_of_its_cells_does():
    domain = Frame({"hour": [0, 1], "weight": (0, 1), "colour": ["red"]}, missing=["weight"])
    rows = pd.DataFrame(
        {
            "hour": [0, 2, 1, 1, 1, np.nan],
            "weight": [0.0, 0.5, 1.5, np.nan, 1.0, 1.0],
            "colour": ["red", "red", "red", "red", "green", "red"],
        }
    )
    assert domain.contains(rows).tolist() == [True, False, False, True, False, False]
    odd = pd.DataFrame({"hour": [[0], "0"], "weight": ["0.5", 0.5], "colour": ["red", None]})
    assert domain.contains(odd).tolist() == [False, False]
    assert domain.contains(rows[:0]).shape == (0,)


def test_codes_are_a_way_there_and_back():
    rows = MIXED.sample(100, random_state=1)
    codes = MIXED.encode(rows)
    assert MIXED.codes.contains(codes).all()
    pd.testing.assert_frame_equal(MIXED.rows(codes), rows)


def test_distances_are_those_of_the_formula():
    domain = Frame({"hour": range(24), "w": (-1, 3), "c": ["a", "b"]}, missing=["w"])
    a = domain.rows(domain.encode(pd.DataFrame({"hour": [0], "w": [0.0], "c": ["a"]})))
    for hour, w, c, expected in [
        (0, 0.0, "a", 0.0),
        (23, 0.0, "a", 1.0),
        (0, 1.0, "a", 0.25),
        (0, np.nan, "a", 1.0),
        (23, 1.0, "b", np.sqrt(1 + 1 / 16 + 1)),
    ]:
        b = pd.DataFrame({"hour": [hour], "w": [w], "c": [c]})
        assert domain.distance(a, b) == pytest.approx([expected], rel=1e-15)
    gone = pd.DataFrame({"hour": [0], "w": [np.nan], "c": ["a"]})
    assert domain.distance(gone, gone) == [0.0]


def test_distances_are_a_metric():
    x, y, z = (MIXED.sample(300, random_state=i) for i in range(3))
    xy, yz, xz = MIXED.distance(x, y), MIXED.distance(y, z), MIXED.distance(x, z)
    assert np.array_equal(xy, MIXED.distance(y, x))
    assert (MIXED.distance(x, x) == 0).all()
    assert (xz <= xy + yz + 1e-14).all()
    same = (MIXED.encode(x) == MIXED.encode(y)).all(axis=1)
    assert np.array_equal(xy == 0, same)
    assert (xy <= np.sqrt(7) * (1 + 1e-15)).all()


def test_numbers_that_floats_cannot_tell_apart_are_compared_as_values():
    domain = Frame({"id": [2**60, 2**60 + 1]})
    a, b = domain.rows([[0.0]]), domain.rows([[1.0]])
    assert a.id[0] + 1 == b.id[0]
    assert domain.distance(a, b) == [1.0]
    assert domain.contains(b).all()


def test_the_domain_around_data():
    data = pd.DataFrame(
        {
            "hour": [3, 3, 5],
            "weight": [1.0, np.nan, 2.0],
            "same": [0.5, 0.5, 0.5],
            "colour": ["red", None, "blue"],
        }
    )
    kept = data.copy()
    domain = Frame.around(data)
    assert domain.columns == {
        "hour": [3, 5],
        "weight": (1.0, 2.0),
        "same": [0.5],
        "colour": ["red", "blue"],
    }
    assert domain.missing == ("weight", "colour")
    assert domain.contains(data).all()
    pd.testing.assert_frame_equal(data, kept)


def test_it_is_written_as_it_was_made_and_survives_a_pickle():
    domain = Frame({"hour": range(24), "weight": (0.1, 50.0), "c": ["a"]}, missing=["weight"])
    text = "Frame({'hour': range(0, 24), 'weight': (0.1, 50.0), 'c': ['a']}, missing=['weight'])"
    assert repr(domain) == text
    rows = domain.sample(20)
    for again in (eval(text), pickle.loads(pickle.dumps(domain))):
        assert repr(again) == text
        pd.testing.assert_frame_equal(again.sample(20), rows)
    values = ["a"]
    domain = Frame({"c": values})
    values.append("b")
    assert len(domain.enumerate()) == 1


@pytest.mark.parametrize(
    ("columns", "missing", "said"),
    [
        ({}, (), "describes no columns"),
        ([1], (), "describes no columns"),
        ({3: (0, 1)}, (), "is no name of a column"),
        ({"a": (0, 1, 2)}, (), "is no interval"),
        ({"a": ("red", "green")}, (), "is no interval"),
        ({"a": (0, np.inf)}, (), "is no interval"),
        ({"a": (1, 1)}, (), "is empty"),
        ({"a": (-1e308, 1e308)}, (), "is empty, or wider"),
        ({"a": 3}, (), "neither an interval nor a list"),
        ({"a": {1, 2}}, (), "neither an interval nor a list"),
        ({"a": []}, (), "has no values"),
        ({"a": [[1]]}, (), "has no values"),
        ({"a": [1, None]}, (), "contain a missing one"),
        ({"a": [1, np.nan]}, (), "contain a missing one"),
        ({"a": [1, pd.NA]}, (), "contain a missing one"),
        ({"a": [1, 2, 1.0]}, (), "has the value 1.0 twice"),
        ({"a": [1]}, ["b"], "names 'b', which is no column"),
    ],
)
def test_what_is_no_domain_is_refused(columns, missing, said):
    with pytest.raises(ParameterError, match=said):
        Frame(columns, missing=missing)


def test_other_data_are_refused():
    domain = Frame({"a": [1, 2], "b": (0, 1)})
    rows = domain.sample(3)
    with pytest.raises(InputTypeError, match="is no data frame"):
        domain.contains([[1, 0.5]])
    with pytest.raises(InputTypeError, match="is no data frame"):
        Frame.around(np.zeros((2, 2)))
    with pytest.raises(InputError, match="other columns"):
        domain.contains(rows[["b", "a"]])
    with pytest.raises(InputError, match="paired rows"):
        domain.distance(rows, rows[:2])
    with pytest.raises(DomainError, match="Row 1 does not lie"):
        domain.distance(rows, rows.assign(b=[0.5, 2.0, 0.5]))


def test_without_pandas_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    domain = Frame({"hour": range(24)})
    for ask in (lambda: domain.sample(1), lambda: domain.contains(None), domain.special):
        with pytest.raises(DependencyError) as caught:
            ask()
        assert str(caught.value) == (
            "Data frames are made by pandas, which is not installed.\n"
            "  got:  import of pandas halted; None in sys.modules\n"
            "  need: pandas\n"
            "  do:   pip install 'phimaps[frames]'"
        )
