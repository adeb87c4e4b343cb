"""Evaluating expressions: values, gradients, and the rows where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phimaps.errors import DomainError
from phimaps.maps import enclosure, evaluation
from phimaps.maps.evaluation import Program
from phimaps.maps.expression import FUNCTIONS

from .expressions import SIMPLE, program

ORACLE = {
    "1": lambda a, b: np.ones_like(a),
    "a": lambda a, b: a,
    "a / b": lambda a, b: a / b,
    "-a + 2 * b - 3": lambda a, b: -a + 2 * b - 3,
    "2 - 3 / a": lambda a, b: 2 - 3 / a,
    "a ** 2 + b ** 3 - a ** -2": lambda a, b: a**2 + b**3 - a**-2.0,
    "a ** 0 + a ** 1 + b ** 7": lambda a, b: 1 + a + b**7,
    "a ** 20 / b ** 0.5": lambda a, b: a**20 / np.sqrt(b),
    "a ** b - 2 ** a": lambda a, b: a**b - 2**a,
    "a ** (1 / 3)": lambda a, b: np.cbrt(a),
    "square(a - b)": lambda a, b: (a - b) ** 2,
    "abs(a - b) + maximum(a, b) * minimum(a, 1)": lambda a, b: (
        np.abs(a - b) + np.maximum(a, b) * np.minimum(a, 1)
    ),
    "exp(-a) + expm1(b) * log(a)": lambda a, b: np.exp(-a) + np.expm1(b) * np.log(a),
    "log10(a) - log1p(b)": lambda a, b: np.log10(a) - np.log1p(b),
    "sin(a) * cos(b) + tanh(a - b)": lambda a, b: np.sin(a) * np.cos(b) + np.tanh(a - b),
    "arctan(a) / sqrt(b)": lambda a, b: np.arctan(a) / np.sqrt(b),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("gradient", [True, False])
def test_values_are_those_of_numpy(dtype, gradient, monkeypatch):
    monkeypatch.setattr(evaluation, "BLOCK_ROWS", 7)
    x = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 2.0, (30, 2))).to(dtype)
    with torch.set_grad_enabled(gradient):
        values = program(*ORACLE)(x, "raise")
    assert values.dtype == dtype
    assert values.is_contiguous()
    columns = x.double().numpy().T
    expected = np.stack([f(*columns) for f in ORACLE.values()], axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-13 if dtype == torch.float64 else 2e-4)


def test_every_function_has_its_kernel_its_enclosure_and_its_oracle():
    assert set(FUNCTIONS) - {"square"} <= set(evaluation.KERNELS)
    assert set(FUNCTIONS) - {"square", "maximum", "minimum"} == set(enclosure.UNARY)
    assert all(any(name in text for text in ORACLE) for name in FUNCTIONS)


@pytest.mark.parametrize("n", [*range(-17, 18), 40])
@pytest.mark.parametrize("gradient", [True, False])
def test_integer_powers_are_exact_where_they_can_be(n, gradient):
    x = torch.tensor([[2.0, 1.0], [-2.0, 1.0]], dtype=torch.float64)
    with torch.set_grad_enabled(gradient):
        values = program(f"a ** {n}", f"b + a ** {n}")(x, "raise")
    assert values[:, 0].tolist() == [2.0**n, (-2.0) ** n]
    assert values[:, 1].tolist() == [1 + 2.0**n, 1 + (-2.0) ** n]


def test_a_common_subexpression_is_evaluated_once(monkeypatch):
    calls = []
    monkeypatch.setitem(
        evaluation.KERNELS, "log", lambda *args, **kw: calls.append(1) or torch.log(*args, **kw)
    )
    values = program("log(a) / b", "log(a) + 1", "sqrt(log(a))")(torch.full((3, 2), 2.0), "raise")
    assert len(calls) == 1
    assert values.shape == (3, 3)


def test_gradients_are_right():
    x = torch.rand((4, 2), dtype=torch.float64, requires_grad=True)
    texts = [text for text in ORACLE if "abs" not in text]
    assert torch.autograd.gradcheck(lambda t: program(*texts)(t + 0.5, "raise"), x)


# --- the domain -------------------------------------------------------------------------------
UNDEFINED = [
    # (expression, bad a, bad b, why, need)
    ("a / b", 1.0, 0.0, "a division by zero", "b != 0"),
    ("a / b", 0.0, 0.0, "a division by zero", "b != 0"),
    ("minimum(1 / (a - b), 5)", 2.0, 2.0, "a division by zero", "(a - b) != 0"),
    ("1 / (1 / a)", 0.0, 1.0, "a division by zero", "a != 0"),
    ("tanh(log(a))", 0.0, 1.0, "a logarithm of a number <= 0", "a > 0"),
    ("exp(log10(a))", 0.0, 1.0, "a logarithm of a number <= 0", "a > 0"),
    ("(log(a)) ** 0 + b", -1.0, 1.0, "a logarithm of a number <= 0", "a > 0"),
    ("b + log1p(a)", -1.0, 1.0, "a logarithm of a number <= 0", "a > -1"),
    ("sqrt(a * b)", -1.0, 2.0, "a square root of a negative number", "(a * b) >= 0"),
    ("a ** 0.5", -1.0, 2.0, "a fractional power of a negative number", "a >= 0"),
    ("a ** -1", 0.0, 2.0, "a negative power of zero", "a != 0"),
    ("a ** -0.5", 0.0, 2.0, "a negative fractional power of a number <= 0", "a > 0"),
    (
        "a ** b",
        -2.0,
        0.5,
        "a power of 0 with a negative exponent, or of a negative number with a fractional one",
        "a > 0",
    ),
    (
        "1 / a ** b",
        0.0,
        -1.0,
        "a power of 0 with a negative exponent, or of a negative number with a fractional one",
        "a > 0",
    ),
]


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize(("text", "a", "b", "why", "need"), UNDEFINED)
def test_an_undefined_row_is_named(text, a, b, why, need, gradient, monkeypatch):
    monkeypatch.setattr(evaluation, "BLOCK_ROWS", 2)
    x = torch.full((6, 2), 1.5, dtype=torch.float64)
    x[:, 0] = 2.0
    x[3] = x[5] = torch.tensor([a, b], dtype=torch.float64)
    with torch.set_grad_enabled(gradient), pytest.raises(DomainError) as caught:
        program("a", text)(x, "raise")
    used = [f"{n}={v:.6g}" for n, v in (("a", a), ("b", b)) if n in text.replace("tanh", "")]
    if text.startswith("exp"):
        used = [f"a={a:.6g}"]
    assert set(caught.value.got.split(", ")) == set(used)
    assert str(caught.value) == (
        f"Row 3 has {why}, in '{text}'.\n  got:  {caught.value.got}\n  need: {need}\n"
        "  do:   drop such rows, or mark them: Columns(..., on_domain_error='nan')"
    )


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("policy", ["nan", -7.0])
@pytest.mark.parametrize(("text", "a", "b"), [case[:3] for case in UNDEFINED])
def test_exactly_the_undefined_entries_are_replaced(text, a, b, policy, gradient):
    x = torch.tensor([[2.0, 1.5], [a, b], [1.0, 2.0]], dtype=torch.float64)
    phi = program("a", text, "a + b")
    with torch.set_grad_enabled(gradient):
        values = phi(x, policy)
        good = phi(x[[0, 2]], "raise")
    assert torch.equal(values[[0, 2]], good)
    assert values[1, 0] == a
    assert values[1, 2] == a + b
    assert torch.isnan(values[1, 1]) if policy == "nan" else values[1, 1] == policy


@pytest.mark.parametrize("policy", ["nan", -7.0])
@pytest.mark.parametrize(("text", "a", "b"), [case[:3] for case in UNDEFINED])
def test_no_gradient_leaks_from_undefined_entries(text, a, b, policy):
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[2.0, 1.5], [a, b]], dtype=torch.float64, requires_grad=True)
    program(text)(x * scale, policy)[:1].sum().backward()
    everything, x.grad = x.grad.clone(), None
    alone = torch.ones((), dtype=torch.float64, requires_grad=True)
    program(text)(x[:1] * alone, policy).sum().backward()
    assert torch.equal(everything[0], x.grad[0])
    assert everything[1].tolist() == [0.0, 0.0]
    assert scale.grad == alone.grad
    x.grad = None
    program(text)(x, 0.0).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("policy", ["raise", "nan", 3.0])
def test_overflow_is_not_a_domain_error(policy, gradient):
    x = torch.tensor([[1e300, 1e-300]], dtype=torch.float64)
    small = torch.ones((1, 2), dtype=torch.float32)
    with torch.set_grad_enabled(gradient):
        values = program("a / b", "1 / exp(a)", "a ** 2")(x, policy)
        assert values.tolist() == [[np.inf, 0.0, np.inf]]
        assert program("a * 1e300")(small, policy).item() == np.inf


def test_equal_expressions_get_equal_columns():
    x = torch.tensor([[3.0, 2.0]])
    for texts in (["a / b", "a/b", "b", "b"], ["b", "b", "a / b", "a/b"]):
        with torch.no_grad():
            values = program(*texts)(x, "raise")
        assert torch.equal(values, program(*texts)(x, "raise"))


@pytest.mark.parametrize("policy", ["raise", "nan", 0.0])
def test_declared_ranges_are_the_domain(policy):
    x = torch.tensor([[1.0, 2.0], [1.0, 0.05], [-1.0, 2.0]], dtype=torch.float64)
    phi = program("a", "a * b", "b", ranges={"a": (0, np.inf), "b": (0.1, 5)})
    if policy == "raise":
        with pytest.raises(DomainError) as caught:
            phi(x, policy)
        assert str(caught.value) == (
            "Column 'b' leaves its declared range in row 1, in 'a * b'.\n"
            "  got:  a=1, b=0.05\n  need: b >= 0.1 and b <= 5\n"
            "  do:   drop such rows, or mark them: Columns(..., on_domain_error='nan')"
        )
    else:
        fill = float(policy)
        expected = [[1, 2, 2], [1, fill, fill], [fill, fill, 2]]
        np.testing.assert_array_equal(phi(x, policy), expected)


def test_a_range_holds_in_the_precision_of_the_data():
    phi = program("a", ranges={"a": (0.1, 0.7)})
    edge = torch.tensor([[0.1, 0.0], [0.7, 0.0]], dtype=torch.float32)
    assert torch.equal(phi(edge, "raise")[:, 0], edge[:, 0])
    with pytest.raises(DomainError):
        phi(torch.nextafter(edge, -edge), "raise")


CELLS = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(SIMPLE, st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_the_quick_look_never_misses_an_undefined_entry(node, rows):
    x = torch.tensor(rows, dtype=torch.float64)
    phi = Program([node], {"a": 0, "b": 1}, {}, ["e"])
    with torch.no_grad():
        quick = phi(x, "nan")
    bad = phi._outside(x)
    assert torch.isnan(quick[bad]).all()
    assert torch.equal(quick.isnan(), phi(x, "nan").isnan())
