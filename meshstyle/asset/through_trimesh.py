"""Models without materials of their own (.ply, .stl, .off), read by trimesh; they are written as GLB or glTF."""

from __future__ import annotations

import io
import logging
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import trimesh
from jaxtyping import Float64, UInt8

from ..errors import AssetError, UsageError
from .as_glb import build_material, build_primitive, number_rows, number_uvs, write_glb_bytes
from .container import read_file
from .contract import Material, Paint, Part
from .gltf_build import BuildImage, BuildMesh, build_glb
from .obj_materials import srgb_to_linear
from .obj_model import MAX_COORDINATE, MAX_TRIANGLES

SUFFIXES = (".ply", ".stl", ".off")
MAX_BYTES = 120 * 2**20
MAX_TEXT_BYTES = 48 * 2**20  # trimesh makes a Python object of every word
_REMEDY = "Export the model again."
_PLY_ELEMENT = re.compile(rb"^element\s+(\S+)\s+(-?\d+)", re.MULTILINE)
_OFF_COUNTS = re.compile(rb"^\s*(?:ST|C|N|4|n)*OFF\b(?:\s|#[^\n]*)*(\d+)\s+(\d+)")


class TrimeshAsset:
    """A model as one part with one white material; satisfies `contract.Asset`.

    Vertex or face colours, where there are any, become vertex colours, taken as sRGB. UVs and pictures that
    PLY files may refer to are not read.
    """

    def __init__(self, path: Path) -> None:
        """Read a file. Raises AssetError."""
        self.path = path
        self.kind = path.suffix[1:].upper()
        data = read_file(path, path, MAX_BYTES)
        if len(data) > MAX_TEXT_BYTES and _is_text(data, path):
            limit = f"more than {MAX_TEXT_BYTES // 2**20} MiB of text"
            raise AssetError(path, f"it is {limit}", "Save it in the binary form of PLY or STL, or as GLB.")
        _check_counts(data, path)
        mesh = _load(data, path)
        _check_mesh(mesh, path)
        corners = np.asarray(mesh.vertices, np.float64)[mesh.faces]  # (F, 3, 3)
        self.materials: tuple[Material, ...] = (Material(path.stem, double_sided=True),)
        self.parts: tuple[Part, ...] = (Part(path.stem, 0, corners[None], colours=_colours(mesh)),)
        self.record: Mapping[str, Any] | None = None
        self.warnings: tuple[str, ...] = ()
        if re.search(rb"^comment\s+TextureFile", data[:4096], re.MULTILINE | re.IGNORECASE):
            self.warnings = ("The picture that the PLY file refers to was left aside.",)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files it was read from, which are never overwritten."""
        return (self.path,)

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """There is none."""
        raise IndexError(index)

    def image_name(self, index: int) -> str:
        """There is none."""
        raise IndexError(index)

    def image_size(self, index: int) -> tuple[int, int]:
        """There is none."""
        raise IndexError(index)

    def write(self, output: Path, paint: Paint) -> tuple[Path, ...]:
        """Write a .glb or .gltf. Raises OutputError, UsageError."""
        if output.suffix.lower() not in (".glb", ".gltf"):
            raise UsageError(
                str(output),
                f"{self.kind} files cannot hold a painted texture",
                "Give the output a name that ends in .glb or .gltf.",
            )
        (part,), (new,) = self.parts, paint.parts
        keys = number_rows(np.ascontiguousarray(part.corners[0].reshape(-1, 3)).view(np.int64))
        columns = [keys] if new is None or new.uv is None else [keys, number_uvs(new.uv).reshape(-1)]
        if part.colours is not None:
            columns.append(number_rows(np.ascontiguousarray(part.colours.reshape(-1, 4)).view(np.int64)))
        vertices = number_rows(np.stack(columns, axis=1)).reshape(-1, 3)
        primitive = build_primitive(part, np.arange(len(vertices)), vertices, new)
        images = [BuildImage.of(atlas, paint.image_format) for atlas in paint.atlases]
        material = build_material(self.materials[0], new, None)
        data = build_glb([BuildMesh(part.name, [primitive])], [material], images, paint.record)
        return write_glb_bytes(data, output, [self.path])


def _is_text(data: bytes, path: Path) -> bool:
    kind = path.suffix.lower()
    return kind == ".off" or (b"format ascii" in data[:200] if kind == ".ply" else data.startswith(b"solid"))


def _check_counts(data: bytes, path: Path) -> None:
    """Refuse counts that the file cannot hold, before memory is taken for them."""
    kind = path.suffix.lower()
    counts: list[int] = []
    if kind == ".ply":
        header, end, _ = data.partition(b"end_header")
        if not data.startswith(b"ply") or not end:
            raise AssetError(path, "it has no PLY header", _REMEDY)
        counts = [int(count[:20]) for _, count in _PLY_ELEMENT.findall(header)]
    elif kind == ".off" and (match := _OFF_COUNTS.match(data)):
        counts = [int(count[:20]) for count in match.groups()]
    elif kind == ".stl" and not data.lstrip().startswith(b"solid") and len(data) >= 84:
        counts = [84 + 50 * struct.unpack_from("<I", data, 80)[0]]
    if any(not 0 <= count <= len(data) for count in counts):
        raise AssetError(path, "it promises more vertices or faces than it holds", _REMEDY)


def _load(data: bytes, path: Path) -> trimesh.Trimesh:
    """Vertices and faces as they stand in the file. Whatever trimesh makes of damaged files is an AssetError."""
    log = logging.getLogger("trimesh")
    was_disabled = log.disabled
    log.disabled = True  # it would write to the user's terminal
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = trimesh.load(
                io.BytesIO(data), file_type=path.suffix[1:].lower(), process=False, skip_materials=True
            )
            meshes = loaded.dump() if isinstance(loaded, trimesh.Scene) else [loaded]
            meshes = [mesh for mesh in meshes if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
            if meshes:
                return cast(
                    trimesh.Trimesh, meshes[0] if len(meshes) == 1 else trimesh.util.concatenate(meshes)
                )
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        if isinstance(error, ImportError):  # trimesh guesses encodings with an optional package
            reason = "it is no text"
        raise AssetError(path, f"it is damaged or cut off ({reason})", _REMEDY) from error
    finally:
        log.disabled = was_disabled
    raise AssetError(path, "it has no faces", "Choose a model with a surface to paint.")


def _check_mesh(mesh: trimesh.Trimesh, path: Path) -> None:
    faces = np.asarray(mesh.faces)
    if faces.min() < 0 or faces.max() >= len(mesh.vertices):
        raise AssetError(path, f"a face has an index beyond the {len(mesh.vertices)} vertices", _REMEDY)
    if len(faces) > MAX_TRIANGLES:
        raise AssetError(
            path, f"it has {len(faces)} triangles, the limit is {MAX_TRIANGLES}", "Simplify the model."
        )
    used = np.asarray(mesh.vertices)[np.unique(faces)]
    if not (np.abs(used) <= MAX_COORDINATE).all():  # NaN compares as false
        raise AssetError(path, "a vertex is not three finite numbers", _REMEDY)


def _colours(mesh: trimesh.Trimesh) -> Float64[np.ndarray, "F 3 4"] | None:
    """Linear, of every corner; None where the file has none or all are white."""
    visual: Any = mesh.visual
    kind = getattr(visual, "kind", None)
    if kind == "vertex" and len(visual.vertex_colors) == len(mesh.vertices):
        rgba = np.asarray(visual.vertex_colors)[mesh.faces]
    elif kind == "face" and len(visual.face_colors) == len(mesh.faces):
        rgba = np.repeat(np.asarray(visual.face_colors)[:, None], 3, axis=1)
    else:
        return None
    colours = rgba.astype(np.float64) / 255.0
    colours[..., :3] = srgb_to_linear(colours[..., :3])
    return None if (colours == 1.0).all() else colours
