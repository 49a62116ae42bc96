"""The finished frames as what was asked for: one film, or a folder of pictures."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from ..config.video import VideoSettings
from ..errors import OutputError
from ..io.atomic_write import sync_folder, write_all
from ..io.image_files import encode_picture
from ..optimize.picture_problem import laid_over
from ..preview.film import shared_palette
from .clip import Frames, Pixels
from .packages import load_package
from .paint_scene import content_image, to_tensor
from .scan import Clip
from .store import FrameStore, read_paint
from .write_film import FILMS, FilmWriter

_PALETTE_FRAMES = 24  # of a GIF, from which its palette is made

Told = Callable[[int, int], None]  # frames written, of how many


@dataclass(frozen=True)
class Assembly:
    """What finished frames are made into.

    Attributes:
        output: a film, or a folder.
        frames, mask: of the clip and its mask, at the result's size.
        colourless: whether the paintings are.
        record: how it is made.
    """

    clip: Clip
    output: Path
    size: tuple[int, int]
    frames: Frames
    mask: Frames | None
    store: FrameStore
    settings: VideoSettings
    colourless: bool
    record: Mapping[str, Any]

    def finished(self) -> int:
        """How many frames are finished, from the first on, in one pass at least."""
        count = self.clip.info.count
        if self.settings.strength == 0:
            return count
        passes = self.settings.passes_used
        return next((n for n in range(count) if self.store.latest(n, passes) is None), count)

    def shown(self, number: int) -> Pixels:
        """A frame of the result."""
        pixels = self.frames.read(number)
        if self.settings.strength == 0:
            return pixels
        path = self.store.latest(number, self.settings.passes_used)
        assert path is not None
        mask = None if self.mask is None else self.mask.read(number)
        with torch.no_grad():
            paint = to_tensor(read_paint(path))
            shown = laid_over(content_image(pixels, mask), paint, self.settings, self.colourless)
        return np.rint(shown * 255).astype(np.uint8)


def is_film(output: Path) -> bool:
    """Whether an output is a film; else it is a folder."""
    return output.suffix.lower() in FILMS


def assemble(job: Assembly, told: Told) -> tuple[tuple[Path, ...], list[str]]:
    """Write what is finished. Returns the paths, and notes of what could not be written. Raises OutputError."""
    count = job.finished()
    if is_film(job.output):
        return _write_film(job, count, told)
    return _write_pictures(job, count, told), []


def picture_names(clip: Clip) -> list[str]:
    """The names of a folder's pictures: those of the clip's, or numbers."""
    if clip.pictures:
        return [f"{picture.stem}.png" for picture in clip.pictures]
    return [f"{number + 1:06d}.png" for number in range(clip.info.count)]


def _write_pictures(job: Assembly, count: int, told: Told) -> tuple[Path, ...]:
    paths = [job.output / name for name in picture_names(job.clip)[:count]]
    for number, path in enumerate(paths):
        write_all({path: encode_picture(job.shown(number), ".png", job.record)}, job.clip.pictures)
        told(number + 1, count)
    return tuple(paths)


def _write_film(job: Assembly, count: int, told: Told) -> tuple[tuple[Path, ...], list[str]]:
    av = load_package("av")
    try:
        with _placed(job.output) as temporary:
            writer = FilmWriter(
                temporary, job.output.suffix, job.settings.codec, job.clip.info, job.size, job.record
            )
            try:
                if job.output.suffix.lower() == ".gif":
                    writer.set_palette(_palette(job, count))
                for number in range(count):
                    writer.write(number, over_white(job.shown(number)))
                    told(number + 1, count)
                writer.close()
            finally:
                writer.abandon()
    except (av.FFmpegError, OSError) as error:
        cause = f"it cannot be written ({getattr(error, 'strerror', None) or error})"
        remedy = f"Make room; the frames are kept in {job.store.folder.name}: the same command goes on."
        raise OutputError(job.output, cause, remedy) from error
    return (job.output,), writer.notes


def over_white(pixels: Pixels) -> UInt8[np.ndarray, "H W 3"]:
    """Without transparency."""
    if bool((pixels[..., 3] == 255).all()):
        return pixels[..., :3]
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _palette(job: Assembly, count: int) -> Any:
    numbers = sorted({round(n) for n in np.linspace(0, count - 1, min(count, _PALETTE_FRAMES))})
    return shared_palette([over_white(job.shown(number)) for number in numbers], 256)


@contextlib.contextmanager
def _placed(output: Path) -> Iterator[Path]:
    """A path to write to, which takes the output's place if all goes well, and else is removed."""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".meshstyle-{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, output)
        sync_folder(output.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
