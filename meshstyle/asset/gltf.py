"""glTF 2.0 and GLB files as assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from ..errors import AssetError, PictureError
from . import ktx2, pictures
from .accessors import Accessors
from .container import MAX_FILE_BYTES
from .contract import Material, Paint, Part
from .decompress import read_document
from .fields import Fields
from .geometry import Geometry, place, read_corners, read_geometry
from .gltf_materials import DEFAULT, BaseColour, read_materials
from .paths import is_data_uri
from .scene import Instances, Scene, mirrored

# All instances together: 1 GB as corners, normals and UVs.
MAX_TRIANGLES = 5_000_000
MAX_LOOKED_AT = 2 * MAX_FILE_BYTES  # bytes of images whose sizes are asked for; each is looked at once


@dataclass(frozen=True, eq=False)
class PartSource:
    """Where a part came from, for writing its paint back.

    Attributes:
        mesh, primitive: its place in the document.
        material: index into the document's materials; None: the default material.
        vertices: which vertex each corner is.
        vertex_count: how many the primitive's attributes hold.
    """

    mesh: int
    primitive: int
    material: int | None
    vertices: Int64[np.ndarray, "F 3"]
    vertex_count: int


class GltfAsset:
    """A .gltf or .glb file; satisfies `contract.Asset`.

    Parts are the primitives made of triangles that the default scene shows (all nodes' where there is none),
    one for each primitive however many nodes show its mesh.
    """

    def __init__(self, path: Path) -> None:
        """Read a file. Raises AssetError."""
        self.path = path
        self.document = read_document(path)
        self.kind = "GLB" if self.document.container.is_glb else "glTF"
        self.base_colours = read_materials(self.document)
        self._warnings: list[str] = []
        self._sizes: dict[int, tuple[int, int]] = {}
        self._looked_at = 0
        self._accessors = Accessors(self.document)
        self.part_sources, self.parts = self._read_parts()
        extra = [DEFAULT.material] if any(item.material is None for item in self.part_sources) else []
        self.materials: tuple[Material, ...] = (*(item.material for item in self.base_colours), *extra)
        self.warnings = tuple(dict.fromkeys([*self._warnings, *self.document.warnings]))
        self.record = self._read_record()
        self._accessors.forget()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files it was read from, which are never overwritten."""
        return self.document.sources

    def image(self, index: int) -> UInt8[np.ndarray, "H W 4"]:
        """Decode an image. Raises PictureError."""
        data, subject = self._image_bytes(index)
        if ktx2.is_ktx2(data):
            return ktx2.decode_ktx2(data, subject)
        return pictures.decode_picture(data, subject)

    def image_size(self, index: int) -> tuple[int, int]:
        """Height and width without decoding. Raises PictureError."""
        if index not in self._sizes:
            data, subject = self._image_bytes(index)
            self._looked_at += len(data)
            if self._looked_at > MAX_LOOKED_AT:
                raise PictureError(subject, "too many images share the same data", "Merge them.")
            size = ktx2.ktx2_size if ktx2.is_ktx2(data) else pictures.picture_size
            self._sizes[index] = size(data, subject)
        return self._sizes[index]

    def image_name(self, index: int) -> str:
        """The image's name, its file's without the suffix, or a made-up one."""
        image = self.document.root.children("images")[index]
        if name := image.text("name", ""):
            return name
        uri = image.text("uri", "")
        stem = "" if is_data_uri(uri) else PurePosixPath(unquote(uri).replace("\\", "/")).stem
        return stem or f"image {index}"

    def write(self, output: Path, paint: Paint) -> tuple[Path, ...]:
        """Write the model with its paint. Raises OutputError, UsageError (see `contract.Asset`)."""
        from .gltf_write import write_gltf  # it needs this module's types

        return write_gltf(self, output, paint)

    def _image_bytes(self, index: int) -> tuple[bytes, str]:
        """Encoded bytes and what to call them. Raises PictureError where the model's data gives none."""
        subject = f"{self.path} ({self.image_name(index)})"
        file = self.document.image_file(index)
        if file is not None:
            subject = str(file)
        try:
            _, data = self.document.image_bytes(index)
        except AssetError as error:
            raise PictureError(subject, error.cause, error.remedy) from error
        return data, subject

    def _read_parts(self) -> tuple[tuple[PartSource, ...], tuple[Part, ...]]:
        scene = Scene(self.document, self._accessors)
        mesh_count = len(self.document.root.children("meshes"))
        found = self._collect(scene.instances())
        if not found:
            found = self._collect(scene.all_instances())
            if found:
                self._warnings.append("The default scene shows no triangles, so all nodes were taken.")
        if not found:
            found = self._collect({i: [Instances(np.eye(4)[None])] for i in range(mesh_count)})
            if found:
                self._warnings.append("No node shows a mesh, so all meshes were taken where they are.")
        if not found:
            why = f" ({self._warnings[0].rstrip('.')})" if self._warnings else ""
            raise AssetError(
                self.path, f"it has no triangles{why}", "Choose a model with a surface to paint."
            )
        sources, parts = zip(*found, strict=True)
        return sources, parts

    def _collect(self, instances: Mapping[int, list[Instances]]) -> list[tuple[PartSource, Part]]:
        """The parts of these meshes, where these instances stand."""
        found, total = [], 0
        meshes = self.document.root.children("meshes")
        for mesh in sorted(instances):
            count = sum(len(item.matrices) for item in instances[mesh])
            for number, primitive in enumerate(meshes[mesh].children("primitives")):
                geometry = read_geometry(primitive, self._accessors)
                if geometry is None or not len(geometry.vertices):
                    self._note_left_out(primitive)
                    continue
                total += len(geometry.vertices) * count
                if total > MAX_TRIANGLES:
                    raise AssetError(
                        self.path,
                        f"it shows more than {MAX_TRIANGLES} triangles",
                        "Reduce or split the model.",
                    )
                source = self._source(mesh, number, geometry)
                found.append((source, self._part(meshes[mesh], source, geometry, instances[mesh])))
        return found

    def _note_left_out(self, primitive: Fields) -> None:
        if primitive.integer("mode", 4) < 4:
            self._warnings.append("Points and lines are left as they are.")
        elif not primitive.child("attributes").has("POSITION"):
            self._warnings.append(f"{primitive.where} has no positions and is left as it is.")
        else:
            self._warnings.append(f"{primitive.where} has fewer than three corners and is left as it is.")

    def _source(self, mesh: int, number: int, geometry: Geometry) -> PartSource:
        material = geometry.fields.index("material", len(self.base_colours), "materials")
        return PartSource(mesh, number, material, geometry.vertices, geometry.vertex_count)

    def _part(self, mesh: Fields, source: PartSource, geometry: Geometry, instances: list[Instances]) -> Part:
        colour = DEFAULT if source.material is None else self.base_colours[source.material]
        corners, normals = place(geometry, instances, self._accessors)
        name = mesh.text("name", "") or f"mesh {source.mesh}"
        return Part(
            name=f"{name}, primitive {source.primitive}",
            material=len(self.base_colours) if source.material is None else source.material,
            corners=corners,
            normals=normals,
            uv=self._uv(geometry, colour),
            colours=self._colours(geometry),
            mirrored=mirrored(instances),
        )

    def _uv(self, geometry: Geometry, colour: BaseColour) -> Float64[np.ndarray, "F 3 2"] | None:
        """Effective UVs: texture transform applied."""
        uv = read_corners(geometry, f"TEXCOORD_{colour.texcoord}", (2,), self._accessors)
        if uv is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            uv = uv @ colour.transform[:, :2].T + colour.transform[:, 2]
        if not np.isfinite(uv).all():
            self._warnings.append(
                f"{geometry.fields.where} has UVs that are not finite numbers; they count as missing."
            )
            return None
        return uv

    def _colours(self, geometry: Geometry) -> Float64[np.ndarray, "F 3 4"] | None:
        colours = read_corners(geometry, "COLOR_0", (3, 4), self._accessors)
        if colours is None:
            return None
        if colours.shape[-1] == 3:
            colours = np.concatenate([colours, np.ones_like(colours[..., :1])], axis=-1)
        return np.clip(np.nan_to_num(colours, nan=1.0), 0.0, 1.0)

    def _read_record(self) -> Mapping[str, Any] | None:
        extras = self.document.root.child("asset").value.get("extras")
        record = extras.get("meshstyle") if isinstance(extras, dict) else None
        return record if isinstance(record, dict) else None
