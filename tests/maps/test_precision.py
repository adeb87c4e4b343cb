"""Fewer bits only where they are faster; the reason is said."""

from unittest.mock import patch

import pytest
import torch

import phimaps as pm
from phimaps.maps import precision
from phimaps.maps.precision import computing

CPU = torch.device("cpu")


def on_cpu(instructions, factor):
    return (
        patch.object(precision, "_has_instructions", lambda dtype: instructions),
        patch.object(precision, "_times_as_long", lambda dtype: factor),
    )


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("instructions", "factor", "why"),
    [(False, 0.1, "the processor has no "), (True, 1.3, "takes 1.3 times as long")],
    ids=["no instructions", "slower"],
)
def test_what_is_not_faster_is_refused_with_the_reason(name, instructions, factor, why):
    first, second = on_cpu(instructions, factor)
    with first, second, pytest.raises(pm.errors.ParameterError, match=why):
        computing(name, CPU)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_what_is_faster_is_used(name):
    first, second = on_cpu(True, 0.5)
    a = torch.rand(4, 4)
    with first, second, computing(name, CPU):
        assert (a @ a).dtype == getattr(torch, name)
    assert (a @ a).dtype == torch.float32


@pytest.mark.parametrize("name", [None, "float32"])
def test_full_precision_changes_nothing(name):
    a = torch.rand(4, 4, dtype=torch.float64)
    with computing(name, CPU):
        assert (a @ a).dtype == torch.float64


@pytest.mark.parametrize("wrong", ["float64", "half", 16, torch.bfloat16])
def test_what_is_no_precision_is_refused(wrong):
    with pytest.raises(pm.errors.ParameterError, match="does not exist"):
        computing(wrong, CPU)


def test_devices_of_which_nothing_is_known_are_refused():
    with pytest.raises(pm.errors.ParameterError, match="nothing is known of devices"):
        computing("bfloat16", torch.device("meta"))


def test_the_measurement_tells_short_numbers_from_long_ones():
    factor = precision._times_as_long.__wrapped__(torch.bfloat16)
    assert 0 < factor < float("inf")
    has = precision._has_instructions(torch.bfloat16)
    assert has == (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_a_gpu_computes_in_fewer_bits(name):
    a = torch.rand(64, 64, device="cuda")
    with computing(name, a.device):
        assert (a @ a).dtype == getattr(torch, name)
