"""`meshstyle stylize`: the main job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meshstyle.config.model import Settings
from meshstyle.config.styles import join_styles
from meshstyle.prefetch import start_prefetcher
from meshstyle.run_file import RunFile, read_run_file
from meshstyle.saved_look import check_look_path
from meshstyle.saved_look import save_look as write_look
from meshstyle.system.threads import loading_torch

from .display import SILENT, Display, elapsed, emit, emit_json, make_display, show_outcome, table, texels
from .interrupt import interruptible
from .options import (
    Config,
    Model,
    Output,
    Reporting,
    Styles,
    naming_options,
    no_style,
    reports,
    takes_settings,
)
from .writing_options import DryRun, NoClobber, NoPartial, Preview, SaveLook

if TYPE_CHECKING:
    from meshstyle.results import Plan, Result


@reports
@takes_settings()
def stylize(
    model: Model,
    *,
    style: Styles = None,
    output: Output = None,
    config: Config = None,
    dry_run: DryRun = False,
    no_partial: NoPartial = False,
    no_clobber: NoClobber = False,
    preview: Preview = None,
    save_look: SaveLook = None,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint MODEL in the manner of a picture, or of several.

    The result is the same file with other base colours: everything else in it stays as it was. Ctrl-C writes
    the best result so far.
    """
    display = make_display(reporting)
    with (
        interruptible(lambda: display.stage, keep_partial=not no_partial) as interrupts,
        naming_options({**given, "save_look": save_look}),
    ):
        picture, settings = choose(join_styles(style) if style else None, config, given, display)
        if save_look is not None:
            check_look_path(save_look)
        if dry_run:
            _show_plan((model, picture, output, settings), not no_clobber, reporting)
            return
        with start_prefetcher(model, settings) as prefetcher, display:
            with loading_torch():
                from meshstyle.stylize_model import RunOptions, run_job
            options = RunOptions(display, not no_partial, preview, not no_clobber)
            result = run_job(model, picture, output, settings, options, prefetcher.prepare)
        if save_look is not None:
            write_look(save_look, picture, settings)
    _show_result(result, display, reporting)
    if result.interrupted or interrupts.count:
        raise typer.Exit(130)


def choose(
    style: str | None, config: Path | None, given: Mapping[str, Any], display: Display = SILENT
) -> tuple[str, Settings]:
    """The style text and the settings: the line's options over the settings file over the defaults."""
    named = (*given, *(("style",) if style else ()))
    run: RunFile[Settings] = read_run_file(config, named) if config else RunFile(Path())
    for note in run.notes:
        display.warn(note)
    settings = run.settings(**given)
    picture = style or run.style
    if not picture:
        raise no_style()
    return picture, settings


def _show_plan(run: tuple[Path, str, str | None, Settings], overwrite: bool, reporting: Reporting) -> None:
    with loading_torch():
        from meshstyle.stylize_model import plan

    planned = plan(*run, overwrite=overwrite)
    if reporting.json:
        emit_json(planned.to_dict())
        return
    emit(table(list(_plan_rows(planned))))


def _plan_rows(planned: Plan) -> Iterator[tuple[str, str]]:
    settings = planned.settings
    yield "model", str(planned.model)
    yield "style", planned.style
    yield "output", str(planned.output)
    yield "views", f"{settings.view_count} at least"
    yield (
        "work",
        ", then ".join(f"{scale.steps} steps at {scale.size} px" for scale in settings.scales)
        + ", at the least",
    )
    detail = settings.close_ups
    if detail.most > 1 and any(max(atlas.size) > detail.above for atlas in planned.atlases):
        yield (
            "detail",
            f"{detail.steps} steps at each close-up of {detail.size} px, where there is room for it",
        )
    for atlas in planned.atlases:
        yield "paint", f"{atlas.name}, {texels(atlas.size)}. {atlas.reason}"
    for warning in planned.warnings:
        yield "note", warning


def _show_result(result: Result, display: Display, reporting: Reporting) -> None:
    show_outcome(result, display, reporting)
    if reporting.quiet:
        return
    figures = [f"{result.views} views painted {result.coverage:.1%} of the surface"]
    if result.close_ups:
        figures.append(f"{result.close_ups} close-ups added detail")
    if result.style_loss is not None and result.structure is not None:
        where = "at viewing size" if result.judged else "in its own views"
        figures.append(f"style {result.style_loss:.3f} {where}, structure {result.structure:.2f}")
    display.note(f"wrote {result.outputs[0]} in {elapsed(result.seconds)}: {'; '.join(figures)}")
    if reporting.verbose:
        _show_more(result, display)


def _show_more(result: Result, display: Display) -> None:
    if (found := result.agreement) is not None:
        display.note(
            f"views: style loss {found.style_loss:.3f}, baked {found.style_loss_baked:.3f}; "
            f"they differ from each other by {found.rmse_between:.3f} (baked: {found.rmse_between_baked:.3f}), "
            f"from the baked texture by {found.rmse_to_baked:.3f}"
        )
    for path in result.outputs[1:]:
        display.note(f"wrote {path}")
    for material in result.materials:
        display.note(
            f"material {material.name}: views painted {material.painted:.1%} of what can come to be seen of it"
        )
    for atlas in result.atlases:
        display.note(f"painted {atlas.name}, {texels(atlas.size)}. {atlas.reason}")
    display.note(f"settings: {', '.join(f'{k} {v}' for k, v in result.settings.to_dict().items())}")
