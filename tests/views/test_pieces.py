"""Pieces that get views of their own: which, with how many pixels, and how they lie in collages."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from helpers.surfaces import make_surface

from meshstyle.views.cameras import DISTANCE, fibonacci_sphere
from meshstyle.views.pieces import DIRECTIONS, LARGEST, MOST, SMALLEST, Piece, find_pieces
from meshstyle.views.placement import Placement
from meshstyle.views.raytrace import Tracer
from meshstyle.views.stroke_direction import UP
from meshstyle.views.training_views import (
    Collage,
    WholeView,
    make_training_views,
    numbers_of,
    piece_collages,
    whole_views,
)

SIZE = 64  # of whole views
UV = np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]])  # of every triangle: 0.32 of the atlas


def box(at: tuple[float, float, float], side: float = 1.0) -> np.ndarray:
    made = trimesh.creation.box((side, side, side))
    made.apply_translation(at)
    return np.asarray(made.triangles)


def ground(side: float = 10.0) -> np.ndarray:
    x = side / 2
    a, b, c, d = ([-x, 0, x], [x, 0, x], [x, 0, -x], [-x, 0, -x])
    return np.array([[a, b, c], [a, c, d]], float)


def scene(*parts: np.ndarray, texels: int = 64) -> Tracer:
    corners = np.concatenate(parts)
    return Tracer(make_surface(corners, np.tile(UV, (len(corners), 1, 1)), size=(texels, texels)))


def texels_across(texels: int) -> float:
    """Of the frame of a cube of side 1: the frame is 2·tan 20°·DISTANCE cube radii, √¾, wide; a triangle of area ½ has
    0.32·texels² texels."""
    return 2 * np.tan(np.radians(20)) * DISTANCE * np.sqrt(0.75) * np.sqrt(0.32 / 0.5) * texels


def placed(pieces: tuple[Piece, ...]) -> Placement:
    """Beside one whole view."""
    return Placement(np.array([[0.0, 0.0, 1.0]]), 1.0, 1.0, pieces=pieces)


def test_things_that_stand_apart_are_pieces() -> None:
    tracer = scene(box((-4, 0, 0)), box((4, 0, 0)))
    found = find_pieces(tracer, SIZE)
    assert [piece.alone for piece in found] == [True, True]
    assert sorted(tuple(piece.triangles) for piece in found) == [tuple(range(12)), tuple(range(12, 24))]
    radius = np.sqrt(4.5**2 + 0.5**2 + 0.5**2)  # of the model
    assert sorted(piece.centre[0] for piece in found) == pytest.approx([-4 / radius, 4 / radius])
    for piece in found:
        assert piece.radius == pytest.approx(np.sqrt(0.75) / radius)
        assert piece.pixels == pytest.approx(texels_across(64), abs=4)  # a pixel a texel, rounded to eights
        assert piece.frame_size(SIZE) == 64
        assert piece.style_size(SIZE) == 64


def test_coarse_ones_are_seen_well_enough_with_the_rest() -> None:
    """A cube's frame is 64·0.19 = 12 pixels of the whole view; with 8² texels it has 10.6 of those."""
    radius = np.sqrt(0.75) / np.sqrt(4.5**2 + 0.5**2 + 0.5**2)
    assert texels_across(8) < 1.3 * SIZE * radius < texels_across(64)
    assert find_pieces(scene(box((-4, 0, 0)), box((4, 0, 0)), texels=8), SIZE) == ()


def test_a_crate_on_a_wide_ground_is_a_piece_where_its_texels_are_dense() -> None:
    """What touches others needs four times as many texels as pixels, what stands apart 1.3 times: 26² texels, 34 across
    the crate's frame, which is 7.8 pixels wide, are enough for both, and 12², 15.9, for the second alone."""
    crate = SIZE * np.sqrt(0.75) / np.sqrt(50.25)
    assert 1.3 * crate < texels_across(12) < 4 * crate < texels_across(26)
    standing, floating = box((0, 0.5, 0)), box((0, 1.5, 0))
    for texels, pieces in ((64, 1), (26, 1), (12, 0)):
        found = find_pieces(scene(ground(), standing, texels=texels), SIZE)
        assert [tuple(piece.triangles) for piece in found] == [tuple(range(2, 14))] * pieces
    assert len(find_pieces(scene(ground(), floating, texels=12), SIZE)) == 1


def test_what_touches_and_is_of_like_size_is_one() -> None:
    """Two cubes in a row, that share no corner, and a third one far away."""
    found = find_pieces(scene(box((-4, 0, 0)), box((-3, 0.1, 0)), box((6, 0, 0))), SIZE)
    assert [len(piece.triangles) for piece in found] == [24, 12]


def test_a_model_of_one_piece_has_none() -> None:
    corners = np.asarray(trimesh.creation.icosphere(2).triangles)
    assert find_pieces(Tracer(make_surface(corners, np.tile(UV, (len(corners), 1, 1)))), SIZE) == ()
    assert find_pieces(scene(box((0, 0, 0), 2.0), box((0, 2, 0), 2.0)), SIZE) == ()  # one upon the other


@pytest.mark.parametrize(("texels", "alone"), [(64, True), (8, False)])
def test_what_is_hidden_is_looked_at_with_nothing_else_there(texels: int, alone: bool) -> None:
    """A cube in the middle of a closed box of eight times its size."""
    tracer = scene(box((0, 0, 0), 8.0), box((0, 0, 0)), texels=texels)
    (piece,) = find_pieces(tracer, SIZE)
    assert tuple(piece.triangles) == tuple(range(12, 24))
    assert piece.alone == alone
    # Strokes that go by the model's size, where nobody looks at it by itself; a frame of 8 pixels becomes 16.
    assert piece.frame_size(SIZE) == (64 if alone else 16)
    assert piece.style_size(SIZE) == 64
    eye, forward = np.array([[0.0, 0.0, 5.0]]), np.array([[0.0, 0.0, -1.0]])
    whole, _, far = tracer.first_hits(eye, forward)
    inside, _, near = piece.tracer(tracer).first_hits(eye, forward)
    assert whole[0] < 12 <= inside[0]
    assert near[0] > far[0]
    assert piece.tracer(tracer) is piece.tracer(tracer)
    assert np.array_equal(piece.tracer(tracer).corners, tracer.corners)  # one space
    for camera in piece.cameras(SIZE):
        hits = piece.tracer(tracer).view(camera, 2)
        assert hits is not None
        assert hits.triangle.min() >= 12
        assert max(hits.shape) <= piece.frame_size(SIZE) + 16  # framed as a whole model is


def test_the_largest_come_first_and_not_more_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST == 96
    monkeypatch.setattr("meshstyle.views.pieces.MOST", 2)
    tracer = scene(box((-6, 0, 0)), box((0, 0, 0), 1.5), box((6, 0, 0), 1.2))
    found = find_pieces(tracer, SIZE)
    assert [int(piece.triangles[0]) for piece in found] == [12, 24]


@pytest.mark.parametrize(
    ("pixels", "size", "frame"),
    [(1000, 256, 256), (1000, 2048, LARGEST), (88, 256, 80), (SMALLEST, 256, 64), (1000, 40, 32)],
)
def test_frames_are_as_large_as_texels_ask_for_and_views_are(pixels: int, size: int, frame: int) -> None:
    """Rounded down to what fills a row of the view, and to multiples of 16."""
    piece = Piece(np.arange(2), np.zeros(3), 0.1, pixels, True)
    assert piece.frame_size(size) == piece.style_size(size) == frame


def test_every_piece_is_shown_from_all_sides_and_beside_the_others() -> None:
    tracer = scene(box((-4, 0, 0)), box((4, 0, 0)), texels=64)
    placement = placed(find_pieces(tracer, 128))
    assert len(placement.pieces) == 2
    found = piece_collages(placement, 128)
    shown: dict[int, list[np.ndarray]] = {}
    for collage in found:
        assert max(collage.shape) <= 128
        assert collage.style_size == placement.pieces[0].style_size(128) == 64
        taken = np.zeros(collage.shape, int)
        owner = np.full(collage.shape, -1)
        for cutting in collage.cuttings:
            assert cutting.number is None
            assert cutting.piece is not None
            assert cutting.shape == (64, 64)  # two of them fill a row
            shown.setdefault(id(cutting.piece), []).append(cutting.camera.axes[2])
            part = np.s_[
                cutting.place[0] : cutting.place[0] + cutting.shape[0],
                cutting.place[1] : cutting.place[1] + cutting.shape[1],
            ]
            taken[part] += 1
            owner[part] = placement.pieces.index(cutting.piece)
        assert taken.max() == 1
        assert taken.sum() == 64 * 64 * len(collage.cuttings)  # none of it beyond the picture
        hits = collage.trace(tracer, 2, UP)
        assert hits is not None
        assert hits.style_size == 64
        assert hits.counted is not None
        assert hits.counted.all() == (taken.min() == 1)
        # In each tile nothing but its piece.
        of_pixel = owner.reshape(-1)[hits.pixel]
        for number, piece in enumerate(placement.pieces):
            assert set(hits.triangle[of_pixel == number]) <= set(piece.triangles.tolist())
    assert set(shown) == {id(piece) for piece in placement.pieces}
    for forwards in shown.values():
        assert np.allclose(np.sort(forwards, axis=0), np.sort(-fibonacci_sphere(DIRECTIONS), axis=0))


def test_pieces_with_strokes_of_other_sizes_do_not_share_pictures() -> None:
    pieces = tuple(Piece(np.arange(2), np.zeros(3), 0.1, pixels, True) for pixels in (64, 64, 96))
    found = piece_collages(placed(pieces), 256)
    sizes = {(collage.style_size, cutting.shape) for collage in found for cutting in collage.cuttings}
    assert sizes == {(64, (64, 64)), (80, (80, 80))}  # three of 96 do not fit a row of 256
    count = {size: sum(len(c.cuttings) for c in found if c.style_size == size) for size in (64, 80)}
    assert count == {64: 2 * DIRECTIONS, 80: DIRECTIONS}


def test_looks_hold_pieces_after_whole_views_unless_those_alone_are_wanted() -> None:
    tracer = scene(box((-4, 0, 0)), box((4, 0, 0)))
    placement = placed(find_pieces(tracer, 128))
    looks = make_training_views(placement, 128)
    assert isinstance(looks[0], WholeView)
    assert len(looks) > 1
    assert all(isinstance(look, Collage) for look in looks[1:])
    assert whole_views(looks) == 1
    assert numbers_of(looks) == [0]  # the views of pieces are none of the placement's directions
    assert [type(look) for look in make_training_views(placement, 128, whole=True)] == [WholeView]
