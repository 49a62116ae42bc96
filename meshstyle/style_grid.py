"""A sheet of one model in several styles and strengths: a row for each style, a column for each strength."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from .batch.estimate import estimate
from .batch.inspect_model import summarize_asset
from .batch.model_summary import SummaryRequest
from .batch.speed import units_a_second
from .batch.worker_count import WorkerPlan
from .bundled import find_styles
from .config.model import Settings
from .errors import UsageError
from .io.atomic_write import write_all
from .io.images import encode, read_picture
from .io.load import load_asset
from .output_path import check_writable, replacing
from .prepare import PreparedModel, prepare
from .preview.labelled_sheet import GAP, Sheet, label
from .preview.page.page import direction
from .preview.painted_asset import ModelViews
from .progress import Progress, ProgressCallback, ignore
from .requested_styles import check_places, load_styles
from .style.areas import Style
from .style.network import make_network
from .style.style_image import load_style_image
from .style.vgg import VGG19
from .style.vgg_weights import load_weights
from .stylize_model import paint
from .system.device import choose_device, limited_threads, threads_for

CELL = 256  # pixels
CELL_RANGE = (32, 2048)
STRENGTHS = (0.3, 0.6, 1.0)
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
MOST_CELLS, MOST_PIXELS = 400, 16000


@dataclass(frozen=True)
class Cell:
    """One run: figures as in `stylize_model.Result`."""

    style: str
    strength: float
    style_loss: float | None
    structure: float | None


@dataclass(frozen=True)
class Grid:
    """What was made.

    Attributes:
        output: the picture; `size`: its (height, width).
        cells: row by row.
        interrupted: stopped early; the cells that were not run are empty.
    """

    output: Path
    size: tuple[int, int]
    cells: tuple[Cell, ...]
    seconds: float
    warnings: tuple[str, ...]
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "output": str(self.output)}


@dataclass(frozen=True)
class GridPlan:
    """What a grid would be. `size`: (height, width) of the picture; `cells`: runs; `seconds`: about so many of all."""

    output: Path
    size: tuple[int, int]
    styles: tuple[str, ...]
    strengths: tuple[float, ...]
    settings: Settings
    cells: int
    seconds: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**asdict(self), "output": str(self.output), "settings": self.settings.to_dict()}


def make_grid(
    model: str | Path,
    styles: Sequence[str | Path],
    output: str | Path,
    strengths: Sequence[float] = STRENGTHS,
    settings: Settings | None = None,
    cell: int = CELL,
    progress: ProgressCallback = ignore,
    overwrite: bool = True,
) -> Grid:
    """Paint a model once for each style and strength, and write one picture of all.

    The model is read, traced and looked at once; every cell is a run of its own over it, with the same seed.

    Args:
        styles: pictures' paths, or names of shipped ones.
        output: .png, .jpg or .webp.
        strengths: 0..1 each; `settings.strength` is not looked at.
        settings: None takes the defaults.
        cell: pixels of one picture's side.
        overwrite: whether an output that is there already may be replaced; else OutputError.

    Raises MeshStyleError. KeyboardInterrupt ends it early with the cells so far, once there is one.
    """
    began = time.monotonic()
    settings = Settings() if settings is None else settings
    model, output = Path(model), Path(output)
    _check(styles, output, strengths, cell)
    replaced = replacing(output, overwrite)
    runs = [replace(settings, strength=strength) for strength in strengths]
    rows = [find_styles(style) for style in styles]
    pictures = [row[0].picture for row in rows]
    device = choose_device(settings.device)
    paintings = [load_styles(row, device) for row in rows]
    weights = load_weights(settings.weights)
    check_writable(output)
    with limited_threads(settings.threads):
        scene = prepare(model, runs[0], progress)
        for layers in rows:
            check_places(scene.asset, [one.request for one in layers], settings)
        sheet = Sheet(
            cell, [label(style) for style in styles], [f"strength {run.strength:g}" for run in runs]
        )
        views = ModelViews(scene.asset, scene.surface, direction()[None], cell)
        sheet.put_original(views.original()[0])
        for row, picture in enumerate(pictures):
            sheet.put_style(row, read_picture(picture))
        network = make_network(weights, settings, device, progress)
        stage = _Stage(scene, views, network, progress)
        cells, interrupted = _run_all(stage, sheet, [str(style) for style in styles], paintings, runs)
    progress(Progress("write"))
    pixels = sheet.pixels()
    data = encode(pixels, FORMATS[output.suffix.lower()]).data
    write_all({output: data}, [model, *(file for row in rows for one in row for file in one.files)])
    size = (pixels.shape[0], pixels.shape[1])
    warnings = (*scene.asset.warnings, *replaced)
    return Grid(output, size, cells, time.monotonic() - began, warnings, interrupted)


def plan_grid(
    model: str | Path,
    styles: Sequence[str | Path],
    output: str | Path,
    strengths: Sequence[float] = STRENGTHS,
    settings: Settings | None = None,
    cell: int = CELL,
    overwrite: bool = True,
) -> GridPlan:
    """What `make_grid` would do with the same arguments, and about how long it would take: this machine's speed is
    measured for a second. Raises as it does; writes nothing."""
    settings = Settings() if settings is None else settings
    model, output = Path(model), Path(output)
    _check(styles, output, strengths, cell)
    replaced = replacing(output, overwrite)
    rows = [find_styles(style) for style in styles]
    for one in (one for row in rows for one in row):
        load_style_image(one.picture)
    runs = [replace(settings, strength=strength) for strength in strengths if strength > 0]
    asset = load_asset(model, settings.root)  # what is wrong with it is raised here
    for row in rows:
        check_places(asset, [one.request for one in row], settings)
    summary = summarize_asset(SummaryRequest(model, settings), asset)
    threads = threads_for(settings.threads)
    worker_plan = WorkerPlan(1, threads, units_a_second(threads, 1.0))
    seconds = len(styles) * sum(estimate(run, summary, 0).wall(worker_plan) for run in runs)
    size = Sheet(cell, ["" for _ in styles], ["" for _ in strengths]).pixels().shape
    cells = len(styles) * len(strengths)
    names, values = tuple(map(str, styles)), tuple(strengths)
    return GridPlan(output, (size[0], size[1]), names, values, settings, cells, seconds, replaced)


@dataclass(frozen=True, eq=False)
class _Stage:
    """What all cells share."""

    scene: PreparedModel
    views: ModelViews
    network: VGG19
    progress: ProgressCallback


def _run_all(
    stage: _Stage,
    sheet: Sheet,
    styles: Sequence[str],
    paintings: Sequence[Sequence[Style]],
    runs: Sequence[Settings],
) -> tuple[tuple[Cell, ...], bool]:
    """Fill the sheet. Returns what was run, and whether it was stopped early."""
    cells: list[Cell] = []
    for row, (style, painting) in enumerate(zip(styles, paintings, strict=True)):
        for column, settings in enumerate(runs):
            number = f"{len(cells) + 1} of {len(styles) * len(runs)}"
            message = f"{label(style)} at strength {settings.strength:g} ({number})"
            stage.progress(Progress("solve", message=message))
            try:
                cell, picture = _run(stage, style, painting, settings)
            except KeyboardInterrupt:
                if not cells:
                    raise
                return tuple(cells), True
            cells.append(cell)
            sheet.put(row, column, picture)
    return tuple(cells), False


def _run(
    stage: _Stage, style: str, painting: Sequence[Style], settings: Settings
) -> tuple[Cell, UInt8[np.ndarray, "S S 3"]]:
    if settings.strength == 0:
        return Cell(style, 0.0, None, None), stage.views.original()[0]
    painted = paint(stage.scene, painting, stage.network, settings, stage.progress)
    if painted.solution.interrupted:  # a cell half done would be compared with others that are not
        raise KeyboardInterrupt
    colours = [image[..., :3].astype(np.float32) / 255 for image in painted.images]
    terms = painted.solution.terms
    figures = (terms.style, terms.structure) if terms else (None, None)
    return Cell(style, settings.strength, *figures), stage.views.painted(colours)[0]


def _check(styles: Sequence[str | Path], output: Path, strengths: Sequence[float], cell: int) -> None:
    if not styles:
        raise UsageError("style", "no picture was given", "Give at least one.")
    if not strengths:
        raise UsageError("strength", "no number was given", "Give numbers from 0 to 1.")
    if len(styles) * len(strengths) > MOST_CELLS:
        cause = f"{len(styles)} styles at {len(strengths)} strengths are more than {MOST_CELLS} runs"
        raise UsageError("grid", cause, "Make several grids.")
    low, high = CELL_RANGE
    if not low <= cell <= high:
        raise UsageError("size", f"{cell} is out of range", f"Give a number from {low} to {high}.")
    side = (max(len(styles), len(strengths)) + 1) * (cell + GAP)
    if output.suffix.lower() not in FORMATS:
        kinds = ", ".join(FORMATS)
        raise UsageError(output, "a grid is a picture", f"End the name with one of: {kinds}.")
    if side > MOST_PIXELS:
        raise UsageError(
            "size", f"the picture would be over {MOST_PIXELS} pixels long", "Give a smaller one."
        )
