"""Settings: per thread, checked before they are taken, restored."""

import threading

import numpy as np
import pytest
import torch

import phimaps as pm


def test_a_context_restores_what_was_set():
    before = pm.get_config()
    with pm.config_context(chunk_bytes=7, device="cpu"):
        assert pm.get_config() == {**before, "chunk_bytes": 7, "device": torch.device("cpu")}
        with pm.config_context(progress=True):
            assert pm.get_config()["chunk_bytes"] == 7
    assert pm.get_config() == before
    with pytest.raises(RuntimeError), pm.config_context(chunk_bytes=7):
        raise RuntimeError
    assert pm.get_config() == before


def test_what_is_returned_is_a_copy():
    pm.get_config()["chunk_bytes"] = 1
    assert pm.get_config()["chunk_bytes"] > 1


def test_threads_have_their_own():
    seen = []
    with pm.config_context(chunk_bytes=7):
        thread = threading.Thread(target=lambda: seen.append(pm.get_config()["chunk_bytes"]))
        thread.start()
        thread.join()
    assert seen == [32 * 2**20]


@pytest.mark.parametrize(
    "wrong",
    [
        {"chunk_bytes": 0},
        {"chunk_bytes": True},
        {"chunk_bytes": 1.5},
        {"device": "nowhere"},
        {"device": object()},
        {"progress": 3},
        {"chunks": 3},
        {"chunk_bytes": 5, "progress": "yes"},
    ],
)
def test_what_cannot_be_set_changes_nothing(wrong):
    before = pm.get_config()
    with pytest.raises(pm.errors.ParameterError):
        pm.set_config(**wrong)
    with pytest.raises(pm.errors.ParameterError), pm.config_context(**wrong):
        pass
    assert pm.get_config() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device")
def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(pm.errors.ParameterError, match="of this machine"):
        pm.set_config(device="cuda")


def test_the_device_is_used_and_results_come_home():
    phi = (pm.Tanh() @ pm.Standardize()).fit(np.eye(3))
    with pm.config_context(device="cpu", chunk_bytes=np.int64(100)):
        assert phi.transform(np.eye(3)).shape == (3, 3)
