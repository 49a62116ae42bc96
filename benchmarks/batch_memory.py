"""Does a worker's memory grow? One worker paints a hundred tiny models; resident size after each.

python benchmarks/batch_memory.py [--assets 100] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import psutil
from batch_kills import make_input

from meshstyle import BatchOptions, run_batch
from meshstyle.batch.types import BatchProgress

WORK = {"preset": "draft", "iterations": 1, "views": 4, "texture_size": 64, "threads": 1}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--assets", type=int, default=100)
    arguments.add_argument("--out", type=Path, default=Path("out/benchmarks/memory"))
    given = arguments.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    make_input(given.out / "in", given.assets)
    curve: list[tuple[float, float]] = []

    def watch(progress: BatchProgress) -> None:
        if progress.finished is not None:
            sizes = [process.memory_info().rss for process in psutil.Process().children()]
            curve.append((psutil.Process().memory_info().rss / 2**20, max(sizes) / 2**20))

    options = BatchOptions(workers=1, group="none")
    result = run_batch(given.out / "in", given.out / "out", "starry-night", WORK, options, watch)
    for number in range(9, len(curve), 10):
        print(
            f"after {number + 1:4}: this process {curve[number][0]:6.0f} MiB, worker {curve[number][1]:6.0f} MiB"
        )
    (given.out / "memory.json").write_text(json.dumps({"failed": len(result.failed), "mib": curve}))


if __name__ == "__main__":
    main()
