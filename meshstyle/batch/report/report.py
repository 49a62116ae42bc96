"""What the report of a batch tells, as one JSON object (docs/batch_report.md); `batch.report.page` makes a page of
it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..types import Job, JobState, Outcome
from .images import stills_of, turntable_of

FORMAT = 1
WAITING, RUNNING, SKIPPED = "waiting", "running", "skipped"


@dataclass(frozen=True)
class Subject:
    """What a report is about, known before the first model is painted.

    Attributes:
        source: folder or manifest.
        out: OUT.
        jobs: all of them.
        skipped: models that are not painted, and why; `held`: those that are not painted yet.
        notes: what people should know, one sentence each.
    """

    source: Path
    out: Path
    jobs: tuple[Job, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def settings(self) -> tuple[dict[str, Any], ...]:
        """Return the settings of each job."""
        return tuple(job.settings.to_dict() for job in self.jobs)

    @cached_property
    def common(self) -> dict[str, Any]:
        """Settings that all jobs have alike."""
        first = self.settings[0] if self.settings else {}
        return {
            name: value for name, value in first.items() if all(one[name] == value for one in self.settings)
        }


@dataclass(frozen=True)
class Moment:
    """What is known by now.

    Attributes:
        state: running, done, stopped, or watching for changes.
        began, written: seconds since the epoch; `seconds`: wall time of this run.
        outcomes: by id of the job.
        running: ids of the jobs that are being worked on.
        pictures: paths below OUT of the assets' pictures that are there; `styles`: of those of styles, by style.
        problems: of drawings, one sentence each, by id of the job.
        notes: beside those of the subject.
    """

    state: str
    began: float
    written: float
    seconds: float
    outcomes: Mapping[str, Outcome]
    running: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    styles: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def tell(subject: Subject, moment: Moment) -> dict[str, Any]:
    """The report, JSON-able."""
    assets = [
        _asset(job, settings, subject, moment)
        for job, settings in zip(subject.jobs, subject.settings, strict=True)
    ]
    assets += [_without_job(model, SKIPPED, reason) for model, reason in subject.skipped.items()]
    assets += [_without_job(model, WAITING, reason) for model, reason in subject.held.items()]
    return {
        "format": FORMAT,
        "meshstyle": version("meshstyle"),
        "state": moment.state,
        "source": str(subject.source),
        "output": str(subject.out),
        "began": moment.began,
        "written": moment.written,
        "seconds": moment.seconds,
        "counts": _count(assets),
        "styles": [
            {"name": style, "picture": moment.styles.get(style)}
            for style in dict.fromkeys(job.style for job in subject.jobs)
        ],
        "settings": subject.common,
        "notes": [*subject.notes, *moment.notes],
        "assets": assets,
    }


def _count(assets: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = [asset["state"] for asset in assets]
    names = (JobState.DONE.value, JobState.FAILED.value, RUNNING, WAITING, SKIPPED)
    return {name: states.count(name) for name in names} | {"earlier": sum(one["earlier"] for one in assets)}


def _asset(job: Job, settings: Mapping[str, Any], subject: Subject, moment: Moment) -> dict[str, Any]:
    outcome = moment.outcomes.get(job.id)
    own = {name: value for name, value in settings.items() if name not in subject.common}
    entry = _nothing_known(job.model) | {
        "id": job.id,
        "source": str(job.source),
        "style": job.style,
        "output": job.output,
        "set": job.group,
        "state": RUNNING if job.id in moment.running else WAITING,
        "settings": own,
        "notes": list(job.notes),
    }
    return entry if outcome is None else entry | _outcome(job, outcome, subject.out, moment)


def _outcome(job: Job, outcome: Outcome, out: Path, moment: Moment) -> dict[str, Any]:
    failure = outcome.failure
    names = {**stills_of(job, outcome, out).names, **turntable_of(job, outcome, out).names}
    return {
        "state": outcome.state.value,
        "earlier": outcome.earlier,
        "seconds": outcome.seconds,
        "attempts": outcome.attempts,
        "files": [file.path for file in outcome.files],
        "figures": {name: x if math.isfinite(x) else None for name, x in outcome.figures.items()},
        "images": [asdict(image) | {"size": list(image.size)} for image in outcome.images],
        "warnings": [
            *(warning for warning in outcome.warnings if warning not in job.notes),
            *moment.problems.get(job.id, ()),
        ],
        "failure": None if failure is None else asdict(failure) | {"kind": failure.kind.value},
        "pictures": {shown: name for shown, name in names.items() if name in moment.pictures},
    }


def _without_job(model: str, state: str, reason: str) -> dict[str, Any]:
    return _nothing_known(model) | {"state": state, "notes": [reason]}


def _nothing_known(model: str) -> dict[str, Any]:
    """An asset's keys, all of them."""
    return {
        "id": None,
        "model": model,
        "source": None,
        "style": None,
        "output": None,
        "set": None,
        "state": WAITING,
        "earlier": False,
        "seconds": None,
        "attempts": 0,
        "files": [],
        "figures": {},
        "images": [],
        "settings": {},
        "notes": [],
        "warnings": [],
        "failure": None,
        "pictures": {},
    }
