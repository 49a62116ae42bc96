"""What a run says of its own result: figures on the scale of `evaluate`, from a few views it was not painted from."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8

from .figures import structure
from .io.types import Asset, PaintedPart
from .preview.painted_asset import PaintedAsset
from .results import Figures
from .style.vgg import VGG19
from .viewing import StyleAtViewSize, at_viewing_size, directions, see
from .views.reference_renderer import Renderer


def measure(
    asset: Asset,
    paint: tuple[Sequence[PaintedPart | None], Sequence[UInt8[np.ndarray, "_ _ _"]]],
    painting: torch.Tensor,
    network: VGG19,
    views: int,
) -> Figures | None:
    """Look at a painted model that need not be written yet; None where no view shows it.

    Args:
        paint: parts and images, as they go into `io.types.Paint`.
        painting: (1, 3, H, W) sRGB 0..1.
        network: whose features are compared; the scale is `evaluate`'s with the bundled weights.
        views: how many.
    """
    beside = StyleAtViewSize(painting.cpu(), network)
    ours, theirs = Renderer(PaintedAsset(asset, *paint)), Renderer(asset)
    styles, kept = [], []
    for direction in directions(views):
        after, before = (see(renderer, direction, beside) for renderer in (ours, theirs))
        if after is None or before is None:
            continue
        styles.append(beside.styles(after.lit, after.mask))
        kept.append(structure(after.lit, before.lit, after.mask))
    if not styles:
        return None
    told = [value for value in kept if math.isfinite(value)]
    return Figures(at_viewing_size(styles), float(np.mean(told)) if told else math.nan)
