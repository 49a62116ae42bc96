"""What large textures cost: time and memory of the whole command by texture size, and what they look like.

    python benchmarks/big_textures.py [--case spot] [--size 1024] [--preset standard] [--iterations 1] [--judge]

Every entry is one `meshstyle stylize` in a process of its own, followed by `--detail off` for the same size where
`--judge` is given, so that close-ups can be told from plain enlargement. Seconds are the processor's, of all threads
(they do not grow when others use the machine too) and the clock's; memory is the peak resident size of the process,
and `image_gb` what the picture itself takes in it, 8 bits a channel. `sharp_near` is the sharpness (see `evaluate`)
of views at which a pixel is a texel of the largest size.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from main_job import CASES, run

from meshstyle.bundled import find_style
from meshstyle.figures import sharpness
from meshstyle.io.load import load_asset
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer

SIZES = (512, 1024, 2048, 4096)
NEAR = 8  # times nearer than a view of 256 pixels that frames the model
LOOKS = 8


def cpu_seconds() -> float:
    """Of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def near_sharpness(path: Path) -> float:
    """Mean over views that look at the middle of the model from near."""
    renderer, found = Renderer(load_asset(path)), []
    for direction in fibonacci_sphere(LOOKS):
        image = renderer.render(camera_towards_centre(direction, 256 * NEAR), 2, frame=(256, 256))
        if image is not None:
            picture = torch.from_numpy(image.colour.transpose(2, 0, 1)[None].copy())
            found.append(sharpness(picture, torch.from_numpy(image.mask)[None, None]))
    return float(np.mean(found))


def entry(case: str, size: int, options: list[str], out: Path, judge: bool) -> dict[str, Any]:
    model, style, suffix = CASES[case]
    output = out / f"{case}_{size}{'_plain' if '--detail' in options else ''}{suffix}"
    command = [sys.executable, "-m", "meshstyle", "stylize", str(model), "--style", style, "-o", str(output)]
    before = cpu_seconds()
    seconds, peak, printed = run([*command, "--texture-size", str(size), "--json", "-q", *options])
    result = json.loads(printed)
    row = {
        "case": case,
        "style": str(find_style(style).name),
        "size": size,
        "options": options,
        "image_gb": round(3 * size**2 / 2**30, 3),
        "views": result["views"],
        "close_ups": result["close_ups"],
        "cpu_seconds": round(cpu_seconds() - before, 1),
        "seconds": round(seconds, 1),
        "peak_gb": round(peak / 2**30, 2),
    }
    if judge:
        judging = [sys.executable, "-m", "meshstyle", "evaluate", str(output), "--original", str(model)]
        figures = json.loads(run([*judging, "--style", style, "--json", "-q"])[2])
        row |= {key: round(figures[key], 4) for key in ("style_loss", "structure", "sharpness")}
        row["sharp_near"] = round(near_sharpness(output), 4)
    return row


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--case", action="append", choices=list(CASES))
    arguments.add_argument("--size", action="append", type=int)
    arguments.add_argument("--preset", default="standard")
    arguments.add_argument("--iterations", type=int)
    arguments.add_argument("--judge", action="store_true")
    arguments.add_argument("--out", type=Path, default=Path("out/big_textures"))
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    options = ["--preset", given.preset]
    options += ["--iterations", str(given.iterations)] if given.iterations is not None else []
    for case in given.case or ["spot"]:
        for size in given.size or SIZES:
            for extra in ([], ["--detail", "off"]) if given.judge else ([],):
                print(json.dumps(entry(case, size, [*options, *extra], given.out, given.judge)), flush=True)


if __name__ == "__main__":
    main()
