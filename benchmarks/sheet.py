"""A picture of a model and what became of it, from directions no solver trained on.

python benchmarks/sheet.py ORIGINAL STYLIZED OUT.png [--columns 6] [--size 256] [--side 4]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from meshstyle.io.load import load_asset
from meshstyle.views.cameras import camera_towards_centre, fibonacci_sphere
from meshstyle.views.reference_renderer import Renderer

GREY = np.array([0.42, 0.45, 0.48], np.float32)


def row(path: Path, columns: int, size: int, side: int) -> np.ndarray:
    """`columns` views side by side, 0..1."""
    renderer = Renderer(load_asset(path))
    views = []
    for direction in fibonacci_sphere(2 * columns)[columns // 2 : columns // 2 + columns]:
        image = renderer.render(camera_towards_centre(direction, size), side, frame=(size, size))
        views.append(np.broadcast_to(GREY, (size, size, 3)) if image is None else image.over(GREY))
    return np.concatenate(views, 1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("original", type=Path)
    arguments.add_argument("stylized", type=Path)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--columns", type=int, default=6)
    arguments.add_argument("--size", type=int, default=256)
    arguments.add_argument("--side", type=int, default=4)
    given = arguments.parse_args()
    rows = [row(path, given.columns, given.size, given.side) for path in (given.original, given.stylized)]
    Image.fromarray((np.concatenate(rows).clip(0, 1) * 255 + 0.5).astype(np.uint8)).save(given.out)


if __name__ == "__main__":
    main()
