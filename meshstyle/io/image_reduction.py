"""Large pictures, made smaller while they are decoded: nothing needs all of their pixels, which take gigabytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from ..errors import PictureError

# What decoders need more memory for than Pillow's own picture: pixels that they may decode.
_MOST_DECODED = {"JPEG2000": 2**25, "WEBP": 2**26, "AVIF": 2**26}
MOST_SCANNED = 2**29  # pixels of a progressive JPEG times its passes: some ten seconds
_PLAIN = ("L", "RGB", "RGBA", "CMYK", "LA")  # modes that mean numbers that can be averaged
_BAND = 512  # rows of the result


def load_reduced(
    image: Image.Image,
    data: bytes,
    subject: str | Path,
    most: int,
    to_rgba: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """Decode a picture. One of more than `most` pixels has its sides divided by a whole number.

    Args:
        data: the file.
        to_rgba: for pictures whose mode has no numbers to average.

    Raises PictureError for what takes too much memory or time to decode.
    """
    _check_passes(image, data, subject)
    factor = _factor(image, most)
    if factor > 1 and image.format == "JPEG":
        image.draft(image.mode, (image.width // factor, image.height // factor))
    elif factor > 1 and image.format == "JPEG2000":
        image.reduce = factor.bit_length() - 1  # type: ignore[method-assign, assignment]  # levels left out
        pixels = image.width * image.height >> 2 * (factor.bit_length() - 1)
        _check_decoded(image, pixels, subject)
    if image.format != "JPEG2000" or factor == 1:
        _check_decoded(image, image.width * image.height, subject)
    image.load()
    factor = _factor(image, most)
    return image if factor == 1 else _reduced(image, factor, to_rgba)


def _factor(image: Image.Image, most: int) -> int:
    return max(math.ceil(math.sqrt(image.width * image.height / most)), 1)


def _check_passes(image: Image.Image, data: bytes, subject: str | Path) -> None:
    if image.format == "JPEG" and image.info.get("progressive"):
        passes = data.count(b"\xff\xda")
        if passes * image.width * image.height > MOST_SCANNED:
            cause = f"it is a progressive JPEG of {image.width}×{image.height} pixels in {passes} passes"
            raise PictureError(subject, cause, "Save it as an ordinary JPEG, or smaller.")


def _check_decoded(image: Image.Image, pixels: int, subject: str | Path) -> None:
    most = _MOST_DECODED.get(image.format or "", pixels)
    if pixels > most:
        cause = (
            f"it has {image.width}×{image.height} pixels; of {image.format}, {most >> 20} million are read"
        )
        raise PictureError(subject, cause, "Use a smaller picture, or a PNG or JPEG.")


def _reduced(image: Image.Image, factor: int, to_rgba: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The mean of every square of pixels, by bands where the whole would have to be converted first."""
    if image.mode in _PLAIN and "transparency" not in image.info:
        return _with_info(Image.Image.reduce(image, factor), image)
    size = (math.ceil(image.width / factor), math.ceil(image.height / factor))
    found = Image.new("RGBA", size)
    for top in range(0, size[1], _BAND):
        rows = (top * factor, min((top + _BAND) * factor, image.height))
        band = image.crop((0, rows[0], image.width, rows[1]))
        found.paste(to_rgba(_with_info(band, image)).reduce(factor), (0, top))
    info = {key: value for key, value in image.info.items() if key != "transparency"}
    found.info.update(info)
    return found


def _with_info(made: Image.Image, image: Image.Image) -> Image.Image:
    made.info.update(image.info)
    return made
