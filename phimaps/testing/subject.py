"""What is tested: one face for maps, transformers, torch modules and functions."""

from __future__ import annotations

import copy
from functools import cached_property
from types import CellType, FunctionType
from typing import Any, final

import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from ..errors import OperandError, show
from ..map import FeatureMap
from ..maps.transformers import is_fitted
from ..spaces import Space
from .domains import domain_of, is_data
from .frames import Frame

__all__ = ["Instance", "Subject", "seeded", "target_of"]

# How many rows a subject is fitted to where no data are given.
FITTED = 64


@final
class Instance:
    """A copy of the subject that is fitted and may be played with.

    Parameters
    ----------
    subject : Subject
    obj : object
        The copy.
    """

    def __init__(self, subject: Subject, obj: Any):
        self.subject, self.obj = subject, obj

    def __call__(self, X: Any) -> Any:
        """What a user gets for these rows: ``transform(X)``, or what a call returns.

        A module or a function is called without gradients, on a tensor that shares its memory with
        X where the dtypes agree; the result is an array.
        """
        if self.subject.kind in ("map", "transformer"):
            return self.obj.transform(X)
        if not self.subject.has("tensors"):
            return self.obj(X)
        with torch.no_grad():
            result = self.obj(self._tensor(X))
        return result.detach().cpu().numpy() if isinstance(result, torch.Tensor) else result

    def features(self, X: Any) -> np.ndarray:
        """The features as float64 numbers of shape (n, d)."""
        result = self(X)
        if scipy.sparse.issparse(result):
            result = result.toarray()
        values = np.asarray(result)
        if values.dtype == object or values.dtype.kind in "US":
            values = values.astype(np.float64)
        if values.ndim == 0:
            raise ValueError(f"one number came out for {len(X)} rows")
        return values.reshape(len(values), -1).astype(np.float64)

    def tensor(self, x: torch.Tensor) -> torch.Tensor:
        """The features of a tensor of rows, with their gradient."""
        result = self.obj(x)
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"a tensor went in, and {type(result).__name__} came out")
        return result

    def _tensor(self, X: Any) -> torch.Tensor:
        array = np.asarray(X)
        x = torch.from_numpy(array if array.flags.c_contiguous else np.ascontiguousarray(array))
        first = _first_parameter(self.obj)
        return x if first is None else x.to(device=first.device, dtype=_read_as(first, x))


@final
class Subject:
    """An object under test, with the rows it takes and what its author claims.

    Parameters
    ----------
    obj : FeatureMap, estimator with fit and transform, torch module, or function
        A function takes a tensor or an array of shape (n, *point). What is fitted already is tested
        as it is; else copies are fitted. The object itself is never altered.
    domain : Space, Frame, dict, array or DataFrame, optional
        The points it takes. A dict makes a `Frame`: intervals and lists of values by column. Data
        stand for the box, or the frame, around them, and are fitted to. Default: the map's own
        domain, else numbers, as many as the object says.
    claims : Property, list, dict, optional
        See `check_feature_map`.
    fit_on : data, optional
        What copies are fitted to. Default: 64 points of the domain.
    random_state : int, default 0
    name : str, optional
        What it is called in ids and summaries. Default: its class, or the function.
    dtype : {numpy.float64, numpy.float32}, optional
        The precision of the rows that it is given. Default: that of a module's parameters, else
        float64.

    Raises
    ------
    OperandError
        When the object is none of these.
    ParameterError
        When the domain is not one.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> import phimaps as pm
    >>> subject = Subject(StandardScaler(), domain=pm.Box([-1.0, 0.0], [1.0, 5.0]))
    >>> subject.kind, subject.has("gradient"), subject.has("names")
    ('transformer', False, True)
    """

    def __init__(
        self,
        obj: Any,
        domain: Any = None,
        claims: Any = None,
        fit_on: Any = None,
        random_state: int = 0,
        name: str | None = None,
        dtype: Any = None,
    ):
        self.obj, self.claims, self.random_state = obj, claims, random_state
        self.kind, self._name, self._dtype = _kind(obj), name, dtype
        self.given = domain
        data = domain if is_data(domain) else None
        self.domain: Space | Frame = domain_of(obj, self.kind, domain)
        self.data = fit_on if fit_on is not None else data
        self._fitted: Any = None
        # Whether fits need a target, once one was made.
        self.supervised = False

    # --- what it is ----------------------------------------------------------------------------
    @property
    def notation(self) -> str:
        """The object as it writes itself, on one line."""
        try:
            return " ".join(repr(self.obj).split())
        except Exception:
            # A `repr` that raises is for the checks to find.
            return f"<{self.name}>"

    @property
    def name(self) -> str:
        """What it is called: by its class, or the name of the function."""
        if self._name is not None:
            return self._name
        own = self.obj if self.kind == "function" else type(self.obj)
        return getattr(own, "__name__", type(self.obj).__name__)

    @cached_property
    def dtype(self) -> np.dtype:
        """The precision of the rows that it is given."""
        if self._dtype is not None:
            return np.dtype(self._dtype)
        first = _first_parameter(self.obj)
        small = first is not None and self.kind == "module" and first.dtype != torch.float64
        return np.dtype(np.float32 if small else np.float64)

    def has(self, facet: str) -> bool:
        """Whether it has a facet; see `FACETS`."""
        return facet in self.facets

    @cached_property
    def facets(self) -> frozenset[str]:
        """The facets that it has."""
        rows = isinstance(self.domain, Frame)
        return self.plain_facets | (set() if rows else self._about_tensors())

    @cached_property
    def plain_facets(self) -> frozenset[str]:
        """The facets that are seen without evaluating it."""
        found = set()
        if self.kind in ("map", "transformer"):
            found |= {"estimator", "fit"}
            if hasattr(self.obj, "get_params") and hasattr(self.obj, "set_params"):
                found.add("params")
            if hasattr(self.obj, "get_feature_names_out"):
                found.add("names")
            if hasattr(self.obj, "inverse_transform") or hasattr(self.obj, "inverse"):
                found.add("inverse")
        if self.kind in ("map", "module"):
            found.add(self.kind)
        if isinstance(self.domain, Space):
            found |= {"numbers", "space"}
        elif all(getattr(d, "kind", "O") in "iuf" for d in self.domain.sample(2, 0).dtypes):
            found.add("numbers")
        return frozenset(found)

    def _about_tensors(self) -> set[str]:
        if self.kind == "transformer":
            return set()
        if self.kind == "module":
            return {"tensors", "gradient"}
        x = torch.from_numpy(np.ascontiguousarray(self.domain.sample(3, 0)))
        obj = self.fresh().obj
        try:
            with torch.no_grad():
                if not isinstance(obj(x.clone()), torch.Tensor):
                    return set()
        except Exception:
            # A function of arrays refuses tensors in many ways.
            return set()
        try:
            obj(x.clone().requires_grad_(True))
        except Exception:
            return {"tensors"}
        return {"tensors", "gradient"}

    # --- copies --------------------------------------------------------------------------------
    def rows(self, n: int, random_state: int = 0) -> Any:
        """n rows of the domain, drawn."""
        drawn = self.domain.sample(n, random_state)
        return drawn.astype(self.dtype) if isinstance(drawn, np.ndarray) else drawn

    @cached_property
    def fit_data(self) -> Any:
        """What copies are fitted to."""
        return self.rows(FITTED, self.random_state) if self.data is None else self.data

    def unfitted(self) -> Any:
        """An independent copy as its author made it, not fitted."""
        if self.has_params:
            return clone(self.obj)
        if isinstance(self.obj, FunctionType):
            return _own_state(self.obj)
        return copy.deepcopy(self.obj)

    @property
    def has_params(self) -> bool:
        """Whether it can be cloned as estimators are."""
        return self.kind in ("map", "transformer") and hasattr(self.obj, "get_params")

    @property
    def fitted(self) -> bool:
        """Whether the object was given fitted."""
        return self.kind in ("map", "transformer") and _looks_fitted(self.obj)

    def fresh(self) -> Instance:
        """An independent copy, fitted."""
        if self.kind in ("module", "function"):
            return Instance(self, self.unfitted())
        if self._fitted is None:
            self._fitted = self.obj if self.fitted else self.fit(self.unfitted())
            if self._fitted is None:
                raise TypeError(f"{self.name}.fit returned None; it must return the estimator")
        return Instance(self, copy.deepcopy(self._fitted))

    def fit(self, estimator: Any, X: Any = None, way: str = "fit") -> Any:
        """What an estimator's ``fit`` returns on rows, with a target if it needs one.

        Default: on a copy of `fit_data`. `way` may be "fit_transform" as well.

        Where it would draw anew each time it is given a seed: one map is tested, not many.
        """
        X = copy.deepcopy(self.fit_data) if X is None else X
        call = getattr(seeded(estimator), way)
        self.supervised = self.supervised or _needs_target(estimator)
        if self.supervised:
            return call(X, target_of(X))
        try:
            return call(X)
        except (TypeError, ValueError):
            # Not all that need a target say so.
            try:
                result = call(X, target_of(X))
            except Exception:
                pass
            else:
                self.supervised = True
                return result
            raise

    def __repr__(self) -> str:
        return f"Subject({self.name}, domain={self.domain!r})"


def _own_state(function: FunctionType) -> FunctionType:
    """The function with its own defaults and variables: what it remembers stays with the copy."""
    cells = tuple(_own(c) for c in function.__closure__ or ())
    twin = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        copy.deepcopy(function.__defaults__),
        cells,
    )
    twin.__kwdefaults__ = copy.deepcopy(function.__kwdefaults__)
    twin.__dict__.update(function.__dict__)
    twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
    return twin


def _own(cell: CellType) -> CellType:
    try:
        return CellType(copy.deepcopy(cell.cell_contents))
    except Exception:
        # What cannot be copied is shared, as it is between all calls of the function.
        return cell


def seeded(estimator: Any) -> Any:
    """The estimator, its ``random_state`` set to 0 wherever it is None.

    Examples
    --------
    >>> from sklearn.kernel_approximation import RBFSampler
    >>> seeded(RBFSampler())
    RBFSampler(random_state=0)
    """
    try:
        parameters = estimator.get_params()
    except Exception:
        # Objects without parameters have no seed; what is wrong with them a check says.
        return estimator
    open_seeds = {
        name: 0
        for name, value in parameters.items()
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    return estimator.set_params(**open_seeds) if open_seeds else estimator


def target_of(X: Any) -> np.ndarray:
    """The target that rows are given where a fit needs one: two classes in turn."""
    return np.arange(len(X)) % 2


def _needs_target(estimator: Any) -> bool:
    try:
        return bool(get_tags(estimator).target_tags.required)
    except Exception:
        # What is no BaseEstimator has no tags.
        return False


def _kind(obj: Any) -> str:
    if isinstance(obj, type):
        raise OperandError(
            f"{obj.__name__} is a class, and an instance is tested.",
            got=f"the class {obj.__name__}",
            need="an object with its parameters",
            do=f"check_feature_map({obj.__name__}(...))",
        )
    if isinstance(obj, FeatureMap):
        return "map"
    if hasattr(obj, "fit") and hasattr(obj, "transform"):
        return "transformer"
    if isinstance(obj, torch.nn.Module):
        return "module"
    if callable(obj):
        return "function"
    raise OperandError(
        f"A feature map is tested, and {show(obj)} is none.",
        got=f"an object of type {type(obj).__name__}",
        need="a map, an estimator with fit and transform, a torch module or a function",
        do="check_feature_map(pm.Standardize()), or check_feature_map(lambda x: x**3)",
    )


def _looks_fitted(obj: Any) -> bool:
    # An estimator without state counts as fitted for scikit-learn, and may still need its names.
    learned = any(k.endswith("_") and not k.startswith("_") for k in getattr(obj, "__dict__", ()))
    if isinstance(obj, BaseEstimator) or hasattr(obj, "__sklearn_is_fitted__"):
        return bool(is_fitted(obj)) and (learned or isinstance(obj, Pipeline))
    return learned


def _first_parameter(obj: Any) -> torch.Tensor | None:
    if not isinstance(obj, torch.nn.Module):
        return None
    held = [*obj.parameters(), *obj.buffers()]
    return next((p for p in held if p.is_floating_point()), None)


def _read_as(parameter: torch.Tensor, x: torch.Tensor) -> torch.dtype:
    # Pictures of bytes are for the module to convert.
    return parameter.dtype if x.is_floating_point() else x.dtype
