"""`meshstyle batch`: many models, unattended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshstyle.batch.options import AUTO, ENGINES, NO_SET, BatchInput, BatchOptions
from meshstyle.errors import UsageError
from meshstyle.runfile import RunFile, read_run_file
from meshstyle.settings import Settings

from .batch_display import BatchDisplay, make_batch_display
from .display import about_file, duration, emit, emit_json, say, table
from .interrupt import StoppedError, interruptible
from .options import Config, DryRun, Reporting, naming_options, reports, takes_settings

if TYPE_CHECKING:
    from meshstyle.batch.copies import Places
    from meshstyle.batch.results import BatchPlan, BatchResult

SOME_FAILED, INTERRUPTED = 4, 130
_DEFAULTS = BatchOptions()

Source = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER|MANIFEST.toml",
        help="A folder with models, or a list of models with settings of their own (docs/batch.md); or its URL, "
        "as s3://BUCKET/models.",
        show_default=False,
    ),
]
Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE",
        help="The picture to paint like; may be repeated: each style gets a folder of its own. A file, or the "
        "name of a shipped one.",
        show_default=False,
    ),
]
Out = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="OUT", help="The folder to write to, or its URL.", show_default=False
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Only models that fit, as in .gitignore: props/*.glb; may be repeated. Default: all.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Models to leave out; may be repeated. Default: none.",
        show_default=False,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar=f"NAME|{AUTO}|{NO_SET}",
        help="What belongs together gets strokes of one size and one change of colours: all models, as the set "
        f"NAME; those that share a texture ({AUTO}); or nothing ({NO_SET}). Default: {_DEFAULTS.group}.",
        show_default=False,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers", metavar="auto|N", help="Models painted at a time; auto: what measures fastest here."
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        metavar="SECONDS",
        help="How long one model may take. Default: any time.",
        show_default=False,
    ),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        metavar="GIB",
        help="How much memory one worker may take. Default: any.",
        show_default=False,
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries",
        metavar="N",
        help="Attempts more at a model whose process died or had too little memory.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", metavar="|".join(ENGINES), help="Who works: this machine, or a Ray cluster."),
]
Turntable = Annotated[
    bool, typer.Option("--turntable", help="Show every model turning in the report, before and after.")
]
Watch = Annotated[
    bool, typer.Option("--watch", help="Go on with what is new or changes below FOLDER, until Ctrl-C.")
]
RayAddress = Annotated[
    str,
    typer.Option(
        "--ray-address",
        metavar="auto|local|HOST:PORT",
        help="With --engine ray: the cluster that runs on this machine, one for this run, or that one.",
    ),
]
GpusPerJob = Annotated[
    float,
    typer.Option(
        "--gpus-per-job",
        metavar="N",
        help="With --engine ray: GPUs that each model gets; 0.5 is half of one.",
    ),
]


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
    time_limit: TimeLimit = _DEFAULTS.time_limit,
    memory_limit: MemoryLimit = _DEFAULTS.memory_limit,
    retries: Retries = _DEFAULTS.retries,
    engine: EngineName = _DEFAULTS.engine,
    turntable: Turntable = _DEFAULTS.turntable,
    watch: Watch = False,
    ray_address: RayAddress = _DEFAULTS.ray_address,
    gpus_per_job: GpusPerJob = _DEFAULTS.gpus_per_job,
    dry_run: DryRun = False,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint every model below FOLDER, or of a manifest.

    The tree below OUT is the same. What is finished is kept, whatever happens: the same command goes on from
    there. Exit code 4 where some models failed.
    """
    from meshstyle.batch.copies import at_hand

    with naming_options(
        dict.fromkeys(
            ("include", "exclude", "set", "time_limit", "style", "ray_address", "gpus_per_job", *given)
        )
    ):
        options = BatchOptions(
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            group=_DEFAULTS.group if group is None else group,
            workers=_workers(workers),
            time_limit=time_limit,
            memory_limit=memory_limit,
            retries=retries,
            engine=engine,
            turntable=turntable,
            ray_address=ray_address,
            gpus_per_job=gpus_per_job,
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
                places.source, places.output, tuple(style or run.styles), values, options, places.from_url
            )
            code = _watch(request, reporting) if watches else _go(request, places, dry_run, reporting)
    if code:
        raise typer.Exit(code)


def _check_watchable(source: str, output: str) -> None:
    from meshstyle.remote import is_url

    for place in (source, output):
        if is_url(place):
            raise UsageError(
                "--watch", f"{place} is a URL", "Watch a folder, or run the batch again and again."
            )


def _watch(request: BatchInput, reporting: Reporting) -> int:
    """Returns the exit code."""
    from meshstyle.batch.watch import watch_request

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
            f"in {result.output}, {duration(result.seconds)}"
        )
    return SOME_FAILED if result.failed else 0


def _go(request: BatchInput, places: Places, dry_run: bool, reporting: Reporting) -> int:
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


def _show_plan(planned: BatchPlan, places: Places, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(_with_output(planned.to_dict(), places))
        return
    emit(table([("output", places.told(str(planned.output))), *_plan_rows(planned)]))


def _plan_rows(planned: BatchPlan) -> Iterator[tuple[str, str]]:
    yield "models", f"{len(planned.pending)} to paint, {len(planned.jobs) - len(planned.pending)} done before"
    yield "workers", str(planned.crew)
    yield (
        "estimate",
        f"{duration(planned.seconds)}, {planned.memory / 2**30:.1f} GiB of memory, "
        f"{planned.disk / 2**20:.3g} MiB on the disk",
    )
    for note in planned.notes:
        yield "note", note
    for job, cost in zip(planned.pending, planned.estimates, strict=True):
        belongs = f", set: {job.group}" if job.group else ""
        yield "paint", f"{job.id}, about {duration(cost.wall(planned.crew))}{belongs}"
        for note in job.notes:
            yield "note", note


def _with_output(told: dict[str, Any], places: Places) -> dict[str, Any]:
    return told | {"output": places.told(told["output"])}


def _show_result(result: BatchResult, places: Places, display: BatchDisplay, reporting: Reporting) -> None:
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
        f"in {told['output']}, {duration(result.seconds)}"
    )
