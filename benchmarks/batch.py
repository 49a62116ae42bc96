"""A batch of twelve small models against twelve single commands.

    python benchmarks/batch.py [--assets 12] [--rounds 3] [--workers auto] [--out FOLDER] [-- --preset draft ...]

Each round runs the single commands, one after the other, then the batch, on the same models with the same settings;
ratios are taken round by round. Lists are wall and processor time in seconds; on a machine that does other work, only
the second tells something.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from batch_kills import make_input

from meshstyle.batch.scan import all_models

MESHSTYLE = [sys.executable, "-m", "meshstyle"]


def seconds(words: list[str]) -> np.ndarray:
    """Wall and processor time of a command with all its processes."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array([time.monotonic() - began, used])


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--assets", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--workers", default="auto")
    arguments.add_argument("options", nargs="*", default=["--preset", "draft", "--texture-size", "512"])
    arguments.add_argument("--out", type=Path, default=Path("out/benchmarks/batch"))
    given = arguments.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    make_input(given.out / "in", given.assets)
    models, _ = all_models(given.out / "in", given.out / "none")
    common = ["--style", "starry-night", "-q", *given.options]
    rows = []
    for number in range(given.rounds):
        single = np.sum(
            [
                seconds(
                    [
                        *MESHSTYLE,
                        "stylize",
                        str(given.out / "in" / model),
                        "-o",
                        f"{given.out}/single/",
                        *common,
                    ]
                )
                for model in models
            ],
            axis=0,
        )
        words = [*MESHSTYLE, "batch", str(given.out / "in"), "-o", str(given.out / f"batch_{number}")]
        batch = seconds([*words, "--workers", given.workers, "--set", "none", *common])
        rows.append(
            {
                "single": single.round(1).tolist(),
                "batch": batch.round(1).tolist(),
                "ratio": (single / batch).round(2).tolist(),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    wall, used = np.median([row["ratio"] for row in rows], axis=0)
    print(f"median: {wall:.2f} times as fast, with {1 / used:.2f} of the processor time")


if __name__ == "__main__":
    main()
