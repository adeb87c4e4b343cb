"""Cosines and sines of many phases at once, from one reduction of their range."""

from __future__ import annotations

from functools import cache
from math import pi

import torch

__all__ = ["waves"]

# sin(πr) = r S(r²) and cos(πr) = C(r²) for |r| <= 1/2: polynomials of least greatest error, by the
# exchange algorithm of Remez. Errors of S at most 1.4e-8 and 3.6e-16, of C 2.2e-10 and 4e-18.
SINE = {
    torch.float32: (
        3.1415926401839993,
        -5.167710090332208,
        2.550077659737664,
        -0.5982921595265756,
        0.07765940834430111,
    ),
    torch.float64: (
        3.1415926535897927,
        -5.167712780049786,
        2.5501640398619,
        -0.5992645288260053,
        0.08214587882523866,
        -0.007370364378903315,
        0.0004659871681471803,
        -2.1133801443960952e-05,
    ),
}
COSINE = {
    torch.float32: (
        0.9999999997806519,
        -4.934802137228426,
        4.0587091643444655,
        -1.3352120566841217,
        0.23493755901870075,
        -0.024396716697548847,
    ),
    torch.float64: (
        1.0,
        -4.934802200544676,
        4.058712126416498,
        -1.3352627688434646,
        0.2353306301298083,
        -0.025806888739352503,
        0.0019295562835917528,
        -0.00010456658073432241,
        4.14959169997455e-06,
    ),
}
# Fewer phases are faster by the library's own cosine and sine: one operation each.
FEW = 8192
# The results of the steps stay in a processor's cache in blocks of this many bytes for each thread;
# smaller ones would not be worth the start of the threads.
BLOCK = 2**18


def waves(turns: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, scale: float) -> None:
    """Write s cos(2πt) and s sin(2πt), without gradients.

    On a CPU t is reduced to r = t - round(t) once for both. From polynomials for sin(πr) and
    cos(πr) follow cos(2πr) = 1 - 2 sin²(πr) and sin(2πr) = 2 sin(πr) cos(πr), within 8 times the
    distance from 1 to the next number; cos² + sin² is 1 within 16 of them.

    Parameters
    ----------
    turns : Tensor of shape (n, m)
        t, the phases in turns, which are overwritten.
    cosine, sine : Tensor of shape (n, m)
        Where to write; of float32 for float32 turns, or for turns of float64.
    scale : float
        s.
    """
    if turns.device.type != "cpu" or cosine.dtype not in SINE or turns.numel() < FEW:
        turns.mul_(2 * pi)
        cosine.copy_(torch.cos(turns)).mul_(scale)
        sine.copy_(torch.sin(turns)).mul_(scale)
        return
    block = BLOCK * torch.get_num_threads()
    rows = max(1, block // (turns.shape[1] * cosine.element_size()))
    for start in range(0, len(turns), rows):
        part = slice(start, start + rows)
        _block(turns[part], cosine[part], sine[part], scale)


def _block(turns: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, scale: float) -> None:
    square = torch.round(turns)
    turns.sub_(square)
    if cosine.dtype != turns.dtype:
        turns = turns.to(cosine.dtype)
        square = torch.empty_like(turns)
    torch.mul(turns, turns, out=square)
    p, (first, *rest) = _monic("sine", cosine.dtype)
    half_sine = torch.add(square, first)
    for c in rest:
        torch.addcmul(c, half_sine, square, out=half_sine)
    half_sine.mul_(turns)
    q, (first, *rest) = _monic("cosine", cosine.dtype)
    half_cosine = torch.add(square, first, out=turns)
    for c in rest:
        torch.addcmul(c, half_cosine, square, out=half_cosine)
    one, zero = square.new_tensor(scale), square.new_tensor(0.0)
    torch.addcmul(one, half_sine, half_sine, value=-2 * scale * p * p, out=cosine)
    torch.addcmul(zero, half_sine, half_cosine, value=2 * scale * p * q, out=sine)


@cache
def _monic(table: str, dtype: torch.dtype) -> tuple[float, list[torch.Tensor]]:
    """The leading coefficient, and the others divided by it, in the order of Horner's rule."""
    coefficients = {"sine": SINE, "cosine": COSINE}[table][dtype]
    lead = coefficients[-1]
    return lead, [torch.tensor(c / lead, dtype=dtype) for c in coefficients[-2::-1]]
