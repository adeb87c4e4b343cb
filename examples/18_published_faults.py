"""Faults of published feature maps, caught by the checks that anyone's map can be given.

Each was reported by users, or follows from a tool's documentation. Prints, for each, what was seen;
where a library is not installed, that its faults are left out.
"""

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from torch import nn

import phimaps as pm
from phimaps.testing import Frame, check_feature_map

torch.set_num_threads(1)
warnings.simplefilter("ignore")  # Some of these tools warn, and go on.

LETTERS = [chr(ord("a") + i) for i in range(26)]
LEVELS = Frame({"level": ["a", "b", "c", "new", "newer"]})
SEEN = pd.DataFrame({"level": ["a", "b", "c"] * 10})
UNIT = np.linspace(0.0, 1.0, 50)[:, None]
BEYOND = pm.Box([0.0], [5.0])
HOURS = Frame({"hour": range(24)})
TABLE = Frame({"amount": (-1.0, 9.0), "weight": (1.0, 9.0)})


@dataclass
class Fault:
    """A published fault: the library, what is known, the map, its domain, what is claimed."""

    library: str
    known: str
    build: Callable[[], Any]
    domain: Any
    by: str
    claims: Any = None
    fit_on: Any = None


class Hooked(nn.Module):
    """Extracts the output of the batch norm by a hook, as many do; an in-place ReLU comes next."""

    def __init__(self) -> None:
        super().__init__()
        norm, relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), norm, relu)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        hook = self.net[1].register_forward_hook(lambda module, given, out: kept.append(out))
        self.net(x)
        hook.remove()
        return kept[0].flatten(1)


class Extractor(TransformerMixin, BaseEstimator):
    """Features of a network that comes in train mode, as `timm.create_model` returns it."""

    def __init__(self, net: nn.Module):
        self.net = net

    def fit(self, X: Any, y: Any = None) -> "Extractor":
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: Any) -> Any:
        with torch.no_grad():
            return self.net(torch.as_tensor(np.asarray(X), dtype=torch.float32)).flatten(1).numpy()


def trained() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def target_means() -> Any:
    means = TargetEncoder(target_type="continuous", smooth=0.0)
    return means.fit(pd.DataFrame({"level": list("abcd")}), [0.5, 0.5, 1.0, 2.0])


def of(name: str, *path: str) -> Callable[..., Any]:
    """A class or function of a library that need not be installed."""

    def build(*args: Any, **options: Any) -> Any:
        module = importlib.import_module(".".join([name, *path[:-1]]))
        return getattr(module, path[-1])(*args, **options)

    return build


def formula(rows: pd.DataFrame) -> Any:
    return of("formulaic", "model_matrix")("np.log(amount) + weight", rows).to_numpy()


INJECTIVE = pm.Injective
FAULTS = [
    Fault("sklearn", "FunctionTransformer(np.log) takes 0 and -1: -inf and nan",
          lambda: FunctionTransformer(np.log), pm.Box([-1.0], [1.0]), "check_finite"),
    Fault("sklearn", "FunctionTransformer of a lambda cannot be pickled",
          lambda: FunctionTransformer(lambda x: 1 / (1 + x**2)), pm.Box([-1.0], [1.0]),
          "check_pickle"),
    Fault("sklearn", "OneHotEncoder(handle_unknown='ignore'): unseen levels are all 0",
          lambda: OneHotEncoder(handle_unknown="ignore"), LEVELS, "check_injective",
          INJECTIVE, SEEN),
    Fault("sklearn", "OneHotEncoder(drop='first', ...): an unseen level is the first one",
          lambda: OneHotEncoder(drop="first", handle_unknown="ignore"),
          Frame({"level": ["a", "b", "c", "new"]}), "check_injective", INJECTIVE, SEEN),
    Fault("sklearn", "TargetEncoder: levels of one mean target are one",
          target_means, Frame({"level": list("abcd")}), "check_injective", INJECTIVE),
    Fault("sklearn", "SplineTransformer: 2 and 5 are one beyond the range of the fit",
          SplineTransformer, BEYOND, "check_injective", INJECTIVE, UNIT),
    Fault("sklearn", "QuantileTransformer: the same",
          lambda: QuantileTransformer(n_quantiles=20), BEYOND, "check_injective", INJECTIVE, UNIT),
    Fault("sklearn", "KBinsDiscretizer: 0.1 and 0.2 fall into one bin",
          lambda: KBinsDiscretizer(quantile_method="averaged_inverted_cdf"),
          pm.Box([0.0], [1.0]), "check_injective", INJECTIVE),
    Fault("sklearn", "Normalizer: x and 2x are one",
          Normalizer, pm.Box([1.0] * 2, [2.0] * 2), "check_injective", INJECTIVE),
    Fault("sklearn", "ColumnTransformer(remainder='drop') loses columns that are not named",
          lambda: ColumnTransformer([("scaled", StandardScaler(), ["amount"])]), TABLE,
          "check_injective", INJECTIVE),
    Fault("pandas", "get_dummies at transform: the columns are those of the rows given",
          lambda: pd.get_dummies, LEVELS, "check_width"),
    Fault("torch", "a hook before an in-place ReLU: the batch norm's output comes rectified",
          Hooked, pm.Images(1, 6, 6), "check_affine", pm.property.Affine),
    Fault("torch", "a network left in train mode: a picture's features depend on the others",
          lambda: Extractor(trained()), pm.Images(1, 6, 6), "check_rows"),
    Fault("feature_engine", "CyclicalFeatures: period 23, so hour 0 and hour 23 are one",
          lambda: of("feature_engine", "creation", "CyclicalFeatures")(drop_original=True),
          HOURS, "check_injective", INJECTIVE),
    Fault("category_encoders", "CountEncoder: levels that are as frequent are one",
          lambda: of("category_encoders", "CountEncoder")(), Frame({"level": list("abc")}),
          "check_injective", INJECTIVE, SEEN),
    Fault("category_encoders", "HashingEncoder(8): 26 letters have 8 codes",
          lambda: of("category_encoders", "HashingEncoder")(n_components=8, max_process=1),
          Frame({"letter": LETTERS}), "check_injective", INJECTIVE),
    Fault("category_encoders", "BinaryEncoder: unseen levels are all 0",
          lambda: of("category_encoders", "BinaryEncoder")(), LEVELS, "check_injective",
          INJECTIVE, SEEN),
    Fault("kymatio", "set_params(J=2) is without effect: the old filters are run",
          lambda: of("kymatio", "sklearn", "Scattering1D")(J=3, shape=(32,)),
          pm.Box([-1.0] * 32, [1.0] * 32), "check_params"),
    Fault("formulaic", "np.log(amount): a row with log(-1) is dropped without a word",
          lambda: formula, TABLE, "check_width"),
]  # fmt: skip

left_out = {}
for fault in FAULTS:
    if importlib.util.find_spec(fault.library) is None:
        left_out[fault.library] = f"is not installed (pip install {fault.library})"
        continue
    try:
        built = fault.build()
    except ImportError as error:
        left_out[fault.library] = f"cannot be imported here ({error})"
        continue
    report = check_feature_map(built, fault.domain, fault.claims, fit_on=fault.fit_on)
    told = {o.check: o.message for o in report.failures}
    assert fault.by in told, f"{fault.known}: not caught by {fault.by}, but {list(told)}"
    print(f"{fault.library}: {fault.known}\n    {fault.by}: " + told[fault.by].split("\n")[0])
for library, reason in left_out.items():
    print(f"{library} {reason}: its faults are left out")
