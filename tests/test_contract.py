"""What every map must do, whatever it computes."""

import importlib
import pkgutil
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, StandardScaler
from sklearn.utils import estimator_checks

import phimaps as pm
from phimaps.map.single import Single
from phimaps.testing import CHECKS, Subject, parametrize_with_checks
from phimaps.testing.tolerance import tolerance

for module in pkgutil.walk_packages(pm.__path__, "phimaps."):
    if module.name.split(".")[1] in ("map", "maps"):
        importlib.import_module(module.name)


# Where maps live; what the attacks make of a kernel is no map for users.
PACKAGES = ("phimaps.map.", "phimaps.maps.")


def leaves(kind: type = pm.FeatureMap) -> list[type]:
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    own = getattr(kind, "__final__", False) and kind.__module__.startswith(PACKAGES)
    joins = issubclass(kind, pm.map.Composite | Single)
    return ([kind] if own and not joins else []) + below


FOUND = {kind.__name__: kind.example for kind in leaves()}

scale = pm.Standardize()
COMPOSITES = {
    "compose": lambda: pm.Tanh() @ pm.Standardize(),
    "concat": lambda: pm.Identity() & pm.Abs(),
    "tensor": lambda: pm.Standardize() * pm.Identity(),
    "sketched tensor": lambda: pm.TensorProductSketch((pm.Standardize(), pm.Identity()), 4),
    "sum": lambda: pm.Identity() + pm.Relu(),
    "difference": lambda: pm.Exp() - pm.Standardize(),
    "scale": lambda: 2 * pm.Tanh(),
    "negative": lambda: -pm.Standardize(),
    "product": lambda: pm.product(pm.Abs(), pm.Standardize(), widths=(1, -1)),
    "assume": lambda: pm.assume(pm.Standardize(), pm.Injective, because="scales are positive"),
    "same object twice": lambda: scale @ pm.Tanh() @ scale & scale,
    "nested": lambda: pm.Cos() @ (pm.RandomFourier(4) & pm.Standardize()) @ pm.Standardize(),
    "residual": lambda: (pm.Tanh() @ pm.Standardize() + pm.Identity()) * pm.Sigmoid(),
    "positive": lambda: pm.Sqrt() & pm.Relu(),
    "sparse": lambda: pm.Standardize(with_mean=False) & pm.Standardize(with_mean=False),
    "sklearn scaler": lambda: pm.Exp() @ MinMaxScaler() @ pm.Standardize(),
    "sklearn bins": lambda: (
        pm.Normalize() & KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    ),
    "torch module": lambda: torch.nn.ReLU() @ pm.Standardize(),
    "unprefixed": lambda: pm.Concat((pm.Identity(), pm.Tanh()), verbose_feature_names_out=False),
    "pipe": lambda: pm.pipe(StandardScaler(), pm.Polynomial(2), pm.Standardize()),
}
MAPS = FOUND | COMPOSITES
every_map = pytest.mark.parametrize("name", MAPS)

EXTRA = [
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
]


def test_there_are_maps_to_check():
    assert len(FOUND) >= 25
    assert len(COMPOSITES) >= 14


@every_map
def test_scikit_learn_accepts_it(name):
    phi = MAPS[name]()
    results = estimator_checks.check_estimator(phi, on_skip=None, on_fail=None)
    for result in results:
        if result["status"] == "skipped":
            print(f"{name}: {result['check_name']} skipped: {result['exception']}")
    wrong = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert len(results) >= 45
    assert not wrong


@every_map
def test_it_passes_the_checks_that_check_estimator_leaves_out(name):
    for check in EXTRA:
        phi = MAPS[name]()
        if name == "Columns" and ("pandas" in check or "frame" in check or "polars" in check):
            # These checks hand it the same data under other names, and it reads by name.
            phi = type(phi)("1", "2")
        with warnings.catch_warnings():
            # The checks mix arrays and frames, about which scikit-learn warns.
            warnings.filterwarnings(
                "ignore", message="X (has|does not have valid) feature names", category=UserWarning
            )
            warnings.filterwarnings("ignore", category=FutureWarning)
            getattr(estimator_checks, check)(type(phi).__name__, phi)


SUBJECTS = [Subject(build(), name=name) for name, build in MAPS.items()]
HERE = [name for name in CHECKS if name != "check_cuda"]


@parametrize_with_checks(SUBJECTS, checks=[*HERE, "check_decided_claims"])
def test_it_is_a_feature_map(phi, check):
    check(phi)


@parametrize_with_checks(
    [Subject(build(), name=name, dtype=np.float32) for name, build in MAPS.items()],
    checks=[
        "check_chunks",
        "check_fit_transform",
        "check_rows",
        "check_ways_to_evaluate",
        "check_write",
    ],
)
def test_it_is_a_feature_map_in_single_precision(phi, check):
    check(phi)


@pytest.mark.gpu
@parametrize_with_checks(SUBJECTS, checks=["check_cuda"])
def test_it_is_the_same_map_on_a_device(phi, check):
    check(phi)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_map
def test_it_is_bound_and_moved_on_a_device(name, dtype):
    subject = Subject(MAPS[name]())
    X = subject.rows(24).astype(dtype)
    # A copy with seeds: both bindings draw the same numbers.
    phi = clone(subject.fresh().obj)
    here, x = phi.bind(X), torch.from_numpy(X).cuda()

    def features(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return here(torch.from_numpy(rows)).flatten(1).double().numpy()

    expected, slack = features(X), 8 * tolerance(features, X, dtype)
    for how, value in {
        "moved": here.to("cuda")(x),
        "called": here(x),
        "bound there": phi.bind(x)(x),
    }.items():
        assert value.is_cuda, how
        assert value.dtype == x.dtype, how
        found = value.detach().flatten(1).double().cpu().numpy()
        assert (np.abs(found - expected) <= slack).all(), how
    with pm.config_context(device="cuda"):
        result = here.transform(X)
    assert result.dtype == dtype
    assert (np.abs(result.astype(float) - expected) <= slack).all()
