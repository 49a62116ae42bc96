"""What lies in OUT from earlier runs and is not asked for now: the report goes on telling of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..bundled import find_styles
from ..config.model import Settings
from ..errors import MeshStyleError
from .journal import Journal
from .types import Job, JobState, Outcome


def earlier_jobs(report: Path, jobs: tuple[Job, ...], journal: Journal) -> dict[Job, Outcome]:
    """Jobs that are not among `jobs`, and what became of them: those whose results are there, or whose failures may be
    mended because their models are.

    `report`: what the last run wrote (report.json). What it does not tell, or tells wrongly, is left out.
    """
    now = {job.id for job in jobs}
    found: dict[Job, Outcome] = {}
    for job in _told(report):
        outcome = journal.outcomes.get(job.id)
        if job.id in now or outcome is None or job.id in {one.id for one in found}:
            continue
        is_done = outcome.state is JobState.DONE
        if (report.parent / job.output).is_file() if is_done else job.source.is_file():
            found[job] = replace(outcome, earlier=True)
    return found


def _told(report: Path) -> Iterator[Job]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        written = json.loads(report.read_bytes())
        common, assets = dict(written["settings"]), list(written["assets"])
        for asset in assets:
            with suppress(KeyError, TypeError, ValueError, MeshStyleError):
                yield _job(asset, common)


def _job(asset: Mapping[str, Any], common: Mapping[str, Any]) -> Job:
    texts = [asset[name] for name in ("id", "model", "source", "style", "output")]
    if not all(isinstance(text, str) for text in texts) or Path(asset["output"]).is_absolute():
        raise TypeError
    name, model, source, style, output = texts
    return Job(
        id=name,
        model=model,
        source=Path(source),
        style=style,
        picture=find_styles(style)[0].picture,
        output=output,
        settings=Settings.from_mapping({**common, **asset["settings"]}),
        key="",
        group=asset["set"] if isinstance(asset["set"], str) else None,
        notes=tuple(str(note) for note in asset["notes"]),
    )
