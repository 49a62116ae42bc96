"""Collages: what cameras beyond the even ones were added for, and nothing else of their views."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from helpers.surfaces import make_surface, quad

from meshstyle.config.model import PRESETS, Preset, Scale, Settings
from meshstyle.optimize.texture import TextureSolver
from meshstyle.style.vgg import VGG19
from meshstyle.style.vgg_weights import load_weights
from meshstyle.texture.shelf_pack import shelf_pack
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.placement import Placement, place_cameras
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable
from meshstyle.views.stroke_direction import UP
from meshstyle.views.trace_views import trace_views
from meshstyle.views.training_views import (
    Collage,
    WholeView,
    collages,
    make_training_views,
    numbers_of,
    whole_views,
)
from meshstyle.views.view import View

CPU = torch.device("cpu")
EVEN = 6


@pytest.fixture(scope="module")
def pits() -> tuple[Tracer, Placement]:
    """Two deep wells side by side: few even cameras see their floors."""
    parts = []
    for x in (-0.6, 0.6):
        well, floor = trimesh.creation.annulus(0.3, 0.5, 1.0), trimesh.creation.cylinder(0.3, 0.02)
        floor.apply_translation([0, 0, -0.45])
        for part in (well, floor):
            part.apply_translation([x, 0, 0])
            parts.append(part.triangles)
    corners = np.concatenate(parts)
    uv = np.tile(np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]), (len(corners), 1, 1))
    tracer = Tracer(make_surface(corners, uv, size=(32, 32)))
    return tracer, place_cameras(tracer, EVEN, seed=0)


def test_each_added_camera_knows_what_it_was_added_for(pits: tuple[Tracer, Placement]) -> None:
    tracer, placement = pits
    assert len(placement.added) == len(placement.directions) - EVEN > 0
    assert all(len(points) for points in placement.added)
    every = np.concatenate(placement.added)
    assert len(np.unique(every, axis=0)) == len(every)  # each point is one camera's
    assert place_cameras(tracer, EVEN, seed=0, extra=0).added == ()


@pytest.mark.parametrize("size", [64, 128, 200])
def test_all_of_that_lies_where_collages_count(pits: tuple[Tracer, Placement], size: int) -> None:
    _, placement = pits
    found = {(c, cutting) for c in collages(placement, size) for cutting in c.cuttings}
    for number, points in enumerate(placement.added, start=EVEN):
        spots = camera_towards_centre(placement.directions[number], size).project(points)
        inside = np.zeros(len(points), bool)
        for collage, cutting in found:
            if cutting.number == number:
                low = np.array(cutting.corner) + collage.border
                high = np.array(cutting.corner) + cutting.shape - collage.border
                inside |= ((spots >= low) & (spots <= high)).all(1)
        assert inside.all()


@pytest.mark.parametrize("size", [64, 128])
def test_cuttings_lie_beside_each_other(pits: tuple[Tracer, Placement], size: int) -> None:
    for collage in collages(pits[1], size):
        taken = np.zeros(collage.shape, int)
        for cutting in collage.cuttings:
            assert all(side % 8 == 0 for side in cutting.shape)
            (top, left), (height, width) = cutting.place, cutting.shape
            part = taken[top : top + height, left : left + width]
            assert part.shape == cutting.shape  # none of it beyond the picture
            part += 1
        assert taken.max() == 1


def test_a_cutting_shows_what_the_whole_view_shows_there(pits: tuple[Tracer, Placement]) -> None:
    tracer, placement = pits
    texels = TexelTable([np.ones((32, 32), bool)], [tracer.surface.atlases[0].wrap])
    paint = torch.rand(texels.count, 3, generator=torch.Generator().manual_seed(0))
    black = torch.zeros(3)
    (collage, *_) = collages(placement, 96)
    hits = collage.trace(tracer, 2, UP)
    assert hits is not None
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    picture = view.render(paint[view.texels], black)[0]
    for cutting in collage.cuttings:
        number = cutting.number
        assert number is not None
        whole = WholeView(number, cutting.camera, 96).trace(tracer, 2, UP)
        assert whole is not None
        there = View(SamplingMatrix(whole, tracer, texels), CPU)
        theirs = there.render(paint[there.texels], black)[0]
        # What both show: from the later beginning to the earlier end.
        low = np.maximum(cutting.corner, whole.corner)
        high = np.minimum(np.add(cutting.corner, cutting.shape), np.add(whole.corner, whole.shape))
        (a, b), (c, d) = low - cutting.corner + cutting.place, high - cutting.corner + cutting.place
        (e, f), (g, h) = low - whole.corner, high - whole.corner
        assert float((picture[:, a:c, b:d] - theirs[:, e:g, f:h]).abs().max()) < 1e-5
        assert (high > low).all()


def test_the_surroundings_are_shown_and_do_not_count(pits: tuple[Tracer, Placement]) -> None:
    tracer, placement = pits
    texels = TexelTable([np.ones((32, 32), bool)], [tracer.surface.atlases[0].wrap])
    (collage, *_) = collages(placement, 96)
    hits = collage.trace(tracer, 2, UP)
    assert hits is not None
    assert hits.counted is not None
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    shown = torch.zeros(collage.shape)
    shown.view(-1)[view.pixels] = view.pixel_coverage[:, 0]
    inner = torch.zeros(collage.shape)
    for cutting in collage.cuttings:
        (top, left), (height, width) = (
            np.add(cutting.place, collage.border),
            np.subtract(cutting.shape, 2 * collage.border),
        )
        inner[top : top + height, left : left + width] = 1
    assert torch.equal(view.mask[0, 0], shown * inner)
    assert float(shown.sum()) > 1.2 * float(view.mask.sum())
    assert float(view.texel_use.sum()) == pytest.approx(float(view.mask.sum()), rel=1e-3)


def test_whole_views_come_first_and_alone_where_they_are_asked_for(pits: tuple[Tracer, Placement]) -> None:
    tracer, placement = pits
    looks = make_training_views(placement, 64)
    assert [type(look) for look in looks[:EVEN]] == [WholeView] * EVEN
    assert {type(look) for look in looks[EVEN:]} == {Collage}
    assert whole_views(looks) == EVEN
    assert numbers_of(looks) == list(range(len(placement.directions)))
    whole = make_training_views(placement, 64, whole=True)
    assert [look.numbers for look in whole] == [(n,) for n in range(len(placement.directions))]
    traced = trace_views(tracer, placement, 64)
    assert traced.looks[-1].numbers == looks[-1].numbers
    assert len(traced.looks) == len(traced.lookups) == len(traced.hits)


def test_no_collage_without_crevices() -> None:
    tracer = Tracer(make_surface(*quad()))
    placement = place_cameras(tracer, EVEN, seed=0)
    assert placement.added == ()
    assert collages(placement, 64) == []


def test_places_far_apart_are_cut_out_one_by_one_and_near_ones_together() -> None:
    direction = np.array([[0.0, 0.0, 1.0]])
    left, right = np.array([[-0.8, 0.0, 0.0]]), np.array([[0.8, 0.0, 0.0]])

    def cuttings(*points: np.ndarray) -> list[tuple[int, int]]:
        placement = Placement(direction, 1.0, 1.0, (np.concatenate(points),))
        return sorted(cutting.shape for one in collages(placement, 128) for cutting in one.cuttings)

    # A point: 2 pixels that count and 8 of surroundings on each side, up to a multiple of 8.
    assert cuttings(left) == [(24, 24)]
    assert cuttings(left, right) == [(24, 24), (24, 24)]
    near = left + np.array([0.05, 0.0, 0.0])
    assert len(cuttings(left, near)) == 1


def test_many_cuttings_make_pictures_no_larger_than_a_view() -> None:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    added = tuple(rng.uniform(-0.5, 0.5, (8, 3)) for _ in directions)
    found = collages(Placement(directions, 1.0, 1.0, added), 128)
    assert len(found) > 3
    assert all(max(collage.shape) <= 128 for collage in found)
    assert numbers_of(found) == list(range(40))


def test_one_large_cutting_is_a_picture_of_its_own_size() -> None:
    wide = np.array([[x, 0.0, 0.0] for x in np.linspace(-0.99, 0.99, 40)])
    (found,) = collages(Placement(np.array([[0.0, 0.0, 1.0]]), 1.0, 1.0, (1.4 * wide,)), 128)
    assert found.shape[1] > 128
    assert found.cuttings[0].shape == found.shape


def test_shelves_hold_all_boxes_without_overlap() -> None:
    box = np.random.default_rng(1).integers(1, 9, (60, 2)).astype(float)
    height, place = shelf_pack(box, 20)
    taken = np.zeros((int(height), 20), int)
    for (x, y), (w, h) in zip(place.astype(int), box.astype(int), strict=True):
        taken[y : y + h, x : x + w] += 1
    assert taken.sum() == box.prod(1).sum()
    assert taken.max() == 1
    assert shelf_pack(box, 20, 10.0)[0] == np.inf


def test_cuttings_are_ordered_by_pixel(pits: tuple[Tracer, Placement]) -> None:
    tracer, placement = pits
    for collage in collages(placement, 96):
        hits = collage.trace(tracer, 2, UP)
        assert hits is not None
        assert (np.diff(hits.pixel) >= 0).all()
        alone = [replace(collage, cuttings=(cutting,)).trace(tracer, 2, UP) for cutting in collage.cuttings]
        assert len(hits.pixel) == sum(len(one.pixel) for one in alone if one is not None)
        for one, other in itertools.combinations(alone, 2):
            if one is not None and other is not None:
                assert not set(one.pixel) & set(other.pixel)


@pytest.mark.parametrize(
    ("views", "crevices", "steps"),
    [
        (14, 0, [30, 24]),  # what the preset reckons with
        (14, 7, [45, 36]),  # each of 21 pictures as often as each of 14
        (4, 7, [30, 24]),  # 11 pictures: fewer than it reckons with
        (28, 0, [40, 40]),  # of many views each is looked at less often, but 1.4 times at least
        (28, 2, [42, 42]),
    ],
)
def test_collages_add_steps_as_they_add_pictures(
    views: int, crevices: int, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each crevice is as large as a view, and so a collage of its own. The preset is one of 14 views."""
    monkeypatch.setitem(PRESETS, "standard", Preset((Scale(128, 30), Scale(256, 24)), views=14))
    corners = np.array([[[-1.0, -1, 0], [1, -1, 0], [0, 1, 0]]])
    tracer = Tracer(make_surface(corners, np.zeros((1, 3, 2))))
    wide = np.array([[-0.9, -0.9, 0.0], [0.9, 0.9, 0.0]])
    full = np.stack([wide[0] + t * (wide[1] - wide[0]) for t in np.linspace(0, 1, 99)])
    placement = Placement(np.tile([0.0, 0.0, 1.0], (views + crevices, 1)), 1.0, 1.0, (full,) * crevices)
    network, painting = VGG19(load_weights()), torch.rand(1, 3, 32, 32)
    solver = TextureSolver(tracer, placement, painting, network, Settings(views=views))
    assert [scale.steps for scale in solver._scales()] == steps
