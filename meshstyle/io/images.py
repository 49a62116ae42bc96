"""Pictures in and out: model textures from bytes, style pictures and photos from files, PNG, WebP and JPEG back.

Everything here is (H, W, C) uint8, row 0 on top, sRGB, straight alpha.

Two doors, because the two kinds of picture are read by different rules:
- `decode_picture` is for model textures. A texel is a texel: glTF 2.0 (section 3.8.2, "Images") says that
  EXIF orientation and colour profiles of textures are ignored, so both are.
- `read_picture` is for pictures made for people. Orientation is applied and the colour profile is converted.

Sizes are checked on the header, before anything is decoded. Pillow's own limits stay as they are.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from ..errors import PictureError
from .image_reduction import load_reduced

MAX_SIDE = 16384  # pixels
MAX_DECODED_BYTES = 512 * 2**20  # of the RGBA array
MAX_FILE_BYTES = 512 * 2**20
MOST_PIXELS, MOST_OF_A_STYLE = 2**26, 2**25  # above them photos and style pictures are made smaller

# Only what people keep textures and pictures in: Pillow also knows formats that start other programs (EPS).
# TGA has no signature and is tried last, so that it cannot claim another format's damaged file.
_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF", "JPEG2000", "PPM", "DDS", "TGA")
QUALITY = 92  # of WebP and JPEG, 0..100
_WEBP_SIDE = 16383
_GREY_16 = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def picture_size(data: bytes, subject: str | Path) -> tuple[int, int]:
    """Height and width in pixels, from the header alone. Raises PictureError as `decode_picture` does."""
    with _open(data, subject) as image:
        return image.height, image.width


def picture_has_alpha(data: bytes, subject: str | Path) -> bool:
    """Whether the header promises transparency. Raises PictureError as `decode_picture` does."""
    with _open(data, subject) as image:
        return "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa")


def decode_picture(data: bytes, subject: str | Path) -> UInt8[np.ndarray, "H W 4"]:
    """A model texture as sRGB with straight alpha. EXIF orientation and colour profiles are ignored.

    Raises PictureError, naming `subject`, for data that is not a picture, is cut off, or is over the limits
    (`MAX_SIDE` along a side, `MAX_DECODED_BYTES`).
    """
    with _open(data, subject) as image:
        return _to_array(_to_rgba(load_reduced(image, data, subject, MAX_DECODED_BYTES // 4, _to_rgba)))


def read_picture(path: Path, most: int = MOST_PIXELS) -> UInt8[np.ndarray, "H W 4"]:
    """A style picture or photo from a file: upright (EXIF), converted to sRGB (ICC), alpha kept.

    `most`: pixels; a larger one is made smaller (see `io.image_reduction`).

    Raises PictureError for a path that is no readable file and as `decode_picture` does.
    """
    data = _read_file(path)
    with _open(data, path) as image:
        # Decoding may find the rest of the metadata (PNG keeps some behind the pixels).
        return _to_array(_to_srgb(_upright(load_reduced(image, data, path, most, _to_rgba))))


def picture_format(path: Path) -> str:
    """`png`, `jpeg`, `webp`, ..., whatever the file's name says. Raises PictureError as `read_picture` does."""
    with _open(_read_file(path), path) as image:
        return (image.format or "").lower()


def read_text(path: Path, key: str) -> str | None:
    """A text that a PNG holds under a key. Raises PictureError as `read_picture` does."""
    with _open(_read_file(path), path) as image:
        image.load()
        text = getattr(image, "text", {}).get(key)
        return str(text) if text is not None else None


def encode_png(pixels: UInt8[np.ndarray, "H W C"], texts: Mapping[str, str] | None = None) -> bytes:
    """PNG with an sRGB chunk (IEC 61966-2-1, perceptual). C = 1, 2, 3, 4: grey, grey + alpha, RGB, RGBA.

    Equal pixels give equal bytes (for one version of zlib): no times, no names, no chunks but `texts`, by key.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"sRGB", b"\x00")
    for key, text in (texts or {}).items():
        chunks.add_itxt(key, text)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", pnginfo=chunks, compress_level=4)
    return buffer.getvalue()


@dataclass(frozen=True)
class Encoded:
    """A picture as bytes, with its media type and the suffix of files like it."""

    data: bytes
    media: str
    suffix: str


def encode_height(height: UInt16[np.ndarray, "H W"]) -> bytes:
    """A grey PNG of 16 bits."""
    stream = io.BytesIO()
    Image.fromarray(height).save(stream, "PNG")
    return stream.getvalue()


def encode(pixels: UInt8[np.ndarray, "H W C"], image_format: str) -> Encoded:
    """PNG, WebP or JPEG, RGB or RGBA; what the format cannot hold is written as PNG.

    That is alpha for JPEG, and more than 16383 texels along a side for WebP. Equal pixels give equal bytes for
    one version of the encoder. Alpha of WebP is exact; colours of both are nearly so, with full chroma in JPEG.
    """
    opaque = pixels.shape[2] in (1, 3)
    if image_format == "png" or (image_format == "jpeg" and not opaque) or max(pixels.shape) > _WEBP_SIDE:
        return Encoded(encode_png(pixels), "image/png", ".png")
    image, buffer = Image.fromarray(np.ascontiguousarray(pixels)), io.BytesIO()
    if image_format == "webp":
        image.save(buffer, "WEBP", quality=QUALITY, method=4, exact=True)
        return Encoded(buffer.getvalue(), "image/webp", ".webp")
    image.save(buffer, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return Encoded(buffer.getvalue(), "image/jpeg", ".jpg")


def _read_file(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise PictureError(path, "it is a folder, not a picture", "Name a picture file.")
        if not path.exists():
            raise PictureError(path, "there is no such file", "Check the path.")
        if not path.is_file():  # a device or pipe may never end
            raise PictureError(path, "it is not an ordinary file", "Name a picture file.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise PictureError(
                path,
                f"the file holds {size / 2**20:.0f} MiB, the limit is {MAX_FILE_BYTES // 2**20}",
                "Use a smaller picture.",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(
            path, f"it cannot be read ({reason})", "Check the path and its permissions."
        ) from error


@contextmanager
def _open(data: bytes, subject: str | Path) -> Iterator[Image.Image]:
    """The picture with its header read and checked. Whatever Pillow raises or warns becomes a PictureError.

    Pillow documents OSError, but damaged files draw SyntaxError, ValueError, struct.error, EOFError and more
    from its plugins, hence the broad `except`.
    """
    if not data:
        raise PictureError(subject, "the file is empty", "Export or download the picture again.")
    with warnings.catch_warnings():
        # Pillow warns of large pictures below our own limit, of odd metadata, of palettes with transparency.
        warnings.simplefilter("ignore")
        try:
            Image.init()
            formats = [name for name in _FORMATS if name in Image.OPEN]
            with Image.open(io.BytesIO(data), formats=formats) as image:
                check_size(*image.size, subject)
                with _mute() if image.format == "TIFF" else nullcontext():
                    yield image
        except PictureError:
            raise
        except UnidentifiedImageError as error:
            raise PictureError(
                subject, "it is not a picture of a known format", "Use a PNG or JPEG picture."
            ) from error
        except Image.DecompressionBombError as error:
            raise PictureError(
                subject, "it decodes to more pixels than the limit allows", "Use a smaller picture."
            ) from error
        except Exception as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise PictureError(
                subject,
                f"the picture is damaged or cut off ({reason})",
                "Export or download the picture again.",
            ) from error


@contextmanager
def _mute() -> Iterator[None]:
    """libtiff writes its own lines to standard error, past Python; what matters is in the exception as well."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # there is no standard error
        yield
        return
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def check_size(width: int, height: int, subject: str | Path) -> None:
    """Raise PictureError for sizes of nothing or over the limits."""
    if width < 1 or height < 1:
        raise PictureError(subject, "the picture has no pixels", "Use a picture with pixels in it.")
    if max(width, height) > MAX_SIDE:
        raise PictureError(
            subject,
            f"it is {width}×{height} pixels, the limit is {MAX_SIDE} along a side",
            "Use a smaller picture.",
        )
    if width * height * 4 > MAX_DECODED_BYTES:
        raise PictureError(
            subject,
            f"{width}×{height} pixels decode to {width * height * 4 / 2**20:.0f} MiB, "
            f"the limit is {MAX_DECODED_BYTES // 2**20}",
            "Use a smaller picture.",
        )


def _to_rgba(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes to RGBA, by the numbers alone."""
    if image.mode in (*_GREY_16, "F"):
        return _from_deep_grey(image)
    if image.mode == "LAB":
        to_srgb = ImageCms.profileToProfile(
            image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return to_srgb.convert("RGBA")  # type: ignore[union-attr]  # None only with inPlace
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        # Pillow keeps the upper byte of 16-bit colours but all of the key colour.
        image.info["transparency"] = tuple(value >> 8 for value in key)
    if image.mode == "La":
        image = image.convert("LA")
    elif image.mode in ("RGBX", "CMYK", "YCbCr", "HSV"):
        image = image.convert("RGB")
    return image.convert("RGBA")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey (0..65535) or float grey (0..1) to RGBA. Pillow's own conversion clips at 255."""
    values = np.asarray(image).astype(np.float32)  # (H, W)
    top = 1.0 if image.mode == "F" else 65535.0
    grey = np.rint(np.nan_to_num(np.clip(values / top, 0.0, 1.0)) * 255).astype(np.uint8)
    key = image.info.get("transparency")
    alpha = np.full_like(grey, 255)
    if isinstance(key, int):
        alpha[values == key] = 0
    return Image.fromarray(np.stack([grey, grey, grey, alpha], axis=-1))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF: the pixels are still good
        return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """RGBA in sRGB by way of the embedded colour profile, where there is one that fits."""
    profile = image.info.get("icc_profile")
    rgba = _to_rgba(image)
    if not profile:
        return rgba
    # Profiles are about colour alone: CMYK and grey go in as they are, palettes and alpha as RGB.
    colours = image if image.mode in ("CMYK", "L") else rgba.convert("RGB")
    if image.mode in (*_GREY_16, "LA", "1"):
        colours = rgba.convert("L")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in (ImageCms.getProfileDescription(source) or ""):
            return rgba  # spares rounding, by far the most common case
        converted = ImageCms.profileToProfile(
            colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # damaged, or of another colour space
        return rgba
    converted.putalpha(rgba.getchannel("A"))  # type: ignore[union-attr]  # None only with inPlace
    return converted  # type: ignore[return-value]


def _to_array(image: Image.Image) -> UInt8[np.ndarray, "H W 4"]:
    return np.array(image)  # a copy: np.asarray would be read-only
