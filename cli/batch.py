"""`meshstyle batch`: many models, unattended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meshstyle.batch.options import AUTO, BatchInput, BatchOptions
from meshstyle.config.model import Settings
from meshstyle.errors import UsageError
from meshstyle.run_file import RunFile, read_run_file
from meshstyle.text import duration

from .batch_display import BatchDisplay, make_batch_display
from .batch_options import (
    DEFAULTS,
    EngineName,
    Exclude,
    GpusPerJob,
    Group,
    Include,
    KeepResults,
    MemoryLimit,
    Out,
    RayAddress,
    Retries,
    Source,
    Styles,
    TimeLimit,
    Turntable,
    Watch,
    Workers,
)
from .display import about_file, elapsed, emit, emit_json, say, table
from .interrupt import StoppedError, interruptible
from .options import Config, Reporting, naming_options, reports, takes_settings
from .writing_options import DryRun

if TYPE_CHECKING:
    from meshstyle.batch.remote.publish import LocalFolders
    from meshstyle.batch.results import BatchPlan, BatchResult

SOME_FAILED, INTERRUPTED = 4, 130


@reports
@takes_settings()
def batch(
    source: Source,
    *,
    output: Out,
    style: Styles = None,
    config: Config = None,
    include: Include = None,
    exclude: Exclude = None,
    group: Group = None,
    workers: Workers = AUTO,
    time_limit: TimeLimit = DEFAULTS.time_limit,
    memory_limit: MemoryLimit = DEFAULTS.memory_limit,
    retries: Retries = DEFAULTS.retries,
    engine: EngineName = DEFAULTS.engine,
    turntable: Turntable = DEFAULTS.turntable,
    watch: Watch = False,
    ray_address: RayAddress = DEFAULTS.ray_address,
    gpus_per_job: GpusPerJob = DEFAULTS.gpus_per_job,
    dry_run: DryRun = False,
    no_clobber: KeepResults = False,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint every model below FOLDER, or of a manifest.

    The tree below OUT is the same. What is finished is kept, whatever happens: the same command goes on from
    there. Exit code 4 where some models failed.
    """
    from meshstyle.batch.remote.publish import at_hand

    with naming_options(
        dict.fromkeys(
            ("include", "exclude", "set", "time_limit", "style", "ray_address", "gpus_per_job", *given)
        )
    ):
        options = BatchOptions(
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            group=DEFAULTS.group if group is None else group,
            workers=_workers(workers),
            time_limit=time_limit,
            memory_limit=memory_limit,
            retries=retries,
            engine=engine,
            turntable=turntable,
            ray_address=ray_address,
            gpus_per_job=gpus_per_job,
            overwrite=not no_clobber,
        )
        named = (*given, *(("style",) if style else ()))
        run: RunFile[Settings] = read_run_file(config, named) if config else RunFile(Path())
        for note in () if reporting.quiet else run.notes:
            say(about_file(note))
        values = {**run.values, **given}
        watches = watch and not dry_run
        if watches:
            _check_watchable(source, output)
        with at_hand(source, output, options, writes=not dry_run) as places:
            request = BatchInput(
                places.source,
                places.output,
                tuple(style or ([run.style] if run.style else [])),
                values,
                options,
                places.from_url,
            )
            code = _watch(request, reporting) if watches else _go(request, places, dry_run, reporting)
    if code:
        raise typer.Exit(code)


def _check_watchable(source: str, output: str) -> None:
    from meshstyle.io.remote import is_url

    for place in (source, output):
        if is_url(place):
            raise UsageError(
                "--watch", f"{place} is a URL", "Watch a folder, or run the batch again and again."
            )


def _watch(request: BatchInput, reporting: Reporting) -> int:
    """Returns the exit code."""
    from meshstyle.batch.watch.watch import watch_request

    display = make_batch_display(reporting)
    try:
        with interruptible(), display:  # the first Ctrl-C is its ordinary end
            result = watch_request(request, display)
    except StoppedError:
        _show_stopped(display, reporting)
        return INTERRUPTED
    told = result.to_dict()
    if reporting.json:
        emit_json(told)
    if not reporting.quiet:
        display.note(
            f"ended: {told['done']} painted, {told['failed']} failed; "
            f"in {result.output}, {elapsed(result.seconds)}"
        )
        _show_report(str(result.output), result.output, display)
    return SOME_FAILED if result.failed else 0


def _go(request: BatchInput, places: LocalFolders, dry_run: bool, reporting: Reporting) -> int:
    """Returns the exit code."""
    from meshstyle.batch.run import plan_request, run_request

    display = make_batch_display(reporting)
    progress = places.watched(display)
    try:
        with interruptible(keep_partial=False), display:
            if dry_run:
                planned = plan_request(request, progress)
            else:
                result = places.result(run_request(request, progress))
    except StoppedError:
        _show_stopped(display, reporting)
        return INTERRUPTED
    if dry_run:
        _show_plan(planned, places, reporting)
        return 0
    _show_result(result, places, display, reporting)
    return SOME_FAILED if result.failed else 0


def _workers(text: str) -> int | None:
    if text == AUTO:
        return None
    if not text.isdecimal():
        raise UsageError("--workers", f"{text!r} is not a number", "Give a number, or auto.")
    return int(text)


def _show_stopped(display: BatchDisplay, reporting: Reporting) -> None:
    text = f"interrupted: {display.done} done this time are kept; the same command goes on from here"
    if not reporting.quiet:
        display.note(text)
    if reporting.json:
        emit_json({"interrupted": True, "done": display.done})


def _show_plan(planned: BatchPlan, places: LocalFolders, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(_with_output(planned.to_dict(), places))
        return
    emit(table([("output", places.with_urls(str(planned.output))), *_plan_rows(planned)]))


def _plan_rows(planned: BatchPlan) -> Iterator[tuple[str, str]]:
    yield "models", f"{len(planned.pending)} to paint, {len(planned.jobs) - len(planned.pending)} done before"
    yield "workers", str(planned.worker_plan)
    yield (
        "estimate",
        f"{duration(planned.seconds)}, {planned.memory / 2**30:.1f} GiB of memory, "
        f"{planned.disk / 2**20:.3g} MiB on the disk",
    )
    for note in planned.notes:
        yield "note", note
    for job, cost in zip(planned.pending, planned.estimates, strict=True):
        belongs = f", set: {job.group}" if job.group else ""
        yield "paint", f"{job.id}, about {duration(cost.wall(planned.worker_plan))}{belongs}"
        for note in job.notes:
            yield "note", note


def _with_output(told: dict[str, Any], places: LocalFolders) -> dict[str, Any]:
    return told | {"output": places.with_urls(told["output"])}


def _show_result(
    result: BatchResult, places: LocalFolders, display: BatchDisplay, reporting: Reporting
) -> None:
    told = _with_output(result.to_dict(), places)
    if reporting.json:
        emit_json(told)
    if reporting.quiet:
        return
    for note in result.notes:
        display.note(about_file(note))
    before = f", {told['earlier']} done before" if told["earlier"] else ""
    display.note(
        f"{told['done']} painted, {told['failed']} failed{before}; "
        f"in {told['output']}, {elapsed(result.seconds)}"
    )
    _show_report(told["output"], result.output, display)


def _show_report(named: str, out: Path, display: BatchDisplay) -> None:
    """Where it is. `named`: OUT, as people call it."""
    from meshstyle.batch.report.live import PAGE

    if (out / PAGE).is_file():
        display.note(f"report: {named.rstrip('/')}/{PAGE}")
