"""Attacks on being a Borel map, by choosing otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from ..property import Property
from .evidence import Counterexample
from .probe import Probe

__all__ = ["borel", "otherwise"]

_CHOICE: ContextVar[bool] = ContextVar("phimaps_choice", default=False)


def otherwise() -> bool:
    """How a map that exists only by choice is to choose, where it is evaluated.

    What a program computes is a Borel map. A map that is not one, such as the indicator of a
    Bernstein set B, no program computes; but as every number that a program meets may lie in B or
    outside of it, it may be evaluated both ways.
    """
    return _CHOICE.get()


@contextmanager
def _other() -> Iterator[None]:
    token = _CHOICE.set(True)
    try:
        yield
    finally:
        _CHOICE.reset(token)


def borel(probe: Probe, claim: Property, number: float) -> Counterexample | None:
    """Attack with points at which the value depends on a choice; the contrary by finding none.

    Let φ(x) be f(x) on a Bernstein set B and g(x) outside of it, with Borel functions f and g that
    differ everywhere on an uncountable Borel set A. If φ were Borel, so would be A ∩ B, where φ and
    f agree, and its rest A - B. One of them is uncountable and so holds an uncountable closed set;
    but neither B nor its complement holds any.
    """
    if found := chosen(probe):
        where, text = found
        return Counterexample(repr(claim), text, (where,)) if claim.holds else None
    if claim.holds:
        return None
    return Counterexample(repr(claim), "no value depends on a choice", certain=False)


def chosen(probe: Probe) -> tuple[np.ndarray, str] | None:
    """A point of an infinite space at which the value depends on a choice."""
    if not probe.on.infinite:
        return None
    points = probe.points
    with _other():
        after = probe(points)
    differs = ~np.isclose(probe(points), after, rtol=0, atol=0, equal_nan=True).all(axis=1)
    # A few points would be no uncountable set.
    if np.count_nonzero(differs) < 2 + len(points) // 16:
        return None
    return points[int(np.flatnonzero(differs)[0])], "its values depend on a choice"
