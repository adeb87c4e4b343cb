"""Features of a layer of a network beside captum and the module itself: time, memory, work.

The network is like a ResNet: BatchNorm, ReLU in place, a stem of 7 x 7 with stride 2, 4 stages of
2 blocks, 32 to 256 channels, 143 million products for an image of 3 x 64 x 64; its weights are
random. Times are processor seconds of one thread, in turn, and ratios are medians of the paired
rounds. Peak memory is that of a process of its own, above the loaded images. captum is left out,
and that said, where it is not installed.

    python benchmarks/cnn.py [--fast]
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import LEAST_ROUNDS, ratio, table
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

import phimaps as pm
from phimaps.cache import forget

BATCH = 64
# Of the matrices whose product is the limit.
SIDE = 1536
LAYERS = {"layer1": 4.0, "layer2": 2.0, "layer4": 1.25}
NO_CAPTUM = "captum is not installed: pip install 'phimaps[bench]'; its figures are skipped"
NO_CUDA = "no accelerator on this machine: its figures are skipped"


class Block(nn.Module):
    """Two convolutions, and the input added to what they give."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.down = None
        if stride != 1 or before != after:
            short = nn.Conv2d(before, after, 1, stride, bias=False)
            self.down = nn.Sequential(short, nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(value + (x if self.down is None else self.down(x)))


class Residual(nn.Module):
    """The network that is measured."""

    def __init__(self, width: int = 32):
        super().__init__()
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        for i in range(1, 5):
            stride = 1 if i == 1 else 2
            blocks = Block(widths[i - 1], widths[i], stride), Block(widths[i], widths[i], 1)
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.fc = nn.Linear(widths[4], 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


def network(width: int = 32) -> nn.Module:
    """With weights and statistics that are drawn, in evaluation mode."""
    torch.manual_seed(0)
    net = Residual(width).eval().requires_grad_(False)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return net


def prefix(net: Any, layer: str) -> nn.Module:
    """The network up to a layer, as a user would cut it by hand."""
    upto = [getattr(net, f"layer{i}") for i in range(1, int(layer[-1]) + 1)]
    return nn.Sequential(net.conv1, net.bn1, net.relu, *upto)


def products(net: nn.Module, image: torch.Tensor) -> int:
    """How many numbers are multiplied for an image, in convolutions and the last layer."""
    found = 0

    def count(part: Any, args: Any, out: torch.Tensor) -> None:
        nonlocal found
        found += out[0].numel() * part.weight[0].numel()

    parts = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [m.register_forward_hook(count) for m in parts]
    net(image)
    for handle in handles:
        handle.remove()
    return found


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, 64, 64), dtype=np.uint8)


def floats(X: np.ndarray, device: str = "cpu") -> torch.Tensor:
    return torch.from_numpy(X).to(device).float().div_(255)


# --- the ways ------------------------------------------------------------------------------------
def ours(phi: Any, X: np.ndarray) -> np.ndarray:
    return phi.transform(X)


def by_hand(cut: nn.Module, X: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """Batches through the module that was cut by hand, into one output."""
    out = None
    with torch.inference_mode():
        for start in range(0, len(X), BATCH):
            value = cut(floats(X[start : start + BATCH], device))
            if out is None:
                out = torch.from_numpy(np.empty((len(X), *value.shape[1:]), np.float32))
            out[start : start + BATCH] = value
    assert out is not None
    return out


def by_captum(net: nn.Module, layer: str, X: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """What captum's documentation shows, in batches."""
    from captum.attr import LayerActivation

    tool = LayerActivation(net, getattr(net, layer))
    parts = [
        tool.attribute(floats(X[start : start + BATCH], device)).detach().cpu()
        for start in range(0, len(X), BATCH)
    ]
    return torch.cat(parts)


def has_captum() -> bool:
    return importlib.util.find_spec("captum") is not None


# --- time ----------------------------------------------------------------------------------------
def cpu_in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each run in each round, after one round that is not counted."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(max(rounds, LEAST_ROUNDS)):
        for name, run in runs.items():
            start = time.process_time()
            result = run()
            times[name].append(time.process_time() - start)
            del result
    return times


def layers(net: Any, n: int, rounds: int) -> tuple[list[list[Any]], list[tuple[str, float, float]]]:
    """Rows of the table, and for each layer (name, times captum, target)."""
    X, rows, reached = pictures(n), [], []
    for layer, target in LAYERS.items():
        phi = pm.from_torch(net, layer=layer).fit(X[:1])
        cut = prefix(net, layer)
        runs: dict[str, Callable[[], object]] = {
            "ours": lambda phi=phi: ours(phi, X),
            "hand": lambda cut=cut: by_hand(cut, X),
        }
        if has_captum():
            runs["captum"] = lambda layer=layer: by_captum(net, layer, X)
        times = cpu_in_turn(runs, rounds)
        hand = ratio(times["hand"], times["ours"])
        row = [layer, f"{min(times['ours']):.2f}", f"{n / min(times['ours']):.0f}", hand]
        if has_captum():
            beside = ratio(times["captum"], times["ours"])
            reached.append((layer, beside.median, target))
            row += [beside, f"{target:g}x"]
        rows.append(row)
    return rows, reached


def wrapper(net: Any, rounds: int) -> tuple[list[list[Any]], list[float]]:
    """What `transform` costs beside the raw prefix, and beside the prefix of its own copy."""
    X, rows, costs = pictures(BATCH), [], []
    for layer in LAYERS:
        phi = pm.from_torch(net, layer=layer).fit(X[:1])
        cut, own = prefix(net, layer), prefix(copied(phi, X), layer)
        times = cpu_in_turn(
            {
                "ours": lambda phi=phi: ours(phi, X),
                "hand": lambda cut=cut: by_hand(cut, X),
                "own": lambda own=own: by_hand(own, X),
            },
            rounds,
        )
        beside = [ratio(times["ours"], times[name]) for name in ("hand", "own")]
        costs.append(beside[0].median - 1)
        rows.append([layer, *(f"{100 * (r.median - 1):+.1f} % [{r}]" for r in beside)])
    return rows, costs


def copied(phi: Any, X: np.ndarray) -> nn.Module:
    """The faster copy by which a map computes."""
    phi.transform(X[:2])
    (fast,) = phi.map_.module._faster.values()
    return fast.module


def whole(net: Any, rounds: int) -> tuple[float, float]:
    """Floating-point operations per second of the whole forward pass, and of a matrix product."""
    X, a = pictures(BATCH), torch.ones((SIDE, SIDE))
    phi, out = pm.from_torch(net, layer="fc").fit(X[:1]), torch.empty_like(a)
    runs = {"ours": lambda: ours(phi, X), "product": lambda: torch.mm(a, a, out=out)}
    times = cpu_in_turn(runs, rounds)
    done = 2 * BATCH * products(net, floats(X[:1]))
    return done / min(times["ours"]), 2 * SIDE**3 / min(times["product"])


def short_numbers(net: Any, rounds: int) -> str:
    X = pictures(BATCH)
    full = pm.from_torch(net, layer="layer4").fit(X[:1])
    short = pm.from_torch(net, layer="layer4", precision="bfloat16")
    try:
        short.fit(X[:1])
    except pm.errors.ParameterError as error:
        return str(error).splitlines()[0]
    times = cpu_in_turn({"full": lambda: ours(full, X), "short": lambda: ours(short, X)}, rounds)
    a, b = full.transform(X), short.transform(X)
    error = np.linalg.norm(a - b) / np.linalg.norm(a)
    speed = ratio(times["full"], times["short"])
    return f"bfloat16 is {speed} as fast as float32, with a relative error of {error:.1e}"


# --- memory --------------------------------------------------------------------------------------
MEMORY = {
    "layer1": "transform, layer1",
    "pooled": "transform, layer1, average over 4 x 4 cells",
    "joined": "list of batches of the raw prefix, joined",
    "captum": "captum, layer1",
}


def resident() -> int:
    """Bytes of memory of this process now; from now on `greatest` counts."""
    # The system forgets the peak of what came before.
    Path("/proc/self/clear_refs").write_text("5")
    return greatest()


def greatest() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def peak(case: str, n: int) -> tuple[int, int]:
    """Bytes of the output, and at most above the loaded images, in this process."""
    net, X = network(), pictures(n)
    pool = ("grid", 4, 4) if case == "pooled" else None
    phi = pm.from_torch(net, layer="layer1", pool=pool).fit(X[:1])
    cut = prefix(net, "layer1")
    # What torch and the libraries take for themselves at the first use is not counted.
    by_hand(cut, X[:1])
    before = resident()
    if case == "joined":
        with torch.inference_mode():
            parts = [cut(floats(X[s : s + BATCH])) for s in range(0, n, BATCH)]
            value: Any = torch.cat(parts)
    else:
        value = by_captum(net, "layer1", X) if case == "captum" else ours(phi, X)
    return value.nbytes, greatest() - before


def memory(n: int, cases: Iterable[str]) -> tuple[list[list[Any]], dict[str, tuple[int, int]]]:
    rows, found = [], {}
    for case in cases:
        if case == "captum" and not has_captum():
            continue
        done = subprocess.run(
            [sys.executable, __file__, "--peak", case, "--rows", str(n)],
            capture_output=True,
            text=True,
            check=True,
        )
        size, most = map(int, done.stdout.split()[-2:])
        found[case] = size, most
        rows.append(
            [MEMORY[case], f"{size / 2**20:.1f}", f"{most / 2**20:.0f}", f"{most / size:.2f}x"]
        )
    return rows, found


# --- scikit-learn --------------------------------------------------------------------------------
class Counted(nn.Module):
    """A network that counts the images that it is given."""

    images = 0

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Counted.images += len(x)
        return self.net(x)


def search(net: Any, n: int) -> list[list[Any]]:
    """A grid of 4 values x 3 folds, with and without what is kept: images computed, seconds."""
    X, y, rows = pictures(n), np.arange(n) % 2, []
    phi = pm.from_torch(Counted(net), layer="net.layer2", pool="avg")
    grid = {"ridgeclassifier__alpha": [0.1, 1, 10, 100]}
    for name, limit in (("kept", pm.get_config()["cache_bytes"]), ("not kept", 0)):
        forget()
        Counted.images = 0
        start = time.process_time()
        with pm.config_context(cache_bytes=limit):
            GridSearchCV(make_pipeline(phi, RidgeClassifier()), grid, cv=3).fit(X, y)
        rows.append([name, n, Counted.images, f"{time.process_time() - start:.2f}"])
    return rows


def cloning() -> tuple[float, int, int]:
    """Seconds to clone a network, how many numbers it has, and how many of them were copied."""
    net = network(64)
    phi = pm.from_torch(net, layer="layer4")
    twin = clone(phi)
    best = min(_seconds(lambda: clone(phi)) for _ in range(50))
    numbers = sum(p.numel() for p in net.parameters())
    shared = {p.data_ptr() for p in phi.module.module.parameters()}
    copied = sum(p.numel() for p in twin.module.module.parameters() if p.data_ptr() not in shared)
    return best, numbers, copied


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


# --- an accelerator ------------------------------------------------------------------------------
def on_cuda(n: int, rounds: int) -> list[list[Any]]:
    """Images per second, wall time, from bytes in memory to features in memory."""
    net, X, rows = network().to("cuda"), pictures(n), []
    with pm.config_context(device="cuda"):
        for layer in LAYERS:
            runs: dict[str, Callable[[], object]] = {}
            for precision in (None, "bfloat16"):
                phi = pm.from_torch(net, layer=layer, pool="avg", precision=precision)
                phi.fit(X[:1])
                runs[f"ours, {precision or 'float32'}"] = lambda phi=phi: ours(phi, X)
            cut = nn.Sequential(prefix(net, layer), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            runs["raw prefix"] = lambda cut=cut: by_hand(cut, X, "cuda")
            if has_captum():
                runs["captum"] = lambda layer=layer: by_captum(net, layer, X, "cuda").mean((2, 3))
            for name, run in runs.items():
                run()
                best = min(_seconds(run) for _ in range(max(rounds, LEAST_ROUNDS)))
                rows.append([layer, name, f"{n / best:.0f}"])
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="few images; speed decides nothing")
    parser.add_argument("--peak", choices=MEMORY, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=2000, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if given.peak:
        print(*peak(given.peak, given.rows))
        return 0
    failed: list[str] = []
    n, rounds, net = (12, 3, network(8)) if given.fast else (2000, 3, network())
    if not has_captum():
        print(NO_CAPTUM + "\n")
    # What is kept would be found again in the second round.
    with pm.config_context(cache_bytes=0):
        rows, reached = layers(net, n, rounds)
        head = ["layer", "s", "images/s", "raw prefix / ours"]
        head += ["captum / ours", "target"] if has_captum() else []
        say(f"{n} images 3 x 64 x 64 of bytes to float32 features", head, rows)
        failed += [f"{layer}: {a:.2f} < {b:g} times captum" for layer, a, b in reached if a < b]
        rows, costs = wrapper(net, 3 if given.fast else 25)
        head = ["layer", "beside the raw prefix", "beside the prefix of its own faster copy"]
        say(f"Cost of transform on {BATCH} images", head, rows)
        failed += [f"transform costs {100 * c:.1f} % > 2 %" for c in costs if c > 0.02]
        if not given.fast:
            speed, limit = whole(net, 15)
            share = f"{100 * speed / limit:.0f} % of a matrix product ({limit / 1e9:.0f} Gflop/s)"
            print(f"Whole forward pass: {speed / 1e9:.0f} Gflop/s, {share}\n", flush=True)
            failed += [f"{share} < 75 %"] if speed < 0.75 * limit else []
        print(f"{short_numbers(net, 3 if given.fast else 9)}\n", flush=True)
    rows, found = memory(n, ["pooled"] if given.fast else MEMORY)
    say(f"Peak memory, {n} images, MiB", ["way", "output", "peak", "ratio"], rows)
    size, most = found.get("layer1", (1, 0))
    failed += [f"peak memory {most / size:.2f} > 1.2 times the output"] if most > 1.2 * size else []
    most = found["pooled"][1] // 2**20
    failed += [f"peak memory {most} > 100 MiB while pooling"] if most > 100 else []
    # Of few images the first ones decide.
    failed = [] if given.fast else failed
    rows = search(net, 30 if given.fast else 300)
    say("Grid search of 4 values x 3 folds", ["features", "images", "images computed", "s"], rows)
    if rows[0][2] > rows[0][1]:
        failed.append(f"{rows[0][2]} images computed of {rows[0][1]}")
    seconds, numbers, copied_numbers = cloning()
    print(
        f"Clone of a network of {numbers / 1e6:.0f} million numbers: {1e3 * seconds:.2f} ms, "
        f"{copied_numbers} numbers copied\n"
    )
    if seconds > 1e-3 or copied_numbers:
        failed.append("a clone takes more than 1 ms, or memory")
    if torch.cuda.is_available():
        title = f"{torch.cuda.get_device_name()}, {n} images, averages of each channel"
        say(title, ["layer", "way", "images/s"], on_cuda(n, rounds))
    else:
        print(NO_CUDA)
    for line in failed:
        print(f"FAILED {line}")
    return int(bool(failed))


def say(title: str, head: list[str], rows: list[list[Any]]) -> None:
    print(f"{title}\n\n{table(head, rows)}\n", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    sys.exit(main())
