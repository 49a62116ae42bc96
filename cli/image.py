"""`meshstyle image`: one flat picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meshstyle.config.image import PictureSettings
from meshstyle.run_file import RunFile, read_picture_run_file
from meshstyle.system.threads import loading_torch

from .display import SILENT, Display, elapsed, emit, emit_json, make_display, show_outcome, table
from .interrupt import interruptible
from .options import Reporting, naming_options, no_style, reports, takes_settings
from .picture_options import PICTURE_SETTINGS, Config, Mask, Output, Photo, Styles
from .writing_options import DryRun, NoClobber, NoPartial, Preview

if TYPE_CHECKING:
    from meshstyle.results import PicturePlan, PictureResult


@reports
@takes_settings(PictureSettings, PICTURE_SETTINGS)
def image(
    photo: Photo,
    *,
    style: Styles = None,
    output: Output = None,
    mask: Mask = None,
    config: Config = None,
    dry_run: DryRun = False,
    no_partial: NoPartial = False,
    no_clobber: NoClobber = False,
    preview: Preview = None,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint PHOTO, a flat picture, in the manner of others.

    Transparency stays as it is. Ctrl-C writes the best result so far.
    """
    display = make_display(reporting)
    with (
        interruptible(lambda: display.stage, keep_partial=not no_partial) as interrupts,
        naming_options(given),
    ):
        pictures, settings = _choose(style, config, given, display)
        with loading_torch():
            from meshstyle.stylize_flat_image import plan_image, stylize_image

        if dry_run:
            planned = plan_image(photo, pictures, output, settings, mask=mask, overwrite=not no_clobber)
            _show_plan(planned, reporting)
            return
        with display:
            result = stylize_image(
                photo,
                pictures,
                output,
                settings,
                mask=mask,
                progress=display,
                partial=not no_partial,
                preview=preview,
                overwrite=not no_clobber,
            )
    _show_result(result, display, reporting)
    if result.interrupted or interrupts.count:
        raise typer.Exit(130)


def _choose(
    styles: list[str] | None, config: Path | None, given: Mapping[str, Any], display: Display = SILENT
) -> tuple[tuple[str, ...], PictureSettings]:
    """The pictures and the settings: the line's options over the settings file over the defaults."""
    named = (*given, *(("style",) if styles else ()))
    run: RunFile[PictureSettings] = (
        read_picture_run_file(config, named) if config else RunFile(Path(), kind=PictureSettings)
    )
    for note in run.notes:
        display.warn(note)
    settings = run.settings(**given)
    pictures = tuple(styles) if styles else run.styles
    if not pictures:
        raise no_style()
    return pictures, settings


def _show_plan(plan: PicturePlan, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(plan.to_dict())
        return
    emit(table(list(_plan_rows(plan))))


def _plan_rows(plan: PicturePlan) -> Iterator[tuple[str, str]]:
    yield "photo", str(plan.photo)
    for style in plan.styles:
        yield "style", style
    yield "output", f"{plan.output}, {_pixels(plan.size)}"
    if plan.settings.strength == 0:
        yield "work", "none: strength 0 is the photo itself"
    else:
        steps = ", then ".join(f"{scale.steps} steps at {scale.size} px" for scale in plan.settings.scales)
        yield "work", f"{steps}, with {plan.settings.optimizer_used}"
    for warning in plan.warnings:
        yield "note", warning


def _show_result(result: PictureResult, display: Display, reporting: Reporting) -> None:
    show_outcome(result, display, reporting)
    if reporting.quiet:
        return
    figures = [_pixels(result.size)]
    if result.style_loss is not None and result.content_loss is not None:
        figures.append(f"style loss {result.style_loss:.4f}, content loss {result.content_loss:.2f}")
    display.note(f"wrote {result.outputs[0]} in {elapsed(result.seconds)}: {'; '.join(figures)}")
    if reporting.verbose:
        for path in result.outputs[1:]:
            display.note(f"wrote {path}")
        display.note(f"settings: {', '.join(f'{k} {v}' for k, v in result.settings.to_dict().items())}")


def _pixels(size: tuple[int, int]) -> str:
    """Width first, as people say it."""
    return f"{size[1]} × {size[0]} pixels"
