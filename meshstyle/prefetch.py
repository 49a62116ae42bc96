"""A process that goes ahead: it reads the model and traces its views while this one loads torch, and then paints.

    with scout_for(model, settings) as prefetcher:
        from meshstyle.stylize_model import stylize
        stylize(model, style, settings=settings, prefetcher=prefetcher)

It runs `python -m meshstyle.prefetch`, which loads no torch, and does what would be done here, in the same order
with the same results: this process asks for a piece when it needs it, and makes it itself where the prefetcher has
nothing to say. To it go a pickled (path, settings); from it come pairs of a word and what it speaks of: `progress`,
`error`, `scene`, then for each scale `views`, (size, TracedViews). Each is a head (three numbers of 8 bytes: bytes
of the pickle, and where its arrays begin and end in a shared file) and the pickle. The arrays' contents lie in the
file, which has no name, and large ones are not copied here: through a pipe, hundreds of megabytes would take
Python's lock thousands of times.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from .config.model import Settings
from .errors import MeshStyleError
from .progress import Progress, ProgressCallback
from .system.threads import usable_threads

if TYPE_CHECKING:
    from .prepare import PreparedModel
    from .views.trace_views import Trace, TracedViews

_HEAD, _SIZE = struct.Struct("<3Q"), struct.Struct("<Q")
_ALIGNED = 64  # bytes: a line of the cache
_MAPPED = 2**20  # bytes of an array from which on it is not copied
_ROOM = 2**30  # bytes of views that nobody has asked for yet


@contextmanager
def start_prefetcher(model: Path, settings: Settings) -> Iterator[Prefetcher | None]:
    """A prefetcher on its way, or None where no core is free for it. On leaving the context it is gone."""
    threads = min(settings.threads or usable_threads(), usable_threads())
    if threads < 2 or os.name != "posix":  # elsewhere processes cannot share a file without a name
        yield None
        return
    try:
        prefetcher = Prefetcher(model, settings)
    except OSError:  # no more processes, or files, are to be had
        yield None
        return
    with prefetcher:
        yield prefetcher


class Prefetcher:
    """The process, from this side."""

    def __init__(self, model: Path, settings: Settings) -> None:
        self._arrays = _nameless_file()
        # -P: what lies in the folder the user happens to be in must not be taken for a module.
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(self._arrays)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._arrays],
            )
        except OSError:
            os.close(self._arrays)
            raise
        self._said: queue.SimpleQueue[tuple[bytes, int, int] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdin is not None
        with suppress(OSError):  # it is dead, and will say nothing
            self._process.stdin.write(pickle.dumps((model, settings)))
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._arrays)

    def scene(self, progress: ProgressCallback) -> PreparedModel | None:
        """The model, read and looked at; None where the prefetcher was lost. Raises what reading it raised."""
        for word, thing in self._words():
            if word == "progress":
                progress(thing)
            elif word == "error":
                raise thing
            else:
                scene: PreparedModel = thing
                return replace(scene, trace=self._ahead_of(scene.trace))
        return None

    def _ahead_of(self, trace: Trace) -> Trace:
        """The views that come from the prefetcher, as long as they are those that are asked for; else made here."""
        words = self._words()

        def of_size(size: int) -> TracedViews:
            for _, (its_size, found) in words:
                if its_size == size:
                    views: TracedViews = found
                    return views
            return trace(size)

        return of_size

    def _words(self) -> Iterator[tuple[str, Any]]:
        while said := self._said.get():
            yield _unpacked(self._arrays, *said)  # and nothing of it is held here until the next is asked for
        self._said.put(None)  # over, whoever asks again

    def _listen(self) -> None:
        """Take in what it says when it says it, so that it never has to wait; None when it is over."""
        source = self._process.stdout
        assert source is not None
        try:
            while len(head := source.read(_HEAD.size)) == _HEAD.size:
                length, begin, end = _HEAD.unpack(head)
                said = source.read(length)
                if len(said) < length:
                    break
                self._said.put((said, begin, end))
        finally:
            self._said.put(None)


def _nameless_file() -> int:
    """A descriptor of a file that goes with the last process that has it; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("meshstyle-scout")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _unpacked(file: int, pickled: bytes, begin: int, end: int) -> tuple[str, Any]:
    said: tuple[str, Any] = pickle.loads(pickled, buffers=_buffers(file, begin, end) if end > begin else [])
    return said


def _buffers(file: int, begin: int, end: int) -> Iterator[memoryview]:
    """The arrays' contents in a part of a file: each after its length in 8 bytes, on multiples of `_ALIGNED`. Changes
    stay here. Each large one is mapped by itself, so that its memory goes when it does: in one piece, whichever stays
    would hold all of them. Small ones are copied, as there may be more of them than a process may map."""
    place = begin
    while place < end:
        (size,) = _SIZE.unpack(os.pread(file, _SIZE.size, place))
        first = place + _ALIGNED
        if size >= _MAPPED:
            start = first // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            mapped = mmap.mmap(file, first + size - start, access=mmap.ACCESS_COPY, offset=start)
            yield memoryview(mapped)[first - start :]
        else:
            yield memoryview(bytearray(os.pread(file, size, first)))
        place = first + -(-size // _ALIGNED) * _ALIGNED


class _Pickler(pickle.Pickler):
    """Takes views of memory too: of buffers of glTF, and of the files they lie in."""

    def reducer_override(self, obj: Any) -> Any:
        return (memoryview, (pickle.PickleBuffer(obj),)) if isinstance(obj, memoryview) else NotImplemented


class _Channel:
    """What the prefetcher says, and the arrays it speaks of."""

    def __init__(self, target: BinaryIO, arrays: BinaryIO) -> None:
        self._target, self._arrays = target, arrays

    @property
    def told(self) -> int:
        """Bytes of all arrays so far."""
        return self._arrays.tell()

    def send(self, word: str, thing: object) -> None:
        buffers: list[pickle.PickleBuffer] = []
        room = io.BytesIO()
        _Pickler(room, 5, buffer_callback=buffers.append).dump((word, thing))
        begin = self.told
        for buffer in buffers:
            content = buffer.raw()
            filled = -content.nbytes % _ALIGNED
            self._arrays.write(_SIZE.pack(content.nbytes).ljust(_ALIGNED, b"\0"))
            self._arrays.write(content)
            self._arrays.write(bytes(filled))
        self._arrays.flush()
        said = room.getvalue()
        self._target.write(_HEAD.pack(len(said), begin, self.told) + said)
        self._target.flush()


def _go(model: Path, settings: Settings, teller: _Channel) -> None:
    """The prefetcher's work."""
    from .prepare import prepare

    def tell(record: Progress) -> None:
        teller.send("progress", record)

    try:
        scene = prepare(model, settings, tell)
    except MeshStyleError as error:
        teller.send("error", error)
        return
    teller.send("scene", scene)
    if settings.solver == "texture" and settings.strength > 0:
        _trace_ahead(scene, [scale.size for scale in settings.scales], teller)


def _trace_ahead(scene: PreparedModel, sizes: Sequence[int], teller: _Channel) -> None:
    """All scales, as far as there is room for them at a time."""
    each_pixel = 0.0
    for size in dict.fromkeys(sizes):
        before = teller.told
        if before + each_pixel * size**2 > _ROOM:
            return
        # Hits are large, and of use to the other solver only.
        teller.send("views", (size, replace(scene.trace(size), hits=[])))
        each_pixel = (teller.told - before) / size**2


def _end_with_parent(source: int) -> None:
    """Nobody would read what is found any more. (Of a buffered file a thread would hold the lock when Python ends.)"""
    os.read(source, 1)
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everyone; who sent it decides
    warnings.simplefilter("ignore")  # for programmers, who read models themselves
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is not part of the answer
    model, settings = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    with os.fdopen(int(sys.argv[1]), "wb") as arrays:
        _go(model, settings, _Channel(target, arrays))


if __name__ == "__main__":
    main()
