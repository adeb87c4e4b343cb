"""Parameters: checked, set by nested names without touching shared parts, copied and pickled."""

from __future__ import annotations

import copy
import difflib
from collections import Counter
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from .errors import ParameterError, PhimapsError, show

__all__ = ["SEEN", "Numbered", "Parametric"]

# What `fit` records of the data; all of it goes when a parameter changes.
SEEN = ("n_features_in_", "feature_names_in_", "in_shape_")


class Parametric(BaseEstimator):
    """An object that is its parameters, with a memo of what was computed from them; abstract."""

    __slots__ = ("_cache",)

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def check_parameters(self) -> None:
        """Raise ParameterError for a parameter of the wrong type or range."""
        try:
            validate_parameter_constraints(
                self._parameter_constraints, self.get_params(deep=False), type(self).__name__
            )
        except InvalidParameterError as error:
            text = str(error)
            name = text.split("'")[1]
            need = text.split(" must be ", 1)[-1].rsplit(". Got ", 1)[0]
            shown = show(getattr(self, name))
            raise ParameterError(
                f"The '{name}' parameter of {type(self).__name__} must be {need}. Got {shown} "
                "instead.",
                got=f"{name}={shown}",
                need=need,
                do=f"set_params({name}=...) with such a value",
            ) from None

    def _settable(self) -> dict[str, Any]:
        return self.get_params(deep=False)

    def _assign(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, nested ones as ``part__name``; a fit is dropped.

        Parts are replaced by changed copies, so an object that also stands in another expression
        keeps its own parameters.

        Parameters
        ----------
        **params
            New values.

        Returns
        -------
        self

        Raises
        ------
        ParameterError
            For a name that does not exist; nothing is changed then.
        """
        values = {key: value for key, value in params.items() if "__" not in key}
        twin = self._shallow_copy()
        valid = twin._settable()
        for key in values:
            if key not in valid:
                self._unknown_parameter(key, valid)
        twin._assign(values)
        nested: dict[str, dict[str, Any]] = {}
        for key in params.keys() - values.keys():
            name, _, below = key.partition("__")
            nested.setdefault(name, {})[below] = params[key]
        parts = twin._settable()
        for name, changes in nested.items():
            part = parts.get(name)
            if not hasattr(part, "set_params"):
                self._unknown_parameter(f"{name}__{next(iter(changes))}", self.get_params())
            fresh = part._shallow_copy() if isinstance(part, Parametric) else clone(part)
            try:
                parts[name] = fresh.set_params(**changes)
            except PhimapsError:
                raise
            except ValueError:
                self._unknown_parameter(f"{name}__{next(iter(changes))}", self.get_params())
        twin._assign({name: parts[name] for name in nested})
        if params:
            self._drop_fit()
            self.__dict__.update(vars(twin))
            self._forget()
        return self

    def _unknown_parameter(self, key: str, valid: dict[str, Any]) -> NoReturn:
        near = difflib.get_close_matches(key, valid, n=1)
        names = sorted(valid)
        shown = names if len(names) <= 12 else [*names[:11], f"... ({len(names)} in all)"]
        raise ParameterError(
            f"Invalid parameter {key!r} for estimator {type(self).__name__}.",
            got=f"set_params({key}=...)",
            need=f"one of {', '.join(shown)}" if names else "nothing: it has no parameters",
            do=f"did you mean {near[0]!r}?" if near else "get_params() lists the names",
        )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        made._forget()
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if not name.endswith("_") and not name.startswith("_"):
            self._drop_fit()
            # After the value: what another thread computes from the old one then goes to waste.
            self._forget()

    def _forget(self) -> None:
        object.__setattr__(self, "_cache", {})

    def _drop_fit(self) -> None:
        for name in ("map_", *SEEN):
            self.__dict__.pop(name, None)

    def _shallow_copy(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update({k: v for k, v in vars(self).items() if k != "map_" and k not in SEEN})
        # What was computed from the same parameters holds for both; a change replaces the memo.
        object.__setattr__(twin, "_cache", self._cache)
        return twin

    def _snapshot(self) -> Self:
        """A copy that later changes of parameters do not reach; weights are shared."""
        return self._shallow_copy()

    def __getstate__(self) -> dict[str, Any]:
        # Tensors leave as arrays, so that a pickle loads on any device and safe formats take it.
        tensors = [k for k, v in vars(self).items() if isinstance(v, torch.Tensor)]
        state = dict(vars(self)) | {k: vars(self)[k].detach().cpu().numpy() for k in tensors}
        return state | {"_tensors": tensors} if tensors else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        tensors = state.get("_tensors", ())
        for key, value in state.items():
            if key != "_tensors":
                self.__dict__[key] = torch.from_numpy(np.array(value)) if key in tensors else value

    def __copy__(self) -> Self:
        twin = self._shallow_copy()
        twin.__dict__.update(vars(self))
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # By way of a pickle, tensors would lose their device and their need of a gradient.
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update({k: copy.deepcopy(v, memo) for k, v in vars(self).items()})
        object.__setattr__(twin, "_cache", dict(self._cache))
        return twin


class Numbered(Parametric):
    """An object with a tuple of parts, reached as in ``make_pipeline``; abstract.

    A part is named after its type in small letters; repeated types are numbered ``affine-1``,
    ``affine-2``.
    """

    __slots__ = ()
    # The field that holds the tuple.
    held: ClassVar[str]

    def named(self) -> list[tuple[str, Any]]:
        """The parts with their parameter names, in the order in which they stand."""
        parts = getattr(self, self.held)
        stems = [type(p).__name__.lower() for p in parts]
        count = Counter(stems)
        # A class of the user's may be called like a parameter.
        count.update(s for s in count if s in self._get_param_names())
        seen: Counter[str] = Counter()
        names = []
        for stem in stems:
            seen[stem] += 1
            names.append(stem if count[stem] == 1 else f"{stem}-{seen[stem]}")
        return list(zip(names, parts, strict=True))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        params = super().get_params(deep=False)
        if deep and isinstance(getattr(self, self.held), tuple | list):
            for name, part in self.named():
                params[name] = part
                if hasattr(part, "get_params"):
                    params |= {f"{name}__{k}": v for k, v in part.get_params(deep=True).items()}
        return params

    def _settable(self) -> dict[str, Any]:
        own = self.get_params(deep=False)
        listed = isinstance(getattr(self, self.held), tuple | list)
        return own | dict(self.named()) if listed else own

    def _assign(self, values: dict[str, Any]) -> None:
        own = self.get_params(deep=False)
        super()._assign({k: v for k, v in values.items() if k in own})
        if values.keys() - own.keys():
            # All at once, as the names follow from the types of the parts.
            setattr(self, self.held, tuple(values.get(n, part) for n, part in self.named()))
