"""Painted models of other formats as OBJ: geometry, groups by material, normals, UVs, a library and its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64

from ...srgb import to_srgb
from ..atomic_write import write_all
from ..gltf.build import FAR
from ..images import encode, encode_png
from ..obj.earlier import EarlierOutput, free_library
from ..obj.mtl import format_record
from ..replace_files import numbered
from ..safe_paths import file_stem
from ..types import Asset, Paint, PaintedPart, Part, Wrap


@dataclass(frozen=True)
class _Use:
    """A material as it is written: with its own picture (atlas None) or with paint."""

    material: int
    atlas: int | None


def write_as_obj(asset: Asset, output: Path, paint: Paint, sources: Sequence[Path]) -> tuple[Path, ...]:
    """Write OUTPUT, its material library and the pictures. Raises OutputError, PictureError.

    Every instance is written where it stands at rest. `sources` are never overwritten.
    """
    uses = [
        _Use(part.material, None if new is None else new.atlas)
        for part, new in zip(asset.parts, paint.parts, strict=True)
    ]
    names = _names(asset, uses)
    protected = frozenset(path.resolve() for path in (output, *sources))
    wanted = output.with_name(f"{paint.stem(output)}.mtl")
    earlier = EarlierOutput.find(output, wanted, protected)
    files: dict[Path, bytes] = {}
    stale: list[Path] = []
    pictures: dict[tuple[str, int], str] = {}
    for use in names:
        image = asset.materials[use.material].image
        key = ("atlas", use.atlas) if use.atlas is not None else ("image", -1 if image is None else image)
        if key[1] >= 0 and key not in pictures:
            name, suffix, data = _picture(asset, paint, key)
            picture = output.with_name(f"{paint.stem(output)}_{file_stem(name)}{suffix}")
            path = next(path for path in numbered(picture) if path not in files and earlier.frees(path, data))
            files[path], pictures[key] = data, path.name
            stale += earlier.leaves(picture, ())
    content = _library(asset, paint, names, pictures)
    library = earlier.place_library(free_library(wanted, protected), content, files)
    stale = [path for path in stale if path not in files] + list(earlier.left_library(library))
    files[library] = content
    model = _model(asset, paint, [names[use] for use in uses], library.name)
    return write_all({output: model, **files}, sources, stale)


def _names(asset: Asset, uses: Iterable[_Use]) -> dict[_Use, str]:
    """A name of its own, on one line, for each material."""
    found: dict[_Use, str] = {}
    for use in uses:
        base = " ".join(asset.materials[use.material].name.split()) or f"material {use.material}"
        name, number = base, 1
        while name in found.values():
            number += 1
            name = f"{base} {number}"
        found.setdefault(use, name)
    return found


def _picture(asset: Asset, paint: Paint, key: tuple[str, int]) -> tuple[str, str, bytes]:
    """Name, suffix and bytes."""
    kind, number = key
    if kind == "atlas":
        encoded = encode(paint.atlases[number].pixels, paint.image_format)
        return paint.atlases[number].name, encoded.suffix, encoded.data
    pixels = asset.image(number)
    return (
        asset.image_name(number),
        ".png",
        encode_png(pixels if pixels[..., 3].min() < 255 else pixels[..., :3]),
    )


def _library(
    asset: Asset, paint: Paint, names: dict[_Use, str], pictures: dict[tuple[str, int], str]
) -> bytes:
    lines: list[str] = []
    for use, name in names.items():
        material = asset.materials[use.material]
        image = -1 if material.image is None else material.image
        painted = use.atlas is not None
        red, green, blue = (1.0,) * 3 if painted else to_srgb(np.array(material.factor[:3]))
        lines += ["", f"newmtl {name}", f"Kd {red:.6g} {green:.6g} {blue:.6g}"]
        if material.alpha_mode == "BLEND" and material.factor[3] < 1:
            lines.append(f"d {material.factor[3]:.6g}")
        picture = pictures.get(("atlas", use.atlas) if use.atlas is not None else ("image", image))
        if picture is not None:
            clamp = "-clamp on " if not painted and Wrap.CLAMP in material.wrap else ""
            lines.append(f"map_Kd {clamp}{picture}")
            if material.alpha_mode != "OPAQUE" and _has_alpha(asset, paint, use, image):
                lines.append(f"map_d {clamp}-imfchan m {picture}")
    return format_record(paint.record) + "\n".join([*lines, ""]).encode("utf-8")


def _has_alpha(asset: Asset, paint: Paint, use: _Use, image: int) -> bool:
    if use.atlas is not None:
        return paint.atlases[use.atlas].pixels.shape[2] == 4
    return bool(asset.image(image)[..., 3].min() < 255)


def _model(asset: Asset, paint: Paint, names: list[str], library: str) -> bytes:
    """The text; vertices, texture vertices and normals of each part before its faces."""
    text = ["# written by meshstyle", f"mtllib {library}"]
    counts = np.zeros(3, np.int64)  # v, vt, vn so far
    far = _far(asset.parts)
    for part, new, name in zip(asset.parts, paint.parts, names, strict=True):
        for instance in range(part.corners.shape[0]):
            text += [f"g {' '.join(part.name.split())}", f"usemtl {name}"]
            text += _instance(part, new, instance, counts, 15 if far else 9)
    return ("\n".join(text) + "\n").encode("utf-8")


def _far(parts: Sequence[Part]) -> bool:
    """Whether single precision, and its nine digits, would bend the model."""
    points = [part.corners.reshape(-1, 3) for part in parts if part.corners.size]
    if not points:
        return False
    low, high = (
        np.min([p.min(axis=0) for p in points], axis=0),
        np.max([p.max(axis=0) for p in points], axis=0),
    )
    return bool(np.abs([low, high]).max() > FAR * (high - low).max())


def _instance(
    part: Part, new: PaintedPart | None, instance: int, counts: Int64[np.ndarray, "3"], digits: int
) -> list[str]:
    """Statements of one instance; `counts` goes on."""
    turned = part.mirrored is not None and bool(part.mirrored[instance])
    order = [2, 1, 0] if turned else [0, 1, 2]  # counter-clockwise seen from the front
    uv = part.uv if new is None or new.uv is None else new.uv
    columns: list[tuple[str, Float[np.ndarray, "F 3 C"] | None]] = [
        ("v", _positions(part, new, instance)),
        ("vt", None if uv is None else np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1)),
        ("vn", None if part.normals is None else part.normals[instance]),
    ]
    lines: list[str] = []
    indices: list[Any] = []
    for number, (keyword, values) in enumerate(columns):
        if values is None:
            indices.append(None)
            continue
        table, index = np.unique(values[:, order].reshape(-1, values.shape[2]), axis=0, return_inverse=True)
        width = digits if keyword == "v" else 9
        lines += [f"{keyword} " + " ".join(f"{x:.{width}g}" for x in row) for row in table.tolist()]
        indices.append((index.reshape(-1, 3) + counts[number] + 1).tolist())
        counts[number] += len(table)
    place, texture, normal = indices
    for face in range(len(place)):
        corners = [
            _corner(place[face][k], texture and texture[face][k], normal and normal[face][k])
            for k in range(3)
        ]
        lines.append("f " + " ".join(corners))
    return lines


def _corner(place: int, texture: int | None, normal: int | None) -> str:
    if texture is None and normal is None:
        return str(place)
    return f"{place}/{texture or ''}" + (f"/{normal}" if normal else "")


def _positions(part: Part, new: PaintedPart | None, instance: int) -> Float64[np.ndarray, "F 3 C"]:
    """Return positions with the vertex colours, as sRGB, of parts that are not painted."""
    if new is not None or part.colours is None:
        return part.corners[instance]
    return np.concatenate([part.corners[instance], to_srgb(part.colours[..., :3])], axis=-1)
