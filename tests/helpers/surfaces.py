"""What tests share that began in test_views.py."""

from __future__ import annotations

import numpy as np
import torch

from meshstyle.io.types import PaintedPart, Wrap
from meshstyle.texture.types import Atlas, AtlasPlan, Surface
from meshstyle.views.cameras import Camera, camera_towards_centre

CPU = torch.device("cpu")


def make_surface(
    corners: np.ndarray,
    uv: np.ndarray,
    size: tuple[int, int] = (8, 8),
    alpha: np.ndarray | None = None,
    covered: np.ndarray | None = None,
) -> Surface:
    count = len(corners)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    plan = AtlasPlan("paint", (0,), (0,), size, False, "", None)
    owner = np.zeros(size, np.int32) if covered is None else np.where(covered, 0, -1).astype(np.int32)
    atlas = Atlas(plan, (Wrap.REPEAT, Wrap.REPEAT), np.full((*size, 3), 0.5, np.float32), alpha, owner)
    return Surface(
        corners=corners.astype(np.float64),
        normals=np.repeat(normal[:, None], 3, 1),
        uv=uv.astype(np.float64),
        atlas=np.zeros(count, np.int32),
        alpha_cutoff=np.full(count, 0.0 if alpha is None else 0.5, np.float32),
        part=np.zeros(count, np.int32),
        triangle=np.arange(count, dtype=np.int32),
        atlases=(atlas,),
        painted=(PaintedPart(0),),
    )


def quad(z: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A square from (−1, −1) to (1, 1) that faces +z; its texture stands upright seen from +z."""
    a, b, c, d = ([-1, -1, z], [1, -1, z], [1, 1, z], [-1, 1, z])
    uv = {0: [0, 1], 1: [1, 1], 2: [1, 0], 3: [0, 0]}
    corners = np.array([[a, b, c], [a, c, d]], float)
    return corners, np.array([[uv[0], uv[1], uv[2]], [uv[0], uv[2], uv[3]]], float)


def front(size: int) -> Camera:
    return camera_towards_centre(np.array([0.0, 0.0, 1.0]), size)
