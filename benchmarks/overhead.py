"""What a map costs over the torch expression that it stands for.

Two claims: ``transform`` of a bound map takes at most 1.05 times the hand-written expression at
(10000 x 64 -> 2048), and one row through ``phi(x)`` at most 30 microseconds more. Both sides run in
one process, in turn; the ratio is that of the medians, and the fraction is that of the time that
the matrix product and the sines alone need on this machine.

    python benchmarks/overhead.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import phimaps as pm


def interleaved(*runs: Callable[[], object], rounds: int) -> list[float]:
    """Median seconds of each, the rounds alternating so that drift hits all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(rounds):
        for place, run in zip(times, runs, strict=True):
            start = time.perf_counter()
            run()
            place.append(time.perf_counter() - start)
    return [statistics.median(place) for place in times]


def main() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 64))
    phi = pm.RandomFourier(n_components=2048, gamma="scale").fit(X)
    weight, scale = torch.tensor(phi.map_.array("weight")), phi.map_.scale

    def by_hand(x: torch.Tensor) -> torch.Tensor:
        phase = x @ weight
        out = torch.empty((len(x), 2048), dtype=x.dtype)
        torch.cos(phase, out=out[:, :1024])
        torch.sin(phase, out=out[:, 1024:])
        return out.mul_(scale)

    x = torch.from_numpy(X)
    with torch.no_grad():
        assert np.allclose(by_hand(x).numpy(), phi.transform(X), atol=1e-12)
        limit_phase = torch.empty((10_000, 1024), dtype=torch.float64)
        limit_out = torch.empty_like(limit_phase)

        def limit() -> None:
            torch.mm(x, weight, out=limit_phase)
            torch.cos(limit_phase, out=limit_out)
            torch.sin(limit_phase, out=limit_out)

        ours, theirs, least = interleaved(
            lambda: phi.transform(X), lambda: by_hand(x).numpy(), limit, rounds=25
        )
        print(f"transform (10000 x 64 -> 2048, float64): {1e3 * ours:.1f} ms")
        print(f"  torch by hand {1e3 * theirs:.1f} ms, ratio of medians {ours / theirs:.3f}")
        print(f"  product and sines into memory already there: {least / ours:.0%} of our time")

        row, closed = torch.from_numpy(X[:1].copy()), phi.map_
        composite = (pm.Tanh() @ pm.Affine(np.eye(64)) @ pm.Standardize()).bind(X)
        diagonal, eye = composite.maps[0], torch.eye(64, dtype=torch.float64)
        w, b = diagonal.weights(row)
        zero = torch.zeros(64, dtype=torch.float64)
        pairs = {
            "RandomFourier": (lambda: closed(row), lambda: by_hand(row)),
            "Tanh @ Affine @ Standardize": (
                lambda: composite(row),
                lambda: torch.tanh(torch.addmm(zero, torch.addcmul(b, row, w), eye)),
            ),
        }
        for name, (a, c) in pairs.items():
            ours, theirs = interleaved(a, c, rounds=3000)
            extra = 1e6 * (ours - theirs)
            print(f"one row through {name}: {1e6 * ours:.1f} us, {extra:.1f} us over torch by hand")


if __name__ == "__main__":
    main()
