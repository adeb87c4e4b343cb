"""All measurements of kernel feature maps, one after the other in one process.

    python benchmarks/kernels.py                     # everything; some 20 minutes on 2 cores
    python benchmarks/kernels.py --only fourier nystrom
    python benchmarks/kernels.py --fast              # a smoke test

Runs ``fourier.py``, ``nystrom.py``, ``sketches.py``, ``relu.py`` and ``curves.py``, each of which
also runs alone, then the same maps on an accelerator where there is one. Exits with 1 where one
of them missed what it claims.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import phimaps as pm

sys.path.insert(0, str(Path(__file__).parent))
import measure

SCRIPTS = ("fourier", "nystrom", "sketches", "relu", "curves")


def accelerated(rows: int, rounds: int) -> str:
    """Times of a few maps on the CPU and on the accelerator, in Markdown; or why there are none."""
    if not torch.cuda.is_available():
        return "no accelerator on this machine: its figures are skipped"
    lines: list[list[Any]] = []
    for dtype in (torch.float32, torch.float64):
        x = torch.from_numpy(np.random.default_rng(0).standard_normal((rows, 64))).to(dtype)
        on_device = x.cuda()
        maps = {
            "RandomFourier(4096)": pm.RandomFourier(4096),
            "Nystrom(n_components=1024)": pm.Nystrom(n_components=1024),
            "RandomRelu(4096)": pm.RandomRelu(4096),
            "ProductSketch(2048)": pm.ProductSketch(n_components=2048),
        }
        for name, phi in maps.items():
            closed = phi.bind(x)

            def there(closed: Any = closed, on_device: torch.Tensor = on_device) -> None:
                with torch.no_grad():
                    closed(on_device)
                torch.cuda.synchronize()

            def here(closed: Any = closed, x: torch.Tensor = x) -> None:
                with torch.no_grad():
                    closed(x)

            same = torch.allclose(closed(x).detach(), closed(on_device).detach().cpu(), atol=1e-3)
            times = measure.in_turn({"here": here, "there": there}, rounds)
            lines.append(
                [
                    name,
                    str(dtype).removeprefix("torch."),
                    f"{measure.milliseconds(times['here']):.1f}",
                    f"{measure.milliseconds(times['there']):.2f}",
                    measure.ratio(times["here"], times["there"]),
                    "yes" if same else "NO",
                ]
            )
    head = ["map", "numbers", "CPU, ms", f"{torch.cuda.get_device_name()}, ms", "ratio", "agree"]
    return measure.table(head, lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the scripts; 1 when one of them missed its claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a smoke test")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS)
    given = parser.parse_args(arguments)
    missed = []
    for name in given.only:
        print(f"\n## {name}\n", flush=True)
        if importlib.import_module(name).main(["--fast"] if given.fast else []):
            missed.append(name)
    print("\n## accelerator\n")
    print(accelerated(2000 if given.fast else 10_000, 3 if given.fast else 15), flush=True)
    if missed:
        print(f"\nmissed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
