"""Neural networks."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import Any, ClassVar, final

from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..errors import ParameterError
from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import Universal
from ..spaces import Space
from ..witness import AnnihilatingMeasure
from .base import Model, Reach, count, every_sense, sizes
from .polynomial import Polynomial
from .torch_network import ACTIVATIONS, TorchNetwork

__all__ = ["MLP"]

CITE = "Leshno, Lin, Pinkus, Schocken 1993: one hidden layer, activation not a polynomial"
# The activations of scikit-learn, and all that there are.
SKLEARN = ("relu", "tanh", "logistic", "identity")
NAMES = (*SKLEARN, *ACTIVATIONS)


@final
class MLP(Model):
    """F = all networks of the given depth and activation, of any width.

    The member that is fitted has the given width.

    Universal in the strict sense on every compact set of R^d, at every depth, exactly if the
    activation is no polynomial. With "square" and m hidden layers members are polynomials of degree
    2^m at most, with "identity" of degree 1: universal on no infinite set. That an activation such
    as GELU is not injective takes nothing from the class.

    Parameters
    ----------
    activation : str, default "relu"
        "relu", "tanh", "logistic", "identity", whose members scikit-learn trains; "gelu", "silu",
        "softplus", "square", whose members are trained by torch, in float64.
    width : int, default 100
        Units in each hidden layer of the fitted member.
    depth : int, default 1
        Hidden layers.
    alpha : float, default 1e-4
        Strength of the l2 penalty.
    max_iter : int, default 500
    random_state : int, default 0
    task : {"auto", "regression", "classification"}, default "auto"

    References
    ----------
    Leshno, Lin, Pinkus and Schocken (1993), Multilayer feedforward networks with a nonpolynomial
    activation function can approximate any function.

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(MLP() @ pm.Tanh(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    True
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self,
        activation: str = "relu",
        width: int = 100,
        depth: int = 1,
        alpha: float = 1e-4,
        max_iter: int = 500,
        random_state: int = 0,
        task: str = "auto",
    ):
        self.activation = activation
        self.width = width
        self.depth = depth
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state
        self.task = task

    @property
    def universality(self) -> Reach:
        if self.degree is not None:
            return Reach("never", "on no infinite set", f"polynomials of degree {self.degree}")
        return Reach("strict", "on every compact set of R^d", CITE)

    @property
    def degree(self) -> int | None:
        """The greatest degree of members where the activation is a polynomial, else None."""
        if self.activation == "identity":
            return 1
        return 2**self.depth if self.activation == "square" else None

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.activation not in NAMES:
            listed = [repr(name) for name in NAMES]
            raise ParameterError(
                "The 'activation' parameter of MLP is not one of its values.",
                got=f"activation={self.activation!r}",
                need=f"{', '.join(listed[:-1])} or {listed[-1]}",
                do="pm.models.MLP(activation='relu')",
            )
        count(self, "width")
        count(self, "depth")

    def dimension(self, d: int) -> int | None:
        return None if self.degree is None else comb(d + self.degree, d)

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.degree is not None:
            measure = self.annihilator(on) if on.infinite else None
            text = f"its members are polynomials of degree {self.degree} at most"
            if measure is not None and measure.exact:
                yield ~Universal, Reason(text, Strength.WITNESS, witness=measure)
            elif on.infinite:
                yield ~Universal, text
            return
        text = f"{self.activation} is continuous and no polynomial"
        if self.depth > 1:
            passed = "relu(t) - relu(-t) = t passes values on"
            if self.activation != "relu":
                passed = "(σ(a + εt) - σ(a)) / (ε σ'(a)) -> t on compact sets passes values on"
            text = f"{text}; one hidden layer suffices, and {passed}"
        yield from every_sense(Reason(text, cite=CITE))

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """Of a polynomial activation that of the polynomials of its degree; else there is none."""
        if self.degree is None:
            return None
        return Polynomial(self.degree).annihilator(on, random_state)

    def ladder(self, step: int) -> MLP:
        """2^step units in each layer: units whose weights are 0 make the steps nest."""
        given = self.depth, self.alpha, self.max_iter, self.random_state, self.task
        return MLP(self.activation, sizes(step), *given)

    def member(self, classify: bool) -> Any:
        if self.activation not in SKLEARN:
            given = self.width, self.depth, self.alpha, self.max_iter, self.random_state
            return TorchNetwork(self.activation, *given, classify)
        kind = MLPClassifier if classify else MLPRegressor
        return kind(
            hidden_layer_sizes=(self.width,) * self.depth,
            activation=self.activation,
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
