"""The main job, in the order the data flows: Asset → Surface → Views → Solver → Bake → Asset."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .asset import load_asset
from .asset.contract import Asset, Paint, PaintedAtlas
from .bake.finish import finish
from .bake.upsample import upsample
from .errors import AssetError
from .machine import choose_device, limited_threads
from .places import check_writable, choose_output
from .progress import Progress, ProgressCallback, ignore
from .record import run_record
from .settings import Settings
from .shipped import find_style
from .solver.descent import Terms
from .solver.ladder import Ladder, Solution, ViewsReport
from .solver.paintings import load_painting
from .solver.texture_solver import TextureSolver
from .solver.vgg import VGG19
from .solver.view_solver import ViewSolver
from .solver.weights import load_weights
from .surface.build import build_surface
from .surface.contract import AtlasPlan, Surface
from .surface.plan import plan_atlases
from .views.placement import Placement, place_cameras
from .views.tracing import Tracer

_SOLVERS: dict[str, type[Ladder]] = {"texture": TextureSolver, "views": ViewSolver}


@dataclass(frozen=True)
class AtlasReport:
    """One painted image: its name, (height, width), whether its UVs are new, why, and the share that was filled."""

    name: str
    size: tuple[int, int]
    unwrapped: bool
    reason: str
    filled: float


@dataclass(frozen=True)
class Result:
    """What a run made and how it went.

    Attributes:
        outputs: the files written, the model first.
        settings: what it was made with; `style` by what picture.
        seconds: wall time.
        style_loss, content_loss, structure: means over the training views at the end; None without a step.
        surface_seen: share of the area visible from outside that some view saw well.
        surface_visible: share of the painted area that is visible from outside.
        views: how many were used.
        coverage: share of the painted atlases' texels that a view painted; the others were filled from around.
        atlases: the images painted.
        warnings: what was odd and how it was taken.
        agreement: of the views, with the views' solver.
        interrupted: stopped early; the outputs hold the best so far.
    """

    outputs: tuple[Path, ...]
    settings: Settings
    style: str
    seconds: float
    style_loss: float | None
    content_loss: float | None
    structure: float | None
    surface_seen: float
    surface_visible: float
    views: int
    coverage: float
    atlases: tuple[AtlasReport, ...]
    warnings: tuple[str, ...]
    agreement: ViewsReport | None = None
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        found["outputs"] = [str(path) for path in self.outputs]
        found["settings"] = self.settings.to_dict()
        return found


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    model: Path
    style: str
    output: Path
    settings: Settings
    atlases: tuple[AtlasPlan, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "model": str(self.model),
            "style": self.style,
            "output": str(self.output),
            "settings": self.settings.to_dict(),
            "scales": [asdict(scale) for scale in self.settings.scales],
            "views": self.settings.view_count,
            "atlases": [asdict(atlas) for atlas in self.atlases],
            "warnings": list(self.warnings),
        }


def stylize(
    model: str | Path,
    style: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    *,
    progress: ProgressCallback = ignore,
    partial: bool = True,
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

    Raises MeshStyleError; KeyboardInterrupt if interrupted before there was anything to write.
    """
    began = time.monotonic()
    settings = _settings(settings, overrides)
    model, output, picture = _places(Path(model), output, style)
    device = choose_device(settings.device)
    painting = load_painting(picture).to(device)
    network = VGG19(load_weights(settings.weights), device)
    check_writable(output)
    with limited_threads(settings.threads):
        progress(Progress("read"))
        asset = load_asset(model)
        surface = build_surface(asset, settings, plan_atlases(asset, settings), progress)
        tracer, placement = look_around(surface, settings, model)
        solver: Ladder = _SOLVERS[settings.solver](tracer, placement, painting, network, settings)
        solution = solver.solve(progress)
        if solution.interrupted and not partial:
            raise KeyboardInterrupt
        progress(Progress("bake"))
        baked = finish(surface, *_at_full_size(solution, surface))
    progress(Progress("write"))
    record = run_record(settings, {str(style): picture})
    atlases = tuple(
        PaintedAtlas(atlas.plan.name, image)
        for atlas, image in zip(surface.atlases, baked.images, strict=True)
    )
    outputs = asset.write(output, Paint(atlases, surface.painted, record, settings.image_format))
    return _report(
        asset, surface, placement, solution, baked.filled_share, (outputs, settings, str(style), began)
    )


def plan(
    model: str | Path,
    style: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    **overrides: Any,
) -> Plan:
    """What `stylize` would do with the same arguments. Reads and checks everything, writes nothing."""
    settings = _settings(settings, overrides)
    model, output, picture = _places(Path(model), output, style)
    choose_device(settings.device)
    load_painting(picture)
    asset = load_asset(model)
    return Plan(model, str(style), output, settings, plan_atlases(asset, settings), asset.warnings)


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


def look_around(surface: Surface, settings: Settings, model: Path) -> tuple[Tracer, Placement]:
    """Trace the surface and place the cameras. Raises AssetError where nothing can be seen."""
    tracer = Tracer(surface)
    placement = place_cameras(tracer, settings.view_count, settings.seed)
    if placement.visible == 0:
        cause = "none of its painted surface can be seen from outside"
        raise AssetError(model, cause, "Check that it has triangles with an area, not enclosed by others.")
    return tracer, placement


def _at_full_size(solution: Solution, surface: Surface) -> tuple[list[Any], list[Any]]:
    """Textures and seen masks at the sizes of the atlases."""
    textures, seen = [], []
    for texture, covered, used, atlas in zip(
        solution.textures, solution.covered, solution.seen, surface.atlases, strict=True
    ):
        height, width = atlas.owner.shape
        rows = np.arange(height)[:, None] * covered.shape[0] // height
        columns = np.arange(width)[None] * covered.shape[1] // width
        solved = texture.permute(1, 2, 0).contiguous().numpy()
        textures.append(upsample(solved, covered, (height, width), atlas.wrap))
        seen.append(used[rows, columns] & atlas.covered)
    return textures, seen


def _report(
    asset: Asset,
    surface: Surface,
    placement: Placement,
    solution: Solution,
    filled: tuple[float, ...],
    run: tuple[tuple[Path, ...], Settings, str, float],
) -> Result:
    outputs, settings, style, began = run
    terms: Terms | None = solution.terms
    plans = [atlas.plan for atlas in surface.atlases]
    texels = [int(atlas.covered.sum()) for atlas in surface.atlases]
    painted = sum(count * (1 - share) for count, share in zip(texels, filled, strict=True))
    return Result(
        outputs=outputs,
        settings=settings,
        style=style,
        seconds=time.monotonic() - began,
        style_loss=terms.style if terms else None,
        content_loss=terms.content if terms else None,
        structure=terms.structure if terms else None,
        surface_seen=placement.seen_well,
        surface_visible=placement.visible,
        views=solution.views,
        coverage=painted / max(sum(texels), 1),
        atlases=tuple(
            AtlasReport(p.name, p.size, p.unwrap, p.reason, share)
            for p, share in zip(plans, filled, strict=True)
        ),
        warnings=asset.warnings,
        agreement=solution.agreement,
        interrupted=solution.interrupted,
    )
