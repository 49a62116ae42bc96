"""Films made by hand, of every kind that the tests read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_film(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv444p",
    times: Sequence[int] | None = None,
    unit: Fraction = Fraction(1, 25),
    sound: bool = False,
    aspect: Fraction | None = None,
    tags: tuple[int, int, int, int] | None = None,
) -> Path:
    """`times`: when each frame begins, in units of `unit`; `tags`: primaries, transfer, matrix and range."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = unit
        if codec == "libx264":
            stream.options = {"crf": "1", "g": "4"}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if tags is not None:
            context = stream.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        tone = _add_sound(container) if sound else None
        for number, pixels in enumerate(frames):
            kind = "rgba" if pixels.shape[2] == 4 else "rgb24"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=kind)
            if tags is not None:
                picture = picture.reformat(format=pix_fmt, dst_colorspace=tags[2], dst_color_range=tags[3])
            picture.pts = number if times is None else times[number]
            picture.time_base = unit
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if tone is not None:
            _write_sound(container, tone, float(len(frames) * unit))
    return path


def read_film(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """Frames and when they begin, seconds."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [frame.time for frame in frames]


def sound_packets(path: Path) -> list[bytes]:
    """The sound as it lies in the file."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def _add_sound(container: av.container.OutputContainer) -> av.AudioStream:
    kind = "libopus" if container.format.name == "webm" else "aac"
    stream = container.add_stream(kind, rate=48000, layout="mono")
    assert isinstance(stream, av.AudioStream)
    return stream


def _write_sound(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for number in range(int(seconds * 48000 / 960)):
        wave = 0.2 * np.sin(np.arange(number * 960, (number + 1) * 960) * 0.05).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
