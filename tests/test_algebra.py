"""The laws of the operators."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

import phimaps as pm

law = settings(max_examples=30, deadline=None, derandomize=True, database=None)

X = np.random.default_rng(0).standard_normal((6, 3))
x = torch.from_numpy(X)

# Maps from R^3 to R^3, so that every operator may join any two of them.
atoms = st.sampled_from(
    [
        pm.Identity(),
        pm.Tanh(),
        pm.Abs(),
        pm.LeakyRelu(0.25),
        pm.Cos(),
        pm.Standardize(),
        pm.Normalize(),
        pm.Select([2, 0, 1]),
        pm.Affine(np.arange(9.0).reshape(3, 3) / 10, np.ones(3)),
    ]
)
numbers = st.floats(-4, 4).map(lambda c: round(c, 3))
maps = st.recursive(
    atoms,
    lambda below: st.one_of(
        st.tuples(below, below).map(lambda p: p[0] @ p[1]),
        st.tuples(below, below).map(lambda p: p[0] + p[1]),
        st.tuples(numbers, below).map(lambda p: p[0] * p[1]),
    ),
    max_leaves=4,
)


def value(phi):
    return phi.bind(X)(x)


def gram(phi):
    features = value(phi).flatten(1)
    return features @ features.T


def same(left, right):
    return torch.allclose(value(left), value(right), rtol=1e-10, atol=1e-10)


@law
@given(maps, maps, maps)
def test_joining_is_associative_in_structure_and_value(f, g, h):
    for join in (
        lambda a, b: a @ b,
        lambda a, b: a & b,
        lambda a, b: a * b,
        lambda a, b: a + b,
    ):
        left, right = join(join(f, g), h), join(f, join(g, h))
        assert repr(left) == repr(right)
        assert not any(type(part) is type(left) for part in left.maps)
        assert same(left, right)


@law
@given(maps, maps, maps)
def test_joining_distributes_over_composition_on_the_right(f, g, h):
    assert same((f & g) @ h, f @ h & g @ h)
    assert same((f + g) @ h, f @ h + g @ h)
    assert same((f * g) @ h, (f @ h) * (g @ h))


@law
@given(maps, maps)
def test_kernels_add_and_multiply(f, g):
    assert torch.allclose(gram(f & g), gram(f) + gram(g))
    assert torch.allclose(gram(f * g), gram(f) * gram(g))


@law
@given(maps, maps, numbers)
def test_maps_form_a_vector_space(f, g, c):
    assert torch.allclose(value(f + g), value(f) + value(g))
    assert torch.allclose(value(f - g), value(f) - value(g))
    assert torch.allclose(value(-f), -value(f))
    assert torch.allclose(value(c * f), c * value(f))
    assert torch.allclose(value(f * c), c * value(f))
    assert torch.allclose(gram(c * f), c**2 * gram(f))
    assert same(c * (f + g), c * f + c * g)


@law
@given(maps)
def test_the_identity_is_neutral(f):
    assert same(f @ pm.Identity(), f)
    assert same(pm.Identity() @ f, f)


@law
@given(maps)
def test_notation_evaluates_back(f):
    names = {name: getattr(pm, name) for name in dir(pm)}
    names |= {
        "Affine": lambda weight, bias: pm.Affine(np.arange(9.0).reshape(3, 3) / 10, np.ones(3))
    }
    names |= {"float64": np.ones((9, 9))}
    again = eval(repr(f), names)
    assert repr(again) == repr(f)
    assert same(again, f)


OPEN = [
    pm.RandomFourier(n_components=8, gamma=0.125) @ pm.Standardize(with_mean=False),
    -(pm.Tanh() & pm.Abs()) * pm.Exp(),
    2 * (3 * pm.Tanh()) + pm.Relu() @ (pm.Abs() + pm.Exp()),
    (pm.Relu() @ pm.Abs()) * (pm.Cos() & pm.Sin()) @ pm.Standardize(),
    pm.Identity().on(pm.Box([0.1, -np.inf, 1 / 3], [1, 2, np.inf])) & pm.Abs(),
    (pm.Tanh() + pm.Abs()).on(pm.Ball([0, 0, 0], 10)),
    pm.assume(pm.Relu() @ pm.Standardize(), pm.Lipschitz(2.0), because='it\'s "so"'),
    pm.product(pm.Abs(), pm.Select([0, -1]), widths=(1, -1)) & pm.Flatten(),
    pm.Concat((pm.Abs(), pm.Exp()), verbose_feature_names_out=False) & pm.Tanh(),
    pm.Select(["height", "width"]),
    pm.Power(-0.5, on_domain_error="nan"),
    np.float64(0.1) * pm.Polynomial(np.int64(2)),
    pm.Select(list(range(16))),
]


@pytest.mark.parametrize("phi", OPEN, ids=repr)
def test_open_maps_print_as_what_evaluates_back(phi):
    names = {name: getattr(pm, name) for name in dir(pm)} | {"inf": np.inf}
    assert repr(eval(repr(phi), names)) == repr(phi)


def test_weights_print_by_dtype_and_shape():
    assert repr(pm.Affine(np.ones((3, 8)), torch.ones(8))) == (
        "Affine(weight=float64[3, 8], bias=float32[8])"
    )
    assert repr(pm.Select(list(range(80)))) == "Select(columns=int64[80])"


@pytest.mark.parametrize("c", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)])
def test_scalars_of_every_type_scale(c):
    for phi in (c * pm.Abs(), pm.Abs() * c):
        assert type(phi) is pm.Scale
        assert repr(phi) in ("2 * Abs()", "2.0 * Abs()")
        assert torch.equal(phi(x), 2 * x.abs())


@pytest.mark.parametrize(
    "operand",
    [
        X,
        np.array(2.0),
        torch.ones(3),
        torch.tensor(2.0),
        [1, 2],
        "phi",
        None,
        True,
        np.True_,
        pm.Box([0], [1]),
        pm.Abs,
    ],
    ids=lambda o: type(o).__name__,
)
def test_what_is_not_a_map_is_no_operand(operand):
    for join in (
        lambda a, b: a @ b,
        lambda a, b: a & b,
        lambda a, b: a * b,
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a | b,
        lambda a, b: a >> b,
    ):
        for pair in ((pm.Abs(), operand), (operand, pm.Abs())):
            with pytest.raises(TypeError) as caught:
                join(*pair)
            assert isinstance(caught.value, pm.errors.OperandError)


def test_frames_and_series_are_no_operands():
    pd = pytest.importorskip("pandas")
    for table in (pd.DataFrame(X), pd.Series(X[0])):
        for pair in ((pm.Abs(), table), (table, pm.Abs())):
            with pytest.raises(pm.errors.OperandError):
                pair[0] * pair[1]


def test_a_sign_that_means_something_else_elsewhere_teaches():
    with pytest.raises(pm.errors.OperandError, match="make_pipeline"):
        pm.Abs() | pm.Relu()
    with pytest.raises(pm.errors.OperandError, match="make_pipeline"):
        pm.Abs() >> pm.Relu()


def test_verdicts_and_properties_have_no_truth_value():
    verdict = pm.decide(pm.Abs(), pm.Injective, on=pm.Box([-1.0], [1.0]))
    for thing in (verdict, pm.Injective, ~pm.Injective):
        with pytest.raises(pm.errors.TruthError):
            bool(thing)
    assert bool(pm.Abs())


def test_transformers_modules_and_functions_stand_for_maps():
    linear = torch.nn.Linear(3, 2, dtype=torch.float64)
    expected = torch.tanh(linear(x)).detach()
    for phi in (
        torch.nn.Tanh() @ pm.from_torch(linear),
        pm.Tanh() @ linear,
        torch.tanh @ pm.from_torch(linear),
        pm.pipe(linear, torch.tanh),
        pm.pipe(FunctionTransformer(), linear, pm.Tanh()),
    ):
        np.testing.assert_allclose(phi.fit(X).transform(X), expected)
    scaled = pm.Identity() & MinMaxScaler()
    expected = MinMaxScaler().fit_transform(X)
    np.testing.assert_allclose(scaled.fit(X).transform(X)[:, 3:], expected, atol=1e-15)
    for joined in (MinMaxScaler() & pm.Abs(), MinMaxScaler() - pm.Abs(), pm.Abs() * MinMaxScaler()):
        assert isinstance(joined, pm.FeatureMap)


def test_composition_runs_from_right_to_left():
    assert ((pm.Abs() @ (-pm.Identity()))(x) >= 0).all()
    assert ((-pm.Identity() @ pm.Abs())(x) <= 0).all()
    assert pm.pipe(pm.Abs(), pm.Tanh()).maps[0].__class__ is pm.Abs
    assert repr(pm.Tanh() & pm.Abs() @ pm.Exp()) == "Tanh() & Abs() @ Exp()"


def test_options_survive_joining():
    bare = pm.Concat((pm.Tanh(), pm.Abs()), verbose_feature_names_out=False)
    names = (bare & pm.Exp()).fit(X[:, :1]).get_feature_names_out()
    assert list(names) == ["concat__tanh(x0)", "concat__abs(x0)", "exp__exp(x0)"]


def test_shapes_flow_through_maps_that_keep_them():
    W = pm.Affine(np.ones((3, 2)))
    phi = pm.Tanh() @ W @ pm.Abs()
    assert (phi.takes, phi.gives) == ((3,), (2,))
    assert phi.domain.shape == (3,)
    assert (W & pm.Abs()).gives == (5,)
    assert (W * pm.Abs()).gives == (6,)
    assert pm.product(W, W).gives == (4,)
    assert (pm.Abs() @ pm.Tanh()).keeps_shape
    for wrong in (
        lambda: W @ pm.Tanh() @ W,
        lambda: W + pm.Identity(),
        lambda: W & pm.Affine(np.ones((2, 2))),
        lambda: W.on(pm.Box([0], [1])),
        lambda: pm.product(W, W, widths=(2, 3)),
    ):
        with pytest.raises(pm.errors.ShapeError):
            wrong()


def test_a_number_shifts_every_coordinate():
    X = [[0.0, 2.0], [-1.0, 3.0]]
    for phi, expected in (
        (1 + pm.Power(2), lambda x: 1 + x**2),
        (pm.Power(2) + np.float64(1.5), lambda x: x**2 + 1.5),
        (pm.Power(2) - 1, lambda x: x**2 - 1),
        (1 - pm.Power(2), lambda x: 1 - x**2),
    ):
        assert np.array_equal(phi.fit_transform(X), expected(np.array(X)))
        assert repr(eval(repr(phi), vars(pm))) == repr(phi)
    phi = pm.Sqrt() @ (1 + pm.Power(2))
    line = pm.Euclidean(1)
    assert pm.decide(phi, pm.Continuous, on=line).holds
    assert pm.decide(phi, pm.Smooth, on=line).value == (np.inf, np.inf)
    assert (1 + pm.Identity()).fit([[0.0]]).get_feature_names_out(["a"]).tolist() == ["a + 1"]
    with pytest.raises(pm.errors.ParameterError, match="'offset' parameter of Shift"):
        np.nan + pm.Tanh()
