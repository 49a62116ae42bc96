"""Frames as one file: GIF, animated PNG and WebP, MP4."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..errors import OutputError, UsageError
from ..system.temporary import temporary_folder

KINDS = (".gif", ".webp", ".png", ".mp4")
WITH_ALPHA = (".gif", ".webp", ".png")
_MOST_SAMPLES = 2**21  # pixels that a palette is made from
_DITHER = 7.0  # levels; amplitude of the ordered dither
_CRF = "17"  # of H.264: visually lossless
_WEBP_QUALITY = 88
_GIF_MOST_FPS = 50  # players slow down what is faster


@dataclass(frozen=True)
class Film:
    """Frames, all (H, W, 3) or all (H, W, 4) with straight alpha, and how many are shown a second."""

    frames: Sequence[np.ndarray]
    fps: float

    @property
    def has_alpha(self) -> bool:
        return bool(self.frames[0].shape[2] == 4)

    def durations(self, unit: float) -> list[int]:
        """Return each frame's duration in units of so many seconds: whole numbers that do not drift from the true
        times."""
        ends = np.rint(np.arange(len(self.frames) + 1) / self.fps / unit).astype(int)
        return [max(int(step), 1) for step in np.diff(ends)]


def check_kind(suffix: str, fps: float, has_alpha: bool) -> None:
    """Fail before the work. Raises UsageError, and OutputError where a codec is missing."""
    if suffix == ".gif" and fps > _GIF_MOST_FPS:
        raise UsageError(
            "--fps", f"a GIF cannot show {fps:g} frames a second", f"Give {_GIF_MOST_FPS} at most."
        )
    if suffix == ".mp4":
        if has_alpha:
            raise UsageError(
                "--background", "MP4 knows no transparency", "Write a .webp or .png, or choose a colour."
            )
        _load_av()


def encode(film: Film, suffix: str, lossless: bool = False) -> bytes:
    """The film as a file of this kind. It loops for ever (MP4: as its player likes)."""
    if suffix == ".gif":
        return encode_gif(film)
    if suffix == ".mp4":
        return encode_mp4(film)
    frames = [Image.fromarray(frame) for frame in film.frames]
    more: dict[str, Any] = {
        "save_all": True,
        "append_images": frames[1:],
        "duration": film.durations(1e-3),
        "loop": 0,
    }
    buffer = io.BytesIO()
    if suffix == ".webp":
        quality = 70 if lossless else _WEBP_QUALITY  # lossless: effort
        frames[0].save(buffer, "WEBP", lossless=lossless, quality=quality, method=4, exact=lossless, **more)
    else:
        # Every frame as it is: blending would need the alpha of frames before.
        frames[0].save(buffer, "PNG", blend=0, **more)
    return buffer.getvalue()


def encode_gif(film: Film) -> bytes:
    """One palette for all frames and a dither that stays in its place: nothing flickers that does not move."""
    opaque = [frame[..., :3] for frame in film.frames]
    masks = [frame[..., 3] >= 128 for frame in film.frames] if film.has_alpha else None
    palette = shared_palette(opaque, 255, masks)
    height, width = opaque[0].shape[:2]
    offset = bayer(height, width)
    frames = []
    for number, frame in enumerate(opaque):
        dithered = np.clip(frame + offset[..., None], 0, 255).astype(np.uint8)
        indexed = Image.fromarray(dithered).quantize(palette=palette, dither=Image.Dither.NONE)
        if masks is not None:
            pixels = np.array(indexed)
            pixels[~masks[number]] = 255
            indexed = Image.fromarray(pixels, "P")
            indexed.putpalette(palette.getpalette() or [])
        frames.append(indexed)
    buffer = io.BytesIO()
    more: dict[str, Any] = {} if masks is None else {"transparency": 255, "disposal": 2}
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[10 * step for step in film.durations(1e-2)],
        loop=0,
        optimize=False,
        **more,
    )
    return buffer.getvalue()


def shared_palette(
    frames: Sequence[UInt8[np.ndarray, "H W 3"]], colours: int, masks: Sequence[np.ndarray] | None = None
) -> Image.Image:
    """A palette image of at most so many colours for all frames.

    Colours count by the root of how often they occur, so that a large background does not take most of them.
    """
    stride = max(sum(frame.shape[0] * frame.shape[1] for frame in frames) // _MOST_SAMPLES, 1)
    picked = []
    for number, frame in enumerate(frames):
        pixels = frame.reshape(-1, 3) if masks is None else frame[masks[number]]
        picked.append(pixels[number % stride :: stride])
    pixels = np.concatenate(picked)
    if not len(pixels):
        pixels = np.zeros((1, 3), np.uint8)
    codes = (pixels >> 2).astype(np.int64) @ np.array([1 << 12, 1 << 6, 1])
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(place, pixels[:, c]) for c in range(3)], -1) / counts[:, None]
    weights = np.maximum(np.rint(np.sqrt(counts) * 2**16 / np.sqrt(counts).sum()), 1).astype(int)
    sample = np.repeat(np.rint(means).astype(np.uint8), weights, axis=0)[None]
    return Image.fromarray(sample).quantize(colours, Image.Quantize.MEDIANCUT, kmeans=2)


def bayer(height: int, width: int) -> np.ndarray:
    """An 8 × 8 ordered dither over a picture, of mean 0."""
    pattern = np.zeros((1, 1))
    for _ in range(3):
        pattern = np.block([[4 * pattern, 4 * pattern + 2], [4 * pattern + 3, 4 * pattern + 1]])
    centred = ((pattern + 0.5) / 64 - 0.5) * _DITHER
    return np.tile(centred, (-(-height // 8), -(-width // 8)))[:height, :width]


def encode_mp4(film: Film) -> bytes:
    """H.264, yuv420p, BT.709, index first: what browsers play. Odd sides get one more row or column."""
    av = _load_av()
    with temporary_folder() as folder:
        path = Path(folder) / "film.mp4"  # a real file: the index is put first by reading it again
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            stream = _add_stream(container, film)
            for frame in film.frames:
                container.mux(stream.encode(_yuv(av, frame)))
            container.mux(stream.encode())
        return path.read_bytes()


def _add_stream(container: Any, film: Film) -> Any:
    rate = Fraction(film.fps).limit_denominator(1000)
    stream = container.add_stream("libx264", rate=rate, options={"crf": _CRF, "preset": "medium"})
    height, width = film.frames[0].shape[:2]
    stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = 1  # BT.709
    context.color_range = 1  # limited, as players assume
    return stream


def _yuv(av: Any, frame: UInt8[np.ndarray, "H W C"]) -> Any:
    height, width = frame.shape[:2]
    even = np.pad(frame[..., :3], ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    picture = av.VideoFrame.from_ndarray(even, format="rgb24")
    return picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


def _load_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise OutputError(
            "MP4",
            "the package that writes it is not installed",
            "pip install 'meshstyle[video]', or write a .webp.",
        ) from error
    return av
