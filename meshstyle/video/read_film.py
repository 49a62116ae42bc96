"""Films: what FFmpeg decodes, through PyAV.

The file is handed over open, and no protocol is allowed to open another one: playlists and the like, which name files
and hosts, are refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .clip import BT601, BT709, UNKNOWN, ColorTags, Pixels, swscale_matrix
from .packages import load_package

MAX_SIDE = 16384  # pixels of a frame, as of pictures
_REFUSED = {"hls", "dash", "concat", "tty", "lavfi", "image2", "rtsp", "sdp", "applehttp", "imf"}
_BACK = 12  # frames that are decoded, and held, when one before the last is asked for
_HIGH = 720  # rows from which on untagged films are BT.709
_RGB = 0  # "matrix" of what is RGB already


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file as a container of PyAV. Raises InputError for what is no film."""
    av = load_package("av")
    with contextlib.ExitStack() as stack:
        try:
            if not path.is_file():
                cause = "it is not an ordinary file" if path.exists() else "there is no such file"
                raise InputError(path, cause, "Give a film, or a folder of numbered pictures.")
            stream = stack.enter_context(path.open("rb"))
            container = stack.enter_context(
                av.open(stream, options={"protocol_whitelist": "none"}, metadata_errors="replace")
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if _REFUSED & set(container.format.name.split(",")):
            cause = f"it is of the kind {container.format.name}, which is no film"
            raise InputError(path, cause, "Give a film such as .mp4, .mov, .webm, .mkv or .gif.")
        yield container


def video_stream(container: Any, path: Path) -> Any:
    """The stream of pictures. Raises InputError where there is none, or its frames are too large."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        raise InputError(path, "there are no moving pictures in it", "Give a film, not sound alone.")
    stream = streams[0]
    if stream.codec_context is None:
        raise InputError(path, "its codec is not known here", "Convert it to H.264 with ffmpeg.")
    if max(stream.width, stream.height) > MAX_SIDE:
        cause = f"its frames have {stream.width} × {stream.height} pixels, the limit is {MAX_SIDE} a side"
        raise InputError(path, cause, "Make it smaller first.")
    stream.thread_type = "AUTO"
    return stream


def _is_cover(stream: Any) -> bool:
    """Whether it is the picture on the cover of a piece of music."""
    return bool(getattr(stream, "disposition", 0) & 0x400)


def decoded(container: Any, stream: Any, path: Path, problems: list[str]) -> Iterator[Any]:
    """All frames from where the file stands. Where the data end early or make no sense, so do the frames, and
    `problems` says so."""
    av = load_package("av")
    found = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError as error:
                if not found:
                    raise
                problems.append(f"it is damaged or cut off after frame {found} ({_reason(error)})")
                return
            for frame in frames:
                found += 1
                yield frame
    except (av.FFmpegError, OSError) as error:
        if not found:
            raise _unreadable(path, error) from error
        problems.append(f"it is damaged or cut off after frame {found} ({_reason(error)})")


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError) and isinstance(error, PermissionError):
        return InputError(path, f"it cannot be read ({error.strerror})", "Check its permissions.")
    cause = f"it cannot be read as a film ({_reason(error)})"
    return InputError(path, cause, "It may be cut off, or of no kind that FFmpeg knows.")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:100]


def shown_size(stream: Any, frame: Any) -> tuple[int, int]:
    """(height, width) of a frame as it is shown: upright, in square pixels."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = frame.width, frame.height
    if aspect > 1:
        width = round(width * aspect)
    elif aspect > 0:
        height = round(height / aspect)
    return (width, height) if quarter_turns(frame) % 2 else (height, width)


def quarter_turns(frame: Any) -> int:
    """How often it is turned counterclockwise by 90° to be upright. Other angles are left as they are."""
    return round(frame.rotation / 90) % 4


def color_tags(frame: Any) -> ColorTags:
    """The tags of a frame; what is not tagged is what players take it for."""
    matrix = int(frame.colorspace)
    usual = BT709 if frame.height >= _HIGH or matrix == _RGB else BT601
    values = [int(frame.color_primaries), int(frame.color_trc), matrix]
    if matrix == _RGB:  # is written as yuv
        values[2] = BT709
    primaries, transfer, matrix = (usual if value in (UNKNOWN, 0) else value for value in values)
    return ColorTags(primaries, transfer, matrix, int(frame.color_range) == 2)


def has_alpha(frame: Any) -> bool:
    """Whether its pixels may be transparent."""
    return frame.format.name == "pal8" or any(component.is_alpha for component in frame.format.components)


def to_pixels(frame: Any, size: tuple[int, int]) -> Pixels:
    """A decoded frame as upright pixels of a size (height, width)."""
    kinds = load_package("av.video.reformatter")
    turns = quarter_turns(frame)
    height, width = size[::-1] if turns % 2 else size
    alpha = has_alpha(frame)
    kind, smaller = kinds.Interpolation, width * height < frame.width * frame.height
    way = kind.AREA if smaller else kind.BICUBIC
    matrix = color_tags(frame).matrix
    found = frame.reformat(
        width=width,
        height=height,
        format="rgba" if alpha else "rgb24",
        src_colorspace=swscale_matrix(matrix),
        src_color_range=frame.color_range,
        dst_color_range=2,
        interpolation=way | kind.FULL_CHR_H_INT | kind.ACCURATE_RND | kind.BITEXACT,
        threads=1,
    ).to_ndarray()
    if not alpha:
        found = np.dstack([found, np.full(found.shape[:2], 255, np.uint8)])
    return np.ascontiguousarray(np.rot90(found, turns))


class FilmFrames:
    """The frames of a film at one size (see `clip.Frames`).

    A frame before the latest is found by a jump to the key frame before it; where times are of no use for that, from
    the film's beginning.
    """

    def __init__(self, path: Path, size: tuple[int, int], stamps: tuple[int | None, ...]) -> None:
        """`stamps`: each frame's time stamp in the file."""
        self._path, self._size, self._stamps = path, size, stamps
        known = [stamp for stamp in stamps if stamp is not None]
        rising = len(known) == len(stamps) and all(a < b for a, b in pairwise(known))
        self._numbers = {stamp: number for number, stamp in enumerate(stamps)} if rising else {}
        self._stack = contextlib.ExitStack()
        self._kept: dict[int, Pixels] = {}
        self._open()

    def read(self, number: int) -> Pixels:
        """As `clip.Frames.read`."""
        if number in self._kept:
            return self._kept[number]
        if number < self._next:
            self._jump(max(number - _BACK + 1, 0))
            first = max(number - _BACK + 1, 0)
        else:
            first = number
            self._kept.clear()
        while self._next <= number:
            frame = next(self._frames, None)
            if frame is None:
                raise InputError(
                    self._path, f"frame {number + 1} cannot be read again", "Has the file changed?"
                )
            if self._next >= first:
                self._kept[self._next] = to_pixels(frame, self._size)
            self._next += 1
        return self._kept[number]

    def close(self) -> None:
        """As `clip.Frames.close`."""
        self._stack.close()

    def _open(self) -> None:
        self._stack.close()
        self._container = self._stack.enter_context(opened(self._path))
        self._stream = video_stream(self._container, self._path)
        self._frames = decoded(self._container, self._stream, self._path, [])
        self._next = 0

    def _jump(self, number: int) -> None:
        """Go on with a frame at or before `number`."""
        self._kept.clear()
        stamp = self._stamps[number]
        if number and self._numbers and stamp is not None:
            av = load_package("av")
            with contextlib.suppress(av.FFmpegError):
                self._container.seek(stamp, stream=self._stream)
                frames = decoded(self._container, self._stream, self._path, [])
                first = next(frames, None)
                found = None if first is None else self._numbers.get(first.pts)
                if first is not None and found is not None and found <= number:
                    self._frames, self._next = _again(first, frames), found
                    return
        self._open()


def _again(first: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from others
