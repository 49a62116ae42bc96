"""A process that goes ahead: it reads the model and traces its views while this one loads torch, and then paints.

    with start_prefetcher(model, settings) as prefetcher:
        from meshstyle.stylize_model import RunOptions, run_job
        run_job(model, style, output, settings, RunOptions(), prefetcher.prepare)

It runs `python -m meshstyle.prefetch`, which loads no torch, and does what would be done here, in the same order
with the same results: this process asks for something when it needs it, and makes it itself where the prefetcher has
nothing to say. The prefetcher is sent a pickled (path, settings). It sends pairs of a word and what belongs to it:
`progress`, `error`, `scene`, then for each scale `views`, (size, TracedViews) (see `system.array_stream`).
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .config.model import Settings
from .errors import MeshStyleError
from .progress import Progress, ProgressCallback
from .system.array_stream import ArrayWriter, nameless_file, read_packed, unpack
from .system.threads import usable_threads

if TYPE_CHECKING:
    from .prepare import PreparedModel
    from .views.trace_views import Trace, TracedViews

UNREAD_BYTES = 2**30  # of views that nobody has asked for yet


@contextmanager
def start_prefetcher(model: Path, settings: Settings) -> Iterator[Prefetcher]:
    """A prefetcher on its way, or one without a process where no core is free. On leaving the context it is gone."""
    with Prefetcher(model, settings) if _has_free_core(settings) else Prefetcher() as prefetcher:
        yield prefetcher


def _has_free_core(settings: Settings) -> bool:
    threads = min(settings.threads or usable_threads(), usable_threads())
    return threads >= 2 and os.name == "posix"  # elsewhere processes cannot share a file without a name


class Prefetcher:
    """The process, from this side; where none could be started, everything is done in this one."""

    def __init__(self, model: Path | None = None, settings: Settings | None = None) -> None:
        self._messages: queue.SimpleQueue[tuple[bytes, int, int] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        if model is not None and settings is not None:
            with suppress(OSError):  # no more processes, or files, are to be had
                self._start(model, settings)
        if self._process is None:
            self._messages.put(None)

    def _start(self, model: Path, settings: Settings) -> None:
        self._arrays = nameless_file()
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
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdin is not None
        with suppress(OSError):  # it is dead, and will say nothing
            self._process.stdin.write(pickle.dumps((model, settings)))
            self._process.stdin.flush()

    @property
    def pid(self) -> int | None:
        """The number of the process; None where there is none."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._arrays)

    def prepare(self, model: Path, settings: Settings, progress: ProgressCallback) -> PreparedModel:
        """What `prepare.prepare` gives, or raises, for the model and settings that this was started with."""
        from .prepare import prepare

        return self.scene(progress) or prepare(model, settings, progress)

    def scene(self, progress: ProgressCallback) -> PreparedModel | None:
        """The prepared model; None where the prefetcher was lost. Raises what reading the model raised."""
        for word, content in self._received():
            if word == "progress":
                progress(content)
            elif word == "error":
                raise content
            else:
                scene: PreparedModel = content
                return replace(scene, trace=self._prefetched(scene.trace))
        return None

    def _prefetched(self, trace: Trace) -> Trace:
        """The views that come from the prefetcher, as long as they are those that are asked for; else made here."""
        received = self._received()

        def of_size(size: int) -> TracedViews:
            for _, (its_size, found) in received:
                if its_size == size:
                    views: TracedViews = found
                    return views
            return trace(size)

        return of_size

    def _received(self) -> Iterator[tuple[str, Any]]:
        while packed := self._messages.get():
            yield unpack(self._arrays, *packed)  # and nothing of it is held here until the next is asked for
        self._messages.put(None)  # over, whoever asks again

    def _listen(self) -> None:
        """Take in what it says when it says it, so that it never has to wait; None when it is over."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            while packed := read_packed(self._process.stdout):
                self._messages.put(packed)
        finally:
            self._messages.put(None)


def main() -> None:
    """The prefetcher's own process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everyone; who sent it decides
    warnings.simplefilter("ignore")  # for programmers, who read models themselves
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is not part of the answer
    model, settings = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    with os.fdopen(int(sys.argv[1]), "wb") as arrays:
        _prepare_and_send(model, settings, ArrayWriter(target, arrays))


def _end_with_parent(source: int) -> None:
    """Nobody would read what is found any more. (Of a buffered file a thread would hold the lock when Python ends.)"""
    os.read(source, 1)
    os._exit(1)


def _prepare_and_send(model: Path, settings: Settings, writer: ArrayWriter) -> None:
    from .prepare import prepare

    def send_progress(event: Progress) -> None:
        writer.send(("progress", event))

    try:
        scene = prepare(model, settings, send_progress)
    except MeshStyleError as error:
        writer.send(("error", error))
        return
    writer.send(("scene", scene))
    if settings.solver == "texture" and settings.strength > 0:
        trace_ahead(scene, [scale.size for scale in settings.scales], writer)


def trace_ahead(scene: PreparedModel, sizes: Sequence[int], writer: ArrayWriter) -> None:
    """Trace and send the views of all scales, as far as there is room for them at a time (`UNREAD_BYTES`)."""
    each_pixel = 0.0
    for size in dict.fromkeys(sizes):
        before = writer.written
        if before + each_pixel * size**2 > UNREAD_BYTES:
            return
        # Hits are large, and of use to the other solver only.
        writer.send(("views", (size, replace(scene.trace(size), hits=[]))))
        each_pixel = (writer.written - before) / size**2


if __name__ == "__main__":
    main()
