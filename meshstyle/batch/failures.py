"""What is told of a job that came to nothing."""

from __future__ import annotations

import errno
import traceback

from ..errors import MeshStyleError, OutputError
from .types import Failure, FailureKind, Job, JobState, Outcome

_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_MEMORY_WORDS = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
)  # torch has no type for it on the CPU
_REMEDIES = {
    FailureKind.TIME: "Give it more time with --time-limit, or less to do with --preset or --texture-size.",
    FailureKind.MEMORY: "Try --workers 1, a smaller --texture-size, or a simpler model.",
    FailureKind.CRASH: "Run it alone with: meshstyle stylize. If that dies too, report the model.",
    FailureKind.BUG: "Run it alone with: meshstyle stylize --debug, and report what that shows.",
}


def lost(job: Job, kind: FailureKind, cause: str, seconds: float = 0.0) -> Outcome:
    """The outcome of a job whose process cannot tell any more: for engines.

    `kind`: TIME, MEMORY, CRASH or BUG; `cause`: as in `MeshStyleError`.
    """
    failure = Failure(kind, str(job.source), cause, _REMEDIES[kind])
    return Outcome(job.id, job.key, JobState.FAILED, seconds, failure=failure)


def failure_of(job: Job, error: Exception) -> Failure:
    """What an exception means; called while it is being handled."""
    if blamed := _of_the_place(error):
        cause, remedy = (
            f"it cannot be written ({blamed.strerror})",
            "Make room there, and run the same command again.",
        )
        return Failure(FailureKind.OUTPUT, job.output, cause, remedy)
    if isinstance(error, MeshStyleError):
        return Failure(FailureKind.INPUT, error.subject, error.cause, error.remedy)
    if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _MEMORY_WORDS):
        kind, cause = FailureKind.MEMORY, "there is not enough memory for it"
    else:
        name = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        kind, cause = FailureKind.BUG, f"this is a bug in meshstyle ({name})"
    return Failure(kind, str(job.source), cause, _REMEDIES[kind], traceback.format_exc())


def _of_the_place(error: BaseException | None) -> OSError | None:
    """The error, if it is the place's fault, so that all other jobs would fail too."""
    if isinstance(error, OutputError):
        error = error.__cause__
    return error if isinstance(error, OSError) and error.errno in _PLACE else None
