"""Deconvnets and occlusion beside captum, where it is installed: processor time of one thread.

The network is that of ``benchmarks/cnn.py``, like a ResNet; images of 3 x 64 x 64. Runs take turns
in one process, and results are compared before they are timed.

    python benchmarks/cnn_analysis.py [--fast]
"""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from cnn import cpu_in_turn, has_captum, network
from measure import ratio, table
from torch import nn

import phimaps as pm


def lines(title: str, times: dict[str, list[float]]) -> list[list[str]]:
    ours = times["phimaps"]
    return [
        [
            title,
            name,
            f"{statistics.median(each):.3f}",
            "" if name == "phimaps" else str(ratio(each, ours)),
        ]
        for name, each in times.items()
    ]


def agree(ours: np.ndarray, theirs: Any, what: str) -> None:
    theirs = theirs.detach().numpy()
    gap, size = np.abs(ours - theirs).max(), np.abs(theirs).max()
    # Numbers of single precision, through 20 layers of sums of up to 600 products.
    if not gap <= 1e-4 * size:
        raise SystemExit(f"{what}: {gap} apart from captum, of {size}")


def deconvnets(
    net: nn.Module, x: torch.Tensor, unit: tuple[int, ...], rounds: int
) -> list[list[str]]:
    """A batch of images sent back from one unit of layer 2."""
    phi = pm.from_torch(net, layer="layer2", stage="post")
    runs: dict[str, Callable[[], Any]] = {"phimaps": lambda: pm.cnn.deconvnet(phi, x, unit, seed=1)}
    if has_captum():
        from captum import attr

        peer = attr.NeuronDeconvolution(net, net.layer2)
        runs["captum"] = lambda: peer.attribute(x, unit)
        agree(runs["phimaps"](), runs["captum"](), "deconvnet")
    return lines(f"deconvnet, {len(x)} images, layer2", cpu_in_turn(runs, rounds))


def occlusions(
    net: nn.Module, x: torch.Tensor, layer: str, unit: tuple[int, ...], rounds: int
) -> list[list[str]]:
    """Windows of 8 x 8 pixels at distance 4, for one unit of a layer."""
    phi = pm.from_torch(net, layer=layer, stage="post")
    runs: dict[str, Callable[[], Any]] = {
        "phimaps": lambda: pm.cnn.occlusion(phi, x, unit, window=8, stride=4, fill=0.5)
    }
    found = runs["phimaps"]()
    if not has_captum():
        times = cpu_in_turn(runs, rounds)
    else:
        from captum import attr

        kept: list[torch.Tensor] = []

        def value(images: torch.Tensor) -> torch.Tensor:
            net(images)
            return kept.pop()[(slice(None), *unit)]

        peer = attr.Occlusion(value)

        def theirs(at_once: int) -> Any:
            with torch.no_grad():
                return peer.attribute(
                    x[None], (3, 8, 8), (3, 4, 4), 0.5, perturbations_per_eval=at_once
                )

        runs["captum"] = lambda: theirs(1)
        runs["captum, 64 at once"] = lambda: theirs(64)
        keep = getattr(net, layer).register_forward_hook(lambda m, i, o: kept.append(o.clone()))
        try:
            agree(averaged(found), theirs(64)[0, 0], "occlusion")
            times = cpu_in_turn(runs, rounds)
        finally:
            keep.remove()
    title = f"occlusion, {found.evaluated} of {found.change.size} windows, {layer}"
    return lines(title, times)


def averaged(found: pm.cnn.Occlusion) -> np.ndarray:
    """What captum gives: for each pixel the mean over the windows that cover it, of the loss."""
    height, width = (
        int(s[-1]) + w for s, w in zip((found.tops, found.lefts), found.window, strict=True)
    )
    total, count = np.zeros((2, height, width))
    for (i, j), change in np.ndenumerate(found.change):
        top, left = found.tops[i], found.lefts[j]
        here = (slice(top, top + found.window[0]), slice(left, left + found.window[1]))
        total[here] -= change
        count[here] += 1
    return total / count


def top_patches(net: nn.Module, n: int, rounds: int) -> list[list[str]]:
    """The best patches of a channel among n images of bytes, beside the features alone."""
    phi = pm.from_torch(net, layer="layer1", stage="post")
    images = np.random.default_rng(1).integers(0, 256, (n, 3, 64, 64), dtype=np.uint8)
    out = np.empty((n, 32 * 32 * 32), np.float32)
    phi.fit(images[:2])
    runs: dict[str, Callable[[], Any]] = {
        "phimaps": lambda: pm.cnn.top_patches(phi, images, 3),
        "features alone": lambda: phi.transform(images, out=out),
    }
    with pm.config_context(cache_bytes=0):
        times = cpu_in_turn(runs, rounds)
    return lines(f"top 9 patches of {n} images, layer1", times)


def main(argv: list[str]) -> int:
    fast = "--fast" in argv
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    net = network()
    images = torch.from_numpy(np.random.default_rng(0).random((32, 3, 64, 64), np.float32))
    count, rounds = (4, 3) if fast else (32, 9)
    if not has_captum():
        print("captum is not installed: no ratios.")
    rows = deconvnets(net, images[:count], (17, 4, 5), rounds)
    for layer, unit in [("layer1", (5, 7, 8)), ("layer2", (17, 4, 5)), ("layer4", (3, 1, 1))]:
        if not fast or layer == "layer1":
            rows += occlusions(net, images[0], layer, unit, 3)
    rows += top_patches(net, 64 if fast else 512, 3)
    print(table(["task", "by", "seconds of one thread", "theirs / ours"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
