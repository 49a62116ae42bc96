"""The sound of a clip, packet by packet as it is in the file, beside the frames of another."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from types import TracebackType
from typing import Any

from .clip import ClipInfo
from .packages import load_package
from .read_film import opened, video_stream


class SoundCopy:
    """Copies sound into a container that is being written, as far as its frames are.

    Attributes:
        notes: what the container cannot hold.
    """

    def __init__(self, info: ClipInfo, container: Any) -> None:
        """`container`: of PyAV; its streams of sound are added here, before the first frame."""
        self.notes: list[str] = []
        self._container = container
        self._end = Fraction(info.times[-1] * info.unit)
        self._stack = contextlib.ExitStack()
        source = self._stack.enter_context(opened(info.path))
        pictures = video_stream(source, info.path)
        self._start = Fraction(0)
        if pictures.start_time is not None:
            self._start = pictures.start_time * Fraction(pictures.time_base)
        self._streams: dict[int, Any] = {}
        for stream in source.streams.audio:
            self._add(stream)
        self._packets = iter(source.demux(*source.streams.audio)) if self._streams else iter(())
        self._waiting: Any = None

    def __enter__(self) -> SoundCopy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def copy_until(self, time: Fraction) -> None:
        """Copy what begins before a time, in seconds from the first frame on."""
        av = load_package("av")
        try:
            while True:
                if self._waiting is None:
                    self._waiting = next(self._packets, None)
                packet = self._waiting
                if packet is None or (packet.dts is not None and self._when(packet) >= min(time, self._end)):
                    return
                self._waiting = None
                if packet.dts is not None and packet.stream.index in self._streams:
                    self._write(packet)
        except av.InvalidDataError:  # the file is cut off here
            self._packets = iter(())

    def _add(self, stream: Any) -> None:
        av = load_package("av")
        context = stream.codec_context
        name = "of an unknown kind" if context is None else context.name
        if context is None or name not in self._container.supported_codecs:
            self.notes.append(f"the sound ({name}) is left out: this kind of film cannot hold it; .mkv can")
            return
        try:
            self._streams[stream.index] = self._container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            self.notes.append(f"the sound ({name}) is left out: {error}")

    def _when(self, packet: Any) -> Fraction:
        return Fraction(packet.dts * Fraction(packet.time_base) - self._start)

    def _write(self, packet: Any) -> None:
        """Times count from the first frame; what begins before it the container shifts as it has to."""
        target = self._streams[packet.stream.index]
        shift = round(self._start / Fraction(packet.time_base))
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else packet.pts - shift
        packet.stream = target
        self._container.mux(packet)
