"""Torch's convolution against Winograd's: every layer of VGG-19 to relu4_1, and the whole unit.

    python benchmarks/convolution.py [--size 128 --size 256] [--threads N] [--repeats 7] [--cpu-time]

Both are timed in turn in one process, and medians compared, so that other work on the machine hurts both alike.
`--cpu-time` counts the time that the processor worked instead of the wall's; it tells more on a busy machine, and
means something with one thread only. Each layer is its convolution, bias, ReLU and, where one follows, average
pooling; backward is the gradient in its input. A unit is the forward and backward pass to relu4_1, which is also timed
with what is multiplied rounded to bf16 (`halves`; on processors that do not multiply it the same as `winograd`).

`--rule` tells from how much work on Winograd's is faster. `--memory` prints the peak of resident memory of a process
that does units in one of the two ways.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from meshstyle.kernels.load import load_kernels
from meshstyle.style.convolution import FastConvolution, TorchConvolution
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import CHANNELS, load_weights

LAYERS = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_4", "4_1", "4_2")
POOLED = ("1_2", "2_2", "3_4")
WAYS = {"torch": ("torch", "float32"), "winograd": ("winograd", "float32"), "halves": ("winograd", "auto")}


def alternate(
    jobs: dict[str, Callable[[], None]], repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of each job, done in turn; the first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats + 1):
        for name, job in jobs.items():
            began = clock()
            job()
            times[name].append(clock() - began)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def layer_jobs(layer: str, size: int) -> dict[str, Callable[[], None]]:
    """Of one layer, on the size that a picture of `size` pixels has there."""
    block, number = int(layer[0]), int(layer[2])
    outputs = CHANNELS[block - 1]
    inputs = outputs if number > 1 else 3 if block == 1 else CHANNELS[block - 2]
    return convolution_jobs(inputs, outputs, size >> (block - 1), "average" if layer in POOLED else None)


def convolution_jobs(
    inputs: int, outputs: int, side: int, pooling: str | None = None
) -> dict[str, Callable[[], None]]:
    """Forward and backward in both ways, on a picture of `side` pixels."""
    kernel = torch.randn(outputs, inputs, 3, 3) / (3 * inputs**0.5)
    plain = TorchConvolution(kernel, torch.randn(outputs), replicate=inputs == 3)
    fast = FastConvolution(plain, always=True)
    ours = torch.rand(1, inputs, side, side, requires_grad=True)
    jobs: dict[str, Callable[[], None]] = {}
    for name, convolve in (("torch", plain), ("winograd", fast)):
        made = convolve(ours, pooling)
        gradient = torch.randn_like(made)

        def backward(made: torch.Tensor = made, gradient: torch.Tensor = gradient) -> None:
            torch.autograd.grad(made, ours, gradient, retain_graph=True)

        def forward(convolve: Callable[..., torch.Tensor] = convolve) -> None:
            convolve(ours, pooling)

        jobs[f"{name} forward"], jobs[f"{name} backward"] = forward, backward
    return jobs


def unit_job(way: str, size: int) -> Callable[[], None]:
    convolution, precision = WAYS[way]
    network = VGG19(load_weights(), convolution=convolution, precision=precision)
    picture = torch.rand(1, 3, size, size, requires_grad=True)

    def job() -> None:
        picture.grad = None
        network.features(picture, ["relu4_1"])["relu4_1"].square().mean().backward()

    return job


def peak(way: str, size: int) -> int:
    """Peak resident bytes of a process that does three units."""
    program = [sys.executable, __file__, "--alone", way, "--size", str(size)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return int(done.stdout)


def alone(way: str, size: int) -> None:
    job = unit_job(way, size)
    for _ in range(3):
        job()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--size", type=int, action="append")
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--layers", action="store_true")
    arguments.add_argument("--rule", action="store_true")
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--cpu-time", action="store_true")
    arguments.add_argument("--alone", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    sizes = given.size or [128, 256, 384]
    if given.alone:
        return alone(given.alone, sizes[0])
    clock = time.thread_time if given.cpu_time else time.perf_counter
    compiled = load_kernels()
    print(json.dumps({"compiled": compiled.fresh, "seconds": round(compiled.seconds, 2)}), flush=True)
    if given.rule:
        return rule(given.repeats, clock)
    for size in sizes:
        if given.memory:
            figures = {name: round(peak(name, size) / 1e6) for name in WAYS}
            print(json.dumps({"size": size, "peak MB": figures}), flush=True)
            continue
        jobs = {name: unit_job(name, size) for name in WAYS}
        show(f"unit at {size} px", alternate(jobs, given.repeats, clock), "")
        for layer in LAYERS if given.layers else ():
            times = alternate(layer_jobs(layer, size), given.repeats, clock)
            for way in (" forward", " backward"):
                show(f"conv{layer}{way} at {size} px", times, way)


def rule(repeats: int, clock: Callable[[], float]) -> None:
    """Times faster than torch, forward and backward together, by channels and side."""
    for inputs, outputs in ((3, 64), (64, 64), (128, 128), (256, 256), (512, 512)):
        for side in (2, 4, 8, 16, 32, 64):
            times = alternate(convolution_jobs(inputs, outputs, side), repeats, clock)
            theirs, ours = (times[f"{n} forward"] + times[f"{n} backward"] for n in ("torch", "winograd"))
            work = inputs * outputs * side**2 / 2**20
            print(
                f"{inputs:4} to {outputs:3}, side {side:3}: {work:8.2f} · 2²⁰ {theirs / ours:6.2f} times",
                flush=True,
            )


def show(name: str, times: dict[str, float], way: str) -> None:
    theirs = times["torch" + way]
    found = [f"torch {theirs * 1e3:8.2f} ms"]
    for ours in (one for one in WAYS if one != "torch" and one + way in times):
        found.append(f"{ours} {times[ours + way] * 1e3:8.2f} ms {theirs / times[ours + way]:5.2f} times")
    print(f"{name:32} {'  '.join(found)}")


if __name__ == "__main__":
    main()
