"""Frames as a film: H.264, VP9, AV1 or GIF, frame by frame, with the sound of the clip as it is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..errors import OutputError, UsageError
from ..preview.film import bayer
from .clip import HDR, ClipInfo, ColorTags, swscale_matrix
from .copy_sound import SoundCopy
from .packages import load_package

FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".gif")
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".gif": "gif"}
_ENCODERS = {
    "h264": ("libx264",),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1"),
    "gif": ("gif",),
}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "17", "preset": "medium"},
    "libvpx-vp9": {"crf": "24", "b": "0", "row-mt": "1", "deadline": "good", "cpu-used": "3"},
    "libsvtav1": {"crf": "26", "preset": "7"},
    "libaom-av1": {"crf": "24", "b": "0", "cpu-used": "6", "row-mt": "1"},
}
_GIF_UNIT = Fraction(1, 100)  # seconds: GIFs have no finer times


def choose_encoder(suffix: str, codec: str) -> str:
    """FFmpeg's encoder for a kind of film. Raises UsageError for a codec that it cannot hold or that is not there."""
    av = load_package("av")
    suffix = suffix.lower()
    if suffix == ".gif":
        if codec != "auto":
            raise UsageError("codec", f"a GIF cannot hold {codec}", "Leave it out, or write a .mp4.")
        return "gif"
    if codec == "auto":
        codec = "vp9" if suffix == ".webm" else "h264"
    if suffix == ".webm" and codec == "h264":
        raise UsageError("codec", "WebM cannot hold H.264", "Write a .mp4, or choose vp9 or av1.")
    for name in _ENCODERS[codec]:
        if name in av.codecs_available:
            return name
    raise UsageError("codec", f"this PyAV has no encoder for {codec}", "Choose another codec.")


class FilmWriter:
    """Writes a film frame by frame; `close` ends it, and without `close` there is no playable film.

    Attributes:
        notes: what could not be taken over.
    """

    def __init__(
        self,
        path: Path,
        suffix: str,
        codec: str,
        info: ClipInfo,
        size: tuple[int, int],
        record: Mapping[str, Any],
    ) -> None:
        """`path`: any name; `suffix`: the kind of film; `size`: (height, width) of the frames; `record`: how they are
        made, which becomes the film's comment."""
        self._av = load_package("av")
        self._info, self._size, self.notes = info, size, list[str]()
        self._tags = ColorTags(full=info.color.full) if info.color.transfer in HDR else info.color
        encoder = choose_encoder(suffix, codec)
        self._gif = encoder == "gif"
        self._unit = _GIF_UNIT if self._gif else info.unit
        kind = _FORMATS[suffix.lower()]
        options = {"movflags": "+faststart"} if kind in ("mp4", "mov") else {}
        self._stack = contextlib.ExitStack()
        self._container = self._stack.enter_context(
            self._av.open(str(path), "w", format=kind, options=options)
        )
        self._container.metadata["comment"] = f"meshstyle {json.dumps(record, sort_keys=True)}"
        self._stream = self._add_stream(encoder)
        self._sound = None
        if info.has_sound and not self._gif:
            self._sound = self._stack.enter_context(SoundCopy(info, self._container))
            self.notes += self._sound.notes
        elif info.has_sound:
            self.notes.append("a GIF has no sound")
        self._palette: Any = None
        self._end = 0
        self._next = 0  # the earliest time that the next frame may have

    def set_palette(self, palette: Image.Image) -> None:
        """The colors of all frames of a GIF."""
        self._palette = palette

    def write(self, number: int, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
        """The next frame: number `number` of the clip, in whose place in time it is."""
        begin, end = (self._time(self._info.times[n]) for n in (number, number + 1))
        begin = max(begin, self._next)
        frame = self._indexed(pixels) if self._gif else self._yuv(pixels)
        frame.pts, frame.time_base, frame.duration = begin, self._unit, max(end - begin, 1)
        self._next = begin + 1
        if self._sound is not None:
            self._sound.copy_until(begin * self._unit)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

        self._end = end

    def close(self) -> None:
        """The last frames, what is left of the sound, and the index."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        if self._sound is not None:
            self._sound.copy_until(self._end * self._unit)
        self._stack.close()

    def abandon(self) -> None:
        """Let go of the files, whatever state they are in."""
        with contextlib.suppress(Exception):
            self._stack.close()

    def _time(self, time: int) -> int:
        return round(time * self._info.unit / self._unit)

    def _add_stream(self, encoder: str) -> Any:
        height, width = self._size
        stream = self._container.add_stream(encoder, rate=_sensible(self._info.rate))
        context = stream.codec_context
        context.time_base = self._unit
        if self._gif:
            stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
            return stream
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.options = _OPTIONS[encoder]
        context.color_primaries, context.color_trc = self._tags.primaries, self._tags.transfer
        context.colorspace, context.color_range = self._tags.matrix, 2 if self._tags.full else 1
        return stream

    def _yuv(self, pixels: UInt8[np.ndarray, "H W 3"]) -> Any:
        """Odd sides get one more row or column: chroma has half of them."""
        height, width = self._size
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        interpolation = load_package("av.video.reformatter").Interpolation
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        found = picture.reformat(
            format="yuv420p",
            dst_colorspace=swscale_matrix(self._tags.matrix),
            src_color_range=2,
            dst_color_range=2 if self._tags.full else 1,
            dst_color_trc=self._tags.transfer,
            dst_color_primaries=self._tags.primaries,
            interpolation=interpolation.BICUBIC | interpolation.ACCURATE_RND | interpolation.BITEXACT,
            threads=1,
        )
        found.colorspace = self._tags.matrix
        return found

    def _indexed(self, pixels: UInt8[np.ndarray, "H W 3"]) -> Any:
        """The palette's colors, dithered with a pattern that stays in its place: nothing flickers that is still."""
        if self._palette is None:
            raise OutputError("GIF", "it has no palette", "This is a mistake of the program.")
        offset = bayer(*pixels.shape[:2])[..., None]
        dithered = Image.fromarray(np.clip(pixels + offset, 0, 255).astype(np.uint8))
        indexed = np.asarray(dithered.quantize(palette=self._palette, dither=Image.Dither.NONE))
        colors = np.zeros((256, 4), np.uint8)
        listed = np.array(self._palette.getpalette(), np.uint8).reshape(-1, 3)
        colors[: len(listed), 1:], colors[:, 0] = listed, 255
        return self._av.VideoFrame.from_ndarray((np.ascontiguousarray(indexed), colors), format="pal8")


def _sensible(rate: Fraction) -> Fraction:
    """A rate with which encoders can do something; times are told frame by frame."""
    return Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else Fraction(25)
