"""Crops of results beside crops of the paintings at the same scale, and their figures: is it the painter's hand?

python benchmarks/picture.py OUT_FOLDER [--model FILE ...] [--style NAME ...] [--preset standard] [--evaluate]

Each model is painted like each painting. OUT_FOLDER/sheet.png has a row for each pair: two whole views of 768 pixels,
the middle of one of them enlarged twice, and a part of the painting at that scale. OUT_FOLDER/figures.md has a line for
each: seconds and, with --evaluate, all figures of `meshstyle evaluate`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import meshstyle.assets
from meshstyle.bundled import find_style
from meshstyle.io.load import load_asset
from meshstyle.viewing import SIZE, directions
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.reference_renderer import Renderer

SHIPPED = Path(meshstyle.assets.__path__[0])
MODELS = ("spot/spot.obj", "robot/robot.glb", "barrel/barrel.glb", "fox/Fox.glb", "chair")
STYLES = ("starry-night", "scream", "great-wave", "contrast-of-forms")
VIEWS = (3, 5)  # of eight
CROP = SIZE // 2
BACKGROUND = np.array([0.91, 0.91, 0.92], np.float32)
FIGURES = (
    "style",
    "style_768",
    "style_384",
    "style_192",
    "structure",
    "confetti",
    "grain",
    "poles",
    "white_beyond",
)


def shipped_models() -> list[Path]:
    found = [SHIPPED / "models" / name for name in MODELS]
    return [next(path.glob("*.gltf")) if path.is_dir() else path for path in found]


def views(path: Path) -> list[np.ndarray]:
    """Under the headlight, sRGB 0..1."""
    renderer, found = Renderer(load_asset(path)), []
    for number in VIEWS:
        camera = camera_towards_centre(directions(8)[number], SIZE)
        image = renderer.render(camera, 1, frame=(SIZE, SIZE), lit=False)
        blank = np.broadcast_to(BACKGROUND, (SIZE, SIZE, 3))
        found.append(blank if image is None else image.under_headlight().over(BACKGROUND))
    return found


def enlarged(picture: np.ndarray) -> np.ndarray:
    """The middle, twice as large."""
    top, left = (max((side - CROP) // 2, 0) for side in picture.shape[:2])
    crop = Image.fromarray((picture[top : top + CROP, left : left + CROP].clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(crop.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) / 255


def painting(style: str) -> np.ndarray:
    """As large as it is judged: its short side is a view's."""
    image = Image.open(find_style(style)).convert("RGB")
    scale = SIZE / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS)) / 255


def run(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "meshstyle", *arguments, "--json", "--quiet"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def pair(model: Path, style: str, given: argparse.Namespace) -> tuple[np.ndarray, dict[str, Any]]:
    out = given.out / f"{model.stem}-{style}.glb"
    began = time.monotonic()
    result = run("stylize", str(model), "--style", style, "--preset", given.preset, "-o", str(out))
    figures: dict[str, Any] = {
        "seconds": round(time.monotonic() - began, 1),
        "style": result["style_loss"],
        "structure": result["structure"],
    }
    if given.evaluate:
        figures |= run("evaluate", str(out), "--original", str(model), "--style", style)
    shown = views(out)
    row = np.concatenate([*shown, enlarged(shown[0]), enlarged(painting(style))], axis=1)
    return row, figures


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--model", type=Path, action="append")
    arguments.add_argument("--style", action="append")
    arguments.add_argument("--preset", default="standard")
    arguments.add_argument("--evaluate", action="store_true")
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rows, lines = [], [" | ".join(("model", "painting", "seconds", *FIGURES)), "---|" * (len(FIGURES) + 3)]
    for model in given.model or shipped_models():
        for style in given.style or STYLES:
            row, figures = pair(model, style, given)
            rows.append(row)
            told = (f"{figures[name]:.3f}" if name in figures else "" for name in FIGURES)
            lines.append(" | ".join((model.stem, style, f"{figures['seconds']:.0f}", *told)))
            print(lines[-1], flush=True)
    sheet = (np.concatenate(rows).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(sheet).save(given.out / "sheet.png")
    (given.out / "figures.md").write_text("\n".join(f"| {line} |" for line in lines) + "\n")


if __name__ == "__main__":
    main()
