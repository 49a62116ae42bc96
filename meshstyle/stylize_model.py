"""The main job, in the order the data flows: Asset → Surface → Views (see `prepare`) → Solver → Bake → Asset."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .bake.bake import bake, unpainted
from .bundled import find_style
from .config.model import Settings
from .errors import AssetError
from .io.load import load_asset
from .io.save import save_asset
from .io.types import Paint, PaintedAtlas
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
from .results import AtlasReport, PaintedModel, Plan, Result
from .seen_report import seen_model
from .style.color_statistics import Colours
from .style.gray import grey, is_grey
from .style.network import make_network
from .style.style_image import load_style_image
from .style.vgg import VGG19
from .style.vgg_weights import load_weights
from .system.device import choose_device, limited_threads
from .texture.notes import plan_notes
from .texture.plan import plan_atlases
from .texture.types import Surface
from .texture.upsample import upsample

_SOLVERS: dict[str, type[MultiscaleSolver[Any, Any]]] = {"texture": TextureSolver, "views": ViewSolver}


def stylize(
    model: str | Path,
    style: str | Path,
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
        style: a picture's path, or the name of a shipped one.
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
    style: str | Path,
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
    model, output, picture = _checked_paths(model, output, style)
    device = choose_device(settings.device)
    painting = load_style_image(picture).to(device)
    starting_picture(settings.init)
    weights = load_weights(settings.weights)
    replaced = replacing(output, overwrite)
    check_writable(output)
    record = run_record(settings, {str(style): picture})
    run = Run((model,), output, (picture,), record, settings.root)
    with open_preview(options.preview, run, ModelPreview, overwrite) as live:
        progress = live.watching(options.progress)
        with limited_threads(settings.threads):
            scene = prepare_model(model, settings, progress)
            live.show(scene)
            network = make_network(weights, settings, device, progress)
            painted = paint(scene, painting, network, settings, progress)
            if painted.solution.interrupted and not options.partial:
                raise KeyboardInterrupt
        progress(Progress("write"))
        if not overwrite:
            replacing(output, overwrite)  # somebody else may have written it meanwhile
        outputs = write_painted(scene, painted, output, record, settings)
    told = report(scene, painted, (outputs, settings, str(style), began))
    return live.finish(painted, replace(told, warnings=(*told.warnings, *replaced)))


def paint(
    scene: PreparedModel,
    painting: torch.Tensor,
    network: VGG19,
    settings: Settings,
    progress: ProgressCallback,
    colours: Colours | None = None,
) -> PaintedModel:
    """Optimize the texture of a prepared model, and bake it.

    Args:
        painting: (1, 3, H, W) sRGB 0..1, on the network's device.
        colours: what a colour-matched start takes the original's colours to be; None: the model's own.
    """
    surface = scene.surface
    if settings.strength == 0:
        atlases, parts, images = unpainted(surface)
        nothing = Solution((), (), (), None, len(scene.placement.directions), False)
        return PaintedModel(atlases, images, parts, (0.0,) * len(images), nothing)
    if settings.solver == "views" and settings.detail not in ("auto", "off"):
        progress(Progress("trace", message="the views' solver makes no close-ups: its paint is enlarged"))
    start = starting_picture(settings.init)
    kind: type[MultiscaleSolver[Any, Any]] = _SOLVERS[settings.solver]
    solver = kind(scene.tracer, scene.placement, painting, network, settings, start, colours, scene.trace)
    solution = solver.solve(progress)
    progress(Progress("bake"))
    full = _at_full_size(solution, surface)
    solution = replace(solution, textures=())  # what is large is in `full`
    if is_grey(painting.cpu().numpy()):
        full = ([grey(texture) for texture in full[0]], full[1])
    baked = bake(surface, *full, settings.strength)
    figures = None
    steps = sum(scale.steps for scale in settings.scales)
    if not solution.interrupted and (views := views_to_measure(steps)):
        progress(Progress("measure"))
        figures = measure(scene.asset, (surface.painted, baked.images), painting, network, views)
    filled, seen = baked.filled_share, baked.seen
    return PaintedModel(surface.atlases, baked.images, surface.painted, filled, solution, seen, figures)


def write_painted(
    scene: PreparedModel,
    painted: PaintedModel,
    output: Path,
    record: dict[str, Any],
    settings: Settings,
    companions: str | None = None,
) -> tuple[Path, ...]:
    """Write what was painted; `companions`: see `Paint`. Raises OutputError, UsageError."""
    atlases = tuple(
        PaintedAtlas(atlas.plan.name, image)
        for atlas, image in zip(painted.atlases, painted.images, strict=True)
    )
    paint = Paint(atlases, painted.parts, record, settings.image_format, companions)
    return save_asset(scene.asset, output, paint)


def plan(
    model: str | Path,
    style: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> Plan:
    """What `stylize` would do with the same arguments. Reads and checks everything, writes nothing."""
    settings = _settings(settings, overrides)
    model, output, picture = _checked_paths(Path(model), output, style)
    choose_device(settings.device)
    load_style_image(picture)
    starting_picture(settings.init)
    asset = load_asset(model, settings.root)
    check_textures(asset, settings)
    atlases = plan_atlases(asset, settings)
    warnings = (*asset.warnings, *plan_notes(asset, atlases, settings), *replacing(output, overwrite))
    return Plan(model, str(style), output, settings, atlases, warnings)


def _settings(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    settings = Settings() if settings is None else settings
    return Settings.from_mapping({**settings.to_dict(), **overrides}) if overrides else settings


def _checked_paths(model: Path, output: str | Path | None, style: str | Path) -> tuple[Path, Path, Path]:
    """Model, output and style picture as paths, checked against each other."""
    if not model.exists():
        raise AssetError(model, "there is no such file", "Check the path.")
    if model.is_dir():
        raise AssetError(model, "it is a folder", "Give one .obj, .glb or .gltf file.")
    return model, choose_output(model, output), find_style(str(style))


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
