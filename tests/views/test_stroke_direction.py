"""Which way is up for a stroke: on the surface, and in pictures of it as an observer sees them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from helpers.surfaces import CPU, front, make_surface, quad

from meshstyle.config.model import STROKE_DIRECTIONS
from meshstyle.io.types import Wrap
from meshstyle.views.cameras import Camera, camera_towards_centre
from meshstyle.views.raytrace import Hits, Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.sparse_product import gather
from meshstyle.views.stroke_direction import ANY_WAY, UP, UPRIGHT, asked_turns, stroke_axis, turns_of
from meshstyle.views.training_views import WholeView
from meshstyle.views.view import View


def rolled(camera: Camera, degrees: float) -> Camera:
    """The same, turned about its line of sight: what was its up lies that far clockwise of its new up."""
    right, up, forward = camera.axes
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Camera(
        camera.eye, np.stack([cos * right + sin * up, cos * up - sin * right, forward]), camera.pitch
    )


def hits_of(tracer: Tracer, camera: Camera) -> Hits:
    hits = tracer.view(camera, 2)
    assert hits is not None
    return hits


def seen(tracer: Tracer, camera: Camera, axis: np.ndarray | None = UP) -> np.ndarray:
    """Shares by quarter turns of what one camera shows."""
    hits = hits_of(tracer, camera)
    turns, count = turns_of(hits, tracer, axis)
    assert count == len(hits.pixel)
    assert turns.sum() == pytest.approx(1)
    return turns


def tilted(degrees: float) -> Tracer:
    """The square, leaned back from the vertical by so much: at 90° it lies flat, its face up."""
    corners, uv = quad()
    turn = trimesh.transformations.rotation_matrix(-np.radians(degrees), [1, 0, 0])[:3, :3]
    return Tracer(make_surface(corners @ turn.T, uv))


def box(extents: tuple[float, float, float]) -> np.ndarray:
    return np.asarray(trimesh.creation.box(extents).triangles)


def untextured(corners: np.ndarray) -> Tracer:
    return Tracer(make_surface(corners, np.zeros((len(corners), 3, 2))))


def test_shape_is_the_axis_along_which_a_model_extends_most() -> None:
    assert np.allclose(stroke_axis(untextured(box((1, 2, 5))), "shape"), [0, 0, 1])
    assert np.allclose(stroke_axis(untextured(box((4, 1, 1))), "shape"), [1, 0, 0])
    aslant = box((1, 4, 1)) @ trimesh.transformations.rotation_matrix(np.pi / 6, [0, 0, 1])[:3, :3].T
    # Turned by 30° the long way is (−½, √3/2, 0); its larger part points up, whichever end was first.
    for corners in (aslant, -aslant[:, ::-1]):
        assert np.allclose(stroke_axis(untextured(corners), "shape"), [-0.5, 3**0.5 / 2, 0], atol=1e-6)


def test_how_a_plank_is_cut_into_triangles_does_not_turn_its_axis() -> None:
    """Two triangles, whose middles lie on a diagonal."""
    corners, _ = quad()
    assert np.allclose(stroke_axis(untextured(corners * [1, 3, 1]), "shape"), [0, 1, 0], atol=1e-9)


def test_up_and_free() -> None:
    tracer = untextured(box((1, 2, 5)))
    assert np.array_equal(stroke_axis(tracer, "up"), [0, 1, 0])
    assert stroke_axis(tracer, "free") is None
    assert set(STROKE_DIRECTIONS) == {"up", "shape", "free"}


def test_a_wall_from_the_front_is_upright() -> None:
    tracer = tilted(0)
    assert np.allclose(seen(tracer, front(32)), UPRIGHT, atol=1e-9)
    aside = camera_towards_centre(np.array([0.6, 0.0, 0.8]), 32)
    assert np.allclose(seen(tracer, aside), UPRIGHT, atol=1e-9)


def test_a_floor_from_above_is_any_way_and_so_is_everything_without_an_axis() -> None:
    above = camera_towards_centre(np.array([0.0, 1.0, 0.0]), 32)
    assert np.allclose(seen(tilted(90), above), ANY_WAY)
    assert np.allclose(seen(tilted(0), front(32), None), ANY_WAY)


def test_a_roof_is_upright_by_as_much_as_cameras_agree() -> None:
    """Of the axis a surface that rises by φ holds sin φ. Up to sin² φ = ¼ nothing is agreed on; at 45°, (½ − ¼)/¾, a
    third is, and the other two thirds are spread over all turns."""
    from_front = camera_towards_centre(np.array([0.0, 0.6, 0.8]), 32)
    assert np.allclose(seen(tilted(60.5), from_front), ANY_WAY)  # rises by 29.5°
    assert np.allclose(seen(tilted(45), from_front), [1 / 3 + 2 / 12, 2 / 12, 2 / 12, 2 / 12], atol=1e-6)


@pytest.mark.parametrize(
    ("degrees", "shares"),
    [
        (90, [0, 1, 0, 0]),
        (180, [0, 0, 1, 0]),
        (-90, [0, 0, 0, 1]),
        (45, [0.5, 0.5, 0, 0]),
        (30, [2 / 3, 1 / 3, 0, 0]),
        (-30, [2 / 3, 0, 0, 1 / 3]),
    ],
)
def test_a_rolled_camera_sees_the_wall_turned(degrees: float, shares: list[float]) -> None:
    assert np.allclose(seen(tilted(0), rolled(front(32), degrees)), shares, atol=1e-9)


def test_turned_clockwise_is_what_an_observer_sees() -> None:
    """A wall whose upper half is red, by a camera that is rolled so that the wall's up points to the right: red is on
    the right there, as in a painting that is turned clockwise by a quarter."""
    tracer, camera = tilted(0), rolled(front(32), 90)
    assert camera.project(np.array([[0.0, 0.5, 0.0]]))[0, 1] > 5  # what is higher lies further to the right
    hits = WholeView(0, camera, 32).trace(tracer, 2, UP)
    assert hits is not None
    texels = TexelTable([np.ones((8, 8), bool)], [(Wrap.CLAMP, Wrap.CLAMP)])
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    wall = torch.zeros(3, 8, 8)
    wall[0, :4] = 1
    picture = view.render(gather(texels, [wall])[view.texels], torch.zeros(3), shaded=False)[0]
    height, width = view.shape
    (quarter,) = np.flatnonzero(view.turns)
    turned = torch.rot90(wall, -int(quarter), (1, 2))
    for row in (height // 3, -height // 3):
        assert torch.allclose(picture[:, row, width // 3], turned[:, 4, 1], atol=1e-5)
        assert torch.allclose(picture[:, row, -width // 3], turned[:, 4, 6], atol=1e-5)
    assert float(picture[0, height // 2, -width // 3]) == pytest.approx(1, abs=1e-5)


def test_the_field_follows_another_axis() -> None:
    """Strokes along x: on a wall seen from the front that axis points to the right."""
    assert np.allclose(seen(tilted(0), front(32), np.array([1.0, 0, 0])), [0, 1, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        ([1, 0, 0, 0], [1, 0, 0, 0]),
        ([0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0]),
        ([0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]),
        ([0.85, 0.05, 0.05, 0.05], [1, 0, 0, 0]),  # a fifth of every turn is a little
        ([0.475, 0.175, 0.175, 0.175], [0.25, 0.25, 0.25, 0.25]),  # seven tenths are much
        # Six tenths of every turn are four fifths of the way: 0.8²·(3 − 1.6) = 0.896 of the picture.
        ([0.55, 0.15, 0.15, 0.15], [0.104 + 0.224, 0.224, 0.224, 0.224]),
    ],
)
def test_little_of_every_turn_is_left_out_and_much_is_all(found: list[float], asked: list[float]) -> None:
    assert asked_turns([(np.array(found, np.float64), 100.0)]) == pytest.approx(asked, abs=1e-6)


def test_parts_count_by_what_is_seen_of_them() -> None:
    sideways = np.array([0.0, 1.0, 0.0, 0.0])
    assert asked_turns([(UPRIGHT, 300.0), (sideways, 100.0)]) == pytest.approx([0.75, 0.25, 0, 0])
    assert asked_turns([(UPRIGHT, 0.0)]) == pytest.approx([0.25] * 4)
