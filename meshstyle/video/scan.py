"""The first look at a clip, from end to end: how many frames there are and when, where scenes begin, what is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.image_files import is_picture
from ..io.images import read_picture
from ..style.content_image import check_same_shape, long_side
from .clip import HDR, ClipInfo, ColorTags, Frames, Pixels
from .packages import load_package
from .read_film import (
    FilmFrames,
    color_tags,
    decoded,
    has_alpha,
    opened,
    quarter_turns,
    shown_size,
    to_pixels,
    video_stream,
)
from .read_folder import FolderFrames, number_of, numbered_pictures, read_at
from .scenes import LOOK, SceneFinder

Told = Callable[[int], None]  # frames that have been looked at


@dataclass(frozen=True)
class Clip:
    """A clip that has been looked at.

    Attributes:
        starts: the frames with which scenes begin; the first is 0.
        pictures: of a folder, in their order; none of a film.
        stamps: of a film, each frame's time in the file.
    """

    info: ClipInfo
    starts: tuple[int, ...]
    pictures: tuple[Path, ...] = ()
    stamps: tuple[int | None, ...] = ()

    @property
    def scenes(self) -> tuple[range, ...]:
        """The frames of each scene."""
        ends = (*self.starts[1:], self.info.count)
        return tuple(range(start, end) for start, end in zip(self.starts, ends, strict=True))

    def frames(self, size: tuple[int, int]) -> Frames:
        """Open it, to be read at a size (height, width)."""
        if self.pictures:
            return FolderFrames(self.pictures, size)
        return FilmFrames(self.info.path, size, self.stamps)


def scan(path: Path, fps: float, cuts: bool, told: Told = lambda _: None) -> Clip:
    """Look at all of a clip.

    Args:
        fps: frames a second of a folder of pictures.
        cuts: whether scenes are looked for.

    Raises InputError where it cannot be used.
    """
    finder = SceneFinder() if cuts else None
    if path.is_dir():
        return _scan_folder(path, fps, finder, told)
    return _scan_film(path, finder, told)


def mask_frames(path: Path, clip: ClipInfo, size: tuple[int, int], fps: float) -> Frames:
    """A mask's frames: of a film or folder as long as the clip, or one picture for all of it.

    Raises InputError for one of other proportions or fewer frames.
    """
    if path.is_file() and is_picture(path):
        check_same_shape(read_picture(path).shape[:2], clip.size, path)
        return FolderFrames((path,), size)
    mask = scan(path, fps, cuts=False)
    check_same_shape(mask.info.size, clip.size, path)
    if mask.info.count < clip.count:
        cause = f"it has {mask.info.count} frames and the clip has {clip.count}"
        raise InputError(path, cause, "Give a mask of as many frames, or one picture for all of them.")
    return mask.frames(size)


def _scan_folder(path: Path, fps: float, finder: SceneFinder | None, told: Told) -> Clip:
    pictures = numbered_pictures(path)
    size: tuple[int, int] | None = None
    starts, alpha = [], False
    for number, picture in enumerate(pictures):
        pixels = read_picture(picture)
        shape = (pixels.shape[0], pixels.shape[1])
        size = size or shape
        if shape != size:
            cause = f"it is {shape[1]}×{shape[0]} pixels, and {pictures[0].name} {size[1]}×{size[0]}"
            raise InputError(picture, cause, "Make all frames of one size.")
        alpha = alpha or bool((pixels[..., 3] < 255).any())
        small = read_at(picture, long_side(size, min(LOOK, max(size))))
        if finder is not None and finder.begins(np.ascontiguousarray(small[..., :3])):
            starts.append(number)
        told(number + 1)
    assert size is not None
    rate = Fraction(fps).limit_denominator(100_000)
    times = tuple(range(len(pictures) + 1))
    info = ClipInfo(path, size, times, 1 / rate, rate, ColorTags(), alpha, False, _gaps(pictures))
    return Clip(info, _starts(starts), pictures)


def _gaps(pictures: tuple[Path, ...]) -> tuple[str, ...]:
    first, last = (number_of(path) or 0 for path in (pictures[0], pictures[-1]))
    missing = last - first + 1 - len(pictures)
    return (f"{missing} numbers are missing between its pictures",) if missing > 0 else ()


def _starts(found: list[int]) -> tuple[int, ...]:
    return tuple(sorted({0, *found}))


def _scan_film(path: Path, finder: SceneFinder | None, told: Told) -> Clip:
    problems: list[str] = []
    starts: list[int] = []
    stamps: list[int | None] = []
    first: Any = None
    length = 0
    alpha = False
    with opened(path) as container:
        stream = video_stream(container, path)
        for number, frame in enumerate(decoded(container, stream, path, problems)):
            first = first or frame
            stamps.append(frame.pts)
            length = frame.duration or length
            if finder is not None or has_alpha(frame):
                small = _small(stream, frame)
                alpha = alpha or bool((small[..., 3] < 255).any())
                if finder is not None and finder.begins(np.ascontiguousarray(small[..., :3])):
                    starts.append(number)
            told(number + 1)
        if first is None:
            raise InputError(path, "there is not a single frame in it", "Export it again.")
        size, color = shown_size(stream, first), color_tags(first)
        unit, rate = _unit(stream), _rate(stream)
        sound = bool(container.streams.audio)
        announced = stream.frames
    times = _times(stamps, length, unit, rate)
    if announced and len(stamps) < 0.9 * announced and not problems:
        problems.append(f"it announces {announced} frames and has {len(stamps)}")
    problems += _odd(first, color)
    info = ClipInfo(path, size, times, unit, rate, color, alpha, sound, tuple(problems))
    return Clip(info, _starts(starts), (), tuple(stamps))


def _small(stream: Any, frame: Any) -> Pixels:
    size = shown_size(stream, frame)
    return to_pixels(frame, long_side(size, min(LOOK, max(size))))


def _odd(frame: Any, color: ColorTags) -> Iterator[str]:
    if color.transfer in HDR:
        yield "it is HDR, and is painted as if it were not: make it SDR first for its true colors"
    if frame.rotation % 90:
        yield f"it is to be shown turned by {frame.rotation}°: only quarter turns are made"
    if quarter_turns(frame):
        yield f"it is turned upright by {90 * quarter_turns(frame)}°"
    if frame.interlaced_frame:
        yield "it is interlaced: deinterlace it first where combs show"


def _unit(stream: Any) -> Fraction:
    return Fraction(stream.time_base or Fraction(1, 1000))


def _rate(stream: Any) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate or Fraction(25)
    return Fraction(rate) if rate > 0 else Fraction(25)


def _times(stamps: list[int | None], length: int, unit: Fraction, rate: Fraction) -> tuple[int, ...]:
    """When frames begin, from 0 on, each later than the one before; and when the last one ends."""
    usual = max(round(1 / rate / unit), 1)
    times: list[int] = []
    start = next((stamp for stamp in stamps if stamp is not None), 0)
    for stamp in stamps:
        expected = times[-1] + usual if times else 0
        time = expected if stamp is None else stamp - start
        times.append(time if not times or time > times[-1] else times[-1] + 1)
    return (*times, times[-1] + (length or usual))


def check_packages(path: Path) -> None:
    """Fail before the work where a package is missing. Raises UsageError."""
    load_package("cv2")
    if not path.is_dir():
        load_package("av")
