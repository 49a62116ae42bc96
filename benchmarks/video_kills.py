"""A film's run is killed again and again, and goes on: does it make the same bytes as a run that nobody disturbs?

    python benchmarks/video_kills.py OUT_FOLDER [--kills 10] [--frames 60] [--size 64]

Each run is killed with SIGKILL at a random instant after it has finished some frames; the last one runs to its end.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

from known_motion import KnownMotion

import meshstyle.assets

SHIPPED = Path(meshstyle.assets.__path__[0])


def command(clip: Path, out: Path, size: int) -> list[str]:
    settings = ["--size", str(size), "--iterations", "4", "--passes", "2", "--threads", "1", "--quiet"]
    return [
        sys.executable,
        "-m",
        "meshstyle",
        "video",
        str(clip),
        "-s",
        "starry-night",
        "-o",
        str(out),
        *settings,
    ]


def finished(out: Path) -> int:
    return len(list(out.with_name(f"{out.name}.frames").glob("pass-*/*.png")))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--kills", type=int, default=10)
    arguments.add_argument("--frames", type=int, default=60)
    arguments.add_argument("--size", type=int, default=64)
    given = arguments.parse_args()
    model, photo = SHIPPED / "models/spot/spot.obj", SHIPPED / "photos/chelsea.jpg"
    clip = KnownMotion(model, photo, given.frames, given.size).write(given.out / "clip")
    whole, killed = given.out / "whole.mp4", given.out / "killed.mp4"
    subprocess.run(command(clip, whole, given.size), check=True)
    chance = random.Random(0)
    for number in range(given.kills):
        before = finished(killed)
        process = subprocess.Popen(command(clip, killed, given.size))
        while process.poll() is None and finished(killed) <= before:
            time.sleep(0.01)
        time.sleep(chance.random())
        process.kill()
        process.wait()
        print(f"kill {number + 1}: {finished(killed)} frames are finished", flush=True)
    subprocess.run(command(clip, killed, given.size), check=True)
    same = killed.read_bytes() == whole.read_bytes()
    print("the same bytes" if same else "other bytes")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
