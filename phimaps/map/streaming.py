"""Open maps that need only one pass over the data, and so can be fitted batch by batch."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from ..batches import gathered
from ..ingest import read
from ..parameters import SEEN
from ..rows import apply, as_tensor, device_of
from .feature import FeatureMap
from .term import Given

__all__ = ["OnePass"]


def _streams(phi: Any) -> bool:
    return phi.streams


class OnePass(FeatureMap):
    """An open map that is a reduction of the data: it absorbs rows and then settles; abstract.

    Binding to data is absorbing them at once, so batches lead to the same map.
    """

    __slots__ = ()

    # --- what an author writes ---------------------------------------------------------------
    @abstractmethod
    def absorb(self, state: Any, x: Any, given: Given) -> Any:
        """The state after more rows, a new object; `state` is None before the first ones."""

    @abstractmethod
    def settle(self, state: Any) -> FeatureMap | None:
        """The closed map of a state, or None while there are too few rows for one."""

    def gather(self, x: Any, given: Given) -> Any:
        """The state after all rows; overridden where they tell more together."""
        return self.absorb(None, x, given)

    @property
    def streams(self) -> bool:
        """Whether the parameters allow a single pass."""
        return True

    # --- derived -----------------------------------------------------------------------------
    def close(self, x: Any, given: Given) -> Any:
        return self.settle(self.gather(x, given))

    @available_if(_streams)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Take in a batch of rows.

        Kept beside ``map_`` is what later batches need, as ``state_``: its size does not grow with
        the rows. `fit` starts anew and can be continued; `set_params` and ``clone`` drop the state.

        Parameters
        ----------
        X : as `fit` takes it
            A batch; any split of the rows into batches leads to the same map, up to rounding.
        y : array-like, optional
            Ignored.

        Returns
        -------
        self
        """
        return self._absorb(X, y, {}, whole=False)

    def _fit(self, X: Any, y: Any, params: dict[str, Any]) -> Self:
        return (
            self._absorb(X, y, params, whole=True) if self.streams else super()._fit(X, y, params)
        )

    def _absorb(self, X: Any, y: Any, params: dict[str, Any], whole: bool) -> Self:
        # As in `_bound_to`, a copy refuses what is to be refused.
        probe = self._shallow_copy()
        probe.check_parameters()
        state = None if whole else vars(self).get("state_")
        if state is not None:
            probe.__dict__.update({k: v for k, v in vars(self).items() if k in SEEN})
        rows = read(probe, gathered(X, whole=True), reset=state is None)
        data = as_tensor(rows.data) if isinstance(rows.data, np.ndarray) else rows.data
        data = data.detach() if hasattr(data, "detach") else data
        given = Given(rows.names, y, params)
        state = probe.gather(data, given) if whole else probe.absorb(state, data, given)
        closed = probe.settle(state)
        seen = {k: v for k, v in vars(probe).items() if k in SEEN}
        kept: dict[str, Any] = {"state_": state}
        if closed is not None:
            apply(closed, data[:1], device=device_of(closed))
            closed.__dict__.update(seen)
            kept["map_"] = closed
        self._drop_fit()
        self.__dict__.update(seen, **kept)
        return self

    def _drop_fit(self) -> None:
        super()._drop_fit()
        self.__dict__.pop("state_", None)

    def _shallow_copy(self) -> Self:
        twin = super()._shallow_copy()
        twin.__dict__.pop("state_", None)
        return twin
