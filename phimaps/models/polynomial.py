"""Polynomials of a degree, and of all degrees."""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import Any, ClassVar, final

import numpy as np

from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import Universal
from ..spaces import Space
from ..witness import AnnihilatingMeasure
from .base import Model, Reach, count, every_sense, line, positive, sizes
from .members import Behind

__all__ = ["Polynomial", "Polynomials"]

# Differences of a higher order than this have weights that are no longer exact.
HIGHEST = 40


def polynomial_member(degree: int, alpha: float, max_iter: int, classify: bool) -> Any:
    """A polynomial of least squares with an l2 penalty, or of logistic regression."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import PolynomialFeatures

    estimator: Any = Ridge(alpha=alpha, solver="svd")
    if classify:
        estimator = LogisticRegression(C=1.0 / alpha, max_iter=max_iter)
    return Behind(PolynomialFeatures(degree, include_bias=False), estimator)


def monomials(degree: int, Z: Any) -> np.ndarray:
    """All monomials up to a degree, the constant first, at points of shape (n, d)."""
    from sklearn.preprocessing import PolynomialFeatures

    points = np.asarray(Z, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(PolynomialFeatures(degree).fit_transform(points))


def differences(on: Space, degree: int) -> AnnihilatingMeasure | None:
    """The difference of order p + 1 on a line, which annihilates polynomials of degree p."""
    if degree + 1 > HIGHEST or (points := line(on, degree + 2)) is None:
        return None
    order = degree + 1
    weights = np.array([float((-1) ** i * comb(order, i)) for i in range(order + 1)])
    text = f"differences of order {order} annihilate polynomials of degree {degree} on a line"
    return AnnihilatingMeasure(points, weights, text)


@final
class Polynomial(Model):
    """F = {polynomials on R^d of total degree <= p}, a linear space of C(d + p, p) dimensions.

    It is universal on no infinite set, in no sense: it has finite dimension, and the difference of
    order p + 1 on p + 2 points of a line annihilates it. On at most p + 1 points it is all
    functions.

    Parameters
    ----------
    degree : int, default 2
        p >= 0.
    alpha : float, default 1e-6
        Strength of the l2 penalty on the coefficients of monomials, for the fitted member.
    max_iter : int, default 1000
        Of the logistic regression.
    task : {"auto", "regression", "classification"}, default "auto"

    Examples
    --------
    >>> import phimaps as pm
    >>> line = pm.Box([0.0], [1.0])
    >>> pm.decide(Polynomial(3) @ pm.Identity(), pm.Universal, on=line).holds
    False
    >>> print(Polynomial(1).annihilator(line))
    δ[0] - 2 δ[0.25] + δ[0.5]
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self, degree: int = 2, alpha: float = 1e-6, max_iter: int = 1000, task: str = "auto"
    ):
        self.degree = degree
        self.alpha = alpha
        self.max_iter = max_iter
        self.task = task

    @property
    def universality(self) -> Reach:
        return Reach("never", "on no infinite set", "a space of finite dimension is closed")

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "degree", 0)
        positive(self, "alpha")

    def dimension(self, d: int) -> int:
        return comb(d + int(self.degree), d)

    def features(self, Z: Any) -> np.ndarray:
        return monomials(self.degree, Z)

    def facts(self, on: Space) -> Iterator[Fact]:
        measure = self.annihilator(on) if on.infinite else None
        if measure is not None and measure.exact:
            yield ~Universal, Reason(measure.because, Strength.WITNESS, witness=measure)
            return
        if on.infinite:
            yield ~Universal, "polynomials of a degree form a space of finite dimension"
            return
        members = on.enumerate()
        if members is not None and len(members) <= self.degree + 1:
            text = "a product of affine functions is 1 at one of the points, 0 at others"
            yield from every_sense(text)
        elif members is not None and len(members) > self.dimension(on.size):
            yield ~Universal, "there are more points than dimensions of polynomials"

    def annihilator(self, on: Space, random_state: int = 0) -> AnnihilatingMeasure | None:
        """The difference of order p + 1 on a line, exactly; else as of any linear class."""
        return differences(on, int(self.degree)) or super().annihilator(on, random_state)

    def ladder(self, step: int) -> Polynomial:
        """The polynomials of degree p + `step`, among which are those of smaller degree."""
        sizes(step)
        return Polynomial(int(self.degree) + int(step), self.alpha, self.max_iter, self.task)

    def member(self, classify: bool) -> Any:
        return polynomial_member(self.degree, self.alpha, self.max_iter, classify)


@final
class Polynomials(Model):
    """F = {all polynomials on R^d}, a linear space and an algebra.

    Universal in the strict sense on every compact set of R^d: the theorem of Stone and Weierstrass.

    Parameters
    ----------
    degree : int, default 3
        The degree of the fitted member.
    alpha, max_iter, task : as of `Polynomial`

    Examples
    --------
    >>> import phimaps as pm
    >>> pm.decide(Polynomials() @ pm.Tanh(), pm.Universal, on=pm.Box([0.0], [1.0])).holds
    True
    >>> Polynomials().ladder(4).degree
    4
    """

    linear: ClassVar[bool] = True
    cone: ClassVar[bool] = True

    def __init__(
        self, degree: int = 3, alpha: float = 1e-6, max_iter: int = 1000, task: str = "auto"
    ):
        self.degree = degree
        self.alpha = alpha
        self.max_iter = max_iter
        self.task = task

    @property
    def universality(self) -> Reach:
        return Reach("strict", "on every compact set of R^d", "theorem of Stone and Weierstrass")

    def check_parameters(self) -> None:
        super().check_parameters()
        count(self, "degree", 0)
        positive(self, "alpha")

    def facts(self, on: Space) -> Iterator[Fact]:
        text = "polynomials form an algebra with 1 that separates points"
        yield from every_sense(Reason(text, cite="theorem of Stone and Weierstrass"))

    def ladder(self, step: int) -> Polynomial:
        """`Polynomial` of degree `step`, among which are those of smaller degree."""
        sizes(step)
        return Polynomial(int(step), self.alpha, self.max_iter, self.task)

    def member(self, classify: bool) -> Any:
        return polynomial_member(self.degree, self.alpha, self.max_iter, classify)
