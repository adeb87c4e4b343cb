"""One map of the bed: what is built, what its author says of it, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import FLOAT_DTYPES, check_is_fitted, validate_data

import phimaps as pm

BOX = pm.Box([-2.0] * 3, [2.0] * 3)
PLANE = pm.Box([-2.0] * 2, [2.0] * 2)
LINE = pm.Box([-2.0], [2.0])
IMAGES = pm.Images(1, 8, 8)


@dataclass(frozen=True)
class Case:
    """A map of somebody, with a domain and the claims that its author makes.

    Parameters
    ----------
    name : str
    build : callable
        Makes the object anew.
    domain : Space or Frame
    claims : sequence of Property, or dict
    wrong : str
        What is wrong with it; empty for a sound map.
    by : tuple of str
        The checks that ought to catch it, any of them.
    fit_on : callable, optional
        Makes what copies are fitted to, where that is not drawn from the domain.
    """

    name: str
    build: Callable[[], Any]
    domain: Any
    claims: Any = ()
    wrong: str = ""
    by: tuple[str, ...] = ()
    fit_on: Callable[[], Any] | None = None

    def make(self) -> Any:
        """The object, with the same weights each time, and no generator of the user's moved."""
        before = np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            np.random.seed(7)
            torch.manual_seed(7)
            try:
                return self.build()
            finally:
                np.random.set_state(before)


@dataclass
class Bed:
    """The maps of one file.

    Parameters
    ----------
    cases : list of Case
    """

    cases: list[Case] = field(default_factory=list)

    def add(
        self,
        wrong: str = "",
        *by: str,
        on: Any = BOX,
        claims: Any = (),
        build: Callable[[], Any] | None = None,
        name: str = "",
        fit_on: Callable[[], Any] | None = None,
    ) -> Callable[[Any], Any]:
        """A decorator for a class (called to be built) or a function (which is the map)."""

        def keep(what: Any) -> Any:
            make = build or (what if isinstance(what, type) else lambda: what)
            self.cases.append(Case(name or what.__name__, make, on, claims, wrong, by, fit_on))
            return what

        return keep


class Plain(TransformerMixin, BaseEstimator):
    """A transformer as scikit-learn asks for; a map writes `learn` and `features`."""

    def learn(self, X):
        """What is remembered of the rows that it is fitted on."""

    def fit(self, X, y=None):
        self.learn(validate_data(self, X, dtype=FLOAT_DTYPES))
        return self

    def transform(self, X):
        check_is_fitted(self)
        return self.features(validate_data(self, X, dtype=FLOAT_DTYPES, reset=False))
