"""Every test starts from the same seeds and settings, on one thread."""

from collections.abc import Iterator

import numpy as np
import pytest
import sklearn
import torch

import phimaps as pm

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_start() -> Iterator[None]:
    np.random.seed(0)
    torch.manual_seed(0)
    ours, theirs = pm.get_config(), sklearn.get_config()
    yield
    pm.set_config(**ours)
    sklearn.set_config(**theirs)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
