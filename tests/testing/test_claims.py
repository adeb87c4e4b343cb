"""Checks of claims: silent on what is true, word for word on what is false."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import RBFSampler
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, PowerTransformer
from sklearn.preprocessing import StandardScaler as Scaler

import phimaps as pm
from phimaps.testing import CHECKS, CheckFailed, check_feature_map, replay
from phimaps.testing.checks.claimed import claims_of

TEXTS = Path(__file__).with_name("messages_of_claims.txt")
LINE = pm.Box([-1.0], [1.0])
PLANE = pm.Box([-1.0] * 2, [1.0] * 2)
CUBE = pm.Box([-1.0] * 3, [1.0] * 3)
RBF = {"kernel": pm.kernels.RBF(gamma=1.0)}
OF_CLAIMS = [name for name, check in CHECKS.items() if check.claim]


class Waves(TransformerMixin, BaseEstimator):
    """Random Fourier features of exp(-|x - y|²), with room for a fault."""

    def __init__(self, n_components=100, random_state=0, scale=2.0, width=2.0, turn=2 * np.pi):
        self.n_components, self.random_state = n_components, random_state
        self.scale, self.width, self.turn = scale, width, turn

    def fit(self, X, y=None):
        rng = np.random.default_rng(self.random_state)
        size = (np.shape(X)[1], self.n_components)
        self.frequencies_ = rng.normal(size=size) * np.sqrt(self.width)
        self.phases_ = rng.uniform(0, self.turn, self.n_components)
        self.n_features_in_ = size[0]
        return self

    def transform(self, X):
        waves = np.cos(np.asarray(X) @ self.frequencies_ + self.phases_)
        return waves * np.sqrt(self.scale / self.n_components)


class Hours(TransformerMixin, BaseEstimator):
    """The hour as a point of the circle."""

    def __init__(self, period=24):
        self.period = period

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        angle = 2 * np.pi * X["hour"].to_numpy() / self.period
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)


class Undone(TransformerMixin, BaseEstimator):
    """tanh, with an inverse."""

    def __init__(self, inverse=np.arctanh):
        self.inverse = inverse

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.tanh(X)

    def inverse_transform(self, X):
        return self.inverse(X)


def turned(x):
    return np.stack([-x[:, 1], x[:, 0]], axis=1)


def halved(x):
    return x / 2


def shifted(x):
    return np.roll(x, 1, axis=-1)


def net(*layers):
    torch.manual_seed(3)
    return torch.nn.Sequential(*(make() for make in layers))


def dense(n, m):
    return lambda: torch.nn.Linear(n, m)


def shop(*seen):
    return pd.DataFrame({"size": list(seen)})


SEPARATE = [pm.Continuous, pm.Injective, pm.Homeomorphism]
RIGHT = {
    "tanh": (torch.tanh, PLANE, [*SEPARATE, pm.Lipschitz(1.0), pm.LowerLipschitz(0.4), pm.Smooth]),
    "tanh that saturates": (np.tanh, pm.Box([-50.0], [50.0]), SEPARATE),
    "a scaler": (Scaler(), CUBE, [*SEPARATE, pm.property.Affine]),
    "an open map, by what is proved": (pm.Tanh() @ pm.Standardize(), PLANE, None),
    "a fitted map, by what is proved": (
        (pm.Tanh() @ pm.Standardize()).fit([[0.0, 1.0], [4.0, 2.0]]), PLANE, None,
    ),
    "a composite, by what is proved": (2.0 * (pm.Relu() & pm.Identity()), PLANE, None),
    "a small net": (
        net(dense(2, 8), torch.nn.Tanh, dense(8, 3)), PLANE, [pm.Continuous, pm.Bounded(9.0)],
    ),
    "cosines": (Waves(), PLANE, RBF | {"bounded": 15.0, "continuous": True}),
    "many cosines": (RBFSampler(gamma=1.0, n_components=300, random_state=0), CUBE, RBF),
    "the map of this library": (pm.RandomFourier(n_components=64, gamma=1.0), PLANE, RBF),
    "an exact kernel": (pm.Identity(), CUBE, {"kernel": pm.kernels.Linear()}),
    "squares": (
        np.square,
        PLANE,
        {"equivariant": [(turned, lambda f: f[:, ::-1]), (np.negative, np.positive)],
         "invariant": np.negative, "homogeneous": 2},
    ),
    "a shift on a circle": (
        lambda x: x + shifted(x), CUBE, {"equivariant": (shifted, shifted), "lipschitz": 2.0},
    ),
    "an inverse": (Undone(), PLANE, {"inverse": True, "injective": True}),
    "another inverse": (PowerTransformer(), CUBE, {"inverse": True}),
    "the whole rotation": (PCA(), CUBE, {"inverse": True, "lipschitz": 1.0 + 1e-9}),
    "hours": (Hours(), {"hour": range(24)}, [pm.Injective]),
    "sizes": (OneHotEncoder(), {"size": ["S", "M", "L"], "weight": [1, 2]}, [pm.Injective]),
    "a class behind an injective net": (
        net(dense(1, 4), torch.nn.Tanh), LINE, {"universal": pm.models.MLP(), "injective": True},
    ),
}  # fmt: skip

WRONG = {
    "a constant": ("check_lipschitz", halved, LINE, pm.Lipschitz(0.49), {}),
    "a lower constant": ("check_lower_lipschitz", np.sin, LINE, pm.LowerLipschitz(0.56), {}),
    "a bound": ("check_bounded", np.sin, CUBE, pm.Bounded(1.4), {}),
    "a fold": ("check_injective", np.abs, LINE, pm.Injective, {}),
    "a jump": ("check_continuous", np.trunc, LINE, [pm.Continuous], {}),
    "a bend": ("check_affine", np.sin, LINE, pm.property.Affine, {}),
    "no homeomorphism": ("check_homeomorphism", np.trunc, LINE, pm.Homeomorphism, {}),
    "a bias": ("check_homogeneous", lambda x: x + 1e-3, LINE, {"homogeneous": 1}, {}),
    "no symmetry": ("check_invariant", halved, PLANE, {"invariant": turned}, {}),
    "no equivariance": (
        "check_equivariant", np.square, LINE, {"equivariant": (np.negative, np.negative)}, {},
    ),
    "padding": (
        "check_equivariant",
        lambda x: x + np.hstack([0 * x[:, :1], x[:, :-1]]),
        CUBE,
        {"equivariant": (shifted, shifted)},
        {},
    ),
    "no phase": ("check_kernel", Waves(turn=0.0), PLANE, RBF, {}),
    "a forgotten factor": ("check_kernel", Waves(scale=1.0), PLANE, RBF, {}),
    "all of it forgotten": ("check_kernel", Waves(scale=200.0), PLANE, RBF, {}),
    "another gamma": ("check_kernel", Waves(width=1.0), PLANE, RBF, {}),
    "a polynomial without roots": (
        "check_kernel",
        PolynomialFeatures(2),
        PLANE,
        {"kernel": pm.kernels.PolynomialKernel(degree=2, gamma=1.0, coef0=1.0)},
        {},
    ),
    "a wrong inverse": ("check_inverse", Undone(np.arcsin), PLANE, {"inverse": True}, {}),
    "a lossy inverse": ("check_inverse", PCA(2), CUBE, {"inverse": True}, {}),
    "hours that meet": ("check_injective", Hours(23), {"hour": range(24)}, pm.Injective, {}),
    "an unseen value": (
        "check_injective",
        OneHotEncoder(drop="first", handle_unknown="ignore"),
        {"size": ["S", "M", "L"]},
        pm.Injective,
        {"fit_on": shop("S", "M")},
    ),
    "a lost column": (
        "check_injective", Hours(), {"hour": range(24), "weight": (0.5, 2.0)}, pm.Injective, {},
    ),
    "a class behind a fold": ("check_universal", np.abs, LINE, {"universal": pm.models.MLP()}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_what_is_true_raises_nothing(name):
    obj, domain, claims = RIGHT[name]
    for seed in range(1 if name.startswith("a class") else 5):
        report = check_feature_map(obj, domain, claims, checks=OF_CLAIMS, random_state=seed)
        assert report.outcomes
        assert not report.failures, str(report)


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_what_is_false_is_caught_and_replayed(name):
    check, obj, domain, claims, more = WRONG[name]
    report = check_feature_map(obj, domain, claims, checks=[check], **more)
    assert [o.check for o in report.failures] == [check]
    failed = report.failures[0]
    assert isinstance(failed.error, CheckFailed)
    assert len(failed.message) < 900
    names = {"phimaps": pm, "obj": obj, "claims": claims, "fit_on": more.get("fit_on")}
    names |= {type(obj).__name__: type(obj), "array": np.array, "range": range}
    with pytest.raises(CheckFailed) as again:
        eval(failed.replay, names)
    # The numbers of a search may differ in their last digits from those of its replay.
    said = [text.split("\n")[0].split("=")[0] for text in (str(again.value), failed.message)]
    assert said[0] == said[1]


# --- messages ------------------------------------------------------------------------------------
def at(check, obj, *drawn, domain=LINE, claims):
    return lambda: replay(check, obj, *drawn, domain=domain, claims=claims)


MESSAGES = {
    "a false constant": at("check_lipschitz", halved, ([0.0], [1.0]), claims=pm.Lipschitz(0.4)),
    "merged points": at("check_injective", np.abs, ([-1.0], [1.0]), claims=pm.Injective),
    "a jump": at("check_continuous", np.sign, ([0.0], [5e-324]), claims=pm.Continuous),
    "no pair of motions": at(
        "check_equivariant", halved, [[1.0]], claims={"equivariant": np.negative}
    ),
    "a false symmetry": at(
        "check_equivariant", halved, [[1.0]], claims={"equivariant": (np.negative, np.abs)}
    ),
    "a false invariance": at("check_invariant", halved, [[1.0]], claims={"invariant": np.negative}),
    "a motion of another width": at(
        "check_invariant", halved, [[1.0]], claims={"invariant": lambda x: np.hstack([x, x])}
    ),
    "a kernel that is none": at("check_kernel", halved, claims={"kernel": "waves"}),
    "another kernel": at("check_kernel", halved, claims={"kernel": pm.kernels.Linear()}),
    "no class that could be universal": at("check_universal", halved, claims={"universal": True}),
    "no inverse": at("check_inverse", Hours(), [[1.0]], claims={"inverse": True}),
    "a false inverse": at("check_inverse", halved, [[1.0]], claims={"inverse": halved}),
    "an inverse of another width": at(
        "check_inverse", halved, [[1.0]], claims={"inverse": lambda f: np.hstack([f, f])}
    ),
    "hours that coincide": at(
        "check_injective", Hours(23), {"hour": [3]}, domain={"hour": range(24)}, claims=pm.Injective
    ),
    "a column that is not looked at": at(
        "check_injective",
        Hours(),
        {"hour": [3, 4, 5], "weight": [1.0, 2.0, 1.5]},
        domain={"hour": [3, 4, 5], "weight": (0.5, 2.0)},
        claims=pm.Injective,
    ),
}


def sections():
    found, name = {}, ""
    for line in TEXTS.read_text().splitlines():
        if line.startswith("## "):
            name = line[3:]
            found[name] = []
        else:
            found[name].append(line)
    return {name: "\n".join(lines).strip() for name, lines in found.items()}


def test_the_messages_and_the_texts_are_the_same_cases():
    assert list(sections()) == list(MESSAGES)


@pytest.mark.parametrize("case", MESSAGES)
def test_the_message_is_this_one(case):
    with pytest.raises(CheckFailed) as caught:
        MESSAGES[case]()
    # How much rounding explains is measured, and differs from one machine to the next.
    found = re.sub(r"at most [0-9.]+e-[0-9]+", "at most ε", str(caught.value))
    assert found == sections()[case]


# --- claims in their forms ---------------------------------------------------------------------
def test_one_claim_has_many_forms():
    forms = [pm.Injective, [pm.Injective], "injective", ["injective"], {"injective": True}]
    for form in forms[:2] + forms[3:]:
        assert [repr(c) for c in claims_of(abs, form, LINE)] == ["Injective"]
    named = {"lipschitz": 2.0, "bounded": 1, "continuous": False, "kernel": pm.kernels.RBF()}
    told = [repr(c) for c in claims_of(abs, named, LINE)]
    assert told == ["Lipschitz(2)", "Bounded(1)", "~Continuous", "kernel=RBF()"]
    assert claims_of(abs, None, LINE) == []
    proved = claims_of(pm.Tanh(), None, LINE)
    assert {"Injective", "Lipschitz", "Smooth"} <= {c.name for c in proved}
    assert all(c.source != "given" for c in proved)


def test_claims_that_something_exists_are_not_refuted_by_not_finding_it():
    report = check_feature_map(halved, LINE, [~pm.Injective, ~pm.Lipschitz(3.0)], checks=OF_CLAIMS)
    assert report.passed
    assert report.skipped
    assert all("nothing for certain" in o.message for o in report.skipped)
