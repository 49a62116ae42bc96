"""How good is a painted model? Measured from views that no solver trained on (design, section 8)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32

from .asset import load_asset
from .asset.contract import Asset
from .errors import AssetError, UsageError
from .machine import limited_threads
from .progress import Progress, ProgressCallback, ignore
from .settings import Settings
from .shipped import find_style
from .solver.losses import correlation, luminance_blocks
from .solver.objective import LossWeights, Objective, fit_short_side
from .solver.paintings import load_painting
from .solver.vgg import VGG19
from .solver.weights import load_weights
from .surface.plan import chosen_materials
from .views.cameras import camera_towards_centre, fibonacci_sphere
from .views.render import Image, Renderer
from .views.reprojection import Shown, disagreement

VIEWS = 12
SIZE = 256  # pixels of a view, and of the painting's short side
RAYS = 4  # per pixel side
STRUCTURE_BLOCK = 8
ORBIT_FRAMES, ORBIT_ELEVATION, ORBIT_RAYS = 60, math.radians(15), 2
GAPS = (1, 7)  # frames between the two views of a consistency test
PAINTED = 2.5 / 255  # a texel that differs by more than this in some channel was painted
_INTERIOR = 0.999  # mask of pixels inside the silhouette


@dataclass(frozen=True)
class Evaluation:
    """Figures of one painted model. Losses: lower is better; structure, coverage: 1 is best.

    Attributes:
        style_loss: mean relative squared error of the masked Gram matrices, relu1_1 … relu4_1.
        content_loss: relative squared error of relu4_2 against the original model's views.
        structure: mean correlation of luminance over 8-pixel blocks with the original's views.
        coverage: share of the visible surface whose paint differs from the original's colours; materials that
            `only` and `skip` left out, by the painted model's own record, do not count.
        consistency_rmse: colour difference of one surface point between turntable frames, sRGB 0..1.
        consistency_rmse_floor: the same of the original model: what sampling alone costs.
        sharpness: root mean square of the luminance's Laplacian inside the silhouette.
        style_loss_original: style_loss of the unpainted model, for comparison.
    """

    style_loss: float
    content_loss: float
    structure: float
    coverage: float
    consistency_rmse: float
    consistency_rmse_floor: float
    sharpness: float
    style_loss_original: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@limited_threads(None)
def evaluate(
    stylized: str | Path, original: str | Path, style: str | Path, progress: ProgressCallback = ignore
) -> Evaluation:
    """Measure a painted model against the model it was made from and the painting.

    Raises AssetError (also where the two models are not the same shape), PictureError.
    """
    progress(Progress("read"))
    painting = load_painting(find_style(str(style)))
    ours, theirs = Renderer(_load(stylized)), Renderer(_load(original))
    _check_same_shape(ours, theirs, Path(stylized))
    network = VGG19(load_weights("bundled"))
    objective = Objective(network, LossWeights(content=1.0, style=1.0, structure=0.0))
    target = objective.style_target(fit_short_side(painting, SIZE))
    background = fit_short_side(painting, SIZE).mean((0, 2, 3)).numpy()
    meant = _meant(ours.asset, theirs)
    rows = []
    for number, direction in enumerate(fibonacci_sphere(VIEWS)):
        progress(Progress("evaluate", number, VIEWS))
        camera = camera_towards_centre(direction, SIZE)
        pair = [renderer.render(camera, RAYS, frame=(SIZE, SIZE)) for renderer in (ours, theirs)]
        if pair[0] is not None and pair[1] is not None:
            rows.append(_judge(pair[0], pair[1], background, objective, target, meant))
    if not rows:
        raise AssetError(stylized, "no view shows any of it", "Check that the model has visible triangles.")
    # A view so small that no block lies inside the silhouette says nothing about structure.
    telling = [row["structure"] for row in rows if math.isfinite(row["structure"])]
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "structure"}
    means["structure"] = float(np.mean(telling)) if telling else 1.0
    painted = sum(row["painted_rays"] for row in rows) / max(sum(row["rays"] for row in rows), 1)
    progress(Progress("evaluate", VIEWS, VIEWS))
    return Evaluation(
        style_loss=means["style"],
        content_loss=means["content"],
        structure=means["structure"],
        coverage=float(painted),
        consistency_rmse=consistency(ours),
        consistency_rmse_floor=consistency(theirs),
        sharpness=means["sharpness"],
        style_loss_original=means["style_original"],
    )


def _load(path: str | Path) -> Asset:
    return load_asset(Path(path))


def _check_same_shape(ours: Renderer, theirs: Renderer, path: Path) -> None:
    a, b = ours.tracer.frame, theirs.tracer.frame
    slack = 1e-3 * max(a.radius, b.radius)
    if abs(a.radius - b.radius) > slack or np.abs(a.centre - b.centre).max() > slack:
        cause = "it does not have the shape of the model given as its original"
        raise AssetError(path, cause, "Give the model it was painted from with --original.")


def _meant(painted: Asset, theirs: Renderer) -> Bool[np.ndarray, "F"]:
    """The original's triangles that were to be painted; all where the painted model does not say."""
    record = painted.record or {}
    given = record.get("settings")
    patterns = (
        {name: given[name] for name in ("only", "skip") if name in given} if isinstance(given, dict) else {}
    )
    try:
        chosen = chosen_materials(theirs.asset, Settings.from_mapping(patterns))
    except UsageError:  # not the record of this model, or not ours at all
        chosen = frozenset(range(len(theirs.asset.materials)))
    parts = np.array([part.material in chosen for part in theirs.asset.parts], bool)
    return parts[theirs.scene.part]


def _judge(
    ours: Image,
    theirs: Image,
    background: np.ndarray,
    objective: Objective,
    target: Any,
    meant: Bool[np.ndarray, "F"],
) -> dict[str, float]:
    """One pair of views: painted and original. `meant`: the original's triangles that were to be painted."""
    a, b = (_tensor(image.over(background)) for image in (ours, theirs))
    mask = torch.from_numpy(ours.mask)[None, None]
    content = objective.content_target(b, torch.from_numpy(theirs.mask)[None, None])
    with torch.no_grad():
        terms = objective(a, target, content)
        before = objective(b, target, content)
        (la, inside), (lb, _) = (luminance_blocks(x, mask, STRUCTURE_BLOCK) for x in (a, b))
        structure = float(correlation(la, lb, inside)) if float(inside.sum()) > 1 else math.nan
    counts = meant[theirs.hits.triangle]
    changed = counts  # where a cut-out lets other rays through, so that they cannot be compared one by one
    if len(ours.ray_colours) == len(theirs.ray_colours):
        changed = (np.abs(ours.ray_colours - theirs.ray_colours) > PAINTED).any(1) & counts
    return {
        "style": terms.style,
        "style_original": before.style,
        "content": terms.content,
        "structure": structure,
        "sharpness": sharpness(a, mask),
        "painted_rays": float(changed.sum()),
        "rays": float(counts.sum()),
    }


def sharpness(picture: torch.Tensor, mask: torch.Tensor) -> float:
    """RMS of the 4-neighbour Laplacian of luminance where it and its neighbours lie inside the mask."""
    luminance, _ = luminance_blocks(picture, mask, 1)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    laplacian = torch.nn.functional.conv2d(luminance, kernel)
    whole = (-torch.nn.functional.max_pool2d(-mask, 3, stride=1) > _INTERIOR).float()
    return float(((laplacian**2 * whole).sum() / whole.sum().clamp_min(1)).sqrt())


def _tensor(picture: np.ndarray) -> Float32[torch.Tensor, "1 3 H W"]:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]


def consistency(renderer: Renderer) -> float:
    """RMSE of one surface point's colour between frames of a turntable, unlit, sRGB 0..1.

    Every frame is compared with those `GAPS` later (see `views.reprojection`).
    """
    angles = np.arange(ORBIT_FRAMES) * 2 * math.pi / ORBIT_FRAMES
    frames = [_orbit_frame(renderer, angle) for angle in angles]
    total, count = 0.0, 0
    for number, frame in enumerate(frames):
        if frame is None:
            continue
        for gap in GAPS:
            later = frames[(number + gap) % ORBIT_FRAMES]
            if later is not None:
                squared = disagreement(frame, later, renderer.tracer)
                total, count = total + float(squared.sum()), count + len(squared)
    return math.sqrt(total / count / 3) if count else 0.0


def _orbit_frame(renderer: Renderer, angle: float) -> Shown | None:
    flat = math.cos(ORBIT_ELEVATION)
    direction = np.array([flat * math.sin(angle), math.sin(ORBIT_ELEVATION), flat * math.cos(angle)])
    camera = camera_towards_centre(direction, SIZE)
    image = renderer.render(camera, ORBIT_RAYS, frame=(SIZE, SIZE), lit=False)
    return Shown(camera, image.hits.corner, image.colour, image.mask) if image else None
