"""What is drawn: all triangles of an asset, in world space, gathered by material."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from ...io.gltf.accessors import Accessors
from ...io.gltf.asset import GltfAsset
from ...io.gltf.geometry import read_corners, read_geometry
from ...io.types import Asset, Part
from ...texture.normals import face_normals, repaired, smooth_normals
from .materials import PbrMaterial, read_pbr_materials


@dataclass(frozen=True, eq=False)
class Shape:
    """Triangles with one material.

    Attributes:
        corners: world space, counter-clockwise seen from outside.
        normals: unit shading normals.
        uvs: effective UVs of each of the material's mappings.
        colours: linear RGBA, or None where all are white.
    """

    material: PbrMaterial
    corners: Float64[np.ndarray, "F 3 3"]
    normals: Float64[np.ndarray, "F 3 3"]
    uvs: Float64[np.ndarray, "M F 3 2"]
    colours: Float64[np.ndarray, "F 3 4"] | None


@dataclass(frozen=True, eq=False)
class Posed:
    """A part's instances in some pose; as in `io.types.Part`."""

    corners: Float64[np.ndarray, "I F 3 3"]
    normals: Float64[np.ndarray, "I F 3 3"] | None
    mirrored: Bool[np.ndarray, "I"] | None

    @classmethod
    def at_rest(cls, part: Part) -> Posed:
        return cls(part.corners, part.normals, part.mirrored)


class PreviewScene:
    """An asset ready to be drawn.

    Attributes:
        shapes: at rest.
    """

    def __init__(self, asset: Asset) -> None:
        """Raises AssetError."""
        self.asset = asset
        self._materials = read_pbr_materials(asset)
        self._uvs = [part_uvs(asset, i, self._materials[part.material]) for i, part in enumerate(asset.parts)]
        self._groups: dict[tuple[int, frozenset[int]], list[int]] = {}
        for i, part in enumerate(asset.parts):
            missing = frozenset(k for k, uv in enumerate(self._uvs[i]) if uv is None)
            self._groups.setdefault((part.material, missing), []).append(i)
        self._images: dict[int, UInt8[np.ndarray, "H W 4"]] = {}
        self.shapes = self.posed([Posed.at_rest(part) for part in asset.parts])

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decoded once and kept. Raises PictureError."""
        if index not in self._images:
            self._images[index] = self.asset.image(index)
        return self._images[index]

    def posed(self, parts: Sequence[Posed]) -> tuple[Shape, ...]:
        """The shapes with their parts, in the asset's order, in another pose. Shapes keep their order."""
        shapes = []
        for (material, missing), members in self._groups.items():
            pieces = [self._piece(i, parts[i]) for i in members]
            corners, normals, uvs, colours = zip(*pieces, strict=True)
            tinted = any(self.asset.parts[i].colours is not None for i in members)
            shapes.append(
                Shape(
                    self._materials[material].without(missing),
                    np.concatenate(corners),
                    np.concatenate(normals),
                    np.concatenate(uvs, axis=1),
                    np.concatenate(colours) if tinted else None,
                )
            )
        return tuple(shapes)

    def _piece(self, index: int, posed: Posed) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Corners, normals, UVs and colours of all instances of a part, one after the other."""
        count, triangles = posed.corners.shape[:2]
        normals = np.stack([_normals(posed, instance) for instance in range(count)])
        uvs = np.zeros((len(self._uvs[index]), count, triangles, 3, 2))
        for k, uv in enumerate(self._uvs[index]):
            if uv is not None:
                uvs[k] = uv
        colours = self.asset.parts[index].colours
        colours = np.ones((triangles, 3, 4)) if colours is None else colours
        colours = np.broadcast_to(colours, (count, triangles, 3, 4)).copy()
        corners = posed.corners
        if posed.mirrored is not None and posed.mirrored.any():
            corners = corners.copy()
            for array in (corners, normals, *uvs, colours):
                array[posed.mirrored] = array[posed.mirrored][:, :, ::-1]
        return (
            corners.reshape(-1, 3, 3),
            normals.reshape(-1, 3, 3),
            uvs.reshape(len(uvs), -1, 3, 2),
            colours.reshape(-1, 3, 4),
        )


def moved(shapes: Sequence[Shape], centre: np.ndarray, radius: float) -> tuple[Shape, ...]:
    """Shapes in a space whose origin is `centre` and whose unit is `radius`."""
    return tuple(replace(shape, corners=(shape.corners - centre) / radius) for shape in shapes)


def _normals(posed: Posed, instance: int) -> Float64[np.ndarray, "F 3 3"]:
    """The file's normals where they are sound, else smooth ones, pointing out of mirrored instances too."""
    corners = posed.corners[instance]
    if posed.normals is None:
        flip = -1.0 if posed.mirrored is not None and posed.mirrored[instance] else 1.0
        return flip * smooth_normals(corners)
    flat, _ = face_normals(corners)
    return repaired(posed.normals[instance], np.repeat(flat[:, None], 3, axis=1))


def part_uvs(asset: Asset, index: int, material: PbrMaterial) -> list[Float64[np.ndarray, "F 3 2"] | None]:
    """Effective UVs of each mapping of a part's material; None where the part has not got them."""
    part = asset.parts[index]
    found: list[Float64[np.ndarray, "F 3 2"] | None] = [part.uv]
    if not isinstance(asset, GltfAsset) or len(material.mappings) < 2:
        return found
    accessors, source = Accessors(asset.document), asset.part_sources[index]
    meshes = asset.document.root.children("meshes")
    geometry = read_geometry(meshes[source.mesh].children("primitives")[source.primitive], accessors)
    for mapping in material.mappings[1:]:
        name = f"TEXCOORD_{mapping.texcoord}"
        uv = None if geometry is None else read_corners(geometry, name, (2,), accessors)
        if uv is not None:
            uv = uv @ mapping.transform[:, :2].T + mapping.transform[:, 2]
            uv = uv if np.isfinite(uv).all() else None
        found.append(uv)
    return found
