"""KTX2 textures with Basis Universal data, as KHR_texture_basisu has them (Khronos' KTX 2.0 specification)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ...errors import PictureError
from ..images import check_size, decode_picture
from .decoders import INSTALL, DecodeRequest, DecodingError, decode, is_installed

MAGIC = b"\xabKTX 20\xbb\r\n\x1a\n"
_SIZE_AT = 20  # width and height, 4 bytes each, little endian


def is_ktx2(data: bytes) -> bool:
    return data[: len(MAGIC)] == MAGIC


def ktx2_size(data: bytes, subject: str | Path) -> tuple[int, int]:
    """Height and width in pixels. Raises PictureError for a header cut off and for sizes over the limits."""
    if len(data) < _SIZE_AT + 8:
        raise PictureError(subject, "the texture is cut off", "Export the model again.")
    width, height = struct.unpack_from("<II", data, _SIZE_AT)
    check_size(width, height, subject)
    return height, width


def decode_image(data: bytes, subject: str | Path) -> UInt8[np.ndarray, "H W 4"]:
    """Decode an image of any kind that glTF files hold. Raises PictureError."""
    return decode_ktx2(data, subject) if is_ktx2(data) else decode_picture(data, subject)


def decode_ktx2(data: bytes, subject: str | Path) -> UInt8[np.ndarray, "H W 4"]:
    """The largest image of a texture as sRGB with straight alpha.

    Raises PictureError where the decoder is not installed, and for data that is damaged, not Basis Universal,
    or over the limits of `pictures`.
    """
    height, width = ktx2_size(data, subject)
    if not is_installed("basis"):
        raise PictureError(
            subject,
            "the image is a KTX2 (Basis Universal) texture",
            f"{INSTALL}, or export the model with PNG or JPEG textures.",
        )
    job = DecodeRequest("basis", memoryview(data), {"height": height, "width": width})
    try:
        (found,) = decode([job], 4 * height * width)
    except DecodingError as error:
        raise PictureError(
            subject,
            f"the KTX2 texture cannot be decoded ({error})",
            "Export the model with PNG or JPEG textures.",
        ) from error
    return found["pixels"]
