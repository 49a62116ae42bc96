"""The main job, in the order the data flows: Asset → Surface → Views (see `prepare`) → Solver → Bake → Asset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .bake.bake import bake, unpainted
from .bundled import find_styles
from .config.model import Settings
from .config.styles import RequestedStyle, StyleRequest, shares
from .errors import AssetError, UsageError
from .io.atomic_write import write_all
from .io.images import encode_height
from .io.load import load_asset
from .io.safe_paths import file_stem
from .io.save import save_asset
from .io.types import Paint, PaintedAtlas, ReliefMaps
from .measure import measure
from .optimize.clock import views_to_measure
from .optimize.init import starting_picture
from .optimize.loop import known
from .optimize.multiscale import MultiscaleSolver, Solution
from .optimize.texture import TextureSolver
from .optimize.views import ViewSolver
from .output_path import check_writable, choose_output, replacing
from .prepare import PreparedModel, PrepareModel, check_textures, prepare
from .preview.live.live import Run, open_preview
from .preview.live.model import ModelPreview
from .progress import Progress, ProgressCallback, ignore
from .provenance import run_record
from .relief.maps import check_relief, make_relief
from .requested_styles import check_places, load_styles, maps_of, style_text
from .results import AtlasReport, PaintedModel, Plan, Result
from .seen_report import seen_model
from .style.areas import Style, make_areas
from .style.color_statistics import Colours
from .style.keep_colors import finished, prepared, without_color
from .style.network import make_network
from .style.style_image import load_style_image
from .style.vgg import VGG19
from .style.vgg_weights import load_weights
from .system.device import choose_device, limited_threads
from .texture.notes import plan_notes
from .texture.plan import plan_atlases
from .texture.regions import read_mask
from .texture.types import Surface
from .texture.upsample import upsample

_SOLVERS: dict[str, type[MultiscaleSolver[Any, Any]]] = {"texture": TextureSolver, "views": ViewSolver}


def stylize(
    model: str | Path,
    style: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    settings: Settings | None = None,
    *,
    progress: ProgressCallback = ignore,
    partial: bool = True,
    preview: str | Path | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> Result:
    """Repaint a model in the manner of a painting and write it.

    Args:
        model: a file of one of the kinds in `io.load.SUFFIXES`.
        style: a picture's path, or the name of a shipped one; or several, each with its place on the model where it
            is to have one (`great-wave:material=Sail*`; see `config.styles`).
        output: where to; its suffix says what kind. None: `NAME.stylized.SUFFIX` beside the model.
        settings: None takes the defaults; `overrides` are single settings by name.
        progress: is handed a record of every step.
        partial: whether an interrupted run writes the best so far.
        preview: .html or .png to look at meanwhile (see `preview.live.live`); what goes wrong with it is a warning.
        overwrite: whether an output, or a preview, that is there already may be replaced; else OutputError.

    Raises MeshStyleError; KeyboardInterrupt if interrupted before there was anything to write.
    """
    options = RunOptions(progress, partial, preview, overwrite)
    return run_job(Path(model), style, output, _settings(settings, overrides), options)


@dataclass(frozen=True)
class RunOptions:
    """How a run is followed and what it may replace; the attributes are arguments of `stylize`."""

    progress: ProgressCallback = ignore
    partial: bool = True
    preview: str | Path | None = None
    overwrite: bool = True


def run_job(
    model: Path,
    style: str | Path | Sequence[str | Path],
    output: str | Path | None,
    settings: Settings,
    options: RunOptions,
    prepare_model: PrepareModel = prepare,
) -> Result:
    """Do what `stylize` does, with a choice of who reads and traces the model.

    `prepare_model` gives what `prepare.prepare` gives for the same arguments; `Prefetcher.prepare` has most of it
    done already when it is called. Raises what `stylize` raises.
    """
    began = time.monotonic()
    overwrite = options.overwrite
    model, output, requested = _checked_paths(model, output, style, settings)
    device = choose_device(settings.device)
    styles = load_styles(requested, device)
    starting_picture(settings.init)
    weights = load_weights(settings.weights)
    replaced = replacing(output, overwrite)
    check_writable(output)
    record = run_record(settings, requested)
    pictures, masks = (
        tuple(one.picture for one in requested),
        [file for one in requested for file in one.files[1:]],
    )
    run = Run((model, *masks, *maps_of(settings)), output, pictures, record, settings.root)
    with open_preview(options.preview, run, ModelPreview, overwrite) as live:
        progress = live.watching(options.progress)
        with limited_threads(settings.threads):
            scene = prepare_model(model, settings, progress)
            check_places(scene.asset, [one.request for one in requested], settings)
            live.show(scene)
            network = make_network(weights, settings, device, progress)
            painted = paint(scene, styles, network, settings, progress)
            if painted.solution.interrupted and not options.partial:
                raise KeyboardInterrupt
        progress(Progress("write"))
        if not overwrite:
            replacing(output, overwrite)  # somebody else may have written it meanwhile
        outputs = write_painted(scene, painted, output, record, settings)
    told = report(scene, painted, (outputs, settings, style_text(requested), began))
    return live.finish(painted, replace(told, warnings=(*told.warnings, *replaced)))


def paint(
    scene: PreparedModel,
    styles: torch.Tensor | Sequence[Style],
    network: VGG19,
    settings: Settings,
    progress: ProgressCallback,
    colours: Colours | None = None,
    lenient: bool = False,
) -> PaintedModel:
    """Optimize the texture of a prepared model, and bake it.

    Args:
        styles: what to paint like, on the network's device; or one painting, (1, 3, H, W) sRGB 0..1, for everything.
        colours: what a colour-matched start takes the original's colours to be; None: the model's own.
        lenient: leave out, with a note, styles whose places this model does not have.

    Raises UsageError and PictureError for places of styles (see `style.areas.make_areas`).
    """
    surface = scene.surface
    if settings.strength == 0:
        atlases, parts, images = unpainted(surface)
        nothing = Solution((), (), (), None, len(scene.placement.directions), False)
        return PaintedModel(atlases, images, parts, (0.0,) * len(images), nothing)
    if isinstance(styles, torch.Tensor):
        styles = (Style(StyleRequest(""), styles),)

    def tell(note: str) -> None:
        progress(Progress("trace", message=note))

    keep = settings.keep_colors
    styles = prepared(keep, styles, surface, colours)
    areas = make_areas(scene.asset, surface, styles, settings, tell, lenient)
    plain = len(areas.areas) == len(areas.paintings()) == 1 and areas.protected is None
    painting = areas.paintings()[0][1]
    if settings.solver == "views" and settings.detail not in ("auto", "off"):
        progress(Progress("trace", message="the views' solver makes no close-ups: its paint is enlarged"))
    start = starting_picture(settings.init)
    kind: type[MultiscaleSolver[Any, Any]] = _SOLVERS[settings.solver]
    solver = kind(
        scene.tracer,
        scene.placement,
        painting,
        network,
        settings,
        start,
        None if keep != "off" else colours,
        scene.trace,
        None if plain and areas.areas[0].strength == settings.strength else areas,
    )
    solution = solver.solve(progress)
    progress(Progress("bake"))
    full = _at_full_size(solution, surface)
    solution = replace(solution, textures=())  # what is large is in `full`
    textures = finished(keep, without_color(full[0], areas), full[1], surface, areas)
    strength = areas.strength_maps([atlas.owner.shape for atlas in surface.atlases])
    baked = bake(surface, textures, full[1], strength)
    figures = None
    steps = sum(scale.steps for scale in settings.scales)
    judged = plain and keep in ("off", "match")  # beside what else?
    if judged and not solution.interrupted and (views := views_to_measure(steps)):
        progress(Progress("measure"))
        figures = measure(scene.asset, (surface.painted, baked.images), painting, network, views)
    filled, seen = baked.filled_share, baked.seen
    relief: tuple[ReliefMaps, ...] = ()
    if settings.relief > 0:
        progress(Progress("bake", message="relief"))
        relief = make_relief(scene.asset, surface, baked.images, settings.relief, strength)
    return PaintedModel(
        surface.atlases, baked.images, surface.painted, filled, solution, seen, figures, relief
    )


def write_painted(
    scene: PreparedModel,
    painted: PaintedModel,
    output: Path,
    record: dict[str, Any],
    settings: Settings,
    companions: str | None = None,
) -> tuple[Path, ...]:
    """Write what was painted; `companions`: see `Paint`. Raises OutputError, UsageError."""
    relief = painted.relief or (None,) * len(painted.images)
    atlases = tuple(
        PaintedAtlas(atlas.plan.name, image, maps)
        for atlas, image, maps in zip(painted.atlases, painted.images, relief, strict=True)
    )
    paint = Paint(atlases, painted.parts, record, settings.image_format, companions)
    written = save_asset(scene.asset, output, paint)
    if not settings.height_map:
        return written
    heights = {
        output.with_name(f"{paint.stem(output)}_{file_stem(atlas.name)}_height.png"): encode_height(
            maps.height
        )
        for atlas, maps in zip(atlases, painted.relief, strict=True)
    }
    return (*written, *write_all(heights, [scene.asset.path, *written]))


def plan(
    model: str | Path,
    style: str | Path | Sequence[str | Path],
    output: str | Path | None = None,
    settings: Settings | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> Plan:
    """What `stylize` would do with the same arguments. Reads and checks everything, writes nothing."""
    settings = _settings(settings, overrides)
    model, output, requested = _checked_paths(Path(model), output, style, settings)
    choose_device(settings.device)
    for one in requested:
        load_style_image(one.picture)
    starting_picture(settings.init)
    asset = load_asset(model, settings.root)
    check_textures(asset, settings)
    check_places(asset, [one.request for one in requested], settings)
    atlases = plan_atlases(asset, settings)
    warnings = (*asset.warnings, *plan_notes(asset, atlases, settings), *replacing(output, overwrite))
    return Plan(model, style_text(requested), output, settings, atlases, warnings)


def _settings(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    settings = Settings() if settings is None else settings
    return Settings.from_mapping({**settings.to_dict(), **overrides}) if overrides else settings


def _checked_paths(
    model: Path, output: str | Path | None, style: str | Path | Sequence[str | Path], settings: Settings
) -> tuple[Path, Path, tuple[RequestedStyle, ...]]:
    """Model and output as paths, and the styles, checked against each other."""
    if not model.exists():
        raise AssetError(model, "there is no such file", "Check the path.")
    if model.is_dir():
        raise AssetError(model, "it is a folder", "Give one .obj, .glb or .gltf file.")
    check_relief((output := choose_output(model, output)).suffix, settings.relief)
    requested = find_styles(style)
    if not requested:
        raise UsageError("style", "no picture was given", "Give at least one picture to paint like.")
    shares(settings.style_weights, [one.request for one in requested])
    for mask in (*(file for one in requested for file in one.files[1:]), *maps_of(settings)):
        read_mask(mask)  # before minutes of other work
    return model, output, requested


def _at_full_size(solution: Solution, surface: Surface) -> tuple[list[Any], list[Any]]:
    """Textures and seen masks at the sizes of the atlases."""
    textures, seen = [], []
    for used, atlas, (solved, covered) in zip(solution.seen, surface.atlases, solution.paint(), strict=True):
        height, width = atlas.owner.shape
        rows = np.arange(height)[:, None] * used.shape[0] // height
        columns = np.arange(width)[None] * used.shape[1] // width
        if solved.shape[:2] != (height, width):
            solved = upsample(solved, covered, (height, width), atlas.wrap)
        textures.append(solved)
        seen.append(used[rows, columns] & atlas.covered)
    return textures, seen


def report(
    scene: PreparedModel, painted: PaintedModel, run: tuple[tuple[Path, ...], Settings, str, float]
) -> Result:
    """What `run`, (files written, settings, style, time it began), came to."""
    outputs, settings, style, began = run
    terms, figures = painted.solution.terms, painted.figures
    told = seen_model(scene.asset, painted.seen)
    texels = [int(atlas.covered.sum()) for atlas in painted.atlases]
    seen = sum(count * (1 - share) for count, share in zip(texels, painted.filled, strict=True))
    return Result(
        outputs=outputs,
        settings=settings,
        style=style,
        seconds=time.monotonic() - began,
        style_loss=figures.style if figures else terms.style if terms else None,
        content_loss=known(terms.content) if terms else None,
        structure=known(figures.structure) if figures else known(terms.structure) if terms else None,
        surface_seen=scene.placement.seen_well,
        surface_visible=scene.placement.visible,
        views=painted.solution.views,
        coverage=seen / max(sum(texels), 1),
        atlases=tuple(
            AtlasReport(a.plan.name, a.plan.size, a.plan.unwrap, a.plan.reason, share)
            for a, share in zip(painted.atlases, painted.filled, strict=True)
        ),
        warnings=(*scene.asset.warnings, *scene.notes, *told.warnings),
        materials=told.materials,
        parts=told.parts,
        agreement=painted.solution.agreement,
        close_ups=painted.solution.close_ups,
        interrupted=painted.solution.interrupted,
        judged=figures is not None,
    )
