"""Everything before the first model is painted: what is wanted, is it sound, what are the models, who works."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from ..bundled import find_styles
from ..config.model import Settings
from ..config.styles import shares
from ..errors import InputError, MeshStyleError, UsageError
from ..io.load import SUFFIXES
from ..system.threads import loading_torch
from .hashing import hash_file, hash_sources, hash_values
from .journal import Journal
from .manifest import JobSpec, read_manifest
from .model_summary import ModelSummary, SummaryRequest, is_still_so
from .options import AUTO, BatchInput
from .plan import Known, plan_jobs
from .scan import chosen, scan
from .types import BatchCallback, BatchProgress, Job, SharedInputs, WorkerContext
from .worker_count import WorkerPlan, fastest, known_worker_plan
from .worker_pool import Lost, Processes

_SUMMARY_LIMIT = 120.0  # seconds that reading a model may take


@dataclass(frozen=True)
class JobSpecs:
    """What the input asks for, by model; all settings are complete."""

    folder: Path
    job_specs: Mapping[str, JobSpec]
    settings: Mapping[str, Settings]
    threads: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """All jobs of a batch, what is known of their models, and who will do them."""

    jobs: tuple[Job, ...]
    summaries: Mapping[str, ModelSummary]
    worker_plan: WorkerPlan
    notes: tuple[str, ...]

    @property
    def left_out(self) -> dict[str, str]:
        """Models that no job paints, and why."""
        painted = {job.model for job in self.jobs}
        return {
            model: "It was painted by meshstyle." if summary.painted else "It has no material of these names."
            for model, summary in self.summaries.items()
            if model not in painted
        }


def read_job_specs(request: BatchInput) -> JobSpecs:
    """Read folder or manifest. Raises MeshStyleError."""
    source, out, options = request.source, request.output, request.options
    if source.is_file() and source.suffix.lower() == ".toml":
        manifest = read_manifest(source, out, request.from_url)
        _refuse_same(manifest.folder, out)
        names = chosen(tuple(manifest.job_specs), options.include, options.exclude)
        folder, notes = manifest.folder, manifest.notes
        job_specs = {name: manifest.job_specs[name] for name in names}
    else:
        if source.is_file() and source.suffix.lower() in SUFFIXES:
            raise UsageError(source, "it is one model", "Paint it with: meshstyle stylize.")
        _refuse_same(source, out)
        found, notes = scan(source, out, options.include, options.exclude)
        folder, job_specs = source, dict.fromkeys(found, JobSpec())
    styles = request.styles
    group = None if options.group == AUTO else options.group
    job_specs = {
        name: replace(job_spec, styles=styles or job_spec.styles, group=group or job_spec.group)
        for name, job_spec in job_specs.items()
    }
    if not job_specs:
        raise InputError(source, "no model in it is chosen", "Look at --include and --exclude.")
    for style in dict.fromkeys(style for job_spec in job_specs.values() for style in job_spec.styles):
        find_styles(style)
    for name, job_spec in job_specs.items():
        if not job_spec.styles:
            raise UsageError(
                job_spec.place or "style", f"no picture was given for {name}", "Give one with --style."
            )
    settings = {
        name: Settings.from_mapping({**job_spec.values, **request.settings})
        for name, job_spec in job_specs.items()
    }
    threads = {one.threads for one in settings.values()}
    return JobSpecs(folder, job_specs, settings, threads.pop() if threads else None, notes)


def _refuse_same(folder: Path, out: Path) -> None:
    if out.exists() and folder.exists() and out.samefile(folder):
        raise UsageError(out, "the output is the input", "Give another folder with -o.")


def prepare(
    wanted: JobSpecs, request: BatchInput, journal: Journal, processes: Processes, progress: BatchCallback
) -> Prepared:
    """Check what models share, look at the models, choose the worker plan and plan the jobs.

    What is found out goes into the journal. Raises MeshStyleError.
    """
    _check_shared(wanted, journal, processes, request.options.engine == "ray")
    summaries = _summarize_all(wanted, journal, processes, progress)
    worker_plan = known_worker_plan(request.options, wanted.threads, journal.threads)
    if worker_plan is None:
        progress(BatchProgress("measure"))
        worker_plan, about = fastest(processes)
        progress(BatchProgress("measure", message=about))
    journal.decide_threads(worker_plan.threads)
    models = [
        Known(
            name,
            wanted.folder / name,
            job_spec,
            replace(wanted.settings[name], threads=worker_plan.threads),
            summaries[name],
        )
        for name, job_spec in wanted.job_specs.items()
    ]
    jobs, notes = plan_jobs(models, version("meshstyle"))
    return Prepared(jobs, summaries, worker_plan, (*wanted.notes, *notes))


def _check_shared(wanted: JobSpecs, journal: Journal, processes: Processes, is_elsewhere: bool) -> None:
    """Pictures, weights and device, each once, by loading them; no device where the work `is_elsewhere`.

    Raises MeshStyleError about the first that is wrong.
    """
    requests: dict[SharedInputs, str] = {}
    device = "auto" if is_elsewhere else None
    for name, job_spec in wanted.job_specs.items():
        settings = wanted.settings[name]
        for style in job_spec.styles:
            layers = find_styles(style)
            shares(settings.style_weights, [one.request for one in layers])
            for one in layers:
                shared = SharedInputs(
                    one.picture, settings.weights, settings.init, device or settings.device, one.files[1:]
                )
                requests.setdefault(shared, _digest(shared))
    new = [shared for shared, digest in requests.items() if digest not in journal.sound]
    for ended in processes.each(_check, new):
        if isinstance(ended.answer, Lost):
            raise InputError(
                ended.item.picture, ended.answer.cause, "Give another picture, or other weights."
            )
        if ended.answer is not None:
            raise ended.answer
        journal.remember_sound(requests[ended.item])


def _digest(shared: SharedInputs) -> str:
    files = (shared.picture, Path(shared.weights), Path(shared.init), *shared.masks)
    return hash_values([*(hash_file(file) for file in files), shared.weights, shared.init, shared.device])


def _summarize_all(
    wanted: JobSpecs, journal: Journal, processes: Processes, progress: BatchCallback
) -> dict[str, ModelSummary]:
    """Summarize the models, by model; those that were looked at before, and are as they were then, are not read
    again."""
    began = time.monotonic()
    requests = {
        SummaryRequest(wanted.folder / name, replace(settings, threads=None)): name
        for name, settings in wanted.settings.items()
    }
    summaries: dict[str, ModelSummary] = {}
    for request, name in requests.items():
        summary = journal.summaries.get(request.key())
        if summary is not None and not summary.problem and is_still_so(summary, request.model):
            summaries[name] = summary
    new = [request for request, name in requests.items() if name not in summaries]
    for number, ended in enumerate(processes.each(_summarize, new, _SUMMARY_LIMIT), 1):
        summary = ended.answer
        if isinstance(summary, Lost):
            summary = ModelSummary(
                ended.item.key(), hash_sources(ended.item.model, [ended.item.model]), problem=summary.cause
            )
        else:  # a model that was given up may do better next time
            journal.remember_summary(summary)
        summaries[requests[ended.item]] = summary
        seconds = time.monotonic() - began
        progress(BatchProgress("look", total=len(new), done=number, seconds=seconds))
    return summaries


def _check(request: SharedInputs, _: WorkerContext) -> MeshStyleError | None:
    with loading_torch():
        from .worker import check_shared

    return check_shared(request)


def _summarize(request: SummaryRequest, _: WorkerContext) -> ModelSummary:
    from .inspect_model import summarize_model  # loads numpy, which the process that plans does without

    return summarize_model(request)
