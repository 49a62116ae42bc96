"""Views: cameras, rays, sampling matrices and placement, on scenes small enough to check by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from helpers.surfaces import CPU, front, make_surface, quad

from meshstyle.bake.unique_below import unique_below
from meshstyle.config.model import Settings
from meshstyle.io.types import Wrap
from meshstyle.kernels.load import load_kernels
from meshstyle.prepare import prepare
from meshstyle.texture.spans import wrap_index
from meshstyle.texture.types import Surface
from meshstyle.views.cameras import DISTANCE, camera_towards_centre, fibonacci_sphere
from meshstyle.views.placement import place_cameras
from meshstyle.views.raytrace import Tracer
from meshstyle.views.sampling_matrix import SamplingMatrix, TexelTable, nearest_covered
from meshstyle.views.sparse_product import gather
from meshstyle.views.trace_views import trace_views
from meshstyle.views.view import AMBIENT, HEADLIGHT, View


def test_fibonacci_directions_are_unit_and_even() -> None:
    directions = fibonacci_sphere(12)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions[0, 1] == pytest.approx(1 - 1 / 12)
    assert np.abs(directions.mean(0)).max() < 0.05


def test_camera_projects_what_its_rays_pass() -> None:
    camera = camera_towards_centre(fibonacci_sphere(7)[2], 64)
    rows, columns = np.array([-10.5, 3.0]), np.array([7.5, -20.0])
    points = camera.eye + 2.5 * camera.directions(rows, columns)
    assert np.allclose(camera.project(points), np.stack([rows, columns], -1))
    assert np.allclose(camera.axes @ camera.axes.T, np.eye(3))
    assert np.linalg.det(camera.axes) == pytest.approx(-1)  # right, up, *forward*: a left-handed triple


def test_lookups_read_their_own_atlas_and_wrap_as_it_does() -> None:
    """At u = 0 the left taps lie beyond the border: on the other side, or on the border again."""
    texels = TexelTable([np.ones((2, 2), bool)] * 2, [(Wrap.REPEAT, Wrap.REPEAT), (Wrap.CLAMP, Wrap.CLAMP)])
    uv, level = np.array([[0.0, 0.25], [0.0, 0.25]]), np.array([0, 5])
    rows, weights = (np.stack(part, -1) for part in zip(*texels.levels.bilinear(uv, level), strict=True))
    assert rows.tolist() == [[1, 0, 3, 2], [4, 4, 6, 6]]
    assert weights.tolist() == [[0.5, 0.5, 0, 0]] * 2


def test_a_grid_of_rays_holds_the_same_rays() -> None:
    camera = camera_towards_centre(fibonacci_sphere(5)[1], 64)
    rows, columns = np.array([-3.5, 0.25]), np.array([-20.25, 0.0, 7.5])
    i, j = (index.reshape(-1) for index in np.indices((2, 3)))
    assert (camera.grid(rows, columns).reshape(-1, 3) == camera.directions(rows[i], columns[j])).all()


def test_framing_is_the_agreed_one() -> None:
    """0.9·R / sin 20°, field of view 40° over `size` pixels."""
    camera = front(256)
    assert np.linalg.norm(camera.eye) == pytest.approx(0.9 / math.sin(math.radians(20)))
    assert camera.pitch * 128 == pytest.approx(math.tan(math.radians(20)))


def test_wrapping_of_texel_indices() -> None:
    index = np.array([-5, -1, 0, 3, 4, 7, 8])
    assert wrap_index(index, 4, Wrap.REPEAT).tolist() == [3, 3, 0, 3, 0, 3, 0]
    assert wrap_index(index, 4, Wrap.MIRROR).tolist() == [3, 0, 0, 3, 3, 0, 0]
    assert wrap_index(index, 4, Wrap.CLAMP).tolist() == [0, 0, 0, 3, 3, 3, 3]


def test_picture_is_upright_and_not_mirrored() -> None:
    """Red, green / blue, white quarters of the texture come out in the same places of the front view."""
    tracer = Tracer(make_surface(*quad(), size=(8, 8)))
    texture = torch.zeros(3, 8, 8)
    texture[0, :4, :4] = 1
    texture[1, :4, 4:] = 1
    texture[2, 4:, :4] = 1
    texture[:, 4:, 4:] = 1
    texels = TexelTable([np.ones((8, 8), bool)], [(Wrap.CLAMP, Wrap.CLAMP)])
    hits = tracer.view(front(64), 2)
    assert hits is not None
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    picture = view.render(gather(texels, [texture])[view.texels], torch.zeros(3), shaded=False)[0]
    height, width = view.shape
    quarter = [(height // 3, width // 3), (height // 3, -width // 3), (-height // 3, width // 3)]
    for place, colour in zip(quarter, ([1, 0, 0], [0, 1, 0], [0, 0, 1]), strict=True):
        assert torch.allclose(picture[:, place[0], place[1]], torch.tensor(colour).float(), atol=1e-5)


def test_constant_texture_gives_shaded_constant_on_the_mask() -> None:
    tracer = Tracer(make_surface(*quad()))
    hits = tracer.view(front(48), 2)
    assert hits is not None
    texels = TexelTable([np.ones((8, 8), bool)], [(Wrap.REPEAT, Wrap.REPEAT)])
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    picture = view.render(torch.full((len(view.texels), 3), 0.5), torch.tensor([0.1, 0.2, 0.3]))
    centre = picture[0, :, view.shape[0] // 2, view.shape[1] // 2]
    assert torch.allclose(centre, torch.full((3,), 0.5 * (AMBIENT + HEADLIGHT)), atol=2e-3)
    assert torch.allclose(picture[0, :, 0, 0], torch.tensor([0.1, 0.2, 0.3]))
    assert float(view.mask.max()) == 1
    assert view.pixels_seen == pytest.approx(len(hits.pixel) / 4)


def test_what_pixels_show_is_linear_in_the_light_of_texels_and_its_gradient_exact() -> None:
    rng = np.random.default_rng(0)
    surface = make_surface(*quad(), size=(64, 64))  # far more texels than rays: mip levels are in use
    tracer = Tracer(surface)
    hits = tracer.view(camera_towards_centre(np.array([0.6, 0.0, 0.8]), 24), 2)
    assert hits is not None
    texels = TexelTable([np.ones((64, 64), bool)], [(Wrap.REPEAT, Wrap.MIRROR)])
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    t = torch.from_numpy(rng.random((len(view.texels), 3))).float().requires_grad_(True)
    weight = torch.from_numpy(rng.random((1, 3, *view.shape))).float()
    background = torch.zeros(3)

    def shown(light: torch.Tensor) -> torch.Tensor:
        return (view.compose(view.mix(light), background) * weight).sum()

    shown(t).backward()
    assert t.grad is not None
    for row in rng.integers(0, len(t), 5):  # linear: one finite difference of any size is exact
        moved = t.detach().clone()
        moved[row, 1] += 1
        change = shown(moved) - shown(t.detach())
        assert float(change) == pytest.approx(float(t.grad[row, 1]), abs=1e-4)


def test_minified_texture_is_averaged_not_aliased() -> None:
    """A one-texel checkerboard seen small is grey everywhere: half of white's light, which is sRGB 0.7354."""
    surface = make_surface(*quad(), size=(256, 256))
    tracer = Tracer(surface)
    hits = tracer.view(front(32), 2)
    assert hits is not None
    texels = TexelTable([np.ones((256, 256), bool)], [(Wrap.REPEAT, Wrap.REPEAT)])
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    checker = torch.from_numpy(np.indices((256, 256)).sum(0) % 2).float().expand(3, -1, -1)
    picture = view.render(gather(texels, [checker])[view.texels], torch.zeros(3), shaded=False)
    inside = picture[0, 0][view.mask[0, 0] == 1]
    half = 1.055 * 0.5 ** (1 / 2.4) - 0.055
    assert half == pytest.approx(0.7354, abs=1e-4)
    assert float((inside - half).abs().max()) < 0.02


def test_nothing_between_charts_bleeds_in() -> None:
    """Only the left half is covered: whatever the lookup, weights lie on covered texels and sum to 1."""
    covered = np.zeros((32, 32), bool)
    covered[:, :16] = True
    corners, uv = quad()
    uv = uv * [0.5, 1.0]
    tracer = Tracer(make_surface(corners, uv, size=(32, 32), covered=covered))
    hits = tracer.view(front(16), 2)
    assert hits is not None
    texels = TexelTable([covered], [(Wrap.REPEAT, Wrap.REPEAT)])
    assert texels.count == 512
    view = View(SamplingMatrix(hits, tracer, texels), CPU)
    ones = view.render(torch.ones(len(view.texels), 3), torch.zeros(3), shaded=False)
    assert torch.allclose(ones[0, 0], view.mask[0, 0], atol=1e-5)


def test_nearest_covered_of_a_hand_made_mask() -> None:
    mask = np.array([[True, False, False], [False, False, True]])
    assert nearest_covered(mask).tolist()[:3] in ([0, 0, 5], [0, 5, 5])
    assert nearest_covered(mask)[5] == 5
    texels = TexelTable([mask], [(Wrap.REPEAT, Wrap.REPEAT)])
    assert texels.count == 2
    assert set(texels.layouts[0].levels[0].reshape(-1).tolist()) == {0, 1}
    # Level 1 is one row of two texels: each is the mean of the one covered texel below it.
    assert texels.means(np.array([2, 3])).toarray().tolist() == [[1, 0], [0, 1]]


def test_cut_outs_let_rays_through() -> None:
    """A fully transparent quad before another one: the one behind is seen."""
    near, uv = quad(0.5)
    far, _ = quad(-0.5)
    corners, both = np.concatenate([near, far]), np.concatenate([uv, uv])
    for alpha, expected in ((0.0, {2, 3}), (1.0, {0, 1})):
        surface = make_surface(corners, both, alpha=np.full((8, 8), alpha, np.float32))
        cutoff = np.array([0.5, 0.5, 0, 0], np.float32)
        tracer = Tracer(Surface(**{**surface.__dict__, "alpha_cutoff": cutoff}))
        triangle, _, _ = tracer.first_hits(np.array([[0.1, 0.2, 5.0]]), np.array([[0.0, 0.0, -1.0]]))
        assert int(triangle[0]) in expected


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_any_unit_of_length_gives_the_same_picture(unit: float) -> None:
    corners, uv = quad()
    hits = Tracer(make_surface(corners * unit + 3 * unit, uv)).view(front(32), 2)
    reference = Tracer(make_surface(corners, uv)).view(front(32), 2)
    assert hits is not None
    assert reference is not None
    assert np.array_equal(hits.pixel, reference.pixel)
    assert np.allclose(hits.barycentric, reference.barycentric, atol=1e-3)


def test_a_sphere_is_seen_well_all_over_and_its_inside_not_at_all() -> None:
    outer, inner = trimesh.creation.icosphere(3), trimesh.creation.icosphere(2, radius=0.5)
    corners = np.concatenate([outer.triangles, inner.triangles])
    tracer = Tracer(make_surface(corners, np.zeros((len(corners), 3, 2))))
    placement = place_cameras(tracer, 14, seed=0)
    assert placement.seen_well > 0.99
    assert placement.visible == pytest.approx(outer.area / (outer.area + inner.area), abs=0.02)


def test_a_pit_gets_cameras_of_its_own() -> None:
    """Few even cameras miss a deep well's floor; the greedy ones find it."""
    well = trimesh.creation.annulus(r_min=0.3, r_max=0.5, height=1.0)
    floor = trimesh.creation.cylinder(0.3, 0.02)
    floor.apply_translation([0, 0, -0.45])
    corners = np.concatenate([well.triangles, floor.triangles])
    tracer = Tracer(make_surface(corners, np.zeros((len(corners), 3, 2))))
    few = place_cameras(tracer, 6, seed=0, extra=0)
    more = place_cameras(tracer, 6, seed=0)
    assert few.seen_well < 0.95
    assert more.seen_well > 0.99
    assert len(more.directions) > 6


def test_window_holds_the_whole_object_and_little_else() -> None:
    corners, uv = quad()
    hits = Tracer(make_surface(corners, uv)).view(front(64), 1)
    assert hits is not None
    # Half the diagonal is 1 bounding radius: the square's half side is 1/√2, seen from DISTANCE.
    side = 2 / math.sqrt(2) / DISTANCE / front(64).pitch
    assert all(side <= extent <= side + 16 for extent in hits.shape)
    assert all(extent % 8 == 0 for extent in hits.shape)


def same_lookups(ours: SamplingMatrix, theirs: SamplingMatrix) -> None:
    """Of one view: entries of the same places summed, whatever their order."""
    assert np.array_equal(ours.texels, theirs.texels)
    assert np.array_equal(ours.pixels, theirs.pixels)
    assert ours.coarse.shape == theirs.coarse.shape
    apart = abs(ours.matrix - theirs.matrix)
    assert float(apart.max()) < 1e-6
    assert ours.matrix.nnz <= theirs.matrix.nnz
    ours.matrix.has_canonical_format = False
    whole = ours.matrix.copy()
    whole.sum_duplicates()
    assert whole.nnz == ours.matrix.nnz  # each texel once a pixel


@pytest.mark.parametrize("across", list(Wrap))
@pytest.mark.parametrize("down", list(Wrap))
def test_compiled_lookups_are_numpys(across: Wrap, down: Wrap) -> None:
    """Beyond all borders, at three distances, so that several mip levels are read."""
    corners, uv = quad()
    tracer = Tracer(make_surface(corners, uv * 3.7 - 1.3, size=(13, 22)))
    texels = TexelTable([np.ones((13, 22), bool)], [(across, down)])
    program = load_kernels().program
    assert program is not None
    for size in (16, 40, 96):
        hits = tracer.view(camera_towards_centre(np.array([0.5, 0.1, 0.8]), size), 3)
        assert hits is not None
        same_lookups(SamplingMatrix(hits, tracer, texels, program), SamplingMatrix(hits, tracer, texels))


def test_compiled_lookups_of_a_model_with_several_atlases() -> None:
    model = Path(__file__).parents[1] / "data" / "tree_lowpoly" / "scene.gltf"
    scene = prepare(model, Settings(convolution="torch", texture_size=256, views=3), lambda _: None)
    traced = scene.trace(64)
    assert len(traced.texels.layouts) == 2
    compiled = trace_views(scene.tracer, scene.placement, 64, compiled=True)
    for ours, theirs in zip(compiled.lookups, traced.lookups, strict=True):
        same_lookups(ours, theirs)


def test_a_view_of_nothing_painted_reads_nothing() -> None:
    surface = make_surface(*quad())
    tracer = Tracer(replace(surface, atlas=np.full(2, -1, np.int32)))
    hits = tracer.view(front(32), 2)
    assert hits is not None
    texels = TexelTable([np.ones((8, 8), bool)], [(Wrap.REPEAT, Wrap.REPEAT)])
    for program in (None, load_kernels().program):
        found = SamplingMatrix(hits, tracer, texels, program)
        assert found.matrix.shape[0] == len(found.texels) == 0


@pytest.mark.parametrize("count", [0, 1, 500])
def test_distinct_numbers(count: int) -> None:
    numbers = np.random.default_rng(count).integers(0, 200, count)
    assert np.array_equal(unique_below(numbers, 200), np.unique(numbers))


def dense_means(masks: list[np.ndarray]) -> np.ndarray:
    """Of every mip level, cell by cell: 1/n in the n covered texels under it. Cells without any have no row."""
    first, rows = np.cumsum([0, *(int(mask.sum()) for mask in masks)]), []
    for offset, mask in zip(first, masks, strict=False):
        number = np.full(mask.shape, -1)
        number[mask] = np.arange(int(mask.sum())) + offset
        for step in (2, 4, 8, 16):
            for top, left in itertools.product(range(0, mask.shape[0], step), range(0, mask.shape[1], step)):
                under = number[top : top + step, left : left + step]
                under = under[under >= 0]
                if len(under):
                    row = np.zeros(first[-1])
                    row[under] = 1 / len(under)
                    rows.append(row)
    return np.stack(rows)


def test_mip_levels_are_means_of_what_is_covered_under_them() -> None:
    """Odd sizes, whose last cells have less under them, and two atlases, of which one is empty for the most part."""
    ragged = np.random.default_rng(0).random((5, 19)) < 0.6
    sparse = np.zeros((18, 3), bool)
    sparse[[0, 17], [2, 1]] = True
    texels = TexelTable([ragged, sparse], [(Wrap.REPEAT, Wrap.REPEAT)] * 2)
    wanted = dense_means([ragged, sparse])
    assert texels.stack == texels.count + len(wanted)
    every = np.arange(texels.count, texels.stack)
    assert np.allclose(texels.means(every).toarray(), wanted, atol=1e-6)
    for some in (every[::3], every[[1, 4, -1]], every[:0]):
        assert np.allclose(texels.means(some).toarray(), wanted[some - texels.count], atol=1e-6)
