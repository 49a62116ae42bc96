"""Both sides of a seam in one colour.

Where charts meet on the surface, their textures were painted apart: what little they differ by shows as a line.
A correction is added on both sides that makes them meet halfway and fades out over a few texels. It is the
solution of a screened Poisson problem, so that it bends the detail inside the charts as little as it can
(Bhat et al. 2008, "Fourier analysis of the 2D screened Poisson equation for gradient domain problems"):

    minimise  AGREE Σ_seams w (s_A (t + c) - s_B (t + c))²  +  Σ_neighbours (c_i - c_j)²  +  Σ_i c_i² / FADE²

with t the painted texels, c the correction and s_A, s_B bilinear lookups on the two sides. Seams at which the
original model changes its colour are left as they are (w → 0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64
from scipy.sparse import coo_matrix, csr_matrix, diags, vstack

from ..asset.contract import Wrap
from ..surface.contract import Surface
from ..surface.seams import Seams, find_seams
from ..surface.spans import wrap_index
from .gutter import nearest_known

FADE = 3.0  # texels at 1024², after which the correction has faded to 1/e
LARGEST = 2048  # atlases beyond this size get no wider fade than one of it
REACH = 3  # fades, beyond which the correction is taken for nothing
AGREE = 4.0
STEPS, TOLERANCE = 100, 0.01  # of conjugate gradients; what it leaves over is far below 1/255
ALIKE = 0.06  # of sRGB: original colours that differ by more are meant to differ


@dataclass(frozen=True, eq=False)
class _Sides:
    """Points along the seams: what each reads from the texels of all atlases, one row a point."""

    first: csr_matrix
    second: csr_matrix


def match_seams(
    surface: Surface, textures: Sequence[Float32[np.ndarray, "_ _ 3"]]
) -> list[Float32[np.ndarray, "_ _ 3"]]:
    """Make charts agree where they meet, in place. Changes covered texels near seams, nothing else.

    Args:
        textures: per atlas, sRGB 0..1, every covered texel painted.
    """
    seams = find_seams(surface)
    if not len(seams.triangle):
        return list(textures)
    chart = seams.chart.astype(np.int32)
    label = [np.where(a.covered, chart[a.owner], np.int32(-1)).reshape(-1) for a in surface.atlases]
    sides = _along_seams(surface, seams, np.concatenate(label))
    step = sides.first - sides.second
    read = np.unique(step.indices).astype(np.int64)
    compact = step[:, read]
    original = compact @ _at([a.start for a in surface.atlases], read)
    weight = AGREE * np.exp(-((np.abs(original).max(axis=1) / ALIKE) ** 2))
    near = _near(surface, read, label)
    correction = _solve(surface, step[:, near], weight, near, compact @ _at(textures, read), label)
    _add(textures, near, correction)
    return list(textures)


def _at(
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]], texels: Int64[np.ndarray, "N"]
) -> Float32[np.ndarray, "N 3"]:
    """Some texels, ascending, numbered through all atlases."""
    found, offset = [], 0
    for texture in textures:
        size = texture.shape[0] * texture.shape[1]
        own = texels[(texels >= offset) & (texels < offset + size)] - offset
        found.append(texture.reshape(-1, 3)[own])
        offset += size
    return np.concatenate(found)


def _along_seams(surface: Surface, seams: Seams, label: Int32[np.ndarray, "T"]) -> _Sides:
    """One point for each texel's length of seam."""
    atlas = surface.atlas[seams.triangle]  # (E, 2)
    sizes = np.array([a.owner.shape[::-1] for a in surface.atlases])
    length = np.linalg.norm((seams.uv[:, :, 1] - seams.uv[:, :, 0]) * sizes[atlas], axis=2).max(axis=1)
    count = np.maximum(np.ceil(length).astype(np.int64), 1)
    edge = np.repeat(np.arange(len(count)), count)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[edge]
    points = seams.uv[edge, :, 0] * (1 - along)[:, None, None] + seams.uv[edge, :, 1] * along[:, None, None]
    lookups = [
        _lookup(surface, points[:, side], atlas[edge, side], seams.chart[seams.triangle[edge, side]], label)
        for side in (0, 1)
    ]
    both = (lookups[0].getnnz(axis=1) > 0) & (lookups[1].getnnz(axis=1) > 0)
    return _Sides(lookups[0][both], lookups[1][both])


def _lookup(
    surface: Surface,
    uv: Float64[np.ndarray, "N 2"],
    atlas: np.ndarray,
    chart: Int64[np.ndarray, "N"],
    label: Int32[np.ndarray, "T"],
) -> csr_matrix:
    """Bilinear weights on the texels of the point's own chart: the gutter copies those."""
    rows, columns, weights = [], [], []
    offset = 0
    for number, one in enumerate(surface.atlases):
        height, width = one.owner.shape
        chosen = np.flatnonzero(atlas == number)
        x, y = uv[chosen, 0] * width - 0.5, uv[chosen, 1] * height - 0.5
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            texel = wrap_index(top + i, height, one.wrap[1]) * width + wrap_index(
                left + j, width, one.wrap[0]
            )
            weight = np.abs(1 - j - (x - left)) * np.abs(1 - i - (y - top))
            own = np.flatnonzero((label[offset + texel] == chart[chosen]) & (weight > 1e-6))
            rows.append(chosen[own])
            columns.append(offset + texel[own])
            weights.append(weight[own])
        offset += height * width
    matrix = coo_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(len(uv), offset)
    ).tocsr()
    total = np.asarray(matrix.sum(axis=1)).reshape(-1)
    return diags(1 / np.maximum(total, 1e-6)) @ matrix


def _fade(surface: Surface, number: int) -> float:
    return max(FADE * min(max(surface.atlases[number].owner.shape), LARGEST) / 1024, 1.0)


def _near(
    surface: Surface, read: Int64[np.ndarray, "R"], label: list[Int32[np.ndarray, "_"]]
) -> Int64[np.ndarray, "N"]:
    """Covered texels (numbered through all atlases) near those that seams read."""
    found, offset = [], 0
    for number, atlas in enumerate(surface.atlases):
        size = atlas.owner.size
        away = np.ones(size, bool)
        away[read[(read >= offset) & (read < offset + size)] - offset] = False
        if not away.all():
            reads = ~away.reshape(atlas.owner.shape)
            close, _ = nearest_known(reads, REACH * _fade(surface, number), (Wrap.CLAMP, Wrap.CLAMP))
            found.append(offset + np.flatnonzero((close | reads).reshape(-1) & (label[number] >= 0)))
        offset += size
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _solve(
    surface: Surface,
    reading: csr_matrix,
    weight: Float64[np.ndarray, "S"],
    near: Int64[np.ndarray, "N"],
    apart: Float64[np.ndarray, "S 3"],
    label: list[Int32[np.ndarray, "_"]],
) -> Float32[np.ndarray, "N 3"]:
    """The normal equations, by conjugate gradients: they are well conditioned, as the correction is local.

    `reading`: what the two sides' difference takes of the texels near them; `apart`: what it is.
    """
    weighted = reading.T @ diags(weight)
    smooth = _differences(surface, near, label)
    sizes = np.cumsum([a.owner.size for a in surface.atlases])
    fade = np.array([_fade(surface, n) for n in range(len(sizes))])[
        np.searchsorted(sizes, near, side="right")
    ]
    matrix = (weighted @ reading + smooth.T @ smooth + diags(fade**-2.0)).tocsr()
    target = -(weighted @ apart)
    return _conjugate_gradients(matrix.astype(np.float32), target.astype(np.float32))


def _conjugate_gradients(
    matrix: csr_matrix, target: Float32[np.ndarray, "N 3"]
) -> Float32[np.ndarray, "N 3"]:
    """Solve for the three channels at once (Shewchuk 1994, B3, with the diagonal as preconditioner)."""
    scale = (1 / matrix.diagonal())[:, None]
    solution, residual = np.zeros_like(target), target
    direction = scale * residual
    energy = _dot(residual, direction)
    enough = TOLERANCE**2 * energy
    for _ in range(STEPS):
        if (energy <= enough).all():
            break
        moved = matrix @ direction
        step = energy / np.maximum(_dot(direction, moved), 1e-30)
        solution = solution + step * direction
        residual = residual - step * moved
        conditioned = scale * residual
        before, energy = energy, _dot(residual, conditioned)
        direction = conditioned + energy / np.maximum(before, 1e-30) * direction
    return solution


def _dot(a: Float32[np.ndarray, "N 3"], b: Float32[np.ndarray, "N 3"]) -> Float32[np.ndarray, "3"]:
    return np.einsum("nc,nc->c", a, b)


def _differences(
    surface: Surface, near: Int64[np.ndarray, "N"], label: list[Int32[np.ndarray, "_"]]
) -> csr_matrix:
    """One row for each pair of neighbouring texels of one chart."""
    rows, offset = [], 0
    number = np.full(sum(len(one) for one in label), -1, np.int32)
    number[near] = np.arange(len(near))
    for atlas, charts in zip(surface.atlases, label, strict=True):
        shape = atlas.owner.shape
        own = number[offset : offset + len(charts)].reshape(shape)
        chart = charts.reshape(shape)
        for a, b in (np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]):
            pair = (own[a] >= 0) & (own[b] >= 0) & (chart[a] == chart[b])
            rows.append(_pairs(own[a][pair], own[b][pair], len(near)))
        offset += len(charts)
    return vstack(rows, format="csr")


def _pairs(first: Int32[np.ndarray, "P"], second: Int32[np.ndarray, "P"], count: int) -> csr_matrix:
    row = np.arange(len(first))
    values = np.concatenate([np.ones(len(first)), -np.ones(len(first))])
    index = np.concatenate([row, row]), np.concatenate([first, second])
    return coo_matrix((values, index), shape=(len(first), count)).tocsr()


def _add(
    textures: Sequence[Float32[np.ndarray, "_ _ 3"]],
    near: Int64[np.ndarray, "N"],
    correction: Float32[np.ndarray, "N 3"],
) -> None:
    offset = 0
    for texture in textures:
        size = texture.shape[0] * texture.shape[1]
        chosen = (near >= offset) & (near < offset + size)
        flat = texture.reshape(-1, 3)
        flat[near[chosen] - offset] = np.clip(flat[near[chosen] - offset] + correction[chosen], 0.0, 1.0)
        offset += size


__all__ = ["match_seams"]
