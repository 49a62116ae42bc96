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
from scipy.sparse import coo_matrix, csr_matrix, diags

from ..io.types import Wrap
from ..texture.bilinear import neighbors
from ..texture.gutter import BAND, nearest_known
from ..texture.seams import Seams, find_seams
from ..texture.types import Surface
from .poisson import conjugate_gradients, screened_laplacian
from .unique_below import unique_below

FADE = 3.0  # texels at 1024², after which the correction has faded to 1/e
LARGEST = 2048  # atlases beyond this size get no wider fade than one of it
REACH = 3  # fades, beyond which the correction is taken for nothing
AGREE = 4.0
ALIKE = 0.06  # of sRGB: original colours that differ by more are meant to differ


@dataclass(frozen=True, eq=False)
class _Steps:
    """Points along the seams: how far apart both sides are there, one row a point.

    Attributes:
        read: the texels that are read, ascending, numbered through all atlases.
        step: of their values, the first side's mean less the second's.
    """

    read: Int64[np.ndarray, "R"]
    step: csr_matrix


@dataclass(frozen=True, eq=False)
class _Taps:
    """What points read on one side: `weight` of `texel` for `point`."""

    point: Int64[np.ndarray, "K"]
    texel: Int64[np.ndarray, "K"]
    weight: Float64[np.ndarray, "K"]


@dataclass(frozen=True, eq=False)
class _Problem:
    """What the correction is to be.

    Attributes:
        near: the N texels that have one, ascending, numbered through all atlases.
        alike: the gradient of what holds it flat and small, halved: (N, N).
        reading: what the two sides' difference takes of those texels: (S, N).
        weight: of each of these differences.
        apart: what they are.
    """

    near: Int64[np.ndarray, "N"]
    alike: csr_matrix
    reading: csr_matrix
    weight: Float64[np.ndarray, "S"]
    apart: Float64[np.ndarray, "S 3"]


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
    problem = _problem(surface, textures, seams)
    _add(textures, problem.near, _solve(problem))
    return list(textures)


def _problem(surface: Surface, textures: Sequence[Float32[np.ndarray, "_ _ 3"]], seams: Seams) -> _Problem:
    labels = _labels(surface, seams)
    label = np.split(labels, np.cumsum([atlas.owner.size for atlas in surface.atlases])[:-1])
    steps = _along_seams(surface, seams, labels)
    read = steps.read
    original = steps.step @ _at([a.start for a in surface.atlases], read)
    weight = AGREE * np.exp(-((np.abs(original).max(axis=1) / ALIKE) ** 2))
    near = _near(surface, read, label)
    fades = [_fade(surface, number) for number in range(len(surface.atlases))]
    alike = screened_laplacian([a.owner.shape for a in surface.atlases], near, label, fades)
    return _Problem(near, alike, _of_columns(steps, near), weight, steps.step @ _at(textures, read))


def _of_columns(steps: _Steps, near: Int64[np.ndarray, "N"]) -> csr_matrix:
    """The steps of more texels than those that are read, ascending too."""
    place = np.searchsorted(near, steps.read)[steps.step.indices]
    shape = (steps.step.shape[0], len(near))
    return csr_matrix((steps.step.data, place, steps.step.indptr), shape=shape)


def _labels(surface: Surface, seams: Seams) -> Int32[np.ndarray, "T"]:
    """The chart of every texel, row by row and atlas by atlas; -1 where nothing is covered."""
    chart = seams.chart.astype(np.int32)
    labels = np.empty(sum(atlas.owner.size for atlas in surface.atlases), np.int32)
    done = 0
    for atlas in surface.atlases:
        for first in range(0, len(atlas.owner), BAND):
            own = slice(first, first + BAND)
            found = np.where(atlas.covered[own], chart[atlas.owner[own]], np.int32(-1)).reshape(-1)
            labels[done : done + len(found)] = found
            done += len(found)
    return labels


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


def _along_seams(surface: Surface, seams: Seams, label: Int32[np.ndarray, "T"]) -> _Steps:
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
    # Columns for the few texels that are read: sums and products take memory for every column there is.
    read = unique_below(np.concatenate([taps.texel for taps in lookups]), len(label))
    first, second = (_means(taps, read, len(points)) for taps in lookups)
    both = (first.getnnz(axis=1) > 0) & (second.getnnz(axis=1) > 0)
    step = first[both] - second[both]
    used = unique_below(step.indices, len(read))
    return _Steps(read[used], step[:, used])


def _means(taps: _Taps, read: Int64[np.ndarray, "R"], points: int) -> csr_matrix:
    """What each point reads, in weights that sum to 1; nothing where it reads nothing."""
    place = np.searchsorted(read, taps.texel)
    matrix = coo_matrix((taps.weight, (taps.point, place)), shape=(points, len(read))).tocsr()
    total = np.asarray(matrix.sum(axis=1)).reshape(-1)
    return diags(1 / np.maximum(total, 1e-6)) @ matrix


def _lookup(
    surface: Surface,
    uv: Float64[np.ndarray, "N 2"],
    atlas: np.ndarray,
    chart: Int64[np.ndarray, "N"],
    label: Int32[np.ndarray, "T"],
) -> _Taps:
    """Bilinear weights on the texels of the point's own chart: the gutter copies those."""
    rows, columns, weights = [], [], []
    offset = 0
    for number, one in enumerate(surface.atlases):
        height, width = one.owner.shape
        chosen = np.flatnonzero(atlas == number)
        near = neighbors(uv[chosen], (height, width), one.wrap)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
            texel = near.rows[i] * width + near.columns[j]
            weight = np.abs(1 - j - near.across) * np.abs(1 - i - near.down)
            own = np.flatnonzero((label[offset + texel] == chart[chosen]) & (weight > 1e-6))
            rows.append(chosen[own])
            columns.append(offset + texel[own])
            weights.append(weight[own])
        offset += height * width
    return _Taps(np.concatenate(rows), np.concatenate(columns), np.concatenate(weights))


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


def _solve(problem: _Problem) -> Float32[np.ndarray, "N 3"]:
    """The normal equations, by conjugate gradients: they are well conditioned, as the correction is local."""
    weighted = problem.reading.T @ diags(problem.weight)
    matrices = [problem.alike, (weighted @ problem.reading).tocsr().astype(np.float32)]
    correction = np.empty((len(problem.near), 3), np.float32)
    for channel in range(3):
        target = -(weighted @ problem.apart[:, channel]).astype(np.float32)
        correction[:, channel] = conjugate_gradients(matrices, target)
    return correction


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
