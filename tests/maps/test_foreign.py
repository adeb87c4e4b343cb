"""Functions, transformers and modules: wrapped, translated where known, never changed."""

import pickle
import re

import numpy as np
import pytest
import torch
from sklearn import decomposition, preprocessing, random_projection
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, RBFSampler
from sklearn.pipeline import FeatureUnion, make_pipeline
from torch import nn

import phimaps as pm
from phimaps.errors import GradientError, OperandError, ShapeError

X = load_wine().data[:60, :4]

KNOWN = [
    preprocessing.StandardScaler(),
    preprocessing.StandardScaler(with_mean=False),
    preprocessing.StandardScaler(with_std=False),
    preprocessing.MinMaxScaler((-1, 2)),
    preprocessing.MaxAbsScaler(),
    preprocessing.RobustScaler(),
    preprocessing.RobustScaler(with_centering=False),
    preprocessing.RobustScaler(with_scaling=False),
    preprocessing.Normalizer(),
    preprocessing.PolynomialFeatures(3, interaction_only=True),
    preprocessing.FunctionTransformer(np.log),
    preprocessing.FunctionTransformer(),
    decomposition.PCA(2),
    decomposition.PCA(3, whiten=True),
    decomposition.TruncatedSVD(2, random_state=0),
    random_projection.GaussianRandomProjection(3, random_state=0),
    random_projection.SparseRandomProjection(3, random_state=0, density=0.5),
]
MORE = [
    preprocessing.MinMaxScaler(clip=True),
    preprocessing.MaxAbsScaler(clip=True),
    preprocessing.PowerTransformer(),
    preprocessing.PowerTransformer("box-cox", standardize=False),
    preprocessing.QuantileTransformer(n_quantiles=10, random_state=0),
    preprocessing.QuantileTransformer(n_quantiles=60, output_distribution="normal"),
    preprocessing.Normalizer("l1"),
    preprocessing.Normalizer("max"),
    preprocessing.Binarizer(threshold=2.0),
    preprocessing.KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
    preprocessing.KBinsDiscretizer(3, encode="onehot", strategy="uniform"),
    preprocessing.PolynomialFeatures((2, 2)),
    preprocessing.PolynomialFeatures((3, 3), interaction_only=True),
    preprocessing.PolynomialFeatures(0),
    preprocessing.SplineTransformer(),
    preprocessing.SplineTransformer(degree=2, extrapolation="linear", include_bias=False),
    preprocessing.SplineTransformer(extrapolation="periodic"),
    preprocessing.OneHotEncoder(),
    preprocessing.OneHotEncoder(drop="first", sparse_output=False),
    preprocessing.OrdinalEncoder(),
    preprocessing.FunctionTransformer(np.cbrt),
    preprocessing.FunctionTransformer(np.log1p),
    preprocessing.FunctionTransformer(np.reciprocal),
    RBFSampler(n_components=9, random_state=0),
    AdditiveChi2Sampler(sample_steps=3),
    SimpleImputer(),
    make_pipeline(preprocessing.StandardScaler(), decomposition.PCA()),
    make_pipeline(preprocessing.StandardScaler(), "passthrough", preprocessing.Normalizer()),
    FeatureUnion(
        [("a", preprocessing.StandardScaler()), ("b", "passthrough"), ("c", "drop")],
        transformer_weights={"a": 2.5},
    ),
    ColumnTransformer(
        [("a", preprocessing.StandardScaler(), [2, 0]), ("b", "passthrough", slice(1, 2))]
    ),
    ColumnTransformer(
        [("a", decomposition.PCA(1), [True, False, True, False])],
        remainder="passthrough",
        transformer_weights={"a": 3.0},
    ),
    ColumnTransformer([("a", "drop", [0])], remainder=preprocessing.MinMaxScaler()),
]
UNKNOWN = [
    preprocessing.FunctionTransformer(np.sinc),
    preprocessing.FunctionTransformer(np.exp, kw_args={"casting": "unsafe"}),
    preprocessing.OneHotEncoder(min_frequency=2),
    preprocessing.SplineTransformer(degree=1, extrapolation="linear"),
    Nystroem(n_components=4, random_state=0),
    make_pipeline(preprocessing.StandardScaler(), Nystroem(n_components=4, random_state=0)),
    FeatureUnion([("a", Nystroem(n_components=4, random_state=0)), ("b", "passthrough")]),
    ColumnTransformer([("a", Nystroem(n_components=4, random_state=0), [0, 1])]),
]


def dense(values):
    return values.toarray() if hasattr(values, "toarray") else values


def named(estimator):
    # Functions show an address, which differs from run to run.
    return re.sub(r" at 0x[0-9a-f]+", "", repr(estimator))


@pytest.mark.parametrize("estimator", KNOWN + MORE + UNKNOWN, ids=named)
def test_values_are_those_of_the_transformer(estimator):
    expected = dense(clone(estimator).fit_transform(X))
    for phi in (pm.from_sklearn(estimator), pm.from_sklearn(clone(estimator).fit(X))):
        np.testing.assert_allclose(phi.fit(X).transform(X), expected, rtol=1e-9, atol=1e-9)
        assert len(phi.get_feature_names_out()) == expected.shape[1]
        np.testing.assert_allclose(clone(phi).fit(X).transform(X), expected, rtol=1e-9, atol=1e-9)
        again = pickle.loads(pickle.dumps(phi))
        np.testing.assert_allclose(again.transform(X), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("estimator", KNOWN + MORE, ids=named)
def test_known_transformers_become_maps_with_gradients(estimator):
    closed = pm.from_sklearn(estimator).bind(X)
    assert not isinstance(closed, pm.Transformer)
    x = torch.tensor(X, requires_grad=True)
    closed(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("estimator", UNKNOWN, ids=named)
def test_the_others_claim_nothing_and_say_that_the_gradient_stops(estimator):
    closed = pm.from_sklearn(estimator).bind(X)
    assert isinstance(closed, pm.Transformer)
    assert list(closed.facts(pm.Euclidean(4))) == []
    with pytest.raises(GradientError, match="The gradient stops at the scikit-learn step"):
        closed(torch.tensor(X, requires_grad=True))


def test_a_subclass_of_a_known_transformer_is_not_trusted():
    class Odd(preprocessing.StandardScaler):
        def transform(self, X, copy=None):
            return super().transform(X) ** 2

    closed = pm.from_sklearn(Odd()).bind(X)
    np.testing.assert_allclose(closed.transform(X), Odd().fit(X).transform(X))


def test_an_unknown_parameter_keeps_a_transformer_from_being_translated():
    class StandardScaler(preprocessing.StandardScaler):
        pass

    scaler = preprocessing.StandardScaler().fit(X)
    assert not isinstance(pm.from_sklearn(scaler), pm.Transformer)
    assert isinstance(pm.from_sklearn(StandardScaler().fit(X)), pm.Transformer)
    scaler.get_params = lambda deep=True: {"copy": 1, "with_mean": 1, "with_std": 1, "new": 1}
    assert isinstance(pm.from_sklearn(scaler), pm.Transformer)
    own = preprocessing.StandardScaler().fit(X)
    own.transform = lambda rows: rows
    assert isinstance(pm.from_sklearn(own), pm.Transformer)


def test_imputers_do_nothing_to_points_of_a_space():
    holed = X.copy()
    holed[3, 1] = np.nan
    holed[:, 2] = np.nan
    filled = pm.from_sklearn(SimpleImputer(add_indicator=True).fit(holed))
    expected = np.concatenate([X[:, [0, 1, 3]], np.zeros((len(X), 2))], axis=1)
    np.testing.assert_array_equal(filled.transform(X), expected)
    marks = pm.from_sklearn(MissingIndicator().fit(holed))
    np.testing.assert_array_equal(marks.transform(X), np.zeros((len(X), 2)))
    assert isinstance(pm.from_sklearn(SimpleImputer(missing_values=0.0).fit(X)), pm.Transformer)
    assert isinstance(pm.from_sklearn(MissingIndicator(missing_values=0.0).fit(X)), pm.Transformer)


def test_a_column_handed_on_as_a_vector_is_not_translated():
    column = ColumnTransformer([("a", preprocessing.FunctionTransformer(np.exp), [0])]).fit(X)
    assert not isinstance(pm.from_sklearn(column), pm.Transformer)
    scalar = ColumnTransformer([("a", CountedWords(), 0)]).fit(X)
    assert isinstance(pm.from_sklearn(scalar), pm.Transformer)


class CountedWords(preprocessing.FunctionTransformer):
    """A transformer that takes a vector."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(X)[:, None]


def test_a_pipeline_that_ends_in_a_step_without_state_is_open_until_it_is_fitted():
    steps = make_pipeline(preprocessing.StandardScaler(), preprocessing.Normalizer())
    assert not pm.from_sklearn(steps).closed
    assert pm.from_sklearn(steps.fit(X)).closed


def test_an_open_transformer_is_not_fitted_by_binding():
    scaler = preprocessing.StandardScaler()
    (pm.Relu() @ scaler).fit(X)
    assert not hasattr(scaler, "mean_")


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        return torch.relu_(x + self.norm(self.linear(x)))


def test_a_module_is_left_bit_identical():
    torch.manual_seed(0)
    net = Residual().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    data = X.copy()
    phi = pm.from_torch(net)
    x = torch.tensor(X, requires_grad=True)
    phi(x).sum().backward()
    phi.fit(data).transform(data)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert net.training
    assert net.norm.training
    assert all(p.grad is None for p in net.parameters())
    assert np.array_equal(data, X)
    assert x.grad.abs().sum() > 0
    net.eval()
    expected = net(torch.tensor(X, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(phi.transform(X.astype(np.float32)), expected, rtol=1e-5)


def test_a_module_that_raises_gets_its_flags_back():
    net = nn.Sequential(nn.Dropout(), nn.Bilinear(4, 4, 2)).train()
    with pytest.raises(TypeError):
        pm.from_torch(net).fit(X)
    assert net.training
    assert net[0].training


def test_cloning_shares_the_module():
    phi = pm.from_torch(Residual())
    assert clone(phi).module is phi.module


@pytest.mark.parametrize(
    ("module", "notation"),
    [
        (nn.Linear(4, 2), "Affine(weight=float32[4, 2], bias=float32[2])"),
        (nn.Linear(4, 2, bias=False), "Affine(weight=float32[4, 2])"),
        (nn.Sequential(nn.Linear(4, 2), nn.Dropout(), nn.LeakyReLU(0.2)), None),
        (nn.Sequential(nn.GELU(), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Flatten()), None),
    ],
    ids=lambda v: type(v).__name__,
)
def test_known_layers_are_translated(module, notation):
    phi = pm.from_torch(module)
    assert not isinstance(phi, pm.Network)
    assert notation is None or repr(phi) == notation
    x = torch.tensor(X, dtype=torch.float32)
    assert torch.allclose(phi(x), module.eval()(x), atol=1e-6)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, (3, 2), stride=2, padding=1, bias=False),
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.Conv2d(3, 4, 3, padding="valid"),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"),
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()),
    ],
    ids=repr,
)
def test_known_image_layers_are_translated(module):
    phi = pm.from_torch(module)
    assert not isinstance(phi, pm.Network)
    x = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(phi(x), module(x), atol=1e-6)


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(3, dilation=2),
        nn.AvgPool2d(2, divisor_override=3),
    ],
    ids=repr,
)
def test_other_image_layers_are_evaluated_as_they_are(module):
    phi = pm.from_torch(module)
    assert isinstance(phi, pm.Network)
    x = torch.randn(2, 4, 9, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(phi(x), module(x), atol=1e-6)


def test_a_hook_keeps_a_module_from_being_translated():
    module = nn.ReLU()
    module.register_forward_hook(lambda m, args, out: out + 1)
    phi = pm.from_torch(module)
    assert isinstance(phi, pm.Network)
    assert phi(torch.zeros(1, 1)).item() == 1


def test_functions_work_in_place_on_a_copy_only():
    data = np.array([[-1.0, 2.0]])
    assert pm.from_function(torch.relu_).fit(data).transform(data).tolist() == [[0, 2]]
    assert data.tolist() == [[-1, 2]]


def test_a_function_that_loses_rows_is_refused():
    with pytest.raises(ShapeError, match="did not give one feature vector for each row"):
        pm.from_function(lambda x: x.sum()).fit(X)


@pytest.mark.parametrize(
    "make", [pm.from_sklearn, pm.from_torch, pm.from_function], ids=lambda f: f.__name__
)
def test_what_is_not_of_the_kind_is_refused(make):
    with pytest.raises(OperandError, match=f"{make.__name__} takes a"):
        make(3)


def test_rows_that_overflowed_before_a_transformer_are_lost_alone():
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import FunctionTransformer

    step = FunctionTransformer(np.sinc, validate=True).fit(X)
    phi = pm.from_sklearn(step) @ pm.Exp()
    assert isinstance(phi.maps[-1], pm.Transformer)
    rows = torch.from_numpy(np.vstack([X, np.full((1, X.shape[1]), 1e4)]))
    value = phi(rows)
    assert value[-1].isnan().all()
    torch.testing.assert_close(value[:-1], rows[:-1].exp().sinc())
    # What an estimator makes of NaN itself is left to it.
    filled = pm.from_sklearn(KNNImputer().fit(X))
    holes = torch.from_numpy(X.copy())
    holes[0, 0] = torch.nan
    assert filled.forward(holes).isfinite().all()
