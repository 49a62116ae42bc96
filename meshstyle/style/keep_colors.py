"""What a painted model keeps of colours (`--keep-colors`), decided for the whole model at once so that parts agree.

- `luminance`: only light and dark are painted; CIELAB's a* and b* are the asset's own (Gatys et al. 2016, "Preserving
  color in neural artistic style transfer", section 2.2, in a space where lightness and colour are apart).
- `match`: the paintings are given the model's colours first: their mean and covariance (ibid., section 2.1).
- `palette`: the paint has the paintings' colours and no others, by sliced optimal transport (Pitié et al. 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64

from ..texture.regions import enlarged
from ..texture.types import Surface
from .areas import Areas, Style
from .cielab import shown, to_lab
from .color_statistics import Colours
from .color_transfer import match_colours
from .gray import grey as grey_texture
from .gray import is_grey
from .objective import fit_short_side
from .preserve_color import grey

_MOST = 1 << 16  # texels that stand for a model's colours
_TURNS = 24  # directions of sliced optimal transport, three at a time
_PALETTE_SIDE = 128  # pixels of a painting's short side that stand for its colours
_NEAR = 1.5  # CIELAB: how far a material's mean a* and b* may be from the original's
_LIGHTER = (
    0.0,
    0.15,
    0.3,
    0.45,
    0.6,
)  # how much of the original's own lightness comes back where they are farther

Textures = list[Float32[np.ndarray, "_ _ 3"]]


def model_colours(surface: Surface) -> Float[torch.Tensor, "N 3"]:
    """Colours of evenly chosen texels of all atlases, sRGB 0..1."""
    total = sum(int(atlas.covered.sum()) for atlas in surface.atlases)
    step = max(1, total // _MOST)
    return torch.from_numpy(np.concatenate([atlas.start[atlas.covered][::step] for atlas in surface.atlases]))


def prepared(
    kind: str, styles: Sequence[Style], surface: Surface, colours: Colours | None = None
) -> list[Style]:
    """The styles as they go into the solver. `colours`: of a set, which count instead of the model's own."""
    if kind == "luminance":
        return [replace(style, painting=grey(style.painting)) for style in styles]
    if kind != "match":
        return list(styles)
    wanted = model_colours(surface) if colours is None else _like(colours)
    made = []
    for style in styles:
        pixels = style.painting[0].flatten(1).T
        moved = match_colours(pixels, torch.ones_like(pixels[:, 0]), wanted.to(pixels.device, pixels.dtype))
        made.append(replace(style, painting=moved.T.reshape(style.painting.shape).contiguous()))
    return made


def finished(
    kind: str, textures: Textures, seen: Sequence[Bool[np.ndarray, "_ _"]], surface: Surface, areas: Areas
) -> Textures:
    """The painted textures with the colours that are to be kept.

    Args:
        textures: per atlas, of its size, sRGB 0..1.
        seen: per atlas, the texels that views have painted.
    """
    if kind == "luminance":
        return _with_own_colours(textures, surface)
    return _in_palette(textures, seen, areas) if kind == "palette" else textures


def without_color(textures: Textures, areas: Areas) -> Textures:
    """The paint of areas whose paintings have no colour has none either."""
    plain = [
        number
        for number in areas.painted
        if all(is_grey(painting.cpu().numpy()) for painting in areas.areas[number].paintings)
    ]
    if not plain:
        return textures
    if not areas.weights:
        return [grey_texture(texture) for texture in textures]
    maps = [sum(areas.weights[number][atlas] for number in plain) for atlas in range(len(textures))]
    return [
        texture
        + (grey_texture(texture) - texture)
        * enlarged(np.asarray(share, np.float32), texture.shape[:2])[..., None]
        for texture, share in zip(textures, maps, strict=True)
    ]


def _with_own_colours(textures: Textures, surface: Surface) -> Textures:
    """Lightness of the paint, a* and b* of the original; per part the means of those are held where sRGB cannot show
    a colour as light or dark as it was painted."""
    made = [texture.copy() for texture in textures]
    for number, atlas in enumerate(surface.atlases):
        part = surface.part[atlas.owner]
        for one in np.unique(part[atlas.covered]):
            rows = np.flatnonzero((atlas.covered & (part == one)).reshape(-1))
            paint = to_lab(textures[number].reshape(-1, 3)[rows])
            own = to_lab(atlas.start.reshape(-1, 3)[rows])
            made[number].reshape(-1, 3)[rows] = _combined(paint[:, 0], own)
    return made


def _combined(
    lightness: Float32[np.ndarray, "N"], own: Float32[np.ndarray, "N 3"]
) -> Float32[np.ndarray, "N 3"]:
    """sRGB of that lightness and the original's a* and b*, whose mean stays."""
    some = slice(None, None, max(1, len(own) // _MOST))
    for share in _LIGHTER:
        light = lightness + share * (own[:, 0] - lightness)
        more = np.zeros(2, np.float32)
        for _ in range(4):  # what cannot be shown in some texels, others have more of
            lab = np.column_stack([light[some], own[some, 1:] + more])
            missing = own[some, 1:].mean(axis=0) - to_lab(shown(lab))[:, 1:].mean(axis=0)
            if np.abs(missing).max() < _NEAR:
                return shown(np.column_stack([light, own[:, 1:] + more]))
            more = more + missing
    return shown(np.column_stack([light, own[:, 1:] + more]))


def _in_palette(textures: Textures, seen: Sequence[Bool[np.ndarray, "_ _"]], areas: Areas) -> Textures:
    """Move the painted texels of each area, of all atlases at once, onto its paintings' colours."""
    made = [texture.copy() for texture in textures]
    area_of = areas.nearest([texture.shape[:2] for texture in textures])
    for number in areas.painted:
        area = areas.areas[number]
        rows = [np.flatnonzero((s & (a == number)).reshape(-1)) for s, a in zip(seen, area_of, strict=True)]
        colours = np.concatenate([t.reshape(-1, 3)[r] for t, r in zip(made, rows, strict=True)])
        if not len(colours):
            continue
        palette = np.concatenate(
            [
                _some(fit_short_side(one, _PALETTE_SIDE)[0].flatten(1).T.cpu().numpy(), share)
                for one, share in zip(area.paintings, area.shares, strict=True)
            ]
        )
        moved = transported(colours, palette)
        ends = np.cumsum([len(r) for r in rows])[:-1]
        for texture, r, values in zip(made, rows, np.split(moved, ends), strict=True):
            texture.reshape(-1, 3)[r] = values
    return made


def transported(
    colours: Float32[np.ndarray, "N 3"], palette: Float32[np.ndarray, "M 3"]
) -> Float32[np.ndarray, "N 3"]:
    """Move colours so that they are distributed as the palette is: along one random set of axes after the other, each
    value takes that of its rank (Pitié et al. 2007, "Automated colour grading", section 3)."""
    random = np.random.default_rng(0)
    moved = colours.astype(np.float64)
    level = (np.arange(256) + 0.5) / 256
    for _ in range(_TURNS):
        axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
        ours, theirs = moved @ axes, palette @ axes
        for axis in range(3):
            have, want = np.quantile(ours[:, axis], level), np.quantile(theirs[:, axis], level)
            ours[:, axis] += np.interp(ours[:, axis], have, want - have)
        moved = ours @ axes.T
    return np.clip(moved, 0, 1).astype(np.float32)


def _some(colours: Float32[np.ndarray, "N 3"], share: float) -> Float32[np.ndarray, "M 3"]:
    """As many of them, evenly chosen, as a share of a palette takes."""
    count = max(1, round(share * _PALETTE_SIDE**2))
    rows: Int64[np.ndarray, "M"] = np.arange(count) * len(colours) // count
    return colours[rows]


def _like(colours: Colours) -> Float[torch.Tensor, "6 3"]:
    """Six colours of that mean and covariance."""
    values, vectors = np.linalg.eigh(np.array(colours.covariance))
    arms = (vectors * np.sqrt(3 * np.clip(values, 0, None))).T
    mean = np.array(colours.mean)
    return torch.from_numpy(np.concatenate([mean + arms, mean - arms]))
