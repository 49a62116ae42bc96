"""Paintings without colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import Maker
from PIL import Image

from meshstyle.io.gltf.asset import GltfAsset
from meshstyle.style.gray import grey, is_grey
from meshstyle.stylize_model import stylize


def test_greys_are_told_from_colours() -> None:
    light = np.random.default_rng(0).random((1, 1, 16, 16), dtype=np.float32)
    plain = np.repeat(light, 3, axis=1)
    assert is_grey(plain)
    assert is_grey(plain + np.array([0.0, 0.005, -0.005], np.float32)[:, None, None])  # as JPEG leaves it
    assert not is_grey(plain * np.array([1.0, 0.9, 0.8], np.float32)[:, None, None])  # sepia


def test_luminance_in_all_channels() -> None:
    assert grey(np.array([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]])) == pytest.approx(
        np.array([[[0.299] * 3, [0.5] * 3]])
    )


def test_a_grey_painting_makes_grey_paint(tmp_path: Path) -> None:
    maker = Maker()
    maker.mesh(maker.square(material=maker.material(maker.texture())))
    light = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(light).save(tmp_path / "grey.png")
    source = maker.glb(tmp_path / "in.glb")
    stylize(
        source, tmp_path / "grey.png", tmp_path / "out.glb", preset="draft", iterations=2, texture_size=64
    )
    pixels = GltfAsset(tmp_path / "out.glb").image(0)[..., :3].astype(int)
    assert (pixels.max(axis=-1) - pixels.min(axis=-1)).max() <= 1
