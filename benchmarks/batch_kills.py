"""Is anything lost when a batch is killed? Kills a batch at random instants, again and again, then lets it end.

    python benchmarks/batch_kills.py [--kills 25] [--assets 12] [--seed 0] [--out FOLDER]

A batch of small models runs once undisturbed. The same batch then runs below another OUT and gets SIGKILL, its whole
process group at once, after a random time, until it has been killed so many times; then it runs to its end.
Every file below both OUTs, but for the batch's own state, must be the same to the byte, none missing and none more.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
MODELS = {  # all kinds, some with files beside them, some with textures in common
    "cubevc": ["cubevc/cubevc.glb"],
    "alien": ["alien/alien.glb"],
    "truck": ["vehicle-truck-red"],
    "fox": ["Fox/Fox.glb"],
    "building": ["building_A"],
    "taxi": ["car_taxi"],
}
WORK = ["--preset", "draft", "--iterations", "1", "--views", "4", "--texture-size", "64", "--threads", "1"]
STATE = ".meshstyle"


def make_input(folder: Path, assets: int) -> None:
    """Copies of small models, in folders of their own, until there are so many."""
    for number in range(assets):
        name, sources = list(MODELS.items())[number % len(MODELS)]
        target = folder / f"{name}_{number}"
        for source in sources:
            path = DATA / source
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                target.mkdir(parents=True)
                shutil.copy(path, target)


def command(source: Path, out: Path, workers: int) -> list[str]:
    begin = [sys.executable, "-m", "meshstyle", "batch", str(source), "-o", str(out)]
    return [*begin, "--style", "starry-night", "--workers", str(workers), "-q", *WORK]


def run_killed(words: list[str], out: Path, seconds: float) -> int | None:
    """Run a batch for so long after it has begun to work in OUT, then kill all of it. Its exit code if it was faster,
    else None."""
    process = subprocess.Popen(words, start_new_session=True)
    while process.poll() is None and not (out / STATE / "holder.json").exists():
        time.sleep(0.02)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def contents(out: Path) -> dict[str, bytes]:
    """All files but the state's."""
    files = (path for path in out.rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in files
        if path.relative_to(out).parts[0] != STATE
    }


def kill_often(words: list[str], out: Path, kills: int, span: float, draw: random.Random) -> int:
    """Kill it so many times, each after a time of up to `span` seconds. Returns how often it had ended before.

    Then some of its results are removed, so that there is something to do again.
    """
    done = late = 0
    while done < kills:
        if run_killed(words, out, draw.uniform(0.0, span)) is None:
            done += 1
            print(f"  killed {done} times, {len(contents(out))} files are there", flush=True)
            continue
        late += 1
        for name in draw.sample(sorted(contents(out)), 8):
            (out / name).unlink()
    return late


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--kills", type=int, default=25)
    arguments.add_argument("--assets", type=int, default=12)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--out", type=Path, default=Path("out/benchmarks/kills"))
    given = arguments.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    source, calm, killed = (given.out / name for name in ("in", "calm", "killed"))
    make_input(source, given.assets)
    began = time.monotonic()
    subprocess.run(command(source, calm, given.workers), check=True)
    seconds = time.monotonic() - began
    print(f"undisturbed: {seconds:.0f} s, {len(contents(calm))} files", flush=True)
    words = command(source, killed, given.workers)
    late = kill_often(words, killed, given.kills, 3 * seconds / given.assets, random.Random(given.seed))
    print(f"{late} runs had ended before they were killed, some of their results were removed", flush=True)
    subprocess.run(words, check=True)
    wanted, found = contents(calm), contents(killed)
    wrong = sorted(name for name in wanted if found.get(name, wanted[name]) != wanted[name])
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    print(f"files: {len(wanted)}; other bytes: {wrong}; missing: {missing}; more: {extra}")
    left = sorted(path.name for path in (killed / STATE).iterdir())
    print(f"state: {left}")
    if wrong or missing or extra:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
