"""ρ∘f∘φ: a readout behind a class of functions, for targets that are no plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self, final

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..errors import InputError, OperandError, ParameterError, show
from ..map import Codomain, Composite, FeatureMap, Part, combinators
from ..map.codomain import numbers
from ..map.term import Fact
from ..spaces import Euclidean, Image, Space
from .base import Model, typed
from .family import FamilyPullback
from .pullback import Pullback

__all__ = ["Readout"]


def _target(y: Any) -> np.ndarray:
    """Targets as an array of real numbers, or of names."""
    if y is None:
        raise InputError(
            "Readout requires y to be passed, but the target y is None.",
            got="y=None",
            need="a target for each row of X",
            do="fit(X, y)",
        )
    array = np.asarray(y)
    if array.dtype.kind == "c" or not array.size:
        found = "Complex data not supported" if array.size else "Found array with 0 sample(s)"
        raise InputError(
            f"{found}, in y.",
            got=f"y={show(array)}",
            need="real numbers, or labels, a target for each row of X",
            do="y.real, if the rest is 0" if array.size else "pass at least one row",
        )
    return array


def _gives_probabilities(readout: Any) -> bool:
    codomain = readout.codomain
    return codomain is not None and bool(codomain.labels)


@final
class Readout(BaseEstimator):
    """{ρ∘(f_1, ..., f_n)∘φ : f_i ∈ F}, a readout ρ: R^n → Y behind F_φ; written ``rho @ F @ phi``.

    As an estimator it lifts targets y in Y to s(r_t(y)) in R^n by the section s and the collar r_t
    that ρ is known to have, fits members of F to them, and predicts ρ(f(φ(x))), which lies in Y.

    As a mathematical object it can be asked whether it is ``ApproximatelyUniversal``: whether for
    every continuous g: X → Y, every compact part K of X and every ε > 0 some f_1, ..., f_n in F
    have sup |ρ(f(φ(x))) - g(x)| < ε over x in K, with the Euclidean distance of R^m ⊇ Y; for every
    n at once, where ρ takes vectors of any length. Members that have a value outside of Y on K, as
    z / |z| at 0, do not count. It is ``Universal`` if besides all that count are continuous.

    Parameters
    ----------
    readout : FeatureMap
        ρ, closed. `Softmax` for probabilities, `Exp` for positive numbers, `SymmetricExp` for
        positive definite matrices, `UnitNorm` for directions, `Identity` for vectors, and `Fourier`
        of one frequency for angles say what their Y is.
    pulled : Pullback, Model or FamilyPullback
        F @ phi, or F alone, or F behind a family; the last two are no estimators.
    targets : Euclidean, optional
        Y where ρ does not say it: all of R^m.
    collar : float, default 0.01
        t, in (0, 1): how far targets are moved off the boundary of Y before they are lifted, where
        Y has one. Probabilities p become (1 - t) p + t/n, and move by less than t.

    Attributes
    ----------
    fitted_ : list of Pullback
        The fitted members: one for all coordinates where F takes several targets, else one each.
    classes_ : ndarray
        The labels, where targets are labels.

    Raises
    ------
    InputError
        In `fit`: when a target is not finite or lies outside of Y.

    Examples
    --------
    >>> import numpy as np, phimaps as pm
    >>> model = pm.Exp() @ pm.models.Linear(alpha=1e-9) @ pm.Identity()
    >>> x = np.linspace(0.0, 1.0, 20)[:, None]
    >>> np.round(model.fit(x, np.exp(3 * x[:, 0])).predict([[2.0]]) / np.exp(6), 6)
    array([1.])
    >>> pm.decide(model, pm.Universal, on=pm.Box([0.0], [1.0])).holds
    False
    >>> wider = pm.Exp() @ pm.models.MLP() @ pm.Identity()
    >>> pm.decide(wider, pm.Universal, on=pm.Box([0.0], [1.0])).holds
    True
    """

    fitted_: list[Pullback]
    classes_: np.ndarray
    n_features_in_: int
    _flat: bool

    def __init__(self, readout: FeatureMap, pulled: Any, targets: Any = None, collar: float = 0.01):
        self.readout = readout
        self.pulled = pulled
        self.targets = targets
        self.collar = collar

    @property
    def codomain(self) -> Codomain | None:
        """Y and the way back to R^n, where ρ says it and no other Y is asked for."""
        if self.targets is not None or not isinstance(self.readout, FeatureMap):
            return None
        return self.readout.codomain

    # --- the estimator -----------------------------------------------------------------------
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Lift the targets, and fit members of F to φ(X) and their coordinates.

        Parameters
        ----------
        X : as `FeatureMap.fit` takes it, of N rows
        y : array-like
            Points of Y: (N, n) probabilities or (N,) labels, (N,) or (N, n) positive numbers or
            numbers, (N, n) unit vectors, (N, k, k) matrices.
        sample_weight : array-like of shape (N,), optional

        Returns
        -------
        self
        """
        self.check_parameters()
        codomain, target = self._lifting(), _target(y)
        classes, points = self._read(codomain, target)
        lifted = codomain.lift(points, float(self.collar))
        self._check_width(lifted, points)
        fitted = self._members(X, lifted, sample_weight)
        self.fitted_ = fitted
        self._flat = classes is None and target.ndim == 1
        if classes is not None:
            self.classes_ = classes
        elif "classes_" in vars(self):
            del self.classes_
        self.n_features_in_ = fitted[0].n_features_in_
        if hasattr(fitted[0], "feature_names_in_"):
            self.feature_names_in_ = fitted[0].feature_names_in_
        elif "feature_names_in_" in vars(self):
            del self.feature_names_in_
        return self

    def _lifting(self) -> Codomain:
        codomain, pulled = self.codomain, self.pulled
        if codomain is None:
            raise ParameterError(
                f"No way is known from targets back to what {self.readout!r} takes.",
                got=f"readout={self.readout!r}, targets={self.targets!r}",
                need="a readout with a known section, and its own targets",
                do="pm.Softmax(), pm.Exp(), pm.UnitNorm(), pm.SymmetricExp() or pm.Identity()",
            )
        if not isinstance(pulled, Pullback) or pulled.model.task == "classification":
            raise ParameterError(
                "What stands behind a readout regresses on numbers, behind one map.",
                got=f"pulled={pulled!r}",
                need="F @ phi, of a task that is not 'classification'",
                do="pm.Softmax() @ pm.models.Linear() @ phi",
            )
        return codomain

    def _read(self, codomain: Codomain, y: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """The labels, if there are any, and the targets as points of Y."""
        if not codomain.labels or y.shape[1:] not in ((), (1,)):
            return None, codomain.read(y)
        named = column_or_1d(y, warn=True)
        if named.dtype.kind == "f":
            numbers(named, "labels", 1)
        check_classification_targets(named)
        classes, place = np.unique(named, return_inverse=True)
        if len(classes) < 2:
            raise InputError(
                "The targets have one class, and probabilities are about two or more.",
                got=f"1 class: {show(classes[0])}",
                need="at least 2 classes in y",
                do="fit(X, y) with rows of other classes",
            )
        return classes, np.eye(len(classes))[place]

    def _check_width(self, lifted: np.ndarray, points: np.ndarray) -> None:
        takes = self.readout.takes
        if takes is not None and takes != lifted.shape[1:]:
            raise InputError(
                f"The targets do not fit the readout {self.readout!r}.",
                got=f"targets of shape {points.shape[1:]}, lifted to {lifted.shape[1]} numbers",
                need=f"targets that come from {takes[0]} numbers",
                do="a readout of their size",
            )

    def _members(self, X: Any, lifted: np.ndarray, weights: Any) -> list[Pullback]:
        """Fitted pull-backs with one map: for all coordinates at once, or one for each."""
        given = {} if weights is None else {"sample_weight": weights}
        several = self.pulled.model.multioutput
        columns = [lifted] if several and lifted.shape[1] > 1 else list(lifted.T)
        first = clone(self.pulled).fit(X, columns[0], **given)
        fitted = [first]
        features = np.asarray(first.fitted_.transform(X)) if len(columns) > 1 else None
        for column in columns[1:]:
            twin = clone(self.pulled)
            member = twin.model.member(False).fit(features, column, **given)
            fitted.append(twin._keep(first.fitted_, member))
        return fitted

    def lifted(self, X: Any) -> np.ndarray:
        """f(φ(x)) for every row, before the readout, of shape (N, n)."""
        check_is_fitted(self, "fitted_")
        values = [part.predict(X) for part in self.fitted_]
        return np.concatenate([v.reshape(len(v), -1) for v in values], axis=1)

    def _points(self, X: Any) -> np.ndarray:
        """ρ(f(φ(x))) for every row, in Y."""
        z = self.lifted(X)
        points = np.asarray(self.readout(z))
        inside = self._lifting().contains(points)
        if not inside.all():
            row = int(np.argmin(inside))
            raise InputError(
                f"The readout has no value in its targets at row {row}.",
                got=f"f(φ(x)) = {np.array2string(z[row], precision=4, separator=', ')}",
                need=f"a value that {self.readout!r} takes to {self._lifting().words}",
                do="lifted(X) is f(φ(x)) itself; rows like those in fit, or more of them in fit",
            )
        return points

    def predict(self, X: Any) -> np.ndarray:
        """ρ(f(φ(x))) for every row, in the shape of y in `fit`; labels where y was labels.

        Raises
        ------
        InputError
            When ρ has no value in Y there: 0 has no direction, and exp may overflow.
        """
        points = self._points(X)
        if "classes_" in vars(self):
            return np.asarray(self.classes_[points.argmax(axis=1)])
        return points[:, 0] if self._flat else points

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities, of shape (N, n)."""
        return self._points(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of labels; else 1 - Σ |y - ρ(f(φ(x)))|² / Σ |y - mean y|², in R^m ⊇ Y."""
        predicted = self.predict(X)
        if "classes_" in vars(self):
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        given = self._lifting().read(_target(y)).reshape(len(predicted), -1)
        return float(
            r2_score(
                given,
                predicted.reshape(len(predicted), -1),
                sample_weight=sample_weight,
                multioutput="variance_weighted",
            )
        )

    def __matmul__(self, phi: Any) -> Readout:
        return Readout(self.readout, self.pulled @ phi, self.targets, self.collar)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if isinstance(self.pulled, Pullback):
            tags.input_tags = self.pulled.__sklearn_tags__().input_tags
        tags.target_tags.required = True
        labels = _gives_probabilities(self) and not ("fitted_" in vars(self) and not self._named)
        tags.target_tags.multi_output = not labels
        tags.target_tags.positive_only = type(self.codomain).__name__ == "PositiveNumbers"
        return typed(tags, "classification" if labels else "regression")

    @property
    def _named(self) -> bool:
        return "classes_" in vars(self)

    def __repr__(self) -> str:
        if self.targets is not None:
            return f"Readout({self.readout!r}, {self.pulled!r}, {self.targets!r})"
        joined = isinstance(self.readout, Composite) and " @ " not in repr(self.readout)
        text = f"({self.readout!r})" if joined else repr(self.readout)
        return f"{text} @ {self.pulled!r}"

    # --- what `decide` asks of every subject -------------------------------------------------
    @property
    def inner(self) -> Any:
        """F @ phi with the fitted map, if there is one."""
        return vars(self)["fitted_"][0] if "fitted_" in vars(self) else self.pulled

    @property
    def takes(self) -> tuple[int, ...] | None:
        return self.inner.takes

    @property
    def closed(self) -> bool:
        return bool(self.inner.closed)

    @property
    def domain(self) -> Space | None:
        return self.inner.domain

    def facts(self, on: Space) -> Iterator[Fact]:
        yield from ()

    def parts(self, on: Space) -> list[Part]:
        """F_φ is the last; before it ρ on R^n where Y is R^m, which tells nothing of another Y."""
        pulled = Part(self.inner, Image(on, on))
        if self.targets is None:
            return [pulled]
        width = self.readout.takes or self.targets.shape
        return [Part(self.readout, Image(Euclidean(width), Euclidean(width))), pulled]

    def undefined(self, on: Space) -> str | None:
        return self.inner.undefined(on)

    def check_parameters(self) -> None:
        rho, pulled = self.readout, self.pulled
        if not isinstance(rho, FeatureMap) or not isinstance(
            pulled, Pullback | Model | FamilyPullback
        ):
            raise ParameterError(
                "A readout stands behind a class of functions.",
                got=f"readout={show(rho)}, pulled={show(pulled)}",
                need="a FeatureMap, and F @ phi or F",
                do="pm.Softmax() @ pm.models.MLP() @ phi",
            )
        rho.check_parameters()
        pulled.check_parameters()
        if not rho.closed:
            raise ParameterError(
                "A readout is one closed map.",
                got=f"readout={rho!r}",
                need="a map that is bound to data",
                do="rho.bind(Z) @ F @ phi",
            )
        if not 0 < float(self.collar) < 1:
            raise ParameterError(
                "The collar of a readout is a share.",
                got=f"collar={show(self.collar)}",
                need="0 < collar < 1",
                do="pm.models.Readout(rho, F @ phi, collar=0.01)",
            )
        self._check_targets()

    def _check_targets(self) -> None:
        rho, targets = self.readout, self.targets
        if targets is None and rho.codomain is None:
            raise ParameterError(
                f"{rho!r} does not say what the targets are.",
                got="targets=None",
                need="a readout with targets of its own, or all of R^m as targets",
                do="pm.models.Readout(rho, F @ phi, targets=pm.Euclidean(1))",
            )
        if targets is None:
            return
        fits = isinstance(targets, Euclidean)
        if fits:
            shape = rho.takes or targets.shape
            fits = rho.undefined(Euclidean(shape)) is None and (
                rho.out_shape(shape) == targets.shape
            )
        if not fits:
            raise ParameterError(
                f"The targets are not all of what {rho!r} has its values in.",
                got=f"targets={show(targets)}",
                need="None, or the R^m that the readout maps into, from all of R^n",
                do="pm.models.Readout(rho, F @ phi)",
            )


def _read_out(rho: Any, behind: Any) -> Readout | None:
    """``rho @ behind`` where that is a class of functions."""
    if isinstance(behind, Readout):
        if behind.targets is not None:
            raise OperandError(
                "A readout with targets of its own is not read out again.",
                got=f"{rho!r} @ {behind!r}",
                need="one readout",
                do="pm.models.Readout(rho @ sigma, F @ phi, targets)",
            )
        return Readout(rho @ behind.readout, behind.pulled, None, behind.collar)
    if isinstance(behind, Pullback | Model | FamilyPullback):
        return Readout(rho, behind)
    return None


combinators["readout"] = _read_out
