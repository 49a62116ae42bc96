"""What a GPU does: units per second, memory, and whether its result is the CPU's.

    python benchmarks/gpu.py [--device cuda] [--preset draft] [--size 256] [--seconds 5]

A unit is one forward and backward pass of VGG-19 to relu4_1 on pictures of SIZE pixels by torch's convolution,
with each of the precisions that `--precision` knows. Then spot is painted like starry-night on DEVICE and on
the CPU, from the same seed, and both results are judged at viewing size by `evaluate`: their style may differ
by 2 %. With `--device cpu` it runs where there is no GPU, to show that it works. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import meshstyle.assets
from meshstyle import Settings, evaluate, stylize
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

SPOT = Path(meshstyle.assets.__path__[0]) / "models/spot/spot.obj"
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
STYLE = "starry-night"
AGREED = 0.02  # of the style loss


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def units_per_second(device: torch.device, precision: str, size: int, seconds: float) -> float:
    """Units after three that are not counted."""
    network = VGG19(load_weights("bundled"), device, precision=precision)
    picture = torch.rand(1, 3, size, size, device=device, requires_grad=True)

    def unit() -> None:
        found = network.features(picture, LAYERS)
        torch.autograd.grad(sum(maps.square().mean() for maps in found.values()), picture)

    for _ in range(3):
        unit()
    wait_for(device)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        unit()
        wait_for(device)
        count += 1
    return count / (time.perf_counter() - began)


def painted(device: str, preset: str, out: Path) -> dict[str, Any]:
    """Seconds, peak memory of the GPU, and the judged figures of one result."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    stylize(SPOT, STYLE, out, Settings(preset=preset, device=device, seed=1))
    seconds = time.perf_counter() - began
    figures = evaluate(out, SPOT, STYLE)
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else None
    return {"seconds": seconds, "memory": memory, "style": figures.style, "structure": figures.structure}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cuda")
    arguments.add_argument("--preset", default="draft")
    arguments.add_argument("--size", type=int, default=256)
    arguments.add_argument("--seconds", type=float, default=5.0)
    given = arguments.parse_args()
    device = torch.device(given.device)
    precisions = ("float32", "bf16", "fp16") if device.type == "cuda" else ("float32",)
    units = {name: units_per_second(device, name, given.size, given.seconds) for name in precisions}
    with TemporaryDirectory() as folder:
        found = {
            name: painted(name, given.preset, Path(folder) / f"{name}.glb") for name in {given.device, "cpu"}
        }
    apart = abs(found[given.device]["style"] / found["cpu"]["style"] - 1)
    print(json.dumps({"units_per_second": units, **found, "style_apart": apart, "agree": apart <= AGREED}))


if __name__ == "__main__":
    main()
