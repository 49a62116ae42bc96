"""Where regions lie: borders, masks, and what lies over what, on squares that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.surfaces import make_surface, quad

from meshstyle.config.styles import Region
from meshstyle.errors import UsageError
from meshstyle.io.images import encode_png
from meshstyle.io.types import Material, Part, Wrap
from meshstyle.texture.rasterize import rasterize
from meshstyle.texture.regions import SurfaceSamples, check_region, enlarged, region_weights, stacked
from meshstyle.texture.types import Surface

SIDE = 64
SIZE = 2 * np.sqrt(2)  # diagonal of the square
CLAMPED = (
    Wrap.CLAMP,
    Wrap.CLAMP,
)  # one triangle is half of the image: a repeated one would have two places for it


def square() -> tuple[Any, Surface]:
    """A square of two materials: its two triangles are two parts, one on either side of the diagonal."""
    corners, uv = quad()
    surface = make_surface(corners, uv, size=(SIDE, SIDE))
    owner = rasterize(uv, (SIDE, SIDE), CLAMPED).owner
    surface = replace(
        surface,
        atlases=(replace(surface.atlases[0], owner=owner, wrap=CLAMPED),),
        part=np.array([0, 1], np.int32),
        triangle=np.zeros(2, np.int32),
    )
    parts = tuple(
        Part(f"part {n}", n, corners[n : n + 1][None], uv=uv[n : n + 1], names=(f"Node{n}",)) for n in (0, 1)
    )
    return asset_of(parts), surface


def asset_of(parts: tuple[Part, ...]) -> Any:
    return SimpleNamespace(
        path=Path("square.glb"),
        kind="GLB",
        materials=(Material("Hull"), Material("Sail")),
        parts=parts,
        warnings=(),
        record=None,
        image=lambda index: np.zeros((SIDE, SIDE, 4), np.uint8),
        image_name=lambda index: "",
        image_size=lambda index: (SIDE, SIDE),
    )


def weights(region: Region, border: float = 0.0) -> np.ndarray:
    asset, surface = square()
    samples = SurfaceSamples.of(surface)
    found = region_weights(asset, surface, samples, region, border)
    return samples.maps(found)[0]


@pytest.mark.parametrize(
    "region", [Region("material", "sa*"), Region("part", "Node1"), Region("material", "Sail")]
)
def test_a_material_or_a_part_is_its_triangles(region: Region) -> None:
    """The second triangle lies above the diagonal from the lower left to the upper right: row + column < 63."""
    found = weights(region)
    row, column = np.indices((SIDE, SIDE))
    away = np.abs(row - (SIDE - 1 - column)) > 1
    assert np.array_equal(found[away] > 0.5, (column < SIDE - 1 - row)[away])
    assert set(np.unique(found)) == {0.0, 1.0}


def test_a_border_is_as_wide_as_it_is_stated() -> None:
    """A tenth of the diagonal wide: from 0.05·2.83 = 0.14 units on either side of the diagonal it is 0 and 1."""
    found = weights(Region("material", "Sail"), 0.1)
    row, column = np.indices((SIDE, SIDE))
    signed = (
        (SIDE - 1 - row - column) * (2 / SIDE) / np.sqrt(2)
    )  # units from the diagonal, positive on the Sail's side
    texel = 2 / SIDE
    assert (found[signed > 0.05 * SIZE + texel] == 1).all()
    assert (found[signed < -0.05 * SIZE - texel] == 0).all()
    ramp = np.abs(signed) < 0.03 * SIZE
    x = signed[ramp] / (0.1 * SIZE) + 0.5
    assert np.abs(found[ramp] - x * x * (3 - 2 * x)).max() < 0.12  # distances go by whole texels


def test_opposite_sides_of_a_thin_plate_do_not_mix() -> None:
    """Two squares back to back, nearer to each other than the border is wide."""
    near, uv = quad(0.01)
    far, _ = quad(-0.01)
    corners = np.concatenate([near, far[:, ::-1]])
    both = np.concatenate([uv * [0.5, 1], uv[:, ::-1] * [0.5, 1] + [0.5, 0]])
    surface = make_surface(corners, both, size=(SIDE, SIDE))
    owner = rasterize(both, (SIDE, SIDE), CLAMPED).owner
    part = np.array([0, 0, 1, 1], np.int32)
    surface = replace(surface, atlases=(replace(surface.atlases[0], owner=owner, wrap=CLAMPED),), part=part)
    surface = replace(surface, triangle=np.array([0, 1, 0, 1], np.int32))
    parts = tuple(Part("", n, corners[2 * n : 2 * n + 2][None], uv=both[2 * n : 2 * n + 2]) for n in (0, 1))
    samples = SurfaceSamples.of(surface)
    found = region_weights(asset_of(parts), surface, samples, Region("material", "Sail"), 0.1)
    assert set(np.unique(found)) == {0.0, 1.0}


def test_a_mask_is_read_through_the_models_own_uvs(tmp_path: Path) -> None:
    """White on its left half, smaller than the texture: half as large is as good, with a note."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 255
    path = tmp_path / "mask.png"
    path.write_bytes(encode_png(pixels))
    asset, surface = square()
    asset.materials = tuple(replace(material, image=0) for material in asset.materials)
    samples, notes = SurfaceSamples.of(surface), []
    found = region_weights(asset, surface, samples, Region("mask", str(path)), 0.0, notes.append)
    expected = np.zeros((SIDE, SIDE))
    expected[:, : SIDE // 2] = 1
    assert np.array_equal(samples.maps(found)[0], expected)
    assert notes == ["mask.png is 32×32 pixels, unlike the model's textures, and is scaled to their UVs."]


def test_a_grey_mask_keeps_its_gradient(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 255, SIDE).astype(np.uint8)[None, :, None], SIDE, axis=0)
    path = tmp_path / "mask.png"
    path.write_bytes(encode_png(np.repeat(ramp, 3, axis=2)))
    assert weights(Region("mask", str(path)), 0.2)[5] == pytest.approx(np.linspace(0, 1, SIDE), abs=0.02)


def test_a_vertex_attribute_marks_a_region() -> None:
    """1 at two corners of the first triangle, along the lower edge, and 0 elsewhere."""
    asset, surface = square()
    first = replace(asset.parts[0], style_mask=np.array([[1.0, 1.0, 0.0]]))
    asset.parts = (first, asset.parts[1])
    samples = SurfaceSamples.of(surface)
    found = samples.maps(region_weights(asset, surface, samples, Region("attribute", "_STYLE"), 0.0))[0]
    assert found[-1, SIDE // 2 :] == pytest.approx(1, abs=0.05)
    assert found[0] == pytest.approx(0, abs=0.05)
    assert found[SIDE // 2, -1] == pytest.approx(0.5, abs=0.05)


def test_what_lies_nowhere_is_told(tmp_path: Path) -> None:
    path = tmp_path / "black.png"
    path.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(UsageError, match="no white anywhere"):
        weights(Region("mask", str(path)))
    asset, _ = square()
    with pytest.raises(UsageError, match=r"no part is called X\. The parts are: Node0, Node1"):
        check_region(asset, Region("part", "X"))


def test_the_last_layer_is_on_top_and_all_sum_to_one() -> None:
    first, second = np.array([1, 1, 0, 0], np.float32), np.array([1, 0, 0.5, 0], np.float32)
    base, *layers = stacked([first, second])
    assert layers[1].tolist() == [1, 0, 0.5, 0]
    assert layers[0].tolist() == [0, 1, 0, 0]
    assert base.tolist() == [0, 0, 0.5, 1]


def test_maps_of_weights_grow_and_shrink() -> None:
    small = np.array([[0, 1], [0, 1]], np.float32)
    assert enlarged(small, (2, 2)) is small
    assert enlarged(small, (8, 8))[0].tolist() == sorted(enlarged(small, (8, 8))[0].tolist())
