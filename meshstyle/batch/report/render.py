"""Draws the pictures of a report, in a process that may die of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from ...errors import MeshStyleError
from ...io.safe_paths import roots_for
from ...preview.contact_sheet import arrange, encode_picture
from ...preview.stage import Model, Stage
from ...preview.thumbnail import thumbnail
from ...preview.turntable import turntable
from ...preview.turntable_settings import TurntableSettings
from ..types import WorkerContext
from .images import RenderOutcome, RenderRequest

SIDE = 256  # pixels of one view
VIEWS = 2  # of a model in one picture, from opposite sides
START = -1 / 9  # of a turn: where the first is seen from, between front and side
FRAMES, FPS = 36, 12.0  # of a turntable
_STYLE_SIDE = 320  # pixels of the longer side of a style picture


def draw(render_request: RenderRequest, context: WorkerContext) -> RenderOutcome:
    """Draw and put in place. Never raises but for interrupts."""
    _give_way()
    kinds: dict[str, Callable[[RenderRequest, Path], None]] = {
        "stills": _draw_stills,
        "turntable": _draw_turntable,
        "style": _draw_style,
    }
    try:
        with tempfile.TemporaryDirectory(dir=context.staging) as folder:
            kinds[render_request.kind](render_request, Path(folder))
            for shown, name in render_request.names.items():
                _put(Path(folder, f"{shown}.webp"), render_request.out / name)
    except MeshStyleError as error:
        return RenderOutcome(render_request, error.cause)
    except Exception as error:
        return RenderOutcome(render_request, f"{type(error).__name__}: {error}")
    return RenderOutcome(render_request)


def _draw_stills(render_request: RenderRequest, folder: Path) -> None:
    paths = [path for path in (render_request.original, render_request.result) if path is not None]
    settings = TurntableSettings(size=str(SIDE), sheet=f"1x{VIEWS}", renderer="rays")
    roots = roots_for(paths, render_request.root)
    models = [Model(path, None, root) for path, root in zip(paths, roots, strict=True)]
    rows, _ = Stage(models, settings, START).draw("rays")
    for shown, row in zip(render_request.names, rows, strict=True):
        _write(folder / f"{shown}.webp", encode_picture(arrange(row, 1, VIEWS), ".webp"))


def _draw_turntable(render_request: RenderRequest, folder: Path) -> None:
    assert render_request.result is not None
    settings = TurntableSettings(size=str(SIDE), frames=FRAMES, fps=FPS, root=render_request.root)
    turntable(render_request.result, folder / "turntable.webp", settings, render_request.original)


def _draw_style(render_request: RenderRequest, folder: Path) -> None:
    _write(folder / "style.webp", encode_picture(thumbnail(render_request.original, _STYLE_SIDE), ".webp"))


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())  # a power cut must not leave an empty file under the final name


def _put(made: Path, place: Path) -> None:
    """Rename into place; pictures of what the asset was before go away."""
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(made, place)
    begin, _, kind, suffix = place.name.rsplit(".", 3)
    for path in place.parent.iterdir():
        name, *rest = path.name.rsplit(".", 3)
        if path != place and name == begin and rest[1:] == [kind, suffix]:
            path.unlink(missing_ok=True)


def _give_way() -> None:
    """Painting comes first. To say it again changes nothing."""
    psutil.Process().nice(10 if os.name == "posix" else psutil.BELOW_NORMAL_PRIORITY_CLASS)
