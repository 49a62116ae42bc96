"""`meshstyle evaluate`: figures of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshstyle.cores import loading_torch
from meshstyle.errors import UsageError

from .display import emit, emit_json, make_display, table
from .interrupt import interruptible
from .options import Reporting, Style, one_style, reports

Stylized = Annotated[
    Path, typer.Argument(metavar="STYLIZED", help="A model that was painted.", show_default=False)
]
Original = Annotated[
    Path | None,
    typer.Option("--original", metavar="MODEL", help="The model it was painted from.", show_default=False),
]


@reports
def evaluate(
    stylized: Stylized, *, original: Original = None, style: Style = None, reporting: Reporting
) -> None:
    """Judge STYLIZED from views it was not painted from."""
    if original is None:
        raise UsageError("--original", "no model was given", "Give the model that was painted.")
    picture = one_style(style)
    if picture is None:
        raise UsageError("--style", "no picture was given", "Give the picture that it was painted like.")
    display = make_display(reporting)
    with interruptible(), display:
        with loading_torch():
            from meshstyle.evaluate import evaluate as judge

        figures = judge(stylized, original, picture, progress=display).to_dict()
    if reporting.json:
        emit_json(figures)
        return
    emit(table([(name, _figure(value)) for name, value in figures.items()]))


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
