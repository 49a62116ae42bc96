"""What tests share that began in test_reference_renderer.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from helpers.surfaces import quad
from meshstyle.io.types import Asset, Material, Paint, Part, Wrap

FRONT = np.array([0.0, 0.0, 1.0])


REPEAT = (Wrap.REPEAT, Wrap.REPEAT)


class FlatAsset:
    """One part, one material, at most one image: an Asset made by hand."""

    kind, path = "GLB", Path("made.glb")
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] | None = None

    def __init__(self, part: Part, material: Material, pixels: np.ndarray | None = None) -> None:
        self.parts: tuple[Part, ...] = (part,)
        self.materials: tuple[Material, ...] = (material,)
        self._pixels = pixels

    def image(self, index: int) -> np.ndarray:
        assert self._pixels is not None
        return self._pixels

    def image_name(self, index: int) -> str:
        return "picture"

    def image_size(self, index: int) -> tuple[int, int]:
        return self.image(index).shape[0], self.image(index).shape[1]

    def write(self, output: Path, paint: Paint) -> tuple[Path, ...]:
        raise NotImplementedError


def make(material: Material, pixels: np.ndarray | None = None, **part: Any) -> Asset:
    corners, uv = quad()
    return FlatAsset(Part("quad", 0, corners[None], uv=uv, **part), material, pixels)
