"""Fresh UVs: xatlas in a child process with a time limit, and charts of our own where that fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from ..system.child_process import ChildError, Message, module_program, run_child
from .box_charts import box_atlas
from .normals import face_normals, weld
from .rasterize import layers, texel_area

PROGRAM = module_program("meshstyle.texture.xatlas_process")


@dataclass(frozen=True)
class Xatlas:
    """How xatlas is run.

    Attributes:
        program: what the child process runs (see `child_process.run_child`).
        seconds, seconds_per_triangle: its time limit.
        triangles: with more than this it is not tried: its time grows faster than their number (5,000: 1 s,
            40,000: 12 s, 100,000: minutes).
        memory: address space in bytes, where the system can limit it.
    """

    program: tuple[str, ...] = PROGRAM
    seconds: float = 30.0
    seconds_per_triangle: float = 6e-4
    triangles: int = 50_000
    memory: int = 4 << 30


XATLAS = Xatlas()
MAX_OVERLAP = 0.02  # share of covered texels: what xatlas lays out may cover itself this much
MAX_LOST = 0.005  # share of the surface that it may leave without UV area


class _XatlasError(Exception):
    """xatlas has not given usable UVs; the message is a clause that says why."""


def unwrap(
    corners: Float64[np.ndarray, "F 3 3"],
    group: Int64[np.ndarray, "F"],
    side: int,
    xatlas: Xatlas = XATLAS,
) -> tuple[Float64[np.ndarray, "F 3 2"], str]:
    """Lay triangles out in a square atlas, evenly by their area in world space.

    Every chart has 8 free texels around it (at 1024²); fewer only where there are so many charts that little
    else would be left.

    Args:
        corners: world space, one instance, finite; degenerate triangles are welcome.
        group: of each triangle, ascending 0..G-1; charts never cross from one to another (material borders).
        side: of the atlas in texels.

    Returns: UVs in 0..1 for every triangle, and a sentence for people where xatlas was of no use, else "".
    """
    corners = _normalised(corners)
    try:
        return _by_xatlas(corners, group, side, xatlas), ""
    except _XatlasError as failure:
        message = f"{failure}; simple box charts take its place."
        return box_atlas(corners, group, side), message


def _normalised(corners: Float64[np.ndarray, "F 3 3"]) -> Float64[np.ndarray, "F 3 3"]:
    """Into a unit box: xatlas reckons in single precision, with thresholds for models of about that size."""
    low = corners.reshape(-1, 3).min(axis=0)
    extent = np.ptp(corners.reshape(-1, 3), axis=0).max()
    return (corners - low) / (extent if extent > 0 else 1.0)


def _by_xatlas(
    corners: Float64[np.ndarray, "F 3 3"], group: Int64[np.ndarray, "F"], side: int, xatlas: Xatlas
) -> Float64[np.ndarray, "F 3 2"]:
    if len(corners) > xatlas.triangles:
        raise _XatlasError(f"{len(corners)} triangles are too many for xatlas")
    faces, positions, first_vertex = _indexed(corners, group)
    arrays: dict[str, np.ndarray] = {
        "corners": positions.astype(np.float32),
        "faces": faces.astype(np.uint32),
        "first_face": np.searchsorted(group, np.arange(len(first_vertex))),
        "first_vertex": first_vertex,
    }
    request = Message({"side": side, "memory": xatlas.memory}, arrays)
    uv = _answer(xatlas, request, xatlas.seconds + xatlas.seconds_per_triangle * len(corners), faces)
    return _checked(uv, corners, faces, side)


def _indexed(
    corners: Float64[np.ndarray, "F 3 3"], group: Int64[np.ndarray, "F"]
) -> tuple[Int64[np.ndarray, "F 3"], Float64[np.ndarray, "V 3"], Int64[np.ndarray, "_"]]:
    """Vertices shared within a group, those of each group together; where each group's begin, and their end."""
    key = weld(corners)
    stride = int(key.max()) + 1
    key = group[:, None] * stride + key
    vertex, first, faces = np.unique(key.reshape(-1), return_index=True, return_inverse=True)
    edges = np.arange(int(group[-1]) + 2) * stride
    return faces.reshape(-1, 3), corners.reshape(-1, 3)[first], np.searchsorted(vertex, edges)


def _answer(
    xatlas: Xatlas, request: Message, seconds: float, faces: Int64[np.ndarray, "F 3"]
) -> Float64[np.ndarray, "F 3 2"]:
    try:
        found = run_child(xatlas.program, request, seconds).arrays
        uv, vertex = found["uv"].astype(np.float64), found["vertex"]
    except ChildError as error:
        raise _XatlasError(f"xatlas {error}" + (f": {error.last_line}" if error.last_line else "")) from None
    except KeyError:
        raise _XatlasError("xatlas left no readable result") from None
    if uv.shape != (*faces.shape, 2) or not np.array_equal(vertex, faces):
        raise _XatlasError("xatlas left a result that does not match the mesh")
    if not (np.isfinite(uv).all() and uv.min() >= -1e-6 and uv.max() <= 1 + 1e-6):
        raise _XatlasError("xatlas left UVs outside the atlas")
    return np.clip(uv, 0.0, 1.0)


def _checked(
    uv: Float64[np.ndarray, "F 3 2"],
    corners: Float64[np.ndarray, "F 3 3"],
    faces: Int64[np.ndarray, "F 3"],
    side: int,
) -> Float64[np.ndarray, "F 3 2"]:
    """Refuse layouts that cover themselves or lose surface; place degenerate triangles it has dropped."""
    _, area = face_normals(corners)
    lost = texel_area(uv, (side, side)) < 1e-9
    if area[lost].sum() > MAX_LOST * area.sum():
        raise _XatlasError("xatlas left out a part of the surface")
    if lost.any():
        uv = _placed_beside(uv, faces, lost)
    count = layers(uv, (side, side))
    if np.count_nonzero(count > 1) > MAX_OVERLAP * np.count_nonzero(count):
        raise _XatlasError("xatlas laid charts over each other")
    return uv


def _placed_beside(
    uv: Float64[np.ndarray, "F 3 2"], faces: Int64[np.ndarray, "F 3"], lost: np.ndarray
) -> Float64[np.ndarray, "F 3 2"]:
    """Triangles without area become points where a neighbour has one of their vertices."""
    known = np.full((int(faces.max()) + 1, 2), np.nan)
    known[faces[~lost].reshape(-1)] = uv[~lost].reshape(-1, 2)
    options = known[faces[lost]]  # (L, 3, 2)
    chosen = np.isfinite(options[..., 0]).argmax(axis=1)
    point = options[np.arange(len(options)), chosen][:, None]
    uv = uv.copy()
    uv[lost] = np.where(np.isfinite(point), point, uv[lost])
    return uv
