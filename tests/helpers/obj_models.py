"""Small OBJ models for the tests, and a reader of OBJ text that shares nothing with meshstyle's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshstyle.io.images import encode_png
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart

# Red, green over blue, white: top left, top right, bottom left, bottom right.
FOUR = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)

QUAD = """\
# a square
mtllib quad.mtl
o Square
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
s off
usemtl paper
f 1/1/1 2/2/1 3/3/1 4/4/1
"""
QUAD_MTL = """\
# one material
newmtl paper
Ns 10
Kd 0.5 0.5 0.5
map_Kd four.png
"""


def write_quad(folder: Path, obj: str = QUAD, mtl: str | None = QUAD_MTL) -> Path:
    (folder / "quad.obj").write_text(obj, encoding="utf-8", newline="")
    if mtl is not None:
        (folder / "quad.mtl").write_text(mtl, encoding="utf-8", newline="")
    (folder / "four.png").write_bytes(encode_png(FOUR))
    return folder / "quad.obj"


def read_obj(folder: Path, obj: str, **files: str | bytes) -> ObjAsset:
    """Write files (`__` in a keyword stands for the dot) and read `model.obj`."""
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    (folder / "model.obj").write_bytes(obj.encode())
    return ObjAsset(folder / "model.obj")


def paint(asset: ObjAsset, unwrap: bool = False, channels: int = 3) -> Paint:
    """All parts in one atlas of noise. `unwrap`: every triangle gets the same corner of it."""
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, channels), np.uint8)
    corner = np.array([[0.25, 0.125], [0.5, 0.125], [0.25, 0.375]])
    parts = tuple(
        PaintedPart(0, np.broadcast_to(corner, (*part.corners.shape[1:3], 2)).copy() if unwrap else None)
        for part in asset.parts
    )
    return Paint((PaintedAtlas("paint", pixels),), parts, {"seed": 7})


@dataclass
class PlainObj:
    """An OBJ read line by line, as its specification has it."""

    positions: list[list[float]]
    uvs: list[list[float]]
    normals: list[list[float]]
    faces: list[list[tuple[int, int | None, int | None]]]
    materials: list[str]
    rest: list[str]

    def uv_corners(self, face: int) -> list[list[float] | None]:
        return [None if uv is None else self.uvs[uv] for _, uv, _ in self.faces[face]]


def read_plainly(path: Path, encoding: str = "utf-8") -> PlainObj:
    found = PlainObj([], [], [], [], [], [])
    material = ""
    text = path.read_bytes().decode(encoding).replace("\\\r\n", " ").replace("\\\n", " ")
    for line in text.splitlines():
        words = line.split(" #")[0].split()
        tables = {"v": found.positions, "vt": found.uvs, "vn": found.normals}
        if words and words[0] in tables:
            tables[words[0]].append([float(word) for word in words[1:]])
        elif words and words[0] == "f":
            counts = (len(found.positions), len(found.uvs), len(found.normals))
            found.faces.append([_corner(word, counts) for word in words[1:]])
            found.materials.append(material)
        else:
            material = line.partition(" ")[2].strip() if words and words[0] == "usemtl" else material
            found.rest.append(line)
    return found


def _corner(word: str, counts: tuple[int, int, int]) -> tuple[int, int | None, int | None]:
    indices = [int(part) if part else 0 for part in word.split("/")] + [0, 0]
    position, uv, normal = (
        None if index == 0 else index - 1 if index > 0 else count + index
        for index, count in zip(indices, counts, strict=False)
    )
    assert position is not None
    return position, uv, normal
