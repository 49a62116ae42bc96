"""What tests share that began in test_texture_plan.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshstyle.io.types import Material, Paint, Part

SQUARE_UV = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 0], [1, 1], [0, 1]]], np.float64)


SQUARE = np.concatenate([SQUARE_UV, np.zeros((2, 3, 1))], axis=2)  # the same in the world, at z = 0


class HandMade:
    """An asset of parts made by hand; every image is `size` large and white, but for those in `images`."""

    path = Path("thing.glb")
    kind = "GLB"
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] | None = None

    def __init__(
        self,
        parts: Sequence[Part],
        materials: Sequence[Material] = (Material("plain"),),
        size: tuple[int, int] = (1024, 1024),
        images: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        self.parts, self.materials = tuple(parts), tuple(materials)
        self.size, self.images = size, images or {}

    def image(self, index: int) -> np.ndarray:
        return self.images.get(index, np.full((*self.size, 4), 255, np.uint8))

    def image_name(self, index: int) -> str:
        return f"image {index}"

    def image_size(self, index: int) -> tuple[int, int]:
        return self.size

    def write(self, output: Path, paint: Paint) -> tuple[Path, ...]:
        raise NotImplementedError


def moved(corners: np.ndarray, *by: float) -> np.ndarray:
    return corners + np.array(by)
