"""The seams' screened Poisson problem against its sum written out."""

from __future__ import annotations

import numpy as np
import pytest

from meshstyle.bake import poisson
from meshstyle.bake.poisson import conjugate_gradients, screened_laplacian


@pytest.mark.parametrize("part", [3, 1 << 18])
def test_matrix_is_that_of_the_sum(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two atlases of 3×4 and 2×2 texels with two charts in the first, some texels left out."""
    monkeypatch.setattr(poisson, "TEXELS_AT_ONCE", part)
    first = np.array([[0, 0, 1, 1], [0, 0, 1, -1], [0, 0, 0, 0]], np.int32).reshape(-1)
    second = np.zeros(4, np.int32)
    near = np.array([0, 1, 2, 3, 5, 6, 8, 9, 10, 12, 13, 15])
    matrix = screened_laplacian([(3, 4), (2, 2)], near, [first, second], [1.5, 2.0])
    fade = np.where(near < len(first), 1.5, 2.0)
    pairs = [(0, 1), (2, 3), (1, 5), (2, 6), (5, 9), (8, 9), (9, 10), (12, 13), (13, 15)]
    c = np.random.default_rng(0).random(len(near))
    place = {int(texel): number for number, texel in enumerate(near)}
    energy = sum((c[place[a]] - c[place[b]]) ** 2 for a, b in pairs) + (c**2 / fade**2).sum()
    assert c @ (matrix @ c) == pytest.approx(energy, rel=1e-6)
    assert abs(matrix - matrix.T).max() == 0


def test_conjugate_gradients_solve() -> None:
    shape, count = (20, 30), 600
    matrix = screened_laplacian([shape], np.arange(count), [np.zeros(count, np.int32)], [3.0])
    other = matrix * np.float32(0.5)
    wanted = np.random.default_rng(0).random(count).astype(np.float32)
    found = conjugate_gradients([matrix, other], (matrix + other) @ wanted)
    assert np.abs(found - wanted).max() < 0.02
    assert not conjugate_gradients([matrix], np.zeros(count, np.float32)).any()
