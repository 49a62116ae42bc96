"""What a Ray actor does: it looks after one worker process on its node."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ...errors import MeshStyleError
from ..failures import lost
from ..local_engine import LocalEngine
from ..types import FailureKind, Job, Outcome, WorkerContext
from ..worker_pool import THREADS, Lost, Processes
from .transfer import FileContents, Missing, Order, Receiver, Returned, as_sent, pack_result

_PREFIX, _STAGING = "meshstyle-ray-", "staging"
_FORGOTTEN = 2 * 86400.0  # seconds


class Painter:
    """One worker of a batch, with the same process, limits and errors as one of the local engine.

    The model is painted in a process of its own: when that dies, the actor lives to tell, and starts another.
    """

    def __init__(self, context: WorkerContext, probe: str, gpu: bool) -> None:
        """`probe`: a file in the staging folder; this machine shares the disk if it finds it. `gpu`: one was assigned
        to this actor."""
        for name in THREADS:  # before anything reads them: as for workers of the local engine
            os.environ[name] = "1"
        with contextlib.suppress(AttributeError):  # Ray's own program: the worker process would load it again
            del sys.modules["__main__"].__file__
        self._own: Path | None = None
        if not (context.staging / probe).is_file():
            self._own = _own_folder()
            context = replace(context, staging=self._own / _STAGING)
        self._staging = context.staging
        self._processes = Processes(1, context)
        self._engine = LocalEngine(1, context, self._processes)
        self._files = Receiver(self._own or context.staging)
        self._gpu = gpu

    def greet(self) -> str | MeshStyleError:
        """The version of meshstyle that runs here, or why it cannot."""
        if self._gpu:
            for ended in self._processes.each(_find_gpu, [None]):
                if isinstance(ended.answer, Lost):
                    return MeshStyleError("gpu", ended.answer.cause, "Look at the node's driver.")
                if ended.answer is not None:
                    return ended.answer
        return version("meshstyle")

    def paint(self, order: Order, parcel: FileContents | None) -> Returned | Missing:
        """One attempt at a job. Without a parcel, it may be asked for."""
        job = self._files.unpack(order, parcel)
        if isinstance(job, Missing):
            return job
        if self._gpu and job.settings.device == "auto":
            recorded = job.recorded or job.settings
            job = replace(job, settings=replace(job.settings, device="cuda"), recorded=recorded)
        outcome = as_sent(self._attempt(job), job, order.job)
        if parcel and parcel.model:
            shutil.rmtree(job.source.parent, ignore_errors=True)
        return Returned(outcome) if self._own is None else self._packed(outcome, order.job)

    def close(self) -> None:
        """Leave nothing behind."""
        self._engine.__exit__(None, None, None)
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def _packed(self, outcome: Outcome, job: Job) -> Returned:
        """Add the contents of the files, of which nothing stays here."""
        if outcome.failure is not None and outcome.failure.kind is FailureKind.OUTPUT:  # OUT is not to blame
            outcome = lost(job, FailureKind.CRASH, "its node has no room for it", outcome.seconds)
        returned = pack_result(outcome)
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir(exist_ok=True)
        return returned

    def _attempt(self, job: Job) -> Outcome:
        (outcome,) = self._engine.run([job])
        return outcome


def _own_folder() -> Path:
    """A folder with a staging folder in it, on this machine's disk. Those of workers that were killed go now."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - (old / _STAGING).stat().st_mtime > _FORGOTTEN:
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (folder / _STAGING).mkdir()
    return folder


def _find_gpu(_: None, __: WorkerContext) -> MeshStyleError | None:
    """What is wrong with the GPU."""
    from ...system.device import choose_device  # loads torch

    try:
        choose_device("cuda")
    except MeshStyleError as error:
        return error
    return None
