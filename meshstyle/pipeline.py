"""The main job, in the order the data flows: Asset → Surface → Views (see `scene`) → Solver → Bake → Asset."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .asset import load_asset
from .asset.contract import Paint, PaintedAtlas, PaintedPart
from .bake.finish import finish, unpainted
from .bake.grey import grey, is_grey
from .bake.seen import SeenParts
from .bake.upsample import upsample
from .errors import AssetError
from .machine import choose_device, limited_threads
from .measure import Figures, measure
from .places import check_writable, choose_output, replacing
from .preview.live import Run, open_preview
from .preview.live_model import ModelPreview
from .progress import Progress, ProgressCallback, ignore
from .record import run_record
from .results import AtlasReport, Plan, Result
from .scene import Scene, check_textures, prepare
from .scout import Scout
from .seen import seen_model
from .settings import Settings
from .shipped import find_style
from .solver.clock import views_to_measure
from .solver.descent import known
from .solver.ladder import Ladder, Solution
from .solver.network import make_network
from .solver.paintings import load_painting
from .solver.starts import starting_picture
from .solver.statistics import Colours
from .solver.texture_solver import TextureSolver
from .solver.vgg import VGG19
from .solver.view_solver import ViewSolver
from .solver.weights import load_weights
from .surface.contract import Atlas, Surface
from .surface.notes import plan_notes
from .surface.plan import plan_atlases

_SOLVERS: dict[str, type[Ladder]] = {"texture": TextureSolver, "views": ViewSolver}


@dataclass(frozen=True, eq=False)
class Painted:
    """One painting of a scene: what is to be written, and how it came about.

    Attributes:
        atlases: the images painted: those of the surface, but for strength 0, which leaves kept UVs' alone.
        images: one for each of them; `parts`: what reads them (see `Paint.parts`).
        filled: per image, the share of covered texels that no view saw; `seen`: the same by part.
        figures: of the result; None after an interruption, and of runs too short for a look.
    """

    atlases: tuple[Atlas, ...]
    images: tuple[np.ndarray, ...]
    parts: tuple[PaintedPart | None, ...]
    filled: tuple[float, ...]
    solution: Solution
    seen: SeenParts | None = None
    figures: Figures | None = None


def stylize(
    model: str | Path,
    style: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    *,
    progress: ProgressCallback = ignore,
    partial: bool = True,
    preview: str | Path | None = None,
    scout: Scout | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> Result:
    """Repaint a model in the manner of a painting and write it.

    Args:
        model: .obj, .glb or .gltf.
        style: a picture's path, or the name of a shipped one.
        output: where to; its suffix says what kind. None: `NAME.stylized.SUFFIX` beside the model.
        settings: None takes the defaults; `overrides` are single settings by name.
        progress: is handed a record of every step.
        partial: whether an interrupted run writes the best so far.
        preview: .html or .png to look at meanwhile (see `preview.live`); what goes wrong with it is a warning.
        scout: one that was sent ahead with the same model and settings (see `scout.scout_for`).
        overwrite: whether an output, or a preview, that is there already may be replaced; else OutputError.

    Raises MeshStyleError; KeyboardInterrupt if interrupted before there was anything to write.
    """
    began = time.monotonic()
    settings = _settings(settings, overrides)
    model, output, picture = _places(Path(model), output, style)
    device = choose_device(settings.device)
    painting = load_painting(picture).to(device)
    starting_picture(settings.init)
    weights = load_weights(settings.weights)
    replaced = replacing(output, overwrite)
    check_writable(output)
    record = run_record(settings, {str(style): picture})
    run = Run((model,), output, (picture,), record, settings.root)
    with open_preview(preview, run, ModelPreview, overwrite) as live:
        progress = live.watching(progress)
        with limited_threads(settings.threads):
            scene = (scout and scout.scene(progress)) or prepare(model, settings, progress)
            live.show(scene)
            network = make_network(weights, settings, device, progress)
            painted = paint(scene, painting, network, settings, progress)
            if painted.solution.interrupted and not partial:
                raise KeyboardInterrupt
        progress(Progress("write"))
        if not overwrite:
            replacing(output, overwrite)  # somebody else may have written it meanwhile
        outputs = write_painted(scene, painted, output, record, settings)
    told = report(scene, painted, (outputs, settings, str(style), began))
    return live.finish(painted, replace(told, warnings=(*told.warnings, *replaced)))


def paint(
    scene: Scene,
    painting: torch.Tensor,
    network: VGG19,
    settings: Settings,
    progress: ProgressCallback,
    colours: Colours | None = None,
) -> Painted:
    """Solve and bake.

    Args:
        painting: (1, 3, H, W) sRGB 0..1, on the network's device.
        colours: what a colour-matched start takes the original's colours to be; None: the model's own.
    """
    surface = scene.surface
    if settings.strength == 0:
        atlases, parts, images = unpainted(surface)
        nothing = Solution((), (), (), None, len(scene.placement.directions), False)
        return Painted(atlases, images, parts, (0.0,) * len(images), nothing)
    if settings.solver == "views" and settings.detail not in ("auto", "off"):
        progress(Progress("trace", message="the views' solver makes no close-ups: its paint is enlarged"))
    start = starting_picture(settings.init)
    kind: type[Ladder] = _SOLVERS[settings.solver]
    solver = kind(scene.tracer, scene.placement, painting, network, settings, start, colours, scene.trace)
    solution = solver.solve(progress)
    progress(Progress("bake"))
    full = _at_full_size(solution, surface)
    solution = replace(solution, textures=())  # what is large is in `full`
    if is_grey(painting.cpu().numpy()):
        full = ([grey(texture) for texture in full[0]], full[1])
    baked = finish(surface, *full, settings.strength)
    figures = None
    steps = sum(scale.steps for scale in settings.scales)
    if not solution.interrupted and (views := views_to_measure(steps)):
        progress(Progress("measure"))
        figures = measure(scene.asset, (surface.painted, baked.images), painting, network, views)
    filled, seen = baked.filled_share, baked.seen
    return Painted(surface.atlases, baked.images, surface.painted, filled, solution, seen, figures)


def write_painted(
    scene: Scene,
    painted: Painted,
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
    return scene.asset.write(output, paint)


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
    model, output, picture = _places(Path(model), output, style)
    choose_device(settings.device)
    load_painting(picture)
    starting_picture(settings.init)
    asset = load_asset(model, settings.root)
    check_textures(asset, settings)
    atlases = plan_atlases(asset, settings)
    warnings = (*asset.warnings, *plan_notes(asset, atlases, settings), *replacing(output, overwrite))
    return Plan(model, str(style), output, settings, atlases, warnings)


def _settings(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    settings = Settings() if settings is None else settings
    return Settings.from_mapping({**settings.to_dict(), **overrides}) if overrides else settings


def _places(model: Path, output: str | Path | None, style: str | Path) -> tuple[Path, Path, Path]:
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


def report(scene: Scene, painted: Painted, run: tuple[tuple[Path, ...], Settings, str, float]) -> Result:
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
