"""Maps that are injective by construction, trained inside of ``fit``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils._param_validation import Integral
from sklearn.utils._param_validation import Interval as Range

from ..drawn import generator, seed_of
from ..errors import ParameterError, UnboundError
from ..map import Fact, FeatureMap, Given, pipe
from ..map.items import rows_only
from ..property import Continuous, Homeomorphism, Injective, Smooth, Universal
from ..spaces import Space
from .affine import Diagonal, Standardize
from .invertible import Invertible, checked_rows
from .pointwise import CRelu
from .training import diverged, goal, trained

__all__ = ["COUNT", "LESHNO", "Trained", "TrainedHomeomorphism"]

COUNT = Range(Integral, 1, None, closed="left")
LESHNO = "Leshno, Lin, Pinkus, Schocken 1993: one hidden layer, activation not a polynomial"
# Why affine functions of homeomorphisms of R^d are dense on no set with interior.
OPEN_MAPS = (
    "a·φ + b, for a homeomorphism φ of R^d onto itself, is constant or an open map, so that in no "
    "ball it is greater inside than everywhere on the sphere; -|x - c|² / r² is 0 at the centre "
    "and -1 on the sphere, so that each member misses it by 1/2 or more"
)
# What all of them document, in place of <settings>.
SETTINGS_DOC = """loss : {{"auto", "ridge", "logistic"}}, default "auto"
        Of the linear model that is trained with the map, and then left out. "auto": ridge for
        floating-point numbers, logistic for integers, booleans and strings.
    n_epochs : int, default {n_epochs}
        How often training goes through the rows.
    batch_size : int, default {batch_size}
    learning_rate : float, default {learning_rate}
        Of Adam at the start; it falls to 0 along half a cosine.
    alpha : float, default {alpha:.0e}
        The weight of the squared weights of the linear model.
    random_state : int, RandomState, Generator or None, default {random_state}
        Of the start and the order of the rows. Training is in float64 and repeats itself.

    Raises
    ------
    ParameterError
        When training diverges; before anything is changed."""


class Trained(FeatureMap):
    """x ↦ φ(x), an injective map whose arrays are trained together with a linear model; abstract.

    Coordinates are standardized first. Without a target the map is the one training starts from.
    """

    __slots__ = ()
    if TYPE_CHECKING:
        # Fields stand in the final classes, in the order of their constructors.
        loss: str
        n_epochs: int
        batch_size: int
        learning_rate: float
        alpha: float
        random_state: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        doc = cls.__doc__ or ""
        if "<settings>" in doc:
            cls.__doc__ = doc.replace("<settings>", SETTINGS_DOC.format(**vars(cls)))

    @abstractmethod
    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        """The arrays to be trained, as they are at first, for rows of d coordinates."""

    @abstractmethod
    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the linear model sees, for standardized rows x."""

    @abstractmethod
    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        """The closed maps with these arrays, the first one first."""

    @property
    def random(self) -> bool:
        return self.random_state is None

    def close(self, x: torch.Tensor, given: Given) -> FeatureMap:
        rows_only(self, x.shape)
        wanted = None if given.y is None else goal(self, given.y, len(x), self.loss)
        rng = generator(seed_of(self.random_state))
        arrays = self.start(x.shape[1], rng)
        scale = Standardize().bound(x, Given(given.names))
        if wanted is not None:
            with torch.no_grad():
                rows = scale.forward(x.to(torch.float64, copy=True))
            arrays = trained(self, rows, wanted, arrays, rng)
        layers = self.layers(arrays)
        try:
            for layer in layers:
                layer.check_parameters()
        except ParameterError as error:
            raise diverged(self, f"a {type(layer).__name__} that is refused") from error
        return pipe(scale, *layers)

    def inverse(self, y: Any) -> Any:
        """The x with φ(x) = y, exact up to rounding.

        Parameters
        ----------
        y : tensor or array-like of shape (n, d_out)
            Points φ(x).

        Returns
        -------
        tensor or ndarray of shape (n, d_in)

        Raises
        ------
        UnboundError, ShapeError, InputError
            When the map is not fitted, or points do not have d_out finite coordinates.
        """
        closed = vars(self).get("map_")
        if closed is None:
            raise UnboundError(
                f"This {type(self).__name__} instance is not fitted yet: it has no inverse.",
                got=f"{self!r}",
                need="a map that is bound to data",
                do="phi.fit(X, y).inverse(phi.transform(X))",
            )
        width = closed.out_shape((self.n_features_in_,))  # type: ignore[attr-defined]
        points = checked_rows(self, y, width)
        with torch.no_grad():
            for layer in reversed(closed.maps):
                points = _undone(layer, points)
        return points if isinstance(y, torch.Tensor) else points.numpy()


def _undone(layer: Any, y: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, Invertible):
        return layer.undo(y)
    if isinstance(layer, CRelu):
        return y[:, : y.shape[1] // 2] - y[:, y.shape[1] // 2 :]
    weight, bias = layer.weights(y)
    if isinstance(layer, Diagonal):
        return (y - bias) / weight
    # The matrix has at least as many columns as rows, and full rank.
    return torch.linalg.lstsq(weight.T, (y - bias).T, driver="gels").solution.T


class TrainedHomeomorphism(Trained):
    """x ↦ φ(x), a smooth homeomorphism of R^d onto itself that is trained; abstract."""

    __slots__ = ()

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "each unit is a homeomorphism of R^d onto itself, and every scale is positive"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "each unit has derivatives of all orders"

    def upgrades(self, on: Space) -> Iterator[Fact]:
        if on.interior:
            yield ~Universal, OPEN_MAPS
