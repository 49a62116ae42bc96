"""Where the unknown colours begin (`--init`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float

from ..config.base import INITS
from ..errors import UsageError
from ..style.areas import Areas
from ..style.color_statistics import Colours
from ..style.color_transfer import match_colours
from ..style.objective import fit_short_side
from ..style.style_image import load_style_image

NOISE = 0.06  # of a colour-matched start's light and dark, sRGB: lets flat areas find a stroke
_PALETTE_SIDE = 128  # pixels of the painting's short side that stand for its palette


def starting_file(init: str) -> Path | None:
    """The picture that `--init` names; None for its other choices. Raises UsageError where there is none."""
    if init in INITS:
        return None
    path = Path(init)
    if not path.is_file():
        cause = f"{init!r} is neither a choice nor a picture file"
        raise UsageError("init", cause, f"Choose one of: {', '.join(INITS)}, or give a picture's path.")
    return path


def starting_picture(init: str) -> Float[torch.Tensor, "1 3 H W"] | None:
    """And what it shows, sRGB 0..1. Raises PictureError too."""
    path = starting_file(init)
    return None if path is None else load_style_image(path)


def starting_colours(
    kind: str,
    original: Float[torch.Tensor, "N 3"],
    weights: Float[torch.Tensor, "N"],
    painting: Float[torch.Tensor, "1 3 H W"],
    generator: torch.Generator,
    source: Colours | None = None,
) -> Float[torch.Tensor, "N 3"]:
    """Colours to begin with, sRGB 0..1.

    Args:
        kind: `content`: the original's own; `color-matched`: those in the painting's palette, with a little noise;
            `noise`: the painting's mean and spread, and nothing of the original.
        weights: how much each colour counts in the original's statistics.
        generator: on the CPU; what it draws does not depend on the device.
        source: statistics to match from, where those of a whole set count and not the original's.
    """
    return colours_in(kind, original, weights, palette(painting), generator, source)


def starting_areas(
    kind: str,
    original: Float[torch.Tensor, "N 3"],
    weights: Float[torch.Tensor, "N"],
    areas: Areas,
    rows: Float[torch.Tensor, "N K"] | None,
    generator: torch.Generator,
    source: Colours | None = None,
) -> Float[torch.Tensor, "N 3"]:
    """`starting_colours` for a surface of several styles: the colours of each are matched with its own paintings.

    `rows`: the weights of the areas; None where one area is everything.
    """
    if rows is None:
        area = areas.areas[0]
        wanted = mixed_palette(area.paintings, area.shares)
        return colours_in(kind, original, weights, wanted, generator, source)
    groups: dict[tuple[object, ...], list[int]] = {}
    for number in areas.painted:
        area = areas.areas[number]
        groups.setdefault((*map(id, area.paintings), *area.shares), []).append(number)
    found, total = torch.zeros_like(original), rows.new_zeros(len(rows), 1)
    for members in groups.values():
        area, share = areas.areas[members[0]], rows[:, members].sum(1)
        wanted = mixed_palette(area.paintings, area.shares)
        found += share[:, None] * colours_in(kind, original, weights * share, wanted, generator, source)
        total += share[:, None]
    return found + (1 - total) * original


def palette(painting: Float[torch.Tensor, "1 3 H W"]) -> Float[torch.Tensor, "M 3"]:
    """Some of a painting's colours, sRGB 0..1."""
    return fit_short_side(painting, _PALETTE_SIDE)[0].flatten(1).T


def mixed_palette(
    paintings: Sequence[Float[torch.Tensor, "1 3 _ _"]], shares: Sequence[float]
) -> Float[torch.Tensor, "M 3"]:
    """The colours of several paintings, as many of each as its share (of 1 in sum) says."""
    if len(paintings) == 1:
        return palette(paintings[0])
    parts = []
    for painting, share in zip(paintings, shares, strict=True):
        colours = palette(painting)
        count = round(share * _PALETTE_SIDE**2)
        parts.append(colours[torch.arange(count, device=colours.device) * len(colours) // max(count, 1)])
    return torch.cat(parts)


def colours_in(
    kind: str,
    original: Float[torch.Tensor, "N 3"],
    weights: Float[torch.Tensor, "N"],
    wanted: Float[torch.Tensor, "M 3"],
    generator: torch.Generator | None,
    source: Colours | None = None,
) -> Float[torch.Tensor, "N 3"]:
    """`starting_colours` with a given palette. `generator`: None matches colours without noise, unless `kind` says
    `content`."""
    if kind == "content":
        return original.clone()
    if generator is None:
        return match_colours(original, weights, wanted, source)
    if kind == "noise":
        noise = torch.randn(original.shape, generator=generator).to(original.device)
        return (wanted.mean(0) + wanted.std(0) * noise).clamp(0, 1)
    # Grey: what of coloured noise is finer than a pixel no loss can see, and would stay as speckle.
    grey = torch.randn(len(original), 1, generator=generator).to(original.device)
    return (match_colours(original, weights, wanted, source) + NOISE * grey).clamp(0, 1)
