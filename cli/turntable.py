"""`meshstyle turntable`: a film or contact sheet of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshstyle.preview.turntable_settings import FPS, FRAMES, TurntableSettings

from .display import Display, elapsed, emit, emit_json, make_display, table
from .interrupt import interruptible
from .options import Model, Reporting, Root, naming_options, reports
from .writing_options import DryRun, NoClobber

if TYPE_CHECKING:
    from meshstyle.preview.turntable import TurntablePlan, TurntableResult

_DEFAULTS = TurntableSettings()

Film = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where to write: .gif, .webp, .png (animated), .mp4 or .html; with --sheet .png, .webp or .jpg. "
        "Default: NAME.turntable.gif, or NAME.sheet.png, beside the model.",
        show_default=False,
    ),
]
Compare = Annotated[
    Path | None,
    typer.Option(
        "--compare", metavar="ORIGINAL", help="Show another model to the left, in step.", show_default=False
    ),
]
Wipe = Annotated[bool, typer.Option("--wipe", help="With --compare: slide from one to the other and back.")]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="RxC", help="A contact sheet of so many views instead.", show_default=False
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        "--frames", metavar="N", help=f"Pictures of one turn. Default: {FRAMES}.", show_default=False
    ),
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="S",
        help="That one turn takes. Default: as frames and fps have it.",
        show_default=False,
    ),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="X", help=f"Frames a second. Default: {FPS:g}.", show_default=False),
]
Size = Annotated[str, typer.Option("--size", metavar="N|WxH", help="Of one picture, in pixels.")]
Elevation = Annotated[
    float, typer.Option("--elevation", metavar="DEGREES", help="Of the camera above the horizon.")
]
Start = Annotated[
    float,
    typer.Option(
        "--start",
        metavar="DEGREES",
        help="Where the camera begins around the model: 0 is +z, 90 is +x, 180 is -z.",
    ),
]
Background = Annotated[
    str,
    typer.Option("--background", metavar="COLOUR", help="A colour (white, #aabbcc), studio or transparent."),
]
Shadow = Annotated[
    bool | None,
    typer.Option(
        "--shadow/--no-shadow",
        help="On the ground. Default: unless the background is transparent.",
        show_default=False,
    ),
]
Unlit = Annotated[bool, typer.Option("--unlit", help="The bare base colour, without light.")]
RendererName = Annotated[str, typer.Option("--renderer", metavar="auto|egl|osmesa|rays", help="What draws.")]
Animation = Annotated[
    str | None,
    typer.Option("--animation", metavar="NAME", help="Play this clip of the model.", show_default=False),
]
Lossless = Annotated[bool, typer.Option("--lossless", help="WebP without loss (PNG always is).")]


@reports
def turntable(
    model: Model,
    *,
    output: Film = None,
    compare: Compare = None,
    wipe: Wipe = False,
    sheet: Sheet = None,
    frames: Frames = None,
    seconds: Seconds = None,
    fps: Fps = None,
    size: Size = _DEFAULTS.size,
    elevation: Elevation = _DEFAULTS.elevation,
    start: Start = _DEFAULTS.start,
    background: Background = _DEFAULTS.background,
    shadow: Shadow = None,
    unlit: Unlit = False,
    renderer: RendererName = _DEFAULTS.renderer,
    animation: Animation = None,
    lossless: Lossless = False,
    root: Root = None,
    dry_run: DryRun = False,
    no_clobber: NoClobber = False,
    reporting: Reporting,
) -> None:
    """Turn MODEL around, in a film or on a contact sheet.

    Films loop without a seam. pyrender draws them, or rays where there is no OpenGL.
    """
    given = {
        "frames": frames,
        "seconds": seconds,
        "fps": fps,
        "size": size,
        "elevation": elevation,
        "start": start,
        "background": background,
        "renderer": renderer,
        "wipe": wipe,
        "root": root,
    }
    display = make_display(reporting)
    with interruptible(keep_partial=False), naming_options(given):
        settings = TurntableSettings(
            frames=frames,
            seconds=seconds,
            fps=fps,
            size=size,
            elevation=elevation,
            start=start,
            background=background,
            shadow=shadow,
            unlit=unlit,
            renderer=renderer,
            animation=animation,
            sheet=sheet,
            wipe=wipe,
            lossless=lossless,
            root=root,
        )
        from meshstyle.preview.turntable import plan_turntable
        from meshstyle.preview.turntable import turntable as draw

        if dry_run:
            _show_plan(plan_turntable(model, output, settings, compare, not no_clobber), reporting)
            return
        with display:
            result = draw(model, output, settings, compare, display, not no_clobber)
    _show_result(result, display, reporting)


def _show_plan(planned: TurntablePlan, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(planned.to_dict())
        return
    rows = [
        ("model", str(planned.model)),
        *([("beside it", str(planned.compare))] if planned.compare else []),
        ("output", f"{planned.output}, {planned.size[0]} × {planned.size[1]} pixels"),
        *([("pictures", f"{planned.frames}, {planned.fps:g} a second")] if planned.frames else []),
        ("renderer", planned.renderer),
        *[("note", warning) for warning in planned.warnings],
    ]
    emit(table(rows))


def _show_result(result: TurntableResult, display: Display, reporting: Reporting) -> None:
    if reporting.json:
        emit_json(result.to_dict())
    if reporting.quiet:
        return
    for warning in result.warnings:
        display.warn(warning)
    if not result.frames:
        display.note(f"wrote {result.output}: a page with a 3D viewer")
        return
    width, height = result.size
    device = f" ({result.device})" if reporting.verbose else ""
    display.note(
        f"wrote {result.output} in {elapsed(result.seconds)}: {result.frames} pictures, {width} × {height} pixels, "
        f"drawn by {result.renderer}{device} in {result.ms_per_frame:.0f} ms each"
    )
