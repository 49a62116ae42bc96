"""Coarser levels of detail (MSFT_lod) share the paint of what they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_compare import Gltf, assert_lossless
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker
from helpers.gltf_validator import assert_no_new_problems

from meshstyle.bake.bake import bake
from meshstyle.config.model import Settings
from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas
from meshstyle.texture.build import build_surface
from meshstyle.views.raytrace import Tracer


def with_levels(path: Path, own_material: bool = False) -> GltfAsset:
    """A square of two triangles; its coarser level is one triangle that stands where the square does."""
    maker = Maker(extensionsUsed=["MSFT_lod"])
    shared = maker.material(maker.texture(), name="shared")
    other = maker.material(maker.texture(), name="other") if own_material else shared
    fine = maker.mesh(maker.square(material=shared), nodes=0)
    attributes = {"POSITION": maker.positions(SQUARE[:3]), "TEXCOORD_0": maker.accessor(SQUARE_UV[:3])}
    coarse = maker.mesh({"attributes": attributes, "material": other}, nodes=0)
    level = maker.add("nodes", {"mesh": coarse})
    child = maker.add("nodes", {"mesh": fine, "extensions": {"MSFT_lod": {"ids": [level]}}})
    root = maker.add("nodes", {"children": [child], "translation": [5, 0, 0]})
    maker.json |= {"scenes": [{"nodes": [root]}], "scene": 0}
    return GltfAsset(maker.glb(path))


def test_a_level_stands_where_its_finest_does_and_is_not_shown(tmp_path: Path) -> None:
    asset = with_levels(tmp_path / "lod.glb")
    fine, coarse = asset.parts
    assert coarse.corners.shape == (0, 1, 3, 3)
    assert coarse.stand_in is not None
    np.testing.assert_allclose(coarse.stand_in[0], fine.corners[0, 0])
    surface = build_surface(asset, Settings(uv="unwrap", texture_size=128))
    tracer = Tracer(surface)
    triangle, _, _ = tracer.first_hits(
        tracer.frame.normalise(np.array([[5.7, 0.2, 9.0]])), np.array([[0, 0, -1.0]])
    )
    assert surface.part[triangle].tolist() == [0]


@pytest.mark.parametrize("uv", ["keep", "unwrap"])
def test_levels_get_the_paint(uv: str, tmp_path: Path) -> None:
    asset = with_levels(tmp_path / "lod.glb")
    surface = build_surface(asset, Settings(uv=uv, texture_size=128))
    (atlas,) = surface.atlases
    own = atlas.covered & (surface.part[atlas.owner] == 0)
    texture = np.zeros((128, 128, 3), np.float32)
    texture[own] = [0.2, 0.4, 0.6]
    result = bake(surface, [texture], [own])
    (image,) = result.images
    assert np.abs(image[atlas.covered].astype(int) - [51, 102, 153]).max() <= 1
    assert result.filled_share == (0.0,)
    output = tmp_path / "out.glb"
    save_asset(asset, output, Paint((PaintedAtlas("paint", image),), surface.painted))
    assert_lossless(tmp_path / "lod.glb", output)
    assert_no_new_problems(tmp_path / "lod.glb", output)
    materials = [item["primitives"][0]["material"] for item in Gltf(output).json["meshes"]]
    assert materials == [0, 0]


def test_levels_with_pictures_of_their_own_are_left_and_told_of(tmp_path: Path) -> None:
    asset = with_levels(tmp_path / "lod.glb", own_material=True)
    assert len(asset.parts) == 1
    (warning,) = asset.warnings
    assert "'other'" in warning


def test_materials_with_coarser_ones_are_told(tmp_path: Path) -> None:
    maker = Maker(extensionsUsed=["MSFT_lod"])
    coarse = maker.material(maker.texture(), name="coarse")
    fine = maker.material(maker.texture(), name="fine", extensions={"MSFT_lod": {"ids": [coarse]}})
    maker.mesh(maker.square(material=fine))
    (warning,) = GltfAsset(maker.glb(tmp_path / "lod.glb")).warnings
    assert "'fine'" in warning
