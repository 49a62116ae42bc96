"""Painted pictures as files, and what those remember of their making."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from .images import encode, encode_png, picture_format, read_text

_KEY = "meshstyle"  # of the PNG text chunk
_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def encode_picture(pixels: UInt8[np.ndarray, "H W 4"], suffix: str, record: Mapping[str, Any]) -> bytes:
    """A picture as what its suffix says; without alpha where it is opaque, over white where JPEG cannot hold it.

    PNG also holds the record.
    """
    opaque = bool((pixels[..., 3] == 255).all())
    kind = _FORMATS.get(suffix.lower())
    if kind == "jpeg" and not opaque:
        alpha = pixels[..., 3:].astype(np.float32) / 255
        flat = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
        return encode(flat, kind).data
    shown = pixels[..., :3] if opaque else pixels
    if kind is None:
        return encode_png(shown, {_KEY: json.dumps(record, sort_keys=True)})
    return encode(shown, kind).data


def is_kind(path: Path, suffix: str) -> bool:
    """Whether a picture is what a suffix says. Raises PictureError."""
    return picture_format(path) == _FORMATS.get(suffix.lower(), "png")


def read_record(path: Path) -> dict[str, Any] | None:
    """How a PNG was made, or None where it does not tell. Raises PictureError."""
    text = read_text(path, _KEY)
    if text is None:
        return None
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def is_picture(path: Path) -> bool:
    """Whether a file is a single picture, as far as its first bytes tell; films and moving pictures are none."""
    try:
        with Image.open(path) as image:
            return not getattr(image, "is_animated", False)
    except Exception:  # Pillow's plugins raise whatever they like
        return False
