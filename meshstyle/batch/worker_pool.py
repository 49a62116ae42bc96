"""Worker processes, each on a line of its own to the process that began them.

Every worker has its own pipe and shares nothing with the others, so that whatever becomes of one leaves them alone:
one that dies or takes too long is replaced, and only what it was doing is lost. (Pools share a queue and its locks: a
worker that is killed while it holds one takes the others with it.)
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Self, TypeVar

import psutil

from ..errors import MeshStyleError, UsageError
from .state import StateFolder, hold_as_worker
from .types import FailureKind, WorkerContext

Item = TypeVar("Item")
_SPAWN = multiprocessing.get_context("spawn")
_TOO_MUCH_MEMORY = 86  # exit code of a worker over its limit
_UNGUARDED = 87  # exit code of a worker whose program begins a batch when it is loaded
_LOOK_AT_MEMORY = 0.25  # seconds
POLL_SECONDS = 5.0  # seconds
STOPPED_SECONDS = (
    60.0  # that a worker may be held (SIGSTOP) before it is given up; less where its time limit is
)
_START_SECONDS = 600.0  # that it may take until it is there to work
_NEVER_READY = 3  # workers in a row that died before they took anything
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_END, _NOTHING = object(), object()


@dataclass(frozen=True)
class Lost:
    """There is no answer: the worker died, or was ended because it took too long."""

    kind: FailureKind
    cause: str


@dataclass(frozen=True)
class Ended(Generic[Item]):
    """What became of one item: the function's answer, or `Lost`."""

    item: Item
    answer: Any
    seconds: float


def leave_if_unguarded() -> None:
    """End this process where it is a worker that is still loading its program: who calls for a batch there lacks the
    line that keeps workers from doing so. The process that began the worker tells (see `_check_starts`)."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(_UNGUARDED)


class Processes:
    """As many worker processes. To be used as a context: on leaving it, none of them is left."""

    def __init__(self, count: int, context: WorkerContext) -> None:
        self.count = count
        self._context = context
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def each(
        self,
        function: Callable[[Item, WorkerContext], object],
        items: Iterable[Item],
        time_limit: float | None = None,
    ) -> Iterator[Ended[Item]]:
        """`function(item, context)` for every item, which is taken when a worker is free for it, and no sooner.

        Yields as answers come. Closing the iterator ends what is running. `function` and items are pickled; its
        module is loaded by the workers too. Raises MeshStyleError where no worker can be started.
        """
        waiting = iter(items)
        busy: dict[_Worker, Item] = {}
        try:
            while True:
                while len(busy) < self.count and (item := next(waiting, _END)) is not _END:
                    worker = self._free(busy)
                    worker.give(function, item, time_limit)
                    busy[worker] = item  # type: ignore[assignment]
                if not busy:
                    return
                _wait(busy)
                for worker in list(busy):
                    answer = worker.answer()
                    if answer is not _NOTHING:
                        item = busy.pop(worker)
                        if isinstance(answer, Lost):
                            self._end(worker)
                            self._check_starts(worker)
                        yield Ended(item, answer, worker.seconds)
        finally:
            for worker in busy:
                self._end(worker)

    def reduce(self, count: int) -> None:
        """Go on with fewer."""
        self.count = min(count, self.count)
        for worker in self._workers[self.count :]:
            worker.kill()
        del self._workers[self.count :]

    def interrupt(self) -> None:
        """End what is running, from another thread: for `each` it is lost."""
        for worker in list(self._workers):
            worker.interrupt()

    def _free(self, busy: Mapping[_Worker, object]) -> _Worker:
        """One that has nothing to do. They are started when there is something to do for them."""
        for worker in self._workers:
            if worker not in busy:
                return worker
        self._workers.append(_Worker(self._context))
        return self._workers[-1]

    def _end(self, worker: _Worker) -> None:
        worker.kill()
        if worker in self._workers:
            self._workers.remove(worker)

    def _check_starts(self, worker: _Worker) -> None:
        if worker.exit_code == _UNGUARDED:
            cause = "the program calls it whenever it is loaded, and every worker loads the program"
            raise UsageError("run_batch", cause, "Put the call below: if __name__ == '__main__':")
        self._failed_starts = 0 if worker.was_ready else self._failed_starts + 1
        if self._failed_starts >= _NEVER_READY * self.count:
            cause = "its processes end as soon as they begin"
            remedy = "Run one model with meshstyle stylize --debug, which shows why."
            raise MeshStyleError("workers", cause, remedy)


class _Worker:
    """One process, from this side."""

    def __init__(self, context: WorkerContext) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, context), daemon=True)
        self._process.start()
        theirs.close()
        self._began, self._limit = 0.0, float("inf")
        self.was_ready = False
        self.seconds = 0.0
        self._held_since: float | None = None

    def give(self, function: Callable[..., object], item: object, time_limit: float | None) -> None:
        self._began, self._limit = time.monotonic(), time_limit or float("inf")
        with contextlib.suppress(OSError):  # it is dead, as `answer` will tell
            self._pipe.send((function, item))

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.exitcode

    @property
    def left(self) -> float:
        """Seconds that it may still take; until it is there to work, that is a time of its own."""
        return self._began + (self._limit if self.was_ready else _START_SECONDS) - time.monotonic()

    @property
    def signs(self) -> tuple[Any, Any]:
        """What to wait for: an answer, or its end."""
        return self._pipe, self._process.sentinel

    def answer(self) -> object:
        """What it said, or why it will say nothing; `_NOTHING` as long as it may still do so."""
        self.seconds = time.monotonic() - self._began
        is_dead = not self._process.is_alive()  # asked first: what it said before it died still counts
        with contextlib.suppress(EOFError, OSError):  # it died while it spoke
            while self._pipe.poll():
                if said := self._pipe.recv():
                    return said[0]
                self.was_ready, self._began = True, time.monotonic()
        if is_dead:
            return _end_of(self._process)
        if self.left <= 0:
            limit = self._limit if self.was_ready else _START_SECONDS
            return Lost(FailureKind.TIME, f"it took longer than the {limit:g} s it may take")
        if self._is_held():
            return Lost(FailureKind.TIME, "its process was stopped, and nobody let it go on")
        return _NOTHING

    def _is_held(self) -> bool:
        """Whether it has been seen stopped for some time; what is stopped along with this process goes on with it."""
        try:
            is_stopped = psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            is_stopped = False
        if not is_stopped:
            self._held_since = None
            return False
        self._held_since = self._held_since or time.monotonic()
        return time.monotonic() - self._held_since >= min(STOPPED_SECONDS, self._limit)

    def interrupt(self) -> None:
        """End it, and leave the tidying up to whoever waits for its answer."""
        self._process.kill()

    def kill(self) -> None:
        """Gone when this returns. What it left lies in the staging folder."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _wait(busy: Iterable[_Worker]) -> None:
    """Until one of them may have an answer."""
    left = min(worker.left for worker in busy)
    wait([sign for worker in busy for sign in worker.signs], min(max(left, 0.0), POLL_SECONDS))


def _end_of(process: BaseProcess) -> Lost:
    process.join()
    code = process.exitcode or 0
    if code == _TOO_MUCH_MEMORY:
        return Lost(FailureKind.MEMORY, "it took more memory than --memory-limit allows")
    if code == -signal.SIGKILL:
        return Lost(FailureKind.MEMORY, "its process was killed, as systems do when memory runs out")
    if code < 0:
        return Lost(FailureKind.CRASH, f"its process died of {signal.Signals(-code).name}")
    return Lost(FailureKind.CRASH, f"its process ended with exit code {code}")


def _serve(pipe: Connection, context: WorkerContext) -> None:
    """The worker's whole life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everyone; the batch's process decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # for programmers, who run a model alone
    # Torch is told by the job; what numpy sums up must not depend on how many workers there are.
    for name in THREADS:
        os.environ[name] = "1"
    hold_as_worker(StateFolder(context.staging.parent).workers)
    _start(_end_with_parent)
    if context.memory_limit is not None:
        _start(_end_over, context.memory_limit)
    pipe.send(())  # ready
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        while True:
            function, item = pipe.recv()
            try:
                answer = function(item, context)
            except Exception as error:
                answer = Lost(
                    FailureKind.BUG, f"this is a bug in meshstyle ({type(error).__name__}: {error})"
                )
            pipe.send((answer,))


def _start(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _end_with_parent() -> None:
    """Whatever ends the batch's process ends this one: nobody would place what it makes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_over(limit: int) -> None:
    """The system's own limits count address space, of which torch reserves far more than it uses."""
    process = psutil.Process()
    while process.memory_info().rss <= limit:
        time.sleep(_LOOK_AT_MEMORY)
    os._exit(_TOO_MUCH_MEMORY)
