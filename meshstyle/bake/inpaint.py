"""Colours for texels that no view saw, from what was painted around them on the surface.

Around means in world space, whatever chart or atlas a texel lies in, and on surface that faces the same way: the
inside of a wall does not take the colours of its outside where it has painted neighbours of its own. Close to
paint the fill continues it; the farther away, the broader are the averages it is made of, so that large hidden
surfaces come out plain and smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.spatial import cKDTree

from ..io.types import Wrap
from ..texture.filtering import bilinear
from ..texture.gutter import BAND, fill_smoothly
from ..texture.texel_positions import texel_points
from ..texture.types import Surface

MOST_SOURCES = 300_000
MOST_TARGETS = 200_000
NEIGHBOURS = 12
TURN = 0.1
"""Facing the other way counts as much as this distance, twice over, in units of the model's size."""
CELLS = (128, 48, 16)
"""Cells along the model's size: each level knows the mean colours of ever larger cells of space."""
FADED = 4  # sizes of the next level's cells, beyond which a level counts no more


@dataclass(frozen=True, eq=False)
class _Samples:
    """Texels as points: place and facing in one space, in units of the model's size."""

    place: Float64[np.ndarray, "N 6"]
    colour: Float32[np.ndarray, "N 3"]


def fill_unseen(
    surface: Surface,
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]],
    known: Sequence[Bool[np.ndarray, "_ _"]],
) -> list[Float32[np.ndarray, "_ _ 3"]]:
    """Paint every covered texel that is not known, in place; known ones stay as they are.

    Args:
        textures: per atlas, of its size, sRGB 0..1.
        known: per atlas, the texels whose colour counts.
    """
    missing = [a.covered & ~k for a, k in zip(surface.atlases, known, strict=True)]
    if not any(m.any() for m in missing) or not any(k.any() for k in known):
        return list(textures)
    sources = _gather(surface, textures, known)
    levels = [sources, *(_cell_means(sources, cells) for cells in CELLS)]
    trees = [cKDTree(level.place) for level in levels]
    for number, (texture, gaps) in enumerate(zip(textures, missing, strict=True)):
        if gaps.any():
            step, target = _representatives(gaps, MOST_TARGETS)
            colour = _continued(trees, levels, _places(surface, number, target))
            _spread(texture, gaps, target, colour, step)
    return list(textures)


def _gather(
    surface: Surface,
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]],
    known: Sequence[Bool[np.ndarray, "_ _"]],
) -> _Samples:
    """Known texels of all atlases, thinned out evenly where there are very many."""
    places, colours = [], []
    share = MOST_SOURCES / len(known)
    for number, (texture, mask) in enumerate(zip(textures, known, strict=True)):
        _, texel = _representatives(mask, share)
        places.append(_places(surface, number, texel))
        colours.append(texture.reshape(-1, 3)[texel])
    return _Samples(np.concatenate(places), np.concatenate(colours))


def _representatives(mask: Bool[np.ndarray, "H W"], most: float) -> tuple[int, Int64[np.ndarray, "N"]]:
    """Texels of the mask, no more than about `most`: the first of each block of step × step texels."""
    count, (height, width) = int(np.count_nonzero(mask)), mask.shape
    step = int(np.ceil(np.sqrt(count / most))) if count > most else 1
    if step == 1:
        return step, np.flatnonzero(mask)
    found = []
    # Rows at a time, whole blocks of them: the numbers of all texels are much memory.
    band = -(-BAND // step) * step
    for first in range(0, height, band):
        texel = np.flatnonzero(mask[first : first + band])
        block = texel // width // step * width + texel % width // step
        found.append(first * width + texel[np.sort(np.unique(block, return_index=True)[1])])
    return step, np.concatenate(found)


def _places(surface: Surface, number: int, texel: Int64[np.ndarray, "N"]) -> Float64[np.ndarray, "N 6"]:
    low, high = surface.corners.min(axis=(0, 1)), surface.corners.max(axis=(0, 1))
    size = float(np.linalg.norm(high - low)) or 1.0
    position, normal = texel_points(surface, surface.atlases[number], texel)
    return np.concatenate([(position - low) / size, TURN * normal], axis=1)


def _cell_means(samples: _Samples, cells: int) -> _Samples:
    """One sample for each cell of a grid and each way of facing."""
    cell = np.floor(samples.place * np.array([cells] * 3 + [1 / TURN] * 3)).astype(np.int64)
    cell -= cell.min(axis=0)
    # One number a cell: rows as such are sorted many times slower.
    key = np.ravel_multi_index(tuple(cell.T), tuple(cell.max(axis=0) + 1))
    _, number = np.unique(key, return_inverse=True)
    count = np.bincount(number)
    joined = np.concatenate([samples.place, samples.colour], axis=1)
    mean = np.stack([np.bincount(number, column) / count for column in joined.T], axis=1)
    return _Samples(mean[:, :6], mean[:, 6:].astype(np.float32))


def _continued(
    trees: Sequence[cKDTree], levels: Sequence[_Samples], place: Float64[np.ndarray, "N 6"]
) -> Float32[np.ndarray, "N 3"]:
    """Inverse-distance means (Shepard 1968) of the nearest paint, of ever larger cells away from it."""
    colour, distance = _shepard(trees[0], levels[0], place, 1e-4, FADED / CELLS[0])
    for number, cells in enumerate(CELLS, start=1):
        coarser = CELLS[number] if number < len(CELLS) else 0
        reach = FADED / coarser if coarser else np.inf
        broad, farther = _shepard(trees[number], levels[number], place, 1 / cells, reach)
        share = np.exp(-((distance * cells / 2) ** 2)).astype(np.float32)[:, None]
        colour = colour * share + broad * (1 - share)
        distance = farther
    return colour


def _shepard(
    tree: cKDTree,
    samples: _Samples,
    place: Float64[np.ndarray, "N 6"],
    softness: float,
    reach: float,
) -> tuple[Float32[np.ndarray, "N 3"], Float64[np.ndarray, "N"]]:
    """Weighted means of samples no farther than `reach`, and the distance to the nearest (infinite: none)."""
    ranks = list(range(1, min(NEIGHBOURS, len(samples.place)) + 1))
    # Without a bound the tree is searched almost whole for places far from every sample.
    distance, index = tree.query(place, k=ranks, distance_upper_bound=reach, workers=-1)
    weight = 1.0 / (distance**2 + softness**2)  # 0 for those missing, whose distance is infinite
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
    colour = samples.colour[np.minimum(index, len(samples.colour) - 1)]
    return np.einsum("nk,nkc->nc", weight.astype(np.float32), colour), distance[:, 0]


def _spread(
    texture: Float32[np.ndarray, "H W 3"],
    gaps: Bool[np.ndarray, "H W"],
    texel: Int64[np.ndarray, "N"],
    colour: Float32[np.ndarray, "N 3"],
    step: int,
) -> None:
    """Write the colours; where only one texel of each block has been worked out, blend between the blocks."""
    if step == 1:
        texture.reshape(-1, 3)[texel] = colour
        return
    height, width = gaps.shape
    shape = (-(-height // step), -(-width // step))
    blocks, worked_out = np.zeros((*shape, 3), np.float32), np.zeros(shape, bool)
    place = texel // width // step, texel % width // step
    blocks[place], worked_out[place] = colour, True
    fill_smoothly(blocks, worked_out)
    for first in range(0, height, BAND):
        row, column = np.nonzero(gaps[first : first + BAND])
        uv = np.stack([(column + 0.5) / step / shape[1], (row + first + 0.5) / step / shape[0]], axis=1)
        texture[first + row, column] = bilinear(blocks, uv, (Wrap.CLAMP, Wrap.CLAMP))
