"""Folders of numbered pictures as clips, and single pictures as clips of any length (masks)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..io.images import read_picture
from ..style.content_image import read_content_image
from .clip import Pixels

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".tga", ".avif")
_NUMBER = re.compile(r"\d+")


def numbered_pictures(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder by the last number in their names. Raises InputError where there are none."""
    remedy = "Give a film, or a folder of pictures like 0001.png, 0002.png."
    try:
        pictures = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES and path.is_file()]
    except OSError as error:
        raise InputError(folder, f"it cannot be read ({error.strerror or error})", remedy) from error
    found: dict[int, Path] = {}
    for path in sorted(pictures):
        number = number_of(path)
        if number is None or path.name.startswith("."):
            continue
        if number in found:
            cause = f"{found[number].name} and {path.name} have the same number"
            raise InputError(folder, cause, "Keep one kind of picture in the folder.")
        found[number] = path
    if not found:
        raise InputError(folder, "there are no numbered pictures in it", remedy)
    return tuple(found[number] for number in sorted(found))


def number_of(picture: Path) -> int | None:
    """The last number in a picture's name."""
    numbers = _NUMBER.findall(picture.stem)
    return int(numbers[-1][-18:]) if numbers else None


class FolderFrames:
    """Pictures in their order, at one size (see `clip.Frames`)."""

    def __init__(self, pictures: tuple[Path, ...], size: tuple[int, int]) -> None:
        self._pictures, self._size = pictures, size

    def read(self, number: int) -> Pixels:
        """As `clip.Frames.read`."""
        return read_at(self._pictures[min(number, len(self._pictures) - 1)], self._size)

    def close(self) -> None:
        """There is nothing to let go of."""


def read_at(path: Path, size: tuple[int, int]) -> Pixels:
    """A picture at a size (height, width), resized as `meshstyle image` does it. Raises PictureError."""
    pixels = read_picture(path)
    if pixels.shape[:2] == size:
        return pixels
    if not pixels[..., 3].any():
        return np.zeros((*size, 4), np.uint8)
    with torch.no_grad():
        return np.rint(read_content_image(pixels, path, None).at(size).pixels() * 255).astype(np.uint8)
