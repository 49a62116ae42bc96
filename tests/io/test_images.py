"""Pictures: every mode to sRGB RGBA, limits before decoding, one clear error for everything else."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from meshstyle.errors import PictureError
from meshstyle.io.images import MAX_SIDE, decode_picture, encode_png, picture_size, read_picture


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def raw_png(width: int, height: int, bits: int, colour_type: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG of given header and (filtered) rows, for what Pillow cannot write itself."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b"")


COLOURS = np.array([[[10, 20, 30, 255], [200, 100, 50, 128]], [[0, 0, 0, 0], [255, 255, 255, 255]]], np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_round_trip(channels: int) -> None:
    pixels = COLOURS[..., [0, 3]] if channels == 2 else COLOURS[..., :channels]
    back = decode_picture(encode_png(pixels), "x.png")
    colour = pixels[..., :3] if channels > 2 else pixels[..., [0, 0, 0]]
    np.testing.assert_array_equal(back[..., :3], colour)
    np.testing.assert_array_equal(back[..., 3], COLOURS[..., 3] if channels in (2, 4) else 255)


def test_encoded_png_says_srgb_and_nothing_else() -> None:
    data = encode_png(COLOURS)
    kinds, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kinds.append(data[at + 4 : at + 8])
        at += 12 + length
    assert kinds == [b"IHDR", b"sRGB", b"IDAT", b"IEND"]
    assert data == encode_png(COLOURS.copy())


@pytest.mark.parametrize(
    ("mode", "pixel", "rgba"),
    [
        ("1", 1, (255, 255, 255, 255)),
        ("L", 77, (77, 77, 77, 255)),
        ("LA", (77, 9), (77, 77, 77, 9)),
        ("RGB", (1, 2, 3), (1, 2, 3, 255)),
        ("RGBA", (1, 2, 3, 4), (1, 2, 3, 4)),
        ("I;16", 32896, (128, 128, 128, 255)),  # 32896 = 128 · 257
    ],
)
def test_modes_of_png(mode: str, pixel: object, rgba: tuple[int, ...]) -> None:
    data = saved(Image.new(mode, (3, 2), pixel))
    assert picture_size(data, "x") == (2, 3)
    got = decode_picture(data, "x")
    assert got.shape == (2, 3, 4)
    assert tuple(got[1, 2]) == rgba


def test_palette_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    got = decode_picture(saved(image, transparency=bytes([255, 40])), "x")
    assert got.tolist() == [[[255, 0, 0, 255], [0, 0, 255, 40]]]


def test_sixteen_bit_key_colours() -> None:
    grey = raw_png(
        2, 1, 16, 0, b"\0" + struct.pack(">HH", 65535, 257), png_chunk(b"tRNS", struct.pack(">H", 257))
    )
    assert decode_picture(grey, "x").tolist() == [[[255, 255, 255, 255], [1, 1, 1, 0]]]
    key = png_chunk(b"tRNS", struct.pack(">HHH", 257, 514, 65535))
    colour = raw_png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 0, 0, 0, 257, 514, 65535), key)
    assert decode_picture(colour, "x").tolist() == [[[0, 0, 0, 255], [1, 2, 255, 0]]]


def test_cmyk_and_other_formats() -> None:
    cmyk = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(decode_picture(cmyk, "x")[4, 4].astype(int) - [255, 0, 0, 255]).max() <= 3
    lab = saved(Image.new("LAB", (2, 2), (255, 128, 128)), "TIFF")  # L* = 100, a* = b* = 0: white
    assert decode_picture(lab, "x")[0, 0].min() >= 250
    grey = saved(Image.fromarray(np.array([[0.0, 0.5], [2.0, -1.0]], np.float32)), "TIFF")
    assert decode_picture(grey, "x")[..., 0].tolist() == [[0, 128], [255, 0]]
    for format in ("BMP", "TGA", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM"):
        data = saved(Image.new("RGB", (4, 4), (255, 0, 0)), format)
        assert np.abs(decode_picture(data, "x")[2, 2].astype(int) - [255, 0, 0, 255]).max() <= 3, format


def sideways_photo() -> bytes:
    """2×1, red then blue, with EXIF orientation 6: to be turned clockwise."""
    image = Image.new("RGB", (2, 1), (255, 0, 0))
    image.putpixel((1, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(image, "PNG", exif=exif)


def test_orientation_is_for_photos_only(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(sideways_photo())
    assert read_picture(tmp_path / "photo.png")[..., :3].tolist() == [[[255, 0, 0]], [[0, 0, 255]]]
    assert decode_picture(sideways_photo(), "x").shape == (1, 2, 4)


def test_colour_profile_is_for_photos_only(tmp_path: Path) -> None:
    """The grey profile is linear: 55 is 0.2157 of white, in sRGB
    255 · (1.055 · 0.2157^(1/2.4) − 0.055) = 128."""
    data = saved(Image.new("L", (2, 2), 55), "PNG", icc_profile=linear_grey_profile())
    (tmp_path / "grey.png").write_bytes(data)
    assert abs(int(read_picture(tmp_path / "grey.png")[0, 0, 0]) - 128) <= 1
    assert decode_picture(data, "x")[0, 0, 0] == 55
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (tmp_path / "same.png").write_bytes(saved(Image.fromarray(COLOURS), icc_profile=srgb))
    np.testing.assert_array_equal(read_picture(tmp_path / "same.png"), COLOURS)
    (tmp_path / "junk.png").write_bytes(saved(Image.fromarray(COLOURS), icc_profile=b"junk"))
    np.testing.assert_array_equal(read_picture(tmp_path / "junk.png"), COLOURS)


def linear_grey_profile() -> bytes:
    """An ICC v2 grey profile: header, white point, and a curve without entries (the identity)."""
    d50 = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    tags = [
        (b"desc", b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78)),
        (b"wtpt", b"XYZ " + bytes(4) + d50),
        (b"kTRC", b"curv" + bytes(4) + struct.pack(">I", 0)),
    ]
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, payload in tags:
        payload += bytes(-len(payload) % 4)
        table += name + struct.pack(">II", at + len(body), len(payload))
        body += payload
    size = at + len(body)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ ") + bytes(12)
    header += b"acsp" + bytes(28) + d50
    return header.ljust(128, b"\0") + table + body


def test_too_large_is_seen_before_decoding() -> None:
    for width, height in [(MAX_SIDE + 1, 1), (16384, 16384), (100_000, 100_000), (2**31 - 1, 2**31 - 1)]:
        bomb = raw_png(width, height, 8, 2, b"")
        for read in (decode_picture, picture_size):
            with pytest.raises(PictureError, match="limit"):
                read(bomb, "bomb.png")


def test_large_pictures_below_our_limit_draw_no_warning() -> None:
    """Pillow warns from 89 million pixels on; `warnings` are errors here and the limit is ours."""
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    assert picture_size(raw_png(10_000, 10_000, 1, 0, b""), "x") == (10_000, 10_000)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "TGA", "BMP"])
def test_cut_off_pictures(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    with pytest.raises(PictureError, match=r"^sky\.pic: .*\. "):
        decode_picture(data[: len(data) // 2], "sky.pic")


@pytest.mark.parametrize("data", [b"", b"hello, I am a text", bytes(100), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_no_picture_at_all(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"^note: "):
        decode_picture(data, "note")
    with pytest.raises(PictureError):
        picture_size(data, "note")


def test_unreadable_paths(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png", Path("/dev/zero"), tmp_path / ("x" * 300), Path("a\0b")):
        with pytest.raises(PictureError) as error:
            read_picture(path)
        assert "\n" not in str(error.value)


def test_damaged_tiffs_write_nothing_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    """libtiff would say it on standard error as well, past Python."""
    whole = saved(Image.new("RGB", (64, 64), (9, 80, 200)), "TIFF", compression="tiff_adobe_deflate")
    at = whole.index(b"\x78\x9c")  # where zlib's data begins
    with pytest.raises(PictureError, match="damaged"):
        decode_picture(whole[:at] + b"\xff" * 20 + whole[at + 20 :], "x.tiff")
    assert capfd.readouterr().err == ""
