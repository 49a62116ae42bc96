"""Results from the staging folder to their places below OUT, and whether they are still there."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from ..errors import OutputError
from ..io.atomic_write import sync_folder
from .hashing import hash_file
from .journal import Journal
from .types import Failure, FailureKind, Job, JobState, Outcome


def place(outcome: Outcome, out: Path, journal: Journal) -> Outcome:
    """Rename the files of an outcome into place and write it into the journal. Returns it as it is there.

    What it is about to do is in the journal first, that it is done comes last, and the model is renamed after the
    files it needs: whenever the process ends, no model lies there without them, and the next run knows all files.

    A file that lies there and that no batch in this OUT has made is not overwritten; nor is another model's. Then the
    job has failed. Raises OutputError where OUT cannot be written.
    """
    if outcome.state is JobState.FAILED or outcome.staged is None:
        journal.finish(outcome)
        return outcome
    if problem := _in_the_way(outcome, out, journal):
        failed = replace(outcome, state=JobState.FAILED, files=(), staged=None, failure=problem)
        shutil.rmtree(outcome.staged, ignore_errors=True)
        journal.finish(failed)
        return failed
    before = journal.files_of(outcome.job)
    journal.begin_placing(outcome)
    _rename(outcome, out, outcome.staged)
    _drop(
        [name for name in before if name not in {file.path for file in outcome.files}], outcome, out, journal
    )
    shutil.rmtree(outcome.staged, ignore_errors=True)
    placed = replace(outcome, staged=None)
    journal.finish(placed)
    return placed


def is_up_to_date(job: Job, out: Path, journal: Journal) -> bool:
    """Whether a job is done, from the same files, and its results lie there as they were written."""
    outcome = journal.outcomes.get(job.id)
    return (
        outcome is not None
        and outcome.state is JobState.DONE
        and outcome.key == job.key
        and all(hash_file(job.source.parent / file.path) == file.sha256 for file in outcome.sources)
        and all(hash_file(out / file.path) == file.sha256 for file in outcome.files)
    )


def is_there(job: Job, out: Path, journal: Journal) -> bool:
    """Whether a job is done, from whatever it was, and its result lies there."""
    outcome = journal.outcomes.get(job.id)
    return outcome is not None and outcome.state is JobState.DONE and (out / job.output).exists()


def _in_the_way(outcome: Outcome, out: Path, journal: Journal) -> Failure | None:
    for file in outcome.files:
        target, owners = out / file.path, journal.owners(file.path)
        others = [job for job, digest in owners.items() if job != outcome.job and digest != file.sha256]
        if others and target.exists():
            cause = f"it would overwrite a file of {min(others)}"
            return Failure(FailureKind.INPUT, str(target), cause, "Rename one of the two models.")
        if os.path.lexists(target) and not owners and hash_file(target) != file.sha256:
            cause = "a file that this batch did not make lies there"
            return Failure(FailureKind.INPUT, str(target), cause, "Move it away, or give another -o.")
    return None


def _rename(outcome: Outcome, out: Path, staged: Path) -> None:
    target = out
    try:
        for file in reversed(outcome.files):
            target = out / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged / file.path, target)
        for folder in {(out / file.path).parent for file in outcome.files}:
            sync_folder(folder)
    except OSError as error:
        cause = f"it cannot be written ({error.strerror or error})"
        raise OutputError(target, cause, "Make room there, and run the same command again.") from error


def _drop(names: list[str], outcome: Outcome, out: Path, journal: Journal) -> None:
    """Files of an earlier result of the job that the new one does not have."""
    for name in names:
        if set(journal.owners(name)) <= {outcome.job}:
            with contextlib.suppress(OSError):
                (out / name).unlink()
