"""Maps that are injective by construction, trained inside of ``fit``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import inf, sqrt
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral
from sklearn.utils._param_validation import Interval as Range

from ..drawn import generator, seed_of
from ..errors import ParameterError, UnboundError, show
from ..map import Fact, FeatureMap, Given, pipe
from ..map.items import rows_only
from ..property import Continuous, Homeomorphism, Injective, Smooth
from ..spaces import Space
from .affine import Affine, Diagonal, Standardize
from .coupling import Coupling
from .invertible import Invertible, checked_rows
from .lift import Lift
from .pointwise import CRelu
from .reconfiguration import ReconfigurationUnit, unit
from .training import SETTINGS, diverged, goal, trained

__all__ = ["CReluNetwork", "CouplingNetwork", "ReconfigurationNetwork", "Trained"]

_COUNT = Range(Integral, 1, None, closed="left")


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


@final
class ReconfigurationNetwork(Trained):
    """x ↦ u_n(…u_1(z)), reconfiguration units of the standardized z, trained in fit; open.

    A homeomorphism of R^d, deformed out of the identity so that a linear model of its coordinates
    fits the target. Bound, it is a chain of `ReconfigurationUnit`.

    Parameters
    ----------
    n_units : int, default 4
    n_profiles : int, default 1
        How many radial profiles each twist has.
    loss : {"auto", "ridge", "logistic"}, default "auto"
        Of the linear model that is trained with the map, and then left out. "auto": ridge for
        floating-point numbers, logistic for integers, booleans and strings.
    n_epochs : int, default 60
        How often training goes through the rows.
    batch_size : int, default 128
    learning_rate : float, default 0.01
        Of Adam at the start; it falls to 0 along half a cosine.
    alpha : float, default 1e-4
        The weight of the squared weights of the linear model.
    random_state : int, RandomState, Generator or None, default 0
        Of the start and the order of the rows. Training is in float64 and repeats itself.

    Raises
    ------
    ParameterError
        When training diverges; before anything is changed.

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation; see `Twist` for what is corrected.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = ReconfigurationNetwork(n_units=2, n_epochs=5).fit(X, np.hypot(*X.T) < 0.8)
    >>> bool(np.allclose(phi.inverse(phi.transform(X)), X))
    True
    """

    n_units: int = 4
    n_profiles: int = 1
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.01
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"n_units": [_COUNT], "n_profiles": [_COUNT]} | SETTINGS

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        k, arrays = self.n_profiles, list[np.ndarray]()
        for _ in range(self.n_units):
            arrays += [
                rng.standard_normal(d) / 2,
                rng.standard_normal((k, d, d)) / sqrt(d) / 4,
                # Logarithms, as widths are positive.
                np.log(sqrt(d) * rng.uniform(0.5, 2, k)),
                rng.standard_normal((d, d)) / d / 10,
                np.zeros(d),
                # Roots, as heights are not negative.
                np.full(d, 0.3),
            ]
        return arrays

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        for i in range(0, len(arrays), 6):
            centre, generators, widths, power, bias, root = arrays[i : i + 6]
            weight = torch.linalg.matrix_exp(power)
            x = unit(x, (centre, generators, widths.exp(), weight, bias, root**2))
        return x

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        found: list[FeatureMap] = []
        for i in range(0, len(arrays), 6):
            centre, generators, widths, power, bias, root = arrays[i : i + 6]
            weight = torch.linalg.matrix_exp(torch.from_numpy(power)).numpy()
            found.append(
                ReconfigurationUnit(centre, generators, np.exp(widths), weight, bias, root**2)
            )
        return found

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "every unit is a homeomorphism, and every scale is positive"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "every unit has derivatives of all orders"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_units=2, n_epochs=1)


@final
class CReluNetwork(Trained):
    """x ↦ σ(W_n'…σ(W_1'z + b_1)… + b_n), σ = `CRelu`, W = [I V], of the standardized z; open.

    Each layer is injective: the singular values of [I V] are at least 1, and σ keeps both signs.
    Bound, it is a chain of `Affine` and `CRelu`.

    Parameters
    ----------
    widths : tuple of int, default (64,)
        How many columns each V has: n coordinates become 2 (n + width).
    loss : {"auto", "ridge", "logistic"}, default "auto"
        Of the linear model that is trained with the map, and then left out. "auto": ridge for
        floating-point numbers, logistic for integers, booleans and strings.
    n_epochs : int, default 60
        How often training goes through the rows.
    batch_size : int, default 128
    learning_rate : float, default 0.003
        Of Adam at the start; it falls to 0 along half a cosine.
    alpha : float, default 1e-4
        The weight of the squared weights of the linear model.
    random_state : int, RandomState, Generator or None, default 0
        Of the start and the order of the rows. Training is in float64 and repeats itself.

    Raises
    ------
    ParameterError
        When training diverges; before anything is changed.

    References
    ----------
    Shang, Sohn, Almeida, Lee (2016), Understanding and improving convolutional neural networks via
    concatenated rectified linear units.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = CReluNetwork((3,), n_epochs=5).fit(X, X[:, 0] * X[:, 1])
    >>> phi.transform(X).shape, bool(np.allclose(phi.inverse(phi.transform(X)), X))
    ((50, 10), True)
    """

    widths: Any = (64,)
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.003
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"widths": [tuple, list]} | SETTINGS

    def check_parameters(self) -> None:
        super().check_parameters()
        whole = all(isinstance(w, int | np.integer) and w >= 0 for w in self.widths)
        if not whole or not len(self.widths):
            raise ParameterError(
                "The 'widths' parameter of CReluNetwork must hold numbers of columns. Got "
                f"{show(self.widths)} instead.",
                got=f"widths={show(self.widths)}",
                need="at least one integer, none negative",
                do="CReluNetwork(widths=(64,))",
            )

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        arrays = list[np.ndarray]()
        for width in self.widths:
            arrays.append(rng.standard_normal((d, width)) * sqrt(2 / d))
            arrays.append(np.concatenate([np.zeros(d), rng.uniform(-1, 1, width)]))
            d = 2 * (d + width)
        return arrays

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        for i in range(0, len(arrays), 2):
            z = torch.cat([x, x @ arrays[i]], dim=1) + arrays[i + 1]
            x = torch.cat([torch.relu(z), torch.relu(-z)], dim=1)
        return x

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        found: list[FeatureMap] = []
        for i in range(0, len(arrays), 2):
            weight = np.hstack([np.eye(len(arrays[i])), arrays[i]])
            found += [Affine(weight, arrays[i + 1]), CRelu()]
        return found

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "[I V] and the concatenated rectifier are injective, and every scale is positive"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, f"{why}; left inverses of both are continuous"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls((2,), n_epochs=2)


@final
class CouplingNetwork(Trained):
    """x ↦ (z, h(z)), a `Lift` and then a `Coupling` of the standardized z, trained in fit; open.

    Linear functions of it are universal as n_hidden grows; of homeomorphisms of R^d they are not.

    Parameters
    ----------
    n_hidden : int, default 64
        How many tanh units h has.
    count : int, default 1
        How many values h has.
    loss : {"auto", "ridge", "logistic"}, default "auto"
        Of the linear model that is trained with the map, and then left out. "auto": ridge for
        floating-point numbers, logistic for integers, booleans and strings.
    n_epochs : int, default 60
        How often training goes through the rows.
    batch_size : int, default 128
    learning_rate : float, default 0.01
        Of Adam at the start; it falls to 0 along half a cosine.
    alpha : float, default 1e-4
        The weight of the squared weights of the linear model.
    random_state : int, RandomState, Generator or None, default 0
        Of the start and the order of the rows. Training is in float64 and repeats itself.

    Raises
    ------
    ParameterError
        When training diverges; before anything is changed.

    References
    ----------
    Kratsios, Hyndman (2021), NEU: a meta-algorithm for universal UAP-invariant feature
    representation.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    >>> phi = CouplingNetwork(8, n_epochs=5).fit(X, X[:, 0] * X[:, 1])
    >>> phi.transform(X).shape, bool(np.allclose(phi.inverse(phi.transform(X)), X))
    ((50, 3), True)
    """

    n_hidden: int = 64
    count: int = 1
    loss: str = "auto"
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.01
    alpha: float = 1e-4
    random_state: Any = 0

    _parameter_constraints = {"n_hidden": [_COUNT], "count": [_COUNT]} | SETTINGS

    def start(self, d: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [
            rng.standard_normal((d, self.n_hidden)) * sqrt(2 / d),
            rng.uniform(-1, 1, self.n_hidden),
            rng.standard_normal((self.n_hidden, self.count)) / sqrt(self.n_hidden),
        ]

    def features(self, x: torch.Tensor, arrays: Sequence[torch.Tensor]) -> torch.Tensor:
        weight, bias, out = arrays
        return torch.cat([x, torch.tanh(x @ weight + bias) @ out], dim=1)

    def layers(self, arrays: Sequence[np.ndarray]) -> list[FeatureMap]:
        return [Lift(self.count), Coupling(*arrays)]

    def facts(self, on: Space) -> Iterator[Fact]:
        why = "(z, h(z)) gives z back, and h is continuous"
        yield Continuous, why
        yield Injective, why
        yield Homeomorphism, why
        yield Smooth(inf), "tanh has derivatives of all orders"

    @classmethod
    def example(cls) -> FeatureMap:
        return cls(n_hidden=3, n_epochs=2)
