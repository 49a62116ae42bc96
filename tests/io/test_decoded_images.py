"""Images are decoded once, as long as they fit, and nobody's changes reach the others."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.gltf_samples import Maker

from meshstyle.io.decoded_images import DecodedImages
from meshstyle.io.gltf import ktx2
from meshstyle.io.gltf.asset import GltfAsset

SIDE = 4  # pixels; an image has 64 bytes


class Decoder:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def get(self, images: DecodedImages, index: int) -> np.ndarray:
        def decode() -> np.ndarray:
            self.calls.append(index)
            return np.full((SIDE, SIDE, 4), index, np.uint8)

        return images.get(index, decode)


def test_what_was_asked_for_last_is_kept() -> None:
    images, decoder = DecodedImages(kept_bytes=2 * 64), Decoder()
    for index in (0, 1, 0, 1, 2, 1, 0):  # 2 takes the room of 0, then 0 that of 2
        assert (decoder.get(images, index) == index).all()
    assert decoder.calls == [0, 1, 2, 0]


def test_images_that_are_too_large_are_not_kept() -> None:
    images, decoder = DecodedImages(kept_bytes=63), Decoder()
    for _ in range(2):
        decoder.get(images, 5)
    assert decoder.calls == [5, 5]


def test_they_cannot_be_changed_and_are_not_sent_along() -> None:
    images, decoder = DecodedImages(), Decoder()
    with pytest.raises(ValueError, match="read-only"):
        decoder.get(images, 0)[:] = 1
    decoder.get(pickle.loads(pickle.dumps(images)), 0)
    assert decoder.calls == [0, 0]


def test_a_base_colour_that_may_be_black_is_decoded_once(tmp_path: Path, monkeypatch: Any) -> None:
    maker = Maker()
    black = maker.texture(source=maker.image((0, 0, 0)))
    material = maker.material(black, emissiveTexture={"index": black}, emissiveFactor=[1, 1, 1])
    maker.mesh(maker.square(material=material))
    decoded: list[int] = []
    real = ktx2.decode_image

    def counting(data: bytes, subject: str | Path) -> np.ndarray:
        decoded.append(len(data))
        return real(data, subject)

    monkeypatch.setattr(ktx2, "decode_image", counting)
    asset = GltfAsset(maker.glb(tmp_path / "black.glb"))
    assert asset.base_colours[0].emissive
    assert len(decoded) == 1
    assert asset.image(0).max() == 255  # alpha
    assert len(decoded) == 1
