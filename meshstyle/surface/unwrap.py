"""Fresh UVs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from .normals import weld


def unwrap(
    corners: Float64[np.ndarray, "F 3 3"], group: Int64[np.ndarray, "F"], resolution: int
) -> tuple[Float64[np.ndarray, "F 3 2"], str]:
    """First version: xatlas alone."""
    scaled = corners - corners.reshape(-1, 3).min(axis=0)
    scaled = scaled / (np.ptp(scaled.reshape(-1, 3), axis=0).max() or 1.0)
    faces = weld(np.concatenate([scaled, np.zeros((0, 3, 3))]))
    faces = faces + 0
    stacked = np.concatenate([scaled, np.repeat(group[:, None, None], 3, axis=1).astype(float)], axis=2)
    flat, index = np.unique(stacked.reshape(-1, 4)[:, [3, 0, 1, 2]], axis=0, return_inverse=True)
    faces = index.reshape(-1, 3)
    edges = np.arange(group.max() + 2)
    with tempfile.TemporaryDirectory() as folder:
        mesh, result = Path(folder, "mesh.npz"), Path(folder, "result.npz")
        np.savez(
            mesh,
            corners=flat[:, 1:].astype(np.float32),
            faces=faces.astype(np.uint32),
            first_face=np.searchsorted(group, edges),
            first_vertex=np.searchsorted(flat[:, 0], edges),
            padding=16,
            resolution=resolution,
            memory=4 << 30,
        )
        script = Path(__file__).with_name("xatlas_child.py")
        subprocess.run([sys.executable, "-P", str(script), str(mesh), str(result)], check=True, timeout=60)
        with np.load(result) as found:
            return found["uv"].astype(np.float64) / found["size"], ""
