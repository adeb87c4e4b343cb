"""Neural networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..errors import ParameterError
from ..map.term import Fact
from ..proof import Reason
from ..property import Universal
from ..spaces import Space
from .base import Model

__all__ = ["MLP"]


@final
class MLP(Model):
    """F = all networks of the given depth and activation, of any width.

    The member that is fitted has the given width.

    Parameters
    ----------
    activation : {"relu", "tanh", "logistic", "identity"}, default "relu"
    width : int, default 100
        Units in each hidden layer of the fitted member.
    depth : int, default 1
        Hidden layers.
    alpha : float, default 1e-4
        Strength of the l2 penalty.
    max_iter : int, default 500
    random_state : int, default 0
    task : {"auto", "regression", "classification"}, default "auto"

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(MLP() @ pm.Tanh(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    True
    """

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

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.activation not in ("relu", "tanh", "logistic", "identity"):
            raise ParameterError(
                "The 'activation' parameter of MLP is not one of its values.",
                got=f"activation={self.activation!r}",
                need="'relu', 'tanh', 'logistic' or 'identity'",
                do="pm.models.MLP(activation='relu')",
            )

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.activation == "identity":
            if on.infinite:
                yield ~Universal, "networks without an activation are affine functions"
            return
        cite = "Leshno, Lin, Pinkus, Schocken 1993: one hidden layer, activation not a polynomial"
        if self.depth == 1:
            yield Universal, Reason(f"{self.activation} is continuous and no polynomial", cite=cite)
        elif self.depth > 1 and self.activation == "relu":
            text = "one hidden layer suffices, and relu(t) - relu(-t) = t passes values on"
            yield Universal, Reason(text, cite=cite)

    def member(self, classify: bool) -> Any:
        kind = MLPClassifier if classify else MLPRegressor
        return kind(
            hidden_layer_sizes=(self.width,) * self.depth,
            activation=self.activation,
            alpha=self.alpha,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
