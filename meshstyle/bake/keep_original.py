"""What nobody painted keeps the original's picture, in the colours of the paint.

Colours are moved as they are matched elsewhere: so that mean and covariance become the paint's. Here the map works on
luminance first (it is triangular, as Knothe and Rosenblatt's): what was brighter stays brighter, whatever its hue, so
that eyes, letters and frames of an animation stay readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from scipy.ndimage import distance_transform_edt

from ..texture.gutter import BAND, gutter_width
from ..texture.types import Surface

FLOOR = 1e-3  # variance below which an axis counts as flat: its noise must not be blown up
MOST_CONTRAST = 1.5  # what the map may multiply differences of luminance by
SAMPLES = 200_000
SLIVER = 3.0  # texels from paint within which the paint is only continued
# Luminance (ITU-R BT.601) and two differences of colour from it.
_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


@dataclass(frozen=True, eq=False)
class Palette:
    """How colours of the original move: colour' = (colour - source) @ matrix + target; sRGB 0..1."""

    source: Float64[np.ndarray, "3"]
    target: Float64[np.ndarray, "3"]
    matrix: Float64[np.ndarray, "3 3"]

    def move(self, colour: Float32[np.ndarray, "*n 3"]) -> Float32[np.ndarray, "*n 3"]:
        return np.clip((colour - self.source) @ self.matrix + self.target, 0.0, 1.0).astype(np.float32)


def read_palette(
    surface: Surface,
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]],
    known: Sequence[Bool[np.ndarray, "_ _"]],
    visible: Sequence[Bool[np.ndarray, "_ _"]],
) -> Palette | None:
    """Read the palette from the paint and the original's picture; None where there is no paint or nothing to move.

    What is to be moved counts among the original's colours: where all that was painted is of one colour, that alone
    would not tell how far the others lie apart.

    Args:
        known: per atlas, what was painted.
        visible: per atlas, what can be seen.
    """
    complete = all((k == v).all() for k, v in zip(known, visible, strict=True))
    if complete and all(atlas.rest is None for atlas in surface.atlases):
        return None
    paint, original = [], []
    for atlas, texture, k, v in zip(surface.atlases, textures, known, visible, strict=True):
        paint.append(texture.reshape(-1, 3)[_thinned(k)])
        original.append(atlas.start.reshape(-1, 3)[_thinned(v)])
        if atlas.rest is not None:
            original.append(atlas.rest.reshape(-1, 3)[_thinned(~atlas.covered)] / np.float32(255))
    target, source = np.concatenate(paint).astype(np.float64), np.concatenate(original).astype(np.float64)
    if not len(target):
        return None
    lower_source, lower_target = (
        np.linalg.cholesky(np.cov(colours @ _YCC.T, rowvar=False, bias=True) + floor * np.eye(3))
        for colours, floor in ((source, FLOOR), (target, 1e-6))
    )
    matrix = lower_target @ np.linalg.inv(lower_source)  # column vectors of luminance and differences
    matrix[:, 0] *= min(1.0, MOST_CONTRAST / matrix[0, 0])
    return Palette(source.mean(axis=0), target.mean(axis=0), (np.linalg.inv(_YCC) @ matrix @ _YCC).T)


def bring_back(
    surface: Surface,
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]],
    known: Sequence[Bool[np.ndarray, "_ _"]],
    visible: Sequence[Bool[np.ndarray, "_ _"]],
    palette: Palette,
) -> None:
    """Lay the original's picture over what no view painted, in place; near paint the fill shows through.

    Args:
        textures: per atlas, sRGB 0..1, with every texel filled.
        known, visible: see `read_palette`.
    """
    for atlas, texture, k, v in zip(surface.atlases, textures, known, visible, strict=True):
        missing, reach = v & ~k, 2.0 * gutter_width(k.shape)
        for rows, distance in _distances(k, reach, missing):
            share = _smooth((distance - SLIVER) / (reach - SLIVER))
            _lay(texture[rows], palette.move(atlas.start[rows][missing[rows]]), missing[rows], share)


def bring_back_rest(
    covered: Bool[np.ndarray, "H W"],
    texture: Float32[np.ndarray, "H W 3"],
    rest: UInt8[np.ndarray, "H W 3"],
    palette: Palette,
) -> None:
    """The same for what no triangle reads, beyond the gutters, in place; `rest`: see `Atlas`."""
    gutter, beyond = float(gutter_width(covered.shape)), ~covered
    for rows, distance in _distances(covered, 2 * gutter, beyond):
        share = _smooth(distance / gutter - 1)
        colour = rest[rows][beyond[rows]] / np.float32(255)
        _lay(texture[rows], palette.move(colour), beyond[rows], share)


def _lay(
    texture: Float32[np.ndarray, "H W 3"],
    colour: Float32[np.ndarray, "N 3"],
    where: Bool[np.ndarray, "H W"],
    share: Float32[np.ndarray, "H W"],
) -> None:
    part = share[where][:, None]
    texture[where] += (colour - texture[where]) * part


def _smooth(x: np.ndarray) -> Float32[np.ndarray, "H W"]:
    """0 at 0, 1 at 1, level at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return (x * x * (3 - 2 * x)).astype(np.float32)


def _distances(
    known: Bool[np.ndarray, "H W"], reach: float, wanted: Bool[np.ndarray, "H W"]
) -> Iterator[tuple[slice, Float64[np.ndarray, "h W"]]]:
    """How many texels away the nearest known one is, up to `reach`: by bands of rows, those that hold wanted ones."""
    margin = int(np.ceil(reach))
    for first in range(0, len(known), BAND):
        rows = slice(first, min(first + BAND, len(known)))
        if not wanted[rows].any():
            continue
        top = max(first - margin, 0)
        around = known[top : rows.stop + margin]
        if around.any():
            distance = distance_transform_edt(~around)[first - top : rows.stop - top]
        else:
            distance = np.full(known[rows].shape, reach)
        yield rows, np.minimum(distance, reach)


def _thinned(mask: Bool[np.ndarray, "H W"]) -> np.ndarray:
    """Numbers of the mask's texels, no more than about SAMPLES, spread evenly."""
    texel = np.flatnonzero(mask)
    return texel[:: max(len(texel) // SAMPLES, 1)]
