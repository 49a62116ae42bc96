"""What Ray costs on one machine: the same batch by processes of its own and by a Ray cluster of this run.

    python benchmarks/batch_ray.py [--models 12] [--rounds 1] [--set iterations=4]

Both have as many workers, of one thread, as there are cores. For each: wall time of the whole command, starting and
ending the cluster included, and processor time of its whole process tree, which other work on the machine
hardly changes (looked at ten times a second: what a process uses in its last tenth is missed). Results are compared
byte for byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

MODELS = sorted(path for path in (Path(__file__).parents[1] / "assets" / "models").iterdir() if path.is_dir())
ENGINES = {"local": [], "ray": ["--engine", "ray", "--ray-address", "local"]}
OF_THE_RUN = (".meshstyle", "report.files", "report.html", "report.json")
_EVERY = 0.1  # seconds


def folder_of(count: int, folder: Path) -> Path:
    """The shipped models, each as often as it takes."""
    for number in range(count):
        shutil.copytree(MODELS[number % len(MODELS)], folder / f"{number:02}")
    return folder


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds, and processor seconds of the process and all below it."""
    began, used = time.monotonic(), {}
    with subprocess.Popen(command) as process:
        top = psutil.Process(process.pid)
        while process.poll() is None:
            for one in [top, *top.children(recursive=True)]:
                try:
                    times = one.cpu_times()
                except psutil.Error:  # it has ended
                    continue
                used[one.pid, one.create_time()] = times.user + times.system
            time.sleep(_EVERY)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - began, sum(used.values())


def contents(out: Path) -> dict[str, bytes]:
    """All results; the report and what the batch remembers tell how long it took."""
    files = [
        path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] not in OF_THE_RUN
    ]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = ["--style", "starry-night", "--preset", given.preset, "--threads", "1", "-q"]
    options += ["--workers", str(len(os.sched_getaffinity(0))), *(f"--{one}" for one in given.set)]
    walls: dict[str, list[float]] = {name: [] for name in ENGINES}
    processors: dict[str, list[float]] = {name: [] for name in ENGINES}
    results: list[dict[str, bytes]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = folder_of(given.models, Path(place) / "models")
        for number in range(given.rounds):
            for name, engine in ENGINES.items():
                out = Path(place) / f"{name}{number}"
                command = [sys.executable, "-m", "meshstyle", "batch", str(folder), "-o", str(out)]
                wall, processor = timed([*command, *options, *engine])
                walls[name].append(wall)
                processors[name].append(processor)
                results.append(contents(out))
                print(f"{name}: {wall:.1f} s, of the processor {processor:.1f} s", flush=True)
    for what, times in (("wall", walls), ("processor", processors)):
        print(
            f"ray / local, {what}: {statistics.median(times['ray']) / statistics.median(times['local']):.3f}"
        )
    print("the same bytes" if all(result == results[0] for result in results) else "DIFFERENT RESULTS")


if __name__ == "__main__":
    main()
