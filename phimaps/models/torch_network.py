"""Networks that are trained by torch: members with activations that scikit-learn does not have."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self, final

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array

from ..drawn import generator

__all__ = ["ACTIVATIONS", "TorchNetwork"]

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "softplus": torch.nn.functional.softplus,
    "square": torch.square,
}


@final
class TorchNetwork(BaseEstimator):
    """A network of fully connected layers in float64, trained on all rows at once by L-BFGS.

    It minimises the mean loss (squared error of targets scaled to variance 1, or cross entropy)
    plus α/2 times the sum of the squared weights over the number of rows.

    Parameters
    ----------
    activation : {"gelu", "silu", "softplus", "square"}
    width, depth : int
        Units in each hidden layer, and hidden layers.
    alpha : float
    max_iter : int
        Steps of L-BFGS.
    random_state : int
        Draws the first weights.
    classify : bool
    """

    layers_: list[tuple[np.ndarray, np.ndarray]]
    shift_: float
    scale_: float
    classes_: np.ndarray

    def __init__(
        self,
        activation: str,
        width: int,
        depth: int,
        alpha: float,
        max_iter: int,
        random_state: int,
        classify: bool,
    ):
        self.activation = activation
        self.width = width
        self.depth = depth
        self.alpha = alpha
        self.max_iter = max_iter
        self.random_state = random_state
        self.classify = classify

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on all rows."""
        rows = torch.from_numpy(np.array(X, dtype=np.float64))
        self.shift_, self.scale_ = 0.0, 1.0
        if self.classify:
            check_classification_targets(y)
            self.classes_, place = np.unique(y, return_inverse=True)
            target, outputs = torch.from_numpy(place.astype(np.int64)), len(self.classes_)
        else:
            values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
            self.shift_, self.scale_ = float(values.mean()), float(values.std()) or 1.0
            target, outputs = torch.from_numpy((values - self.shift_) / self.scale_), 1
        given = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight)
        weights = torch.from_numpy(given / given.sum())
        layers = self._first(rows.shape[1], outputs)
        flat = [p for layer in layers for p in layer]
        steps = torch.optim.LBFGS(
            flat, max_iter=int(self.max_iter), line_search_fn="strong_wolfe", history_size=20
        )

        def loss() -> torch.Tensor:
            steps.zero_grad()
            out = self._through(layers, rows)
            if self.classify:
                each = torch.nn.functional.cross_entropy(out, target, reduction="none")
            else:
                each = (out[:, 0] - target) ** 2
            size = torch.stack([(w**2).sum() for w, _ in layers]).sum()
            value = (weights * each).sum() + self.alpha / 2 / len(rows) * size
            value.backward()  # type: ignore[no-untyped-call]
            return value

        with torch.enable_grad():
            steps.step(loss)  # type: ignore[no-untyped-call]
        self.layers_ = [(w.detach().numpy(), b.detach().numpy()) for w, b in layers]
        return self

    def _first(self, d: int, outputs: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        rng = generator(self.random_state)
        widths = [d, *[int(self.width)] * int(self.depth), outputs]
        drawn = []
        for a, b in pairwise(widths):
            bound = np.sqrt(6.0 / (a + b))
            weight = rng.uniform(-bound, bound, (a, b))
            drawn.append((weight, rng.uniform(-bound, bound, b)))
        return [
            (torch.from_numpy(w).requires_grad_(), torch.from_numpy(b).requires_grad_())
            for w, b in drawn
        ]

    def _through(
        self, layers: list[tuple[torch.Tensor, torch.Tensor]], rows: torch.Tensor
    ) -> torch.Tensor:
        bend, x = ACTIVATIONS[self.activation], rows
        for weight, bias in layers[:-1]:
            x = bend(x @ weight + bias)
        return x @ layers[-1][0] + layers[-1][1]

    def _values(self, X: Any) -> torch.Tensor:
        layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in self.layers_]
        with torch.no_grad():
            return self._through(layers, torch.from_numpy(np.array(X, dtype=np.float64)))

    def predict(self, X: Any) -> np.ndarray:
        """The value, or the class, of every row."""
        values = self._values(X)
        if self.classify:
            return np.asarray(self.classes_[values.argmax(dim=1).numpy()])
        return self.shift_ + self.scale_ * values[:, 0].numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, of shape (n, n_classes)."""
        return self._values(X).softmax(dim=1).numpy()
