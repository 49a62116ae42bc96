"""Draws the pictures of a report, in a process that may die of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from ..asset.paths import roots_for
from ..errors import MeshStyleError
from ..preview.settings import TurntableSettings
from ..preview.sheets import arrange, encode_picture
from ..preview.stage import Model, Stage
from ..preview.thumbnail import thumbnail
from ..preview.turntable import turntable
from .contract import WorkerContext
from .pictures import Drawn, Sitting

SIDE = 256  # pixels of one view
VIEWS = 2  # of a model in one picture, from opposite sides
START = -1 / 9  # of a turn: where the first is seen from, between front and side
FRAMES, FPS = 36, 12.0  # of a turntable
_STYLE_SIDE = 320  # pixels of the longer side of a style picture


def draw(sitting: Sitting, context: WorkerContext) -> Drawn:
    """Draw and put in place. Never raises but for interrupts."""
    _give_way()
    kinds: dict[str, Callable[[Sitting, Path], None]] = {
        "stills": _draw_stills,
        "turntable": _draw_turntable,
        "style": _draw_style,
    }
    try:
        with tempfile.TemporaryDirectory(dir=context.staging) as folder:
            kinds[sitting.kind](sitting, Path(folder))
            for shown, name in sitting.names.items():
                _put(Path(folder, f"{shown}.webp"), sitting.out / name)
    except MeshStyleError as error:
        return Drawn(sitting, error.cause)
    except Exception as error:
        return Drawn(sitting, f"{type(error).__name__}: {error}")
    return Drawn(sitting)


def _draw_stills(sitting: Sitting, folder: Path) -> None:
    paths = [path for path in (sitting.original, sitting.result) if path is not None]
    settings = TurntableSettings(size=str(SIDE), sheet=f"1x{VIEWS}", renderer="rays")
    roots = roots_for(paths, sitting.root)
    models = [Model(path, None, root) for path, root in zip(paths, roots, strict=True)]
    rows, _ = Stage(models, settings, START).draw("rays")
    for shown, row in zip(sitting.names, rows, strict=True):
        _write(folder / f"{shown}.webp", encode_picture(arrange(row, 1, VIEWS), ".webp"))


def _draw_turntable(sitting: Sitting, folder: Path) -> None:
    assert sitting.result is not None
    settings = TurntableSettings(size=str(SIDE), frames=FRAMES, fps=FPS, root=sitting.root)
    turntable(sitting.result, folder / "turntable.webp", settings, sitting.original)


def _draw_style(sitting: Sitting, folder: Path) -> None:
    _write(folder / "style.webp", encode_picture(thumbnail(sitting.original, _STYLE_SIDE), ".webp"))


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
