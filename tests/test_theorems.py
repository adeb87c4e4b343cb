"""Each premise of each theorem is needed: without it some attack succeeds.

A mutant is a row with a premise dropped or weakened, its conclusion negated, its premises asked on
the wrong set, or its number made a little better. Every one must be caught, on some expression, by
an attack or by a contradiction with a true fact.
"""

import os
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Any

import numpy as np
import pytest
import torch

import phimaps as pm
from phimaps.errors import ContradictionError
from phimaps.map import Compose, Part, Product
from phimaps.spaces import Image
from phimaps.testing import Probe, claims, falsify
from phimaps.testing.density import subject
from phimaps.theorem import TABLE, Condition, Premise, Search, Theorem
from phimaps.witness import Collision

from .theorem_pool import outside, pool


# --- mutants -----------------------------------------------------------------------------------
class Part_(Premise):
    """A premise about fewer of the parts."""

    def __init__(self, premise, skip):
        object.__setattr__(self, "where", premise.where)
        object.__setattr__(self, "claim", premise.claim)
        object.__setattr__(self, "skip", skip)

    def targets(self, case):
        chosen = Premise.targets(self, case)
        return chosen[1:] if self.skip == "first" else chosen[:-1]
