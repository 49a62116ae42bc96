"""How good is a painted model? Measured on what renderers show of it, at the size at which people look at it.

Views are never training views, nor depend on how the model was painted (see `viewing`). The figures are defined with
the functions that make them, in `figures` and `viewing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float64

from .bundled import find_style
from .config.model import Settings
from .errors import AssetError, UsageError
from .figures import grain, high_frequencies, poles, sharpness, structure, white_share
from .io.load import load_asset
from .io.safe_paths import roots_for
from .io.types import Asset
from .progress import Progress, ProgressCallback, ignore
from .style.losses import content_loss
from .style.style_image import load_style_image
from .style.vgg import VGG19
from .style.vgg_weights import load_weights
from .system.device import limited_threads
from .texture.plan import chosen_materials
from .viewing import SHRINKS, StyleAtViewSize, ViewImage, at_viewing_size, directions, see
from .views.cameras import camera_towards_centre
from .views.reference_renderer import Renderer
from .views.reprojection import Shown, disagreement

VIEWS = 8
ORBIT_FRAMES, ORBIT_ELEVATION, ORBIT_SIZE = 60, math.radians(15), 192
GAPS = (1, 7)  # frames between the two views of a consistency test
PAINTED = 2.5 / 255  # a texel that differs by more than this in some channel was painted
_CONTENT = SHRINKS.index(2)  # at which size content is compared

T = TypeVar("T")


@dataclass(frozen=True)
class Evaluation:
    """Figures of one painted model, means over its views where nothing else is said (docs/evaluate.md has them too).

    Attributes:
        style: style loss at viewing size, the geometric mean of the next three; 0 is the painting itself, lower is
            better.
        style_768, style_384, style_192: style losses of views of so many pixels, each against the painting as large
            (see `viewing.MeasuredImage`).
        style_original: `style` of the unpainted model.
        worst_style: `style` of the view where that is highest.
        worst_view: its number, from 0, from the top down.
        worst_direction: the unit vector from the model's centre to its camera; y is up.
        poles: style_384 of the highest and the lowest view over that of the others; 1 is best.
        structure: correlation of luminance with the original's views, over 24-pixel blocks; 1 is best.
        content_loss: relative squared error of relu4_2 against the original's views, at 384 pixels; lower is nearer.
        confetti, grain: high frequencies of colour and of luminance over the painting's; 1 is best.
        white, white_painting: share of unlit pixels that are white, and of the painting's, 0..1.
        white_beyond: how much the first exceeds the second; 0 is best.
        coverage: share of the visible surface whose paint differs from the original's colours, 0..1; materials that
            `only` and `skip` left out, by the painted model's own record, do not count.
        consistency_rmse: colour difference of one surface point between turntable frames, sRGB 0..1 (see
            `consistency`); lower is better.
        consistency_rmse_floor: the same of the original model: what sampling alone costs.
        sharpness: root mean square of the luminance's Laplacian inside the silhouette.
    """

    style: float
    style_768: float
    style_384: float
    style_192: float
    style_original: float
    worst_style: float
    worst_view: int
    worst_direction: tuple[float, float, float]
    poles: float
    structure: float
    content_loss: float
    confetti: float
    grain: float
    white: float
    white_painting: float
    white_beyond: float
    coverage: float
    consistency_rmse: float
    consistency_rmse_floor: float
    sharpness: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-able. `style_loss` is another name for `style`."""
        return {"style_loss": self.style, **asdict(self), "worst_direction": list(self.worst_direction)}


@dataclass(frozen=True, eq=False)
class _View:
    """What is known of one view, before means are taken; names as in `Evaluation`. `number`: of its direction."""

    number: int
    direction: Float64[np.ndarray, "3"]
    styles: tuple[float, ...]
    styles_original: tuple[float, ...]
    content_loss: float
    structure: float
    high: torch.Tensor
    white: float
    sharpness: float
    painted_rays: int
    rays: int


@limited_threads(None)
def evaluate(
    stylized: str | Path,
    original: str | Path,
    style: str | Path,
    progress: ProgressCallback = ignore,
    root: str | Path | None = None,
) -> Evaluation:
    """Measure a painted model against the model it was made from and the painting.

    `root`: a folder above one of the models, from which its textures may be read as well. Raises AssetError (also where
    the two models are not the same shape), PictureError, UsageError.
    """
    progress(Progress("read"))
    picture = load_style_image(find_style(str(style)))
    paths = [Path(stylized), Path(original)]
    loaded = [load_asset(path, one) for path, one in zip(paths, roots_for(paths, root), strict=True)]
    ours, theirs = map(Renderer, loaded)
    _check_same_shape(ours, theirs, Path(stylized))
    network = VGG19(load_weights("bundled"), convolution="auto", precision="auto")
    found = judge(ours, theirs, StyleAtViewSize(picture, network), directions(VIEWS), progress)
    if found is None:
        raise AssetError(stylized, "no view shows any of it", "Check that the model has visible triangles.")
    return found


def judge(
    ours: Renderer,
    theirs: Renderer,
    painting: StyleAtViewSize,
    towards: Float64[np.ndarray, "V 3"],
    progress: ProgressCallback = ignore,
) -> Evaluation | None:
    """The same of models that have been read. None where no view shows any of them.

    `theirs`: the original. `towards`: directions from the centre to the eye, from the highest to the lowest.
    """
    meant, views = _meant(ours.asset, theirs), []
    for number, direction in enumerate(towards):
        progress(Progress("evaluate", number, len(towards)))
        pair = _both(partial(see, direction=direction, painting=painting), (ours, theirs))
        if pair[0] is not None and pair[1] is not None:
            views.append(_look(pair[0], pair[1], (number, direction), painting, meant))
    if not views:
        return None
    steadiness = _both(consistency, (ours, theirs))
    progress(Progress("evaluate", len(towards), len(towards)))
    return _summary(views, painting, *steadiness)


def _both(work: Callable[[Renderer], T], renderers: Iterable[Renderer]) -> list[T]:
    """Compute it for both models at once: numpy and Embree use one core each."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, renderers))


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


def _look(
    ours: ViewImage,
    theirs: ViewImage,
    towards: tuple[int, Float64[np.ndarray, "3"]],
    painting: StyleAtViewSize,
    meant: Bool[np.ndarray, "F"],
) -> _View:
    """One pair of views: painted and original.

    Args:
        towards: the number of the direction, and itself.
        meant: the original's triangles that were to be painted.
    """
    pairs = [
        [painting.look(seen.lit, seen.mask, number, number == _CONTENT) for seen in (ours, theirs)]
        for number in range(len(SHRINKS))
    ]
    after, before = pairs[_CONTENT]
    assert after.content is not None
    assert before.content is not None
    assert before.mask is not None
    changed = counts = meant[theirs.image.hits.triangle]
    # Where a cut-out lets other rays through they cannot be compared one by one, and all of it counts as painted.
    a, b = ours.image.ray_colours, theirs.image.ray_colours
    if len(a) == len(b):
        changed = (np.abs(a - b) > PAINTED).any(1) & counts
    return _View(
        number=towards[0],
        direction=towards[1],
        styles=tuple(painted.style for painted, _ in pairs),
        styles_original=tuple(plain.style for _, plain in pairs),
        content_loss=float(content_loss(after.content, before.content, before.mask)),
        structure=structure(ours.lit, theirs.lit, theirs.mask),
        high=high_frequencies(ours.lit, ours.mask),
        white=white_share(ours.unlit, ours.mask),
        sharpness=sharpness(ours.lit, ours.mask),
        painted_rays=int(changed.sum()),
        rays=int(counts.sum()),
    )


def _summary(views: list[_View], painting: StyleAtViewSize, rmse: float, rmse_floor: float) -> Evaluation:
    """The figures of all views together."""
    full, half, quarter = (
        float(np.mean(of_size)) for of_size in zip(*(v.styles for v in views), strict=True)
    )
    whole = torch.ones_like(painting.picture[:, :1])
    grains, confetti = grain(
        torch.stack([view.high for view in views]), high_frequencies(painting.picture, whole)
    )
    each = [at_viewing_size([view.styles]) for view in views]
    worst = int(np.argmax(each))
    x, y, z = views[worst].direction.tolist()
    white = float(np.mean([view.white for view in views]))
    white_painting = white_share(painting.picture, whole)
    # A view so small that no block lies inside the silhouette says nothing about structure.
    telling = [view.structure for view in views if math.isfinite(view.structure)]
    return Evaluation(
        style=at_viewing_size([view.styles for view in views]),
        style_768=full,
        style_384=half,
        style_192=quarter,
        style_original=at_viewing_size([view.styles_original for view in views]),
        worst_style=each[worst],
        worst_view=views[worst].number,
        worst_direction=(x, y, z),
        poles=poles([view.styles[_CONTENT] for view in views]),
        structure=float(np.mean(telling)) if telling else 1.0,
        content_loss=float(np.mean([view.content_loss for view in views])),
        confetti=confetti,
        grain=grains,
        white=white,
        white_painting=white_painting,
        white_beyond=max(0.0, white - white_painting),
        coverage=sum(view.painted_rays for view in views) / max(sum(view.rays for view in views), 1),
        consistency_rmse=rmse,
        consistency_rmse_floor=rmse_floor,
        sharpness=float(np.mean([view.sharpness for view in views])),
    )


def consistency(renderer: Renderer) -> float:
    """RMSE of one surface point's colour between frames of a turntable, unlit, sRGB 0..1.

    Sixty frames of 192 pixels; every one is compared with those `GAPS` later (see `views.reprojection`).
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
    camera = camera_towards_centre(direction, ORBIT_SIZE)
    image = renderer.render(camera, 1, frame=(ORBIT_SIZE, ORBIT_SIZE), lit=False)
    return Shown(camera, image.hits.corner, image.colour, image.mask) if image else None
