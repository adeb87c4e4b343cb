"""A confidence interval for a ratio of two means, by betting against every value of it."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
from scipy.optimize import brentq

__all__ = ["ratio_interval"]

# The share of the sample that only chooses the stake, and the part of the greatest stake that may
# be placed: at the whole of it, one value at the bound would lose everything.
PILOT, BOLD = 1 / 16, 0.9


def ratio_interval(
    top: np.ndarray, bottom: np.ndarray, most: tuple[float, float], confidence: float
) -> tuple[float, float]:
    """An interval that holds E[a] / E[b] with at least the given probability.

    The pairs (a_t, b_t) are independent and alike, 0 <= a_t <= A and 0 <= b_t <= B. At the true
    ratio r, Π(1 + λ (r b_t - a_t)) is a product of independent factors of mean 1, none negative
    while 0 <= λ <= 1 / A. By Markov's inequality it exceeds 2 / α with probability α / 2 at most.
    It grows with r, so it refutes all r from some point on: the upper end. The lower end comes
    from Π(1 + λ (a_t - r b_t)) with λ <= 1 / (r B). The stake λ is chosen on a first part of the
    sample, of which the rest is independent. Unlike two intervals for two means, this one pays for
    one level, and what a and b have in common cancels.

    Parameters
    ----------
    top, bottom : ndarray of shape (m,)
        The values a_t and b_t, in the order in which they were drawn.
    most : (float, float)
        A and B.
    confidence : float
        1 - α.

    Returns
    -------
    (float, float)
        The upper end is inf where nothing is refuted.

    References
    ----------
    Waudby-Smith and Ramdas (2024), Estimating means of bounded random variables by betting,
    Section 4; here for a ratio, with one stake.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> b = rng.uniform(size=4000)
    >>> low, high = ratio_interval(b * rng.uniform(size=4000), b, (1.0, 1.0), 0.95)
    >>> bool(0.47 < low < 0.5 < high < 0.53)
    True
    """
    first = max(2, int(len(top) * PILOT))
    if len(top) - first < 2 or not bottom.any():
        return 0.0, inf
    level = log(2 / (1 - confidence))
    guess = _ratio(top[:first], bottom[:first])
    spread = float(np.var(top[:first] - guess * bottom[:first])) if guess < inf else inf
    stake = sqrt(2 * level / ((len(top) - first) * spread)) if spread > 0 else inf
    top, bottom = top[first:], bottom[first:]
    middle, (greatest, widest) = _ratio(top, bottom), most

    def against_more(ratio: float) -> float:
        return float(np.log1p(min(stake, BOLD / greatest) * (ratio * bottom - top)).sum()) - level

    def against_less(ratio: float) -> float:
        bet = min(stake, BOLD / (ratio * widest))
        return float(np.log1p(bet * (top - ratio * bottom)).sum()) - level

    return _lower(against_less, middle), _upper(against_more, middle, greatest)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> float:
    below = float(bottom.mean())
    return float(top.mean()) / below if below > 0 else inf


def _upper(against, middle: float, greatest: float) -> float:
    if not greatest > 0:
        return 0.0
    if middle == inf:
        return inf
    if against(middle) >= 0:
        return middle
    high = max(middle, greatest * 1e-18)
    while against(high) < 0:
        high *= 2
        if high == inf:
            return inf
    return float(brentq(against, middle, high, rtol=1e-10)) * (1 + 1e-9)


def _lower(against, middle: float) -> float:
    if not 0 < middle < inf:
        return 0.0
    if against(middle) >= 0:
        return middle
    low = middle
    for _ in range(60):
        low /= 2
        if against(low) >= 0:
            return float(brentq(against, low, 2 * low, rtol=1e-10)) * (1 - 1e-9)
    return 0.0
