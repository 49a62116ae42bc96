"""`meshstyle evaluate`: figures of a result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshstyle.errors import UsageError
from meshstyle.system.threads import loading_torch

from .display import emit, emit_json, make_display, table
from .interrupt import interruptible
from .options import Reporting, Root, Style, naming_options, one_style, reports

if TYPE_CHECKING:  # loads torch
    from meshstyle.evaluation import Evaluation

Stylized = Annotated[
    Path, typer.Argument(metavar="STYLIZED", help="A model that was painted.", show_default=False)
]
Original = Annotated[
    Path | None,
    typer.Option("--original", metavar="MODEL", help="The model it was painted from.", show_default=False),
]


@reports
def evaluate(
    stylized: Stylized,
    *,
    original: Original = None,
    style: Style = None,
    root: Root = None,
    reporting: Reporting,
) -> None:
    """Judge STYLIZED at the size people look at it."""
    if original is None:
        raise UsageError("--original", "no model was given", "Give the model that was painted.")
    picture = one_style(style)
    if picture is None:
        raise UsageError("--style", "no picture was given", "Give the picture that it was painted like.")
    display = make_display(reporting)
    with interruptible(), display, naming_options({"root": root}):
        with loading_torch():
            from meshstyle.evaluation import evaluate as judge

        found = judge(stylized, original, picture, progress=display, root=root)
    if reporting.json:
        emit_json(found.to_dict())
        return
    emit(table(list(_rows(found))))


def _rows(found: Evaluation) -> Iterator[tuple[str, str]]:
    """What each figure is, and what it should be."""
    yield (
        "style at viewing size",
        f"{found.style:.4f} (0 is the painting; unpainted {found.style_original:.4f})",
    )
    sizes = (found.style_768, found.style_384, found.style_192)
    yield "  at 768, 384, 192 px", ", ".join(f"{style:.4f}" for style in sizes)
    yield "worst view", f"{found.worst_style:.4f}, number {found.worst_view}, {_place(found.worst_direction)}"
    yield "poles", f"{found.poles:.2f} × the other views' style loss (1 is best)"
    yield "structure", f"{found.structure:.3f} (1 keeps all light and dark)"
    yield "content loss", f"{found.content_loss:.4f}"
    yield "confetti", f"{found.confetti:.2f} × the painting's fine colour (1 is best)"
    yield "grain", f"{found.grain:.2f} × the painting's fine light and dark (1 is best)"
    yield (
        "white",
        f"{found.white:.2%}, {found.white_beyond:.2%} beyond the painting's {found.white_painting:.2%}",
    )
    yield "coverage", f"{found.coverage:.2%} of what is seen"
    yield (
        "consistency",
        f"RMSE {found.consistency_rmse:.4f} between views (sampling alone {found.consistency_rmse_floor:.4f})",
    )
    yield "sharpness", f"{found.sharpness:.4f}"


def _place(direction: tuple[float, float, float]) -> str:
    """The azimuth is what `turntable --start` takes."""
    x, y, z = direction
    height, azimuth = math.degrees(math.asin(y)), math.degrees(math.atan2(x, z)) % 360
    return f"{abs(height):.0f}° {'above' if height >= 0 else 'below'}, azimuth {azimuth:.0f}°"
