"""Which triangle owns which texel: cases small enough to draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meshstyle.io.types import Wrap
from meshstyle.texture.rasterize import layers, rasterize, texel_area

REPEAT, MIRROR, CLAMP = ((w, w) for w in (Wrap.REPEAT, Wrap.MIRROR, Wrap.CLAMP))

# A square of two triangles that meet on the diagonal from the top right to the bottom left.
SQUARE = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 0], [1, 1], [0, 1]]], np.float64)


def test_two_triangles_share_a_square_and_the_first_wins_the_diagonal() -> None:
    owner = rasterize(SQUARE, (4, 4)).owner
    # The diagonal's centres (row + column = 3) lie on the shared edge: a tie, which the lower index wins.
    expected = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]]
    assert owner.tolist() == expected


def test_barycentrics_interpolate_to_the_texel_centre() -> None:
    texels = rasterize(SQUARE, (4, 4))
    # Texel (0, 0) is centred at (⅛, ⅛): ¾ of the corner (0, 0), ⅛ each of (1, 0) and (0, 1).
    assert texels.barycentric[0, 0] == pytest.approx([0.75, 0.125, 0.125])
    place = np.einsum("hwk,hwkc->hwc", texels.barycentric, SQUARE[texels.owner])
    column, row = np.meshgrid((np.arange(4) + 0.5) / 4, (np.arange(4) + 0.5) / 4)
    np.testing.assert_allclose(place, np.stack([column, row], axis=-1), atol=1e-6)


def test_winding_does_not_matter() -> None:
    assert (rasterize(SQUARE[:, ::-1], (4, 4)).owner == rasterize(SQUARE, (4, 4)).owner).all()


def test_only_conservative_coverage_claims_texels_without_their_centre() -> None:
    # From (0.1, 0.1) to (0.9, 0.15) of an 8×8 atlas: rows 0.8..1.2, a sliver through texels of rows 0 and 1.
    sliver = np.array([[[0.1, 0.1], [0.9, 0.15], [0.12, 0.12]]])
    assert (rasterize(sliver, (8, 8), conservative=False).owner == -1).all()
    owner = rasterize(sliver, (8, 8)).owner
    assert owner[0].tolist() == [0, 0, 0, 0, -1, -1, -1, -1]  # its upper edge leaves row 0 at x = 4
    assert owner[1].tolist() == [-1, -1, 0, 0, 0, 0, 0, 0]  # its lower edge enters row 1 at x = 2 or so
    assert (owner[2:] == -1).all()


def test_a_texel_touched_by_two_goes_to_the_nearer_one() -> None:
    # In texel (0, 0) of a 1×1 atlas: a sliver at distance 0.3 from the centre, then one at distance 0.1.
    far = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.19]]
    near = [[0.1, 0.6], [0.9, 0.6], [0.5, 0.61]]
    assert rasterize(np.array([far, near]), (1, 1)).owner.tolist() == [[1]]
    assert rasterize(np.array([near, far]), (1, 1)).owner.tolist() == [[0]]
    # The nearest point on `near` is the middle of its first edge.
    assert rasterize(np.array([near, far]), (1, 1)).barycentric[0, 0] == pytest.approx([0.5, 0.5, 0.0])


def test_a_triangle_of_no_area_holds_the_texel_it_lies_in() -> None:
    point = np.full((1, 3, 2), 0.6)
    expected = np.full((4, 4), -1)
    expected[2, 2] = 0
    assert (rasterize(point, (4, 4)).owner == expected).all()


def test_triangles_that_are_not_finite_own_nothing() -> None:
    broken = SQUARE.copy()
    broken[0, 1, 0] = np.nan
    assert set(np.unique(rasterize(broken, (4, 4)).owner)) == {-1, 1}


def test_absurd_uvs_neither_fail_nor_take_long() -> None:
    for wrap in (REPEAT, MIRROR, CLAMP):
        owner = rasterize(np.concatenate([SQUARE * 1e300, SQUARE * 5e5, SQUARE]), (8, 8), wrap).owner
        assert (owner >= 2).all()


@pytest.mark.parametrize("shift", [(1, 0), (-3, 2), (0.5, 0.25)])
def test_repeating_images_wrap_around(shift: tuple[float, float]) -> None:
    # Moving UVs by half an image rolls the texels by half the atlas.
    rolled = np.roll(rasterize(SQUARE, (4, 4)).owner, (round(4 * shift[1]), round(4 * shift[0])), axis=(0, 1))
    moved = rasterize(SQUARE + np.array(shift), (4, 4), REPEAT).owner
    assert (moved == rolled)[rolled == 0].all()  # ties on the diagonal aside, which rounding may decide
    assert (moved >= 0).all()


def test_a_mirrored_image_reads_backwards_outside() -> None:
    strip = np.array([[[1.0, 0], [1.25, 0], [1.25, 1]], [[1.0, 0], [1.25, 1], [1.0, 1]]])
    owner = rasterize(strip, (4, 4), MIRROR).owner
    assert (owner[:, :3] == -1).all()
    assert (owner[:, 3] >= 0).all()  # 1..1.25 reads what 0.75..1 reads


def test_a_clamped_image_gives_its_border_to_what_lies_outside() -> None:
    outside = SQUARE + np.array([0.0, 2.0])
    owner = rasterize(outside, (4, 4), CLAMP).owner
    assert (owner[:3] == -1).all()
    assert (owner[3] == 0).all()  # triangle 0 has the upper edge, which is nearer


def test_layers_count_triangles_but_not_at_shared_edges() -> None:
    twice = np.concatenate([SQUARE, SQUARE[:1]])
    count = layers(twice, (4, 4))
    assert count.tolist() == [[2, 2, 2, 0], [2, 2, 0, 1], [2, 0, 1, 1], [0, 1, 1, 1]]


def test_a_triangle_that_laps_itself_counts_as_layers() -> None:
    # Two images wide, one high: every texel is read from two places.
    wide = np.array([[[0, 0], [2, 0], [2, 1]], [[0, 0], [2, 1], [0, 1]]], np.float64)
    assert (layers(wide, (3, 3), REPEAT, tolerance=0.0) >= 2).all()


def test_texel_area() -> None:
    assert texel_area(SQUARE, (4, 8)).tolist() == [16.0, 16.0]


def test_one_triangle_may_cover_a_large_atlas() -> None:
    cover = np.array([[[-1.0, -1.0], [3.0, -1.0], [-1.0, 3.0]]])
    assert (rasterize(cover, (2048, 1024), CLAMP).owner == 0).all()


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (5, 3, 2), elements=st.floats(-0.2, 1.2)), st.sampled_from([REPEAT, MIRROR, CLAMP]))
def test_owners_by_brute_force(uv: np.ndarray, wrap: tuple[Wrap, Wrap]) -> None:
    """Every texel against every triangle, one at a time, for triangles inside the atlas."""
    uv = np.clip(uv, 0.0, 1.0)
    found = rasterize(uv, (6, 5), wrap, conservative=False).owner
    scaled = uv * np.array([5.0, 6.0])
    for row, column in np.ndindex(6, 5):
        signed = np.array([_edge_distances(t, column + 0.5, row + 0.5) for t in scaled])
        clear_inside = np.flatnonzero(signed > 1e-6)
        clear_outside = np.flatnonzero(signed < -1e-6)
        if len(clear_inside) + len(clear_outside) == len(uv):
            assert found[row, column] == (clear_inside[0] if len(clear_inside) else -1)


def _edge_distances(triangle: np.ndarray, x: float, y: float) -> float:
    """Least distance to the edges' lines, positive inside; far outside for flat triangles."""
    a, b = triangle[1] - triangle[0], triangle[2] - triangle[0]
    area = a[0] * b[1] - a[1] * b[0]
    if abs(area) < 1e-9:
        return -1.0
    distances = []
    for k in range(3):
        p, q = triangle[k], triangle[(k + 1) % 3]
        edge = q - p
        inward = (edge[0] * (y - p[1]) - edge[1] * (x - p[0])) * np.sign(area)
        distances.append(inward / np.hypot(*edge))
    return min(distances)
