"""The screened Poisson problem of the seams (see `bake.seam_leveling`) as sparse matrices, and its solution.

A large atlas has millions of texels near its seams: what is made for all of them at once is kept small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int32, Int64
from scipy.sparse import csr_matrix

STEPS, TOLERANCE = 100, 0.003  # of conjugate gradients; what it leaves over is at most 1/255
TEXELS_AT_ONCE = 1 << 18  # texels that are worked on at a time


def screened_laplacian(
    shapes: Sequence[tuple[int, int]],
    near: Int64[np.ndarray, "N"],
    label: Sequence[Int32[np.ndarray, "_"]],
    fades: Sequence[float],
) -> csr_matrix:
    """Build the (N, N) matrix of half the gradient of Σ_neighbours (c_i - c_j)² + Σ_i c_i² / FADE².

    Args:
        shapes: per atlas, height and width.
        near: the texels that have a c, ascending, numbered row by row through all atlases.
        label: per atlas, the chart of each texel; neighbours are of one chart.
        fades: per atlas, FADE in its texels.
    """
    number = np.full(sum(len(one) for one in label), -1, np.int32)
    number[near] = np.arange(len(near), dtype=np.int32)
    values, columns = np.empty(5 * len(near), np.float32), np.empty(5 * len(near), np.int32)
    pointer, done, offset = [np.zeros(1, np.int32)], 0, 0
    for shape, charts, fade in zip(shapes, label, fades, strict=True):
        own = number[offset : offset + len(charts)].reshape(shape)
        first, end = np.searchsorted(near, (offset, offset + len(charts)))
        for begin in range(first, end, TEXELS_AT_ONCE):
            part = slice(begin, min(begin + TEXELS_AT_ONCE, end))
            beside = _beside(own, charts, near[part] - offset)
            beside = np.concatenate([np.arange(part.start, part.stop)[:, None], beside], axis=1)
            used = beside >= 0
            count = used.sum(1)
            found = np.where(np.arange(5) == 0, (count - 1 + fade**-2.0)[:, None], -1)[used]
            values[done : done + len(found)], columns[done : done + len(found)] = found, beside[used]
            pointer.append((done + np.cumsum(count)).astype(np.int32))
            done += len(found)
        offset += len(charts)
    return csr_matrix((values[:done], columns[:done], np.concatenate(pointer)), shape=(len(near), len(near)))


def _beside(
    number: Int32[np.ndarray, "H W"], chart: Int32[np.ndarray, "T"], texel: Int64[np.ndarray, "P"]
) -> Int64[np.ndarray, "P 4"]:
    """The numbers of the texels beside each of some, in the same chart; -1: none that has one."""
    height, width = number.shape
    found = np.full((len(texel), 4), -1)
    for side, (down, across) in enumerate(((0, -1), (0, 1), (-1, 0), (1, 0))):
        row, column = texel // width + down, texel % width + across
        inside = np.flatnonzero((row >= 0) & (row < height) & (column >= 0) & (column < width))
        there = texel[inside] + down * width + across
        alike = chart[there] == chart[texel[inside]]
        found[inside[alike], side] = number.reshape(-1)[there[alike]]
    return found


def conjugate_gradients(
    matrices: Sequence[csr_matrix], target: Float32[np.ndarray, "N"]
) -> Float32[np.ndarray, "N"]:
    """Solve for one channel (Shewchuk 1994, B3, with the diagonal as preconditioner) with the sum of the matrices.

    It is written out because `scipy.sparse.linalg.cg` stops by the plain residual, and not by the preconditioned one
    that `TOLERANCE` is set for.
    """
    scale = 1 / sum(matrix.diagonal() for matrix in matrices)
    solution, residual = np.zeros_like(target), target.copy()
    direction = scale * residual
    energy = float(residual @ direction)
    enough = TOLERANCE**2 * energy
    for _ in range(STEPS):
        if energy <= enough:
            break
        moved = sum(matrix @ direction for matrix in matrices)
        step = np.float32(energy / max(float(direction @ moved), 1e-30))
        solution += step * direction
        residual -= step * moved
        conditioned = scale * residual
        before, energy = energy, float(residual @ conditioned)
        direction *= np.float32(energy / max(before, 1e-30))
        direction += conditioned
    return solution
