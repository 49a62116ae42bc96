"""The main job, timed as a user meets it: the whole command, in units, with the judge's figures.

    python benchmarks/main_job.py [--case spot] [--preset standard] [--set iterations=40] [--out FOLDER]

A unit is one forward + backward of VGG-19 to relu4_1 on 256×256 pixels in plain torch, timed in the same run, just
before and just after each command (the median of both). The command's time is wall time of `meshstyle stylize` less
the time of `python -c pass`; its memory is the peak resident size of that process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "assets" / "models"
CASES = {
    "spot": (MODELS / "spot" / "spot.obj", "starry-night", ".glb"),
    "chair": (MODELS / "chair" / "plastic_monobloc_chair_01_1k.gltf", "scream", ".glb"),
    "fox": (MODELS / "fox" / "Fox.glb", "shipwreck", ".glb"),
    "barrel": (MODELS / "barrel" / "barrel.glb", "great-wave", ".glb"),
}


def unit(repeats: int = 5) -> list[float]:
    """Seconds of single units, after one to warm up."""
    network = VGG19(load_weights())
    picture = torch.rand(1, 3, 256, 256, requires_grad=True)
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        network.features(picture, ["relu4_1"])["relu4_1"].square().mean().backward()
        times.append(time.perf_counter() - began)
    return times[1:]


def run(command: list[str]) -> tuple[float, int, str]:
    """Wall seconds, peak memory in bytes, and what it printed."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024, printed


def measure(case: str, preset: str, options: list[str], out: Path) -> dict[str, object]:
    """One case: paint, time, judge, draw."""
    model, style, suffix = CASES[case]
    output = out / f"{case}_{preset}{suffix}"
    command = [sys.executable, "-m", "meshstyle", "stylize", str(model), "--style", style, "-o", str(output)]
    before = unit()
    bare = statistics.median(run([sys.executable, "-c", "pass"])[0] for _ in range(3))
    seconds, peak, printed = run([*command, "--preset", preset, "--json", "-q", *options])
    one = statistics.median(before + unit())
    result = json.loads(printed)
    judge = [sys.executable, "-m", "meshstyle", "evaluate", str(output), "--original", str(model)]
    judge_seconds, _, judged = run([*judge, "--style", style, "--json", "-q"])
    sheet = [sys.executable, str(ROOT / "benchmarks" / "sheet.py"), str(model), str(output)]
    run([*sheet, str(output.with_suffix(".png"))])
    figures = json.loads(judged)
    return {
        "case": f"{case} × {style}",
        "preset": preset,
        "options": options,
        "unit_seconds": round(one, 3),
        "command_units": round((seconds - bare) / one, 1),
        "command_seconds": round(seconds, 1),
        "evaluate_seconds": round(judge_seconds, 1),
        "peak_memory_gb": round(peak / 2**30, 2),
        "views": result["views"],
        "surface_seen": round(result["surface_seen"], 4),
        **{key: round(value, 4) for key, value in figures.items() if isinstance(value, float)},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--case", action="append", choices=list(CASES))
    arguments.add_argument("--preset", action="append")
    arguments.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="options")
    arguments.add_argument("--out", type=Path, default=Path("out/benchmarks"))
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    options = [part for item in given.options for part in (f"--{item.split('=')[0]}", item.split("=", 1)[1])]
    rows = []
    for case in given.case or list(CASES):
        for preset in given.preset or ["standard"]:
            rows.append(measure(case, preset, options, given.out))
            print(json.dumps(rows[-1]), flush=True)
    report = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__, "rows": rows}
    (given.out / "main_job.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
