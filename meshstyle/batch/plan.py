"""From what is wished for and what is known of the models to jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..bundled import find_styles
from ..config.model import Settings
from ..errors import UsageError
from .hashing import files_in_settings, hash_file, hash_values, masks_in_settings
from .manifest import JobSpec
from .model_sets import Member, find_sets
from .model_summary import ModelSummary
from .output_names import name_outputs, name_styles
from .types import Job

_STROKES = (0.05, 20.0)  # what `style_scale` may be


@dataclass(frozen=True)
class Known:
    """A model with all that is known before it is planned."""

    model: str
    source: Path
    job_spec: JobSpec
    settings: Settings
    summary: ModelSummary


def plan_jobs(models: list[Known], version: str) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """The jobs, in the order of the models and then of the styles; and what people should know.

    Results of meshstyle, and models without a material that is to be painted, are left out.
    """
    painted, empty = [known for known in models if known.summary.painted], list(filter(_empty, models))
    notes = (
        *_left_out("was painted by meshstyle", "were painted by meshstyle", painted),
        *_left_out("has no material of these names", "have no material of these names", empty),
    )
    models = [known for known in models if not known.summary.painted and not _empty(known)]
    summaries = {known.model: known.summary for known in models}
    members = find_sets(summaries, {known.model: known.job_spec.group for known in models})
    styles = name_styles(list(dict.fromkeys(style for known in models for style in known.job_spec.styles)))
    outputs = name_outputs(known.model for known in models)
    digests = _Digests()
    jobs = []
    for known in models:
        several = len(known.job_spec.styles) > 1
        for style in known.job_spec.styles:
            output, companions = outputs[known.model]
            folder = f"{styles[style]}/" if several else ""
            job = _job(known, style, members.get(known.model))
            job = replace(job, id=folder + output, output=folder + output, companions=companions)
            jobs.append(replace(job, key=digests.key(job, version)))
    _check_names(jobs)
    return tuple(jobs), notes


def _job(known: Known, style: str, member: Member | None) -> Job:
    layers = tuple(one.absolute() for one in find_styles(style))
    settings = replace(known.settings, only=known.summary.only, skip=known.summary.skip)
    if member is not None:
        low, high = _STROKES
        strokes = min(max(round(settings.style_scale * member.scale, 4), low), high)
        settings = replace(settings, style_scale=strokes)
    return Job(
        id="",
        model=known.model,
        source=known.source,
        style=style,
        picture=layers[0].picture,
        layers=layers,
        output="",
        settings=settings,
        key="",
        group=member.name if member else None,
        colours=member.colours if member else None,
        notes=(member.note,) if member and member.note else (),
        inputs=known.summary.sources,
    )


def _empty(known: Known) -> bool:
    """Whether it has none of the materials that are to be painted."""
    return bool(known.settings.only) and not known.summary.only and not known.summary.problem


def _left_out(one: str, several: str, models: list[Known]) -> Iterator[str]:
    if len(models) == 1:
        yield f"{models[0].model} {one} and is left out."
    elif models:
        yield f"{len(models)} models {several} and are left out, {models[0].model} among them."


def _check_names(jobs: list[Job]) -> None:
    """No result may have the name of another, or of an input. The first may be, where only some models have several
    styles and a folder is called like one."""
    outputs: dict[str, Job] = {}
    for job in jobs:
        other = outputs.setdefault(job.output, job)
        if other is not job:
            cause = f"{other.model} and {job.model} would both be written there"
            raise UsageError(job.output, cause, "Rename one of them, or paint them in separate batches.")


class _Digests:
    """Digests of files that many jobs have in common, worked out once."""

    def __init__(self) -> None:
        self._known: dict[Path, str | None] = {}

    def key(self, job: Job, version: str) -> str:
        settings = job.settings
        files: dict[str, Any] = {"picture": self._of(job.picture)}
        more = [file for layer in job.requested for file in layer.files]
        if len(more) > 1:
            files["styles"] = [self._of(file) for file in more]
        if masks := masks_in_settings(settings):
            files["protect"] = [self._of(file) for file in masks]
        files |= {name: self._of(path) for name, path in files_in_settings(settings).items()}
        colours: Mapping[str, Any] = vars(job.colours) if job.colours else {}
        about_result = [job.style, job.output, job.companions, job.group, dict(colours)]
        return hash_values([version, hash_file(job.source), files, settings.to_dict(), about_result])

    def _of(self, path: Path) -> str | None:
        if path not in self._known:
            self._known[path] = hash_file(path)
        return self._known[path]
