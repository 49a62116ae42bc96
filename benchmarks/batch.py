"""A batch of twelve small models against twelve single commands.

    python benchmarks/batch.py [--assets 12] [--rounds 3] [--workers auto] [--out FOLDER] [-- --preset draft ...]

Each round runs the single commands, one after the other, then the batch, on the same models with the same settings;
the ratio of their wall times is taken round by round, so that other load on the machine counts on both sides.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from batch_kills import make_input

from meshstyle.batch.scan import all_models

MESHSTYLE = [sys.executable, "-m", "meshstyle"]


def seconds(words: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(words, check=True)
    return time.monotonic() - began


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
        single = sum(
            seconds(
                [*MESHSTYLE, "stylize", str(given.out / "in" / model), "-o", f"{given.out}/single/", *common]
            )
            for model in models
        )
        words = [*MESHSTYLE, "batch", str(given.out / "in"), "-o", str(given.out / f"batch_{number}")]
        batch = seconds([*words, "--workers", given.workers, "--set", "none", *common])
        rows.append({"single": round(single, 1), "batch": round(batch, 1), "ratio": round(single / batch, 2)})
        print(json.dumps(rows[-1]), flush=True)
    print(f"median: {statistics.median(row['ratio'] for row in rows):.2f} times as fast")


if __name__ == "__main__":
    main()
