"""What is to be told of a plan before anything is painted."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.model import ORIGINAL, Settings
from ..io.types import Asset
from .types import AtlasPlan


def plan_notes(asset: Asset, plans: Sequence[AtlasPlan], settings: Settings) -> tuple[str, ...]:
    """A sentence for each picture that will be written smaller than it is, unasked, or that fresh UVs take from what
    moves it."""
    notes = []
    for plan in plans:
        notes += [
            f"An animation moves the picture of material {asset.materials[m].name!r}, which fresh UVs end; "
            "--uv keep lets it go on."
            for m in plan.materials
            if plan.unwrap and asset.materials[m].moves
        ]
        images = {image for m in plan.materials if (image := asset.materials[m].image) is not None}
        largest = max((max(asset.image_size(image)) for image in images), default=0)
        if settings.texture_size is None and largest > max(plan.size):
            notes.append(
                f"The texture {plan.name!r} has {largest} texels along its longer side and is written with "
                f"{max(plan.size)}; --texture-size {ORIGINAL} keeps its size."
            )
    return tuple(notes)
