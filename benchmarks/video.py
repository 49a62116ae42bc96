"""Does paint stay where it belongs in a film? Measured on a clip whose motion is known exactly.

    python benchmarks/video.py OUT_FOLDER [--size 192] [--frames 60] [--texture PICTURE] [--still]
        [--set NAME=VALUE]

The clip (`known_motion.py`) is painted by `meshstyle video`, and some of its frames by themselves (`--consistency 0`).
Told are, for the clip, for frames by themselves and for the film: the root mean square difference between frames at
gaps of 1 and 8, carried along the known motion, pixels that both frames show; the style loss; the time a frame takes.
OUT_FOLDER/sheet.png has frames of the three, and what differs from the frame before (five times as strong).
With --still the photo does not move; the drift of its mean color over the film is told.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from known_motion import KnownMotion, warped_difference
from PIL import Image

import meshstyle.assets
from meshstyle.bundled import find_style
from meshstyle.config.layers import STYLE_LAYERS
from meshstyle.config.video import VideoSettings
from meshstyle.io.images import encode_png
from meshstyle.optimize.picture_problem import in_whole_cells
from meshstyle.style.content_image import long_side
from meshstyle.style.losses import masked_gram, style_loss
from meshstyle.style.objective import resize
from meshstyle.style.style_image import load_style_image
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.video.stylize import stylize_video

SHIPPED = Path(meshstyle.assets.__path__[0])
AMPLIFIED = 5


def read_folder(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob("*.png"))]


def run(clip: Path, out: Path, style: str, settings: VideoSettings) -> tuple[list[np.ndarray], float, float]:
    """The frames, and processor and wall seconds of one."""
    began, busy = time.monotonic(), time.process_time()
    result = stylize_video(clip, style, f"{out}/", settings, workers=1)
    wall, busy = time.monotonic() - began, time.process_time() - busy
    return read_folder(out), busy / result.frames, wall / result.frames


def style_losses(frames: list[np.ndarray], style: str, size: int) -> list[float]:
    network = VGG19(load_weights(), edges=True)

    def grams(picture: torch.Tensor) -> dict[str, torch.Tensor]:
        found = network.features(picture, STYLE_LAYERS)
        return {name: masked_gram(maps, torch.ones_like(maps[:, :1])) for name, maps in found.items()}

    with torch.no_grad():
        painting = load_style_image(find_style(style))
        height, width = long_side(painting.shape[-2:], size)
        goal = grams(resize(painting, (height, width)))
        losses = []
        for frame in frames:
            picture = torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None]
            own = grams(in_whole_cells(picture.contiguous()))
            losses.append(float(np.mean([float(style_loss(own[name], goal[name])) for name in STYLE_LAYERS])))
    return losses


def difference(film: KnownMotion, frames: list[np.ndarray], number: int) -> np.ndarray:
    """What differs from the frame before, carried along; gray is nothing, black is not seen in both."""
    places, seen = film.places(number, number - 1)
    carried = cv2.remap(frames[number - 1], places[..., 0], places[..., 1], cv2.INTER_CUBIC)
    shown = 128 + AMPLIFIED * (frames[number].astype(float) - carried)
    return np.where(seen[..., None], shown, 0).clip(0, 255).astype(np.uint8)


def pairs(count: int) -> list[int]:
    """Frames enough for gaps of 1 and 8."""
    return [number for number in range(count) if number % 8 < 2]


def alone_difference(film: KnownMotion, alone: dict[int, np.ndarray], gap: int) -> float:
    found = []
    for number in alone:
        if number - gap in alone:
            frames = {number: alone[number], number - gap: alone[number - gap]}
            listed = [frames.get(n, alone[number]) for n in range(number + 1)]
            found.append(warped_difference(film, listed[: number + 1], gap, only=number))
    return float(np.sqrt(np.mean(np.square(found))))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--style", default="starry-night")
    arguments.add_argument("--size", type=int, default=192)
    arguments.add_argument("--frames", type=int, default=60)
    arguments.add_argument("--texture", type=Path)
    arguments.add_argument("--still", action="store_true")
    arguments.add_argument("--no-alone", action="store_true", help="do not paint frames by themselves")
    arguments.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting")
    given = arguments.parse_args()
    more: dict[str, Any] = {}
    for item in given.set:
        name, _, value = item.partition("=")
        more[name] = float(value) if name == "consistency" else value if name == "preset" else int(value)
    settings = VideoSettings(size=given.size, **more)
    film = KnownMotion(
        SHIPPED / "models/spot/spot.obj",
        SHIPPED / "photos/chelsea.jpg",
        given.frames,
        given.size,
        given.still,
        given.texture,
    )
    clip = read_folder(film.write(given.out / "clip"))
    frames, busy, wall = run(given.out / "clip", given.out / "film", given.style, settings)
    rows = [("clip", clip, None, None), ("film", frames, busy, wall)]
    losses = style_losses(frames, given.style, given.size)
    print(f"film: style {np.mean(losses):.4f}, last ten {np.mean(losses[-10:]):.4f}, first {losses[0]:.4f}")
    for name, shown, processor, seconds in rows:
        told = f"{name}: gap 1 {warped_difference(film, shown, 1):.4f}, gap 8 {warped_difference(film, shown, 8):.4f}"
        print(
            told + (f", {processor:.2f} processor s and {seconds:.2f} s a frame" if processor else ""),
            flush=True,
        )
    if given.still:
        still = ~np.any([film.model_mask(n) > 0 for n in range(given.frames)], axis=0)
        means = np.array([frame[still].mean(0) for frame in frames])
        print(f"still background: mean color drifts by {np.abs(means - means[0]).max():.2f} of 255 at most")
    columns = [n for n in (1, 9, 25, 41, 57) if n < given.frames]
    sheet = [
        [clip[n] for n in columns],
        [frames[n] for n in columns],
        [difference(film, frames, n) for n in columns],
    ]
    if not given.no_alone:
        chosen = pairs(given.frames)
        (given.out / "some").mkdir(exist_ok=True)
        for number in chosen:
            (given.out / "some" / f"{number:04d}.png").write_bytes(encode_png(clip[number]))
        lone = VideoSettings(size=given.size, **{**more, "consistency": 0.0})
        found, busy, wall = run(given.out / "some", given.out / "alone", given.style, lone)
        alone = dict(zip(chosen, found, strict=True))
        losses = style_losses(found, given.style, given.size)
        told = f"alone: gap 1 {alone_difference(film, alone, 1):.4f}, gap 8 {alone_difference(film, alone, 8):.4f}"
        print(f"{told}, {busy:.2f} processor s and {wall:.2f} s a frame; style {np.mean(losses):.4f}")
        listed = [alone.get(n, found[0]) for n in range(given.frames)]
        sheet += [[alone[n] for n in columns], [difference(film, listed, n) for n in columns]]
    Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in sheet])).save(given.out / "sheet.png")


if __name__ == "__main__":
    main()
