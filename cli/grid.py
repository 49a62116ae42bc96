"""`meshstyle grid`: one model in several styles and strengths on one sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshstyle.errors import UsageError
from meshstyle.run_file import RunFile, read_run_file
from meshstyle.system.threads import loading_torch
from meshstyle.text import counted, duration

from .display import Display, elapsed, emit, emit_json, make_display, table
from .interrupt import interruptible
from .options import MODEL_SETTINGS, Config, Model, Reporting, naming_options, reports, takes_settings
from .writing_options import DryRun, NoClobber

if TYPE_CHECKING:
    from meshstyle.style_grid import Grid, GridPlan

DEFAULT_STRENGTHS = "0.3,0.6,1.0"
DEFAULT_CELL = 256

_SETTINGS = {name: text for name, text in MODEL_SETTINGS.items() if name not in ("strength", "image_format")}

Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE",
        help="A picture to paint like: a file, or the name of a shipped one. Repeat it for more rows; a row of several "
        "styles is one text: 'a + b:material=Sail*'.",
        show_default=False,
    ),
]
Strengths = Annotated[
    str, typer.Option("--strength", metavar="X,X,…", help="How much of the style, a column for each number.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="The picture: .png, .jpg or .webp. Default: NAME.grid.png beside the model.",
        show_default=False,
    ),
]
Cell = Annotated[int, typer.Option("--size", metavar="PIXELS", help="Side of one picture of the grid.")]


@reports
@takes_settings(texts=_SETTINGS)
def grid(
    model: Model,
    *,
    style: Styles = None,
    strength: Strengths = DEFAULT_STRENGTHS,
    output: Output = None,
    size: Cell = DEFAULT_CELL,
    config: Config = None,
    dry_run: DryRun = False,
    no_clobber: NoClobber = False,
    given: Mapping[str, Any],
    reporting: Reporting,
) -> None:
    """Paint MODEL in several styles and strengths, on one sheet.

    Every cell is a run of its own; --dry-run tells how long they may take. No model is written. Ctrl-C writes the cells
    that are done.
    """
    display = make_display(reporting)
    target = model.with_name(f"{model.stem}.grid.png") if output is None else output
    named = {**given, "size": size, "style": style, "strength": strength}
    with interruptible(lambda: display.stage) as interrupts, naming_options(named):
        strengths = parse_strengths(strength)
        run = read_run_file(config, (*given, *(("style",) if style else ()))) if config else RunFile(Path())
        for note in run.notes:
            display.warn(note)
        settings = run.settings(**given)
        pictures = style or ([run.style] if run.style else [])
        with loading_torch():
            from meshstyle.style_grid import make_grid, plan_grid

        if dry_run:
            planned = plan_grid(model, pictures, target, strengths, settings, size, not no_clobber)
            _show_plan(planned, reporting)
            return
        with display:
            made = make_grid(model, pictures, target, strengths, settings, size, display, not no_clobber)
    _show(made, display, reporting)
    if made.interrupted or interrupts.count:
        raise typer.Exit(130)


def parse_strengths(text: str) -> list[float]:
    """`0.3,0.6,1` as numbers. Raises UsageError."""
    try:
        return [float(word) for word in text.split(",") if word.strip()]
    except ValueError as error:
        cause = f"{text!r} is not a list of numbers"
        raise UsageError("--strength", cause, "Give numbers from 0 to 1, with commas between.") from error


def _show_plan(planned: GridPlan, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(planned.to_dict())
        return
    height, width = planned.size
    settings = planned.settings
    steps = ", ".join(f"{scale.steps} steps at {scale.size} px" for scale in settings.scales)
    rows = [
        ("output", f"{planned.output}, {width} × {height} pixels"),
        ("rows", ", ".join(planned.styles)),
        ("columns", ", ".join(f"strength {strength:g}" for strength in planned.strengths)),
        ("work", f"{counted(planned.cells, 'run')} of --preset {settings.preset}: {steps}, at the least"),
        ("estimate", f"{duration(planned.seconds)} in all"),
        *[("note", warning) for warning in planned.warnings],
    ]
    emit(table(rows))


def _show(made: Grid, display: Display, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(made.to_dict())
    if reporting.quiet:
        return
    for warning in made.warnings:
        display.warn(warning)
    if made.interrupted:
        display.note("interrupted: the other cells are empty")
    if reporting.verbose:
        for cell in made.cells:
            if cell.style_loss is not None:
                figures = f"style loss {cell.style_loss:.3f}, structure {cell.structure:.2f}"
                display.note(f"{cell.style} at {cell.strength:g}: {figures}")
    display.note(f"wrote {made.output} in {elapsed(made.seconds)}: {counted(len(made.cells), 'run')}")
