"""The first half of the main job, Asset → Surface → Views, of which paintings have no part. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .config.model import Settings
from .errors import AssetError
from .io.load import load_asset
from .io.types import Asset, lost_textures
from .progress import Progress, ProgressCallback
from .texture.build import build_surface
from .texture.notes import plan_notes
from .texture.plan import plan_atlases
from .texture.types import Surface
from .views.pieces import find_pieces
from .views.placement import Placement, place_cameras
from .views.raytrace import Tracer
from .views.stroke_direction import stroke_axis
from .views.trace_views import Trace, rays_of, trace_views
from .views.training_views import make_training_views


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """A model that was read, planned, traced and looked at: what paintings of it share.

    Attributes:
        trace: all views at a size.
        notes: on what will be written.
    """

    asset: Asset
    surface: Surface
    tracer: Tracer
    placement: Placement
    trace: Trace
    notes: tuple[str, ...] = ()


PrepareModel = Callable[[Path, Settings, ProgressCallback], PreparedModel]


def prepare(model: Path, settings: Settings, progress: ProgressCallback) -> PreparedModel:
    """Read, plan and trace: everything that does not depend on the style. Raises AssetError, PictureError."""
    progress(Progress("read"))
    asset = load_asset(model, settings.root)
    check_textures(asset, settings)
    plans = plan_atlases(asset, settings)
    notes = plan_notes(asset, plans, settings)
    for note in (*lost_textures(asset), *notes):
        progress(Progress("read", message=note))  # before hours of work, not after
    surface = build_surface(asset, settings, plans, progress)
    tracer, placement = look_around(surface, settings, model)
    trace = partial(trace_views, tracer, placement, compiled=settings.compiled, whole=settings.whole_views)
    return PreparedModel(asset, surface, tracer, placement, trace, notes)


def check_textures(asset: Asset, settings: Settings) -> None:
    """Raises AssetError for textures that are not there, where the settings are strict."""
    lost = lost_textures(asset)
    if settings.strict and lost:
        raise AssetError(asset.path, lost[0].rstrip("."), "Put it there, or leave --strict out.")


def look_around(surface: Surface, settings: Settings, model: Path) -> tuple[Tracer, Placement]:
    """Trace the surface and place the cameras. Raises AssetError where nothing can be seen."""
    tracer = Tracer(surface)
    placement = place_cameras(tracer, settings.view_count, settings.seed)
    pieces = () if settings.whole_views else find_pieces(tracer, settings.scales[-1].size, settings.seed)
    axis = stroke_axis(tracer, settings.stroke_direction)
    placement = replace(placement, pieces=pieces, axis=axis)
    if placement.visible == 0:
        cause = "none of its painted surface can be seen from outside"
        raise AssetError(model, cause, "Check that it has triangles with an area, not enclosed by others.")
    for scale in settings.scales:
        looks = make_training_views(placement, scale.size, settings.whole_views)
        if all(look.trace(tracer, rays_of(scale.size), placement.axis) is None for look in looks):
            cause = "it is too thin, or its triangles too far from each other, for any view to show it"
            raise AssetError(model, cause, "Remove stray triangles that lie far away, or thicken the model.")
    return tracer, placement
