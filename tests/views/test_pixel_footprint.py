"""Anisotropic lookups: where a pixel's footprint lies on the texture, and what is read there."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.rendering import FRONT, REPEAT, make
from helpers.surfaces import quad

from meshstyle.io.types import Material
from meshstyle.texture.filtering import anisotropic, bilinear, mip_levels, trilinear
from meshstyle.views.cameras import camera_towards_centre
from meshstyle.views.pixel_footprint import uv_gradients, uv_steps
from meshstyle.views.reference_renderer import Renderer

SIDE = 64


def test_gradients_of_a_square() -> None:
    """u grows by ½ a unit of x, v by −½ a unit of y; nothing grows across the square."""
    corners, uv = quad()
    gradients = uv_gradients(corners, uv)
    assert np.allclose(gradients, [[[0.5, 0, 0], [0, -0.5, 0]]] * 2)
    assert np.allclose(uv_gradients(corners[:, [0, 0, 0]], uv), 0)


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("direction", [(0, 0, 1), (0.8, 0.1, 0.59), (-0.2, 0.93, 0.31)])
def test_steps_are_differences_between_neighbouring_rays(direction: tuple[float, ...], side: int) -> None:
    """Exact derivatives against half the difference between the rays on both sides."""
    renderer = Renderer(make(Material("m", image=0), np.full((4, 4, 4), 255, np.uint8)))
    tracer = renderer.tracer
    camera = camera_towards_centre(np.array(direction) / np.linalg.norm(direction), SIDE)
    hits = tracer.view(camera, side, frame=(SIDE, SIDE))
    assert hits is not None
    found = uv_steps(
        hits, np.arange(len(hits.pixel)), tracer, uv_gradients(tracer.corners, renderer.scene.uv)
    )
    uv = np.einsum("nk,nkc->nc", hits.barycentric, renderer.scene.uv[hits.triangle])
    # Rays on a grid: those of a pixel follow each other, row by row.
    grids = []
    full = np.bincount(hits.pixel, minlength=SIDE * SIDE)[hits.pixel] == side**2
    number = np.arange(len(uv)) - np.searchsorted(hits.pixel, hits.pixel)
    row = hits.pixel // SIDE * side + number // side
    column = hits.pixel % SIDE * side + number % side
    for values in (uv, found.reshape(-1, 4)):
        grid = np.full((SIDE * side, SIDE * side, values.shape[1]), np.nan)
        grid[row[full], column[full]] = values[full]
        grids.append(grid)
    places, steps = grids
    across = (places[1:-1, 2:] - places[1:-1, :-2]) / 2
    down = (places[2:, 1:-1] - places[:-2, 1:-1]) / 2
    expected = np.concatenate([across, down], -1)
    known = np.isfinite(expected).all(-1) & np.isfinite(steps[1:-1, 1:-1]).all(-1)
    assert known.sum() > 100
    error = np.abs(expected - steps[1:-1, 1:-1])[known]
    assert error.max() < 0.01 * np.abs(expected[known]).max()


def noise() -> list[np.ndarray]:
    return mip_levels(np.random.default_rng(0).random((64, 64, 3)).astype(np.float32))


PLACES = np.random.default_rng(1).random((500, 2))


def steps(across: tuple[float, float], down: tuple[float, float]) -> np.ndarray:
    """In texels of 64, the same at all places."""
    return np.broadcast_to(np.array([across, down]) / 64, (len(PLACES), 2, 2)).copy()


@pytest.mark.parametrize("texels", [0.5, 1.0, 3.0, 40.0, 1000.0])
def test_an_isotropic_footprint_is_a_trilinear_lookup(texels: float) -> None:
    """Whichever way it is turned."""
    expected = trilinear(noise(), PLACES, np.full(500, texels), REPEAT)
    for angle in (0.0, 0.7):
        cos, sin = texels * np.cos(angle), texels * np.sin(angle)
        found = anisotropic(noise(), PLACES, steps((cos, sin), (-sin, cos)), REPEAT)
        assert np.allclose(found, expected, atol=1e-5)
    if texels <= 1:
        assert np.allclose(expected, bilinear(noise()[0], PLACES, REPEAT), atol=1e-6)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_stretched_footprint_averages_along_its_longer_axis(swapped: bool) -> None:
    """Eight texels wide and one high: stripes across it become grey, stripes along it stay."""
    stripes = np.zeros((64, 64, 1), np.float32)
    stripes[:, ::2] = 1
    long, short = (8.0, 0.0), (0.0, 1.0)
    footprint = steps(short, long) if swapped else steps(long, short)
    across = anisotropic(mip_levels(stripes), PLACES, footprint, REPEAT)
    assert np.allclose(across, 0.5, atol=1e-5)
    lying = stripes.swapaxes(0, 1).copy()
    along = anisotropic(mip_levels(lying), PLACES, footprint, REPEAT)
    assert np.allclose(along, bilinear(lying, PLACES, REPEAT), atol=1e-5)
    # An isotropic lookup at the longer axis' level sees neither.
    assert np.allclose(anisotropic(mip_levels(lying), PLACES, footprint, REPEAT, most=1), 0.5, atol=1e-5)


def test_more_than_eight_to_one_reads_a_coarser_level() -> None:
    """32 texels by one: eight lookups, each of a level whose texels are four wide."""
    lying = np.zeros((64, 64, 1), np.float32)
    lying[::2] = 1
    found = anisotropic(mip_levels(lying), PLACES, steps((32, 0), (0, 1)), REPEAT)
    assert np.allclose(found, 0.5, atol=1e-5)
    assert np.isfinite(anisotropic(mip_levels(lying), PLACES, steps((32, 0), (32, 0)), REPEAT)).all()
    assert np.isfinite(anisotropic(mip_levels(lying), PLACES, steps((0, 0), (0, 0)), REPEAT)).all()


def test_far_checkers_are_as_bright_as_half_of_the_light() -> None:
    """Half the light of white is 0.735 in sRGB, not 0.5."""
    pixels = np.full((256, 256, 4), 255, np.uint8)
    pixels[..., :3] = (np.indices((256, 256)).sum(0) % 2 * 255)[..., None]
    image = Renderer(make(Material("m", image=0), pixels)).render(
        camera_towards_centre(FRONT, 32), 1, frame=(32, 32), lit=False
    )
    assert image is not None
    assert image.colour[16, 16] == pytest.approx([0.7354] * 3, abs=1e-3)
