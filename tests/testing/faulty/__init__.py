"""Faulty maps of kinds that people really write, each with what is wrong with it."""

from . import (
    batches,
    frames,
    functions,
    inputs,
    kernel_claims,
    memory,
    metric_claims,
    modules,
    named,
    stated,
    symmetry_claims,
    topology_claims,
)
from .case import Case

FILES = (
    batches,
    inputs,
    memory,
    named,
    modules,
    functions,
    metric_claims,
    topology_claims,
    kernel_claims,
    symmetry_claims,
    stated,
    frames,
)
FAULTS: dict[str, Case] = {case.name: case for file in FILES for case in file.BED.cases}

__all__ = ["FAULTS", "FILES", "Case"]
