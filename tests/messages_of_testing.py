"""Wrong questions to the property-test kit; texts in ``messages.txt``."""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

import phimaps as pm
from phimaps.testing import Subject, check_feature_map, parametrize_with_checks, register_check
from phimaps.testing import replay as again
from phimaps.testing.command import claim, found

line = pm.Box([-1.0], [1.0])


def lonely(check):
    check(None)


def check_rows(trial):
    """A name that is taken."""


TABLE = {
    "checks of a class": lambda: check_feature_map(StandardScaler),
    "checks of a number": lambda: check_feature_map(3.0),
    "checks on no domain": lambda: check_feature_map(torch.sinh, domain="everywhere"),
    "checks on data with a hole": lambda: Subject(torch.sinh, domain=[[np.nan]]),
    "checks in no profile": lambda: check_feature_map(torch.sinh, domain=line, profile="hard"),
    "no check of that name": lambda: check_feature_map(torch.sinh, line, checks=["check_all"]),
    "a claim that is none": lambda: check_feature_map(torch.sinh, line, [3.0]),
    "a claim without a check": lambda: check_feature_map(torch.sinh, line, {"nice": True}),
    "a facet that is none": lambda: register_check(needs=("wings",)),
    "a check of that name": lambda: register_check(check_rows),
    "a test of one argument": lambda: parametrize_with_checks([StandardScaler()])(lonely),
    "a replay of too little": lambda: again("check_rows", torch.sinh, domain=line),
    "an object without a colon": lambda: found("numpy.sin"),
    "an object of no module": lambda: found("no_such_module:thing"),
    "no object of that name": lambda: found("torch:nothing"),
    "a claim in other words": lambda: claim("it is injective"),
    "a claim with a text in it": lambda: claim("Lipschitz('two')"),
}
