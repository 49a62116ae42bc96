"""What a worker process does: one job, from reading the model to its files in a staging folder.

What jobs share is loaded once in each process and kept: the network with its kernels, the paintings.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
import traceback
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import torch

from ..asset.contract import FromFiles
from ..errors import MeshStyleError, OutputError
from ..machine import choose_device, limited_threads
from ..pipeline import paint, prepare, report, write_painted
from ..progress import Progress, ProgressCallback, ignore
from ..record import run_record
from ..results import Result
from ..settings import Settings
from ..solver.network import make_network
from ..solver.paintings import load_painting
from ..solver.vgg import VGG19
from ..solver.weights import load_weights
from .contract import Failure, FailureKind, FileHash, Job, JobState, Outcome, WorkerContext

_FIGURES = ("style_loss", "content_loss", "structure", "coverage", "surface_seen", "views")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEMORY_WORDS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
)  # torch has no type for it on the CPU


def run_job(job: Job, context: WorkerContext, progress: ProgressCallback = ignore) -> Outcome:
    """Paint one model into a new folder below `context.staging`. Never raises but for interrupts.

    The same job gives the same bytes in any process of one kind of machine: what is shared does not change, and the
    folder is empty, so that no name depends on what lies elsewhere.
    """
    began = time.monotonic()
    try:
        folder = Path(tempfile.mkdtemp(dir=context.staging))
        result, sources = _paint(job, folder, progress)
        files = tuple(_hash_below(folder, path) for path in result.outputs)
    except Exception as error:
        seconds = time.monotonic() - began
        return Outcome(job.id, job.key, JobState.FAILED, seconds, failure=_failure(job, error))
    figures = {name: float(value) for name in _FIGURES if (value := getattr(result, name)) is not None}
    return Outcome(
        job.id,
        job.key,
        JobState.DONE,
        time.monotonic() - began,
        files=files,
        sources=sources,
        figures=figures,
        warnings=(*job.notes, *result.warnings),
        staged=folder,
    )


def lost(job: Job, kind: FailureKind, cause: str, seconds: float = 0.0) -> Outcome:
    """The outcome of a job whose process cannot tell any more: for engines."""
    remedies = {
        FailureKind.TIME: "Give it more time with --time-limit, or less to do with --preset or --texture-size.",
        FailureKind.MEMORY: "Try --workers 1, a smaller --texture-size, or a simpler model.",
    }
    remedy = remedies.get(kind, "Run it alone with: meshstyle stylize. If that dies too, report the model.")
    failure = Failure(kind, str(job.source), cause, remedy)
    return Outcome(job.id, job.key, JobState.FAILED, seconds, failure=failure)


def hash_file(path: Path) -> str | None:
    """SHA-256 of the contents; None where there is no such file. Raises OSError where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def hash_sources(model: Path, files: Iterable[Path]) -> tuple[FileHash, ...]:
    """Each once, by its path as seen from the model's folder."""
    names = {os.path.relpath(file, model.parent): file for file in files}
    return tuple(FileHash(Path(name).as_posix(), hash_file(file)) for name, file in names.items())


def _hash_below(folder: Path, path: Path) -> FileHash:
    return FileHash(path.relative_to(folder).as_posix(), hash_file(path))


def _paint(job: Job, folder: Path, progress: ProgressCallback) -> tuple[Result, tuple[FileHash, ...]]:
    began, settings = time.monotonic(), job.settings
    record = run_record(settings, {job.style: job.picture})
    if job.group is not None:
        record["set"] = job.group
    with limited_threads(settings.threads):
        painting = _painting(job.picture, settings.device)
        scene = prepare(job.source, settings, progress)
        network = _network(settings.weights, settings.convolution, settings.device)
        painted = paint(scene, painting, network, settings, progress, job.colours)
        if painted.solution.interrupted:
            raise KeyboardInterrupt
        progress(Progress("write"))
        outputs = write_painted(scene, painted, folder / job.output, record, settings, job.companions)
    sources = scene.asset.sources if isinstance(scene.asset, FromFiles) else (job.source,)
    result = report(scene, painted, (outputs, settings, job.style, began))
    return result, hash_sources(job.source, sources)


@lru_cache(maxsize=2)
def _network(weights: str, convolution: str, device: str) -> VGG19:
    settings = Settings(weights=weights, convolution=convolution, device=device)
    return make_network(load_weights(weights), settings, choose_device(device), ignore)


@lru_cache(maxsize=4)
def _painting(picture: Path, device: str) -> torch.Tensor:
    return load_painting(picture).to(choose_device(device))


def _failure(job: Job, error: Exception) -> Failure:
    detail = traceback.format_exc()
    if isinstance(error, OutputError) or (isinstance(error, OSError) and error.errno in _NO_ROOM):
        return _output_failure(job, error, detail)
    if isinstance(error, MeshStyleError):
        return Failure(FailureKind.INPUT, error.subject, error.cause, error.remedy)
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS):
        found = lost(job, FailureKind.MEMORY, "there is not enough memory for it").failure
        assert found is not None
        return found
    name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    remedy = "Run it alone with: meshstyle stylize --debug, and report what that shows."
    return Failure(FailureKind.BUG, str(job.source), f"this is a bug in meshstyle ({name})", remedy, detail)


def _output_failure(job: Job, error: Exception, detail: str) -> Failure:
    if isinstance(error, MeshStyleError):
        return Failure(FailureKind.OUTPUT, error.subject, error.cause, error.remedy, detail)
    assert isinstance(error, OSError)
    cause = f"it cannot be written ({os.strerror(error.errno or 0)})"
    return Failure(
        FailureKind.OUTPUT, job.output, cause, "Make room there, and run the same command again.", detail
    )
