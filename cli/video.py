"""`meshstyle video`: a film."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meshstyle.config.video import VideoSettings
from meshstyle.errors import UsageError
from meshstyle.run_file import RunFile, read_video_run_file
from meshstyle.system.threads import loading_torch
from meshstyle.text import counted, duration

from .display import SILENT, Display, elapsed, emit, emit_json, make_display, table
from .interrupt import interruptible
from .options import Reporting, naming_options, no_style, reports, takes_settings
from .picture_options import Styles
from .video_options import VIDEO_SETTINGS, Clip, Config, Mask, NoResume, Output, Workers
from .writing_options import DryRun, NoClobber, NoPartial

if TYPE_CHECKING:
    from meshstyle.video.results import VideoPlan, VideoResult


@reports
@takes_settings(VideoSettings, VIDEO_SETTINGS)
def video(
    clip: Clip,
    *,
    style: Styles = None,
    output: Output = None,
    mask: Mask = None,
    config: Config = None,
    workers: Workers = "auto",
    no_resume: NoResume = False,
    dry_run: DryRun = False,
    no_partial: NoPartial = False,
    no_clobber: NoClobber = False,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint CLIP, a film, with strokes that stay where they belong.

    Finished frames are kept in OUT.frames until the film is there: the same command goes on from them. Ctrl-C writes
    the film as far as it is.
    """
    display = make_display(reporting)
    with (
        interruptible(lambda: display.stage, keep_partial=not no_partial) as interrupts,
        naming_options(given),
    ):
        pictures, settings = _choose(style, config, given, display)
        processes = _number_of(workers)
        with loading_torch():
            from meshstyle.video.stylize import plan_video, stylize_video

        if dry_run:
            planned = plan_video(
                clip,
                pictures,
                output,
                settings,
                mask=mask,
                workers=processes,
                overwrite=not no_clobber,
            )
            _show_plan(planned, reporting)
            return
        with display:
            result = stylize_video(
                clip,
                pictures,
                output,
                settings,
                mask=mask,
                progress=display,
                partial=not no_partial,
                workers=processes,
                resume=not no_resume,
                overwrite=not no_clobber,
            )
    _show_result(result, display, reporting)
    if result.interrupted or interrupts.count:
        raise typer.Exit(130)


def _choose(
    styles: list[str] | None, config: Path | None, given: Mapping[str, Any], display: Display = SILENT
) -> tuple[tuple[str, ...], VideoSettings]:
    """The pictures and the settings: the line's options over the settings file over the defaults."""
    named = (*given, *(("style",) if styles else ()))
    run: RunFile[VideoSettings] = (
        read_video_run_file(config, named) if config else RunFile(Path(), kind=VideoSettings)
    )
    for note in run.notes:
        display.warn(note)
    settings = run.settings(**given)
    pictures = tuple(styles) if styles else run.styles
    if not pictures:
        raise no_style()
    return pictures, settings


def _number_of(workers: str) -> int | None:
    if workers == "auto":
        return None
    if not workers.isdecimal() or int(workers) < 1:
        raise UsageError("--workers", f"{workers!r} is no number of processes", "Give auto, or 1 or more.")
    return int(workers)


def _show_plan(plan: VideoPlan, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(plan.to_dict())
        return
    emit(table(list(_plan_rows(plan))))


def _plan_rows(plan: VideoPlan) -> Iterator[tuple[str, str]]:
    settings = plan.settings
    yield "clip", f"{plan.clip}, {counted(plan.frames, 'frame')}, {plan.rate:.4g} a second"
    for style in plan.styles:
        yield "style", style
    yield "output", f"{plan.output}, {plan.size[1]} × {plan.size[0]} pixels"
    if settings.strength == 0:
        yield "work", "none: strength 0 is the clip itself"
    else:
        yield "scenes", f"{len(plan.scenes)}, of {', '.join(map(str, plan.scenes[:20]))} frames"
        yield "first", _steps(settings.scales)
        if settings.consistency > 0:
            yield (
                "others",
                f"{_steps(settings.warm_scales)}, {counted(settings.passes_used, 'pass', 'passes')}",
            )
        yield "workers", f"{plan.workers}, with {counted(plan.threads, 'thread')} each"
    if plan.finished:
        yield "finished", f"{counted(plan.finished, 'frame')} of an earlier run"
    for warning in plan.warnings:
        yield "note", warning


def _steps(scales: Any) -> str:
    return ", then ".join(f"{scale.steps} steps at {scale.size} px" for scale in scales)


def _show_result(result: VideoResult, display: Display, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(result.to_dict())
    if reporting.quiet:
        return
    for warning in result.warnings:
        display.warn(warning)
    if result.interrupted:
        display.note(
            "interrupted: these are the frames that are finished; the same command goes on from them"
        )
    first = result.outputs[0]
    place = first if len(result.outputs) == 1 else first.parent
    seconds = elapsed(result.seconds)
    share = duration(result.seconds / max(result.frames, 1)) if result.frames else ""
    display.note(
        f"wrote {place} in {seconds}: {counted(result.frames, 'frame')}, {result.size[1]} × {result.size[0]} "
        f"pixels, {counted(result.scenes, 'scene')}, {share} a frame"
    )
    if reporting.verbose:
        display.note(f"settings: {', '.join(f'{k} {v}' for k, v in result.settings.to_dict().items())}")
