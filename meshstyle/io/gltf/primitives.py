"""The parts of a glTF document: its primitives made of triangles, where the scene shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NoReturn

import numpy as np
from jaxtyping import Float64, Int64

from ...errors import AssetError
from ..types import Part
from .accessors import Accessors
from .document import GltfDocument
from .fields import Fields
from .geometry import Geometry, place, read_corners, read_geometry
from .materials import DEFAULT, BaseColour
from .scene_graph import Instances, SceneGraph, hidden, mirrored, nearest

# All instances together: 1 GB as corners, normals and UVs.
MAX_TRIANGLES = 5_000_000
MAX_OF_INSTANCES = 1_000_000  # looked at where there are more than that
STYLE_ATTRIBUTE = "_STYLE"  # says, from 0 to 1, where a style counts (see `config.styles`)


@dataclass(frozen=True, eq=False)
class PrimitiveSource:
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


class PrimitiveReader:
    """Reads the parts that the default scene shows (all nodes' where there is none), one for each primitive however
    many nodes show its mesh.

    Attributes:
        warnings: what was odd, one sentence each.
    """

    def __init__(self, document: GltfDocument, accessors: Accessors, colours: tuple[BaseColour, ...]) -> None:
        self.document, self.path = document, document.path
        self.base_colours = colours
        self.warnings: list[str] = []
        self._accessors = accessors

    def read(self) -> tuple[tuple[PrimitiveSource, ...], tuple[Part, ...]]:
        """Raises AssetError."""
        scene = SceneGraph(self.document, self._accessors)
        mesh_count = len(self.document.root.children("meshes"))
        found = self._collect(scene.instances())
        if not found:
            found = self._collect(scene.all_instances())
            if found:
                self.warnings.append("The default scene shows no triangles, so all nodes were taken.")
        if not found:
            found = self._collect({i: [Instances(np.eye(4)[None])] for i in range(mesh_count)})
            if found:
                self.warnings.append("No node shows a mesh, so all meshes were taken where they are.")
        if not found:
            why = f" ({self.warnings[0].rstrip('.')})" if self.warnings else ""
            raise AssetError(
                self.path, f"it has no triangles{why}", "Choose a model with a surface to paint."
            )
        found += self._levels(scene, found)
        sources, parts = zip(*found, strict=True)
        return sources, parts

    def _levels(
        self, scene: SceneGraph, shown: list[tuple[PrimitiveSource, Part]]
    ) -> list[tuple[PrimitiveSource, Part]]:
        """Coarser levels of detail whose material is one that is shown: they share its paint."""
        levels = {
            mesh: matrix for mesh, matrix in scene.levels().items() if mesh not in {s.mesh for s, _ in shown}
        }
        stand = {
            mesh: [Instances(matrix[None])] for mesh, matrix in levels.items() if np.isfinite(matrix).all()
        }
        materials, found = {source.material for source, _ in shown}, []
        for source, part in self._collect(stand):
            if source.material in materials:
                found.append(
                    (
                        source,
                        replace(
                            part,
                            corners=part.corners[:0],
                            normals=None,
                            mirrored=None,
                            stand_in=part.corners[0],
                        ),
                    )
                )
            else:
                name = (
                    self.base_colours[source.material].material.name
                    if source.material is not None
                    else "default"
                )
                self.warnings.append(
                    f"A level of detail has a material of its own, {name!r}, and is left as it is."
                )
        return found

    def _collect(self, instances: Mapping[int, list[Instances]]) -> list[tuple[PrimitiveSource, Part]]:
        """The parts of these meshes, where these instances stand."""
        meshes = self.document.root.children("meshes")
        shapes: list[tuple[int, int, Geometry]] = []
        total = 0
        for mesh in sorted(instances):
            for number, primitive in enumerate(meshes[mesh].children("primitives")):
                geometry = read_geometry(primitive, self._accessors)
                if geometry is None or not len(geometry.vertices):
                    self._note_left_out(primitive)
                    continue
                total += len(geometry.vertices)
                if total > MAX_TRIANGLES:  # before all of them are in memory
                    self._refuse()
                shapes.append((mesh, number, geometry))
        shown = self._few_enough(shapes, instances)
        found = []
        for mesh, number, geometry in shapes:
            source = self._source(mesh, number, geometry)
            found.append((source, self._part(meshes[mesh], source, geometry, shown[mesh])))
        return found

    def _few_enough(
        self, shapes: list[tuple[int, int, Geometry]], instances: Mapping[int, list[Instances]]
    ) -> Mapping[int, list[Instances]]:
        """All instances, or as many of each mesh as MAX_TRIANGLES allows: they share one picture, and some neighbours
        are enough to see each mesh and what surrounds it."""
        counts = {mesh: sum(len(item.matrices) for item in items) for mesh, items in instances.items()}
        triangles = np.array([len(geometry.vertices) for _, _, geometry in shapes], np.int64)
        copies = np.array([counts[mesh] for mesh, _, _ in shapes], np.int64)
        if (triangles * copies).sum() <= MAX_TRIANGLES:
            return instances
        most, least = int(copies.max()), 1
        while least < most:  # the greatest number for which all fits
            middle = (least + most + 1) // 2
            fits = (triangles * np.minimum(copies, middle)).sum() <= MAX_OF_INSTANCES
            least, most = (middle, most) if fits else (least, middle - 1)
        self.warnings.append(
            f"It shows {int(copies.max())} instances of a mesh; {least} of each are looked at, which share their paint "
            "with the others."
        )
        return {mesh: nearest(items, least) for mesh, items in instances.items()}

    def _refuse(self) -> NoReturn:
        cause = f"it shows more than {MAX_TRIANGLES} triangles"
        raise AssetError(self.path, cause, "Reduce or split the model.")

    def _note_left_out(self, primitive: Fields) -> None:
        if primitive.integer("mode", 4) < 4:
            self.warnings.append("Points and lines are left as they are.")
        elif not primitive.child("attributes").has("POSITION"):
            self.warnings.append(f"{primitive.where} has no positions and is left as it is.")
        else:
            self.warnings.append(f"{primitive.where} has fewer than three corners and is left as it is.")

    def _source(self, mesh: int, number: int, geometry: Geometry) -> PrimitiveSource:
        material = geometry.fields.index("material", len(self.base_colours), "materials")
        return PrimitiveSource(mesh, number, material, geometry.vertices, geometry.vertex_count)

    def _part(
        self, mesh: Fields, source: PrimitiveSource, geometry: Geometry, instances: list[Instances]
    ) -> Part:
        colour = DEFAULT if source.material is None else self.base_colours[source.material]
        corners, normals = self._place(mesh, geometry, instances)
        name = mesh.text("name", "") or f"mesh {source.mesh}"
        return Part(
            name=f"{name}, primitive {source.primitive}",
            material=len(self.base_colours) if source.material is None else source.material,
            corners=corners,
            normals=normals,
            uv=self._uv(geometry, colour),
            colours=self._colours(geometry),
            mirrored=mirrored(instances),
            hidden=hidden(instances),
            shape=self._shape(geometry, corners),
            names=self._names(mesh, instances),
            style_mask=self._style_mask(geometry),
        )

    def _names(self, mesh: Fields, instances: list[Instances]) -> tuple[str, ...]:
        nodes = self.document.root.children("nodes")
        shown = (nodes[item.node].text("name", "") for item in instances if item.node is not None)
        return tuple(dict.fromkeys(name for name in (*shown, mesh.text("name", "")) if name))

    def _style_mask(self, geometry: Geometry) -> Float64[np.ndarray, "F 3"] | None:
        values = read_corners(geometry, STYLE_ATTRIBUTE, (1, 2, 3, 4), self._accessors)
        return None if values is None else np.clip(np.nan_to_num(values[..., 0], nan=0.0), 0.0, 1.0)

    def _shape(
        self, geometry: Geometry, corners: Float64[np.ndarray, "I F 3 3"]
    ) -> Float64[np.ndarray, "F 3 3"] | None:
        """As the mesh has it, where no instance has a size at rest."""
        own, _ = place(geometry, [Instances(np.eye(4)[None])], self._accessors)
        sizes = [np.ptp(one, axis=(0, 1)).max() for one in (own[0], *corners)]
        return own[0] if max(sizes[1:]) < 1e-6 * sizes[0] else None

    def _place(
        self, mesh: Fields, geometry: Geometry, instances: list[Instances]
    ) -> tuple[Float64[np.ndarray, "I F 3 3"], Float64[np.ndarray, "I F 3 3"] | None]:
        """Corners and normals in the shape that the file shows at rest: with the weights of each node's morph targets,
        else the mesh's."""
        nodes, own = self.document.root.children("nodes"), _weights(mesh)
        placed = []
        for weights, group in groupby(
            instances, lambda item: own if item.node is None else _weights(nodes[item.node]) or own
        ):
            placed.append(place(geometry, list(group), self._accessors, weights))
        normals = [turned for _, turned in placed if turned is not None]
        return np.concatenate([corners for corners, _ in placed]), np.concatenate(
            normals
        ) if normals else None

    def _uv(self, geometry: Geometry, colour: BaseColour) -> Float64[np.ndarray, "F 3 2"] | None:
        """Effective UVs: texture transform applied."""
        uv = read_corners(geometry, f"TEXCOORD_{colour.texcoord}", (2,), self._accessors)
        if uv is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            uv = uv @ colour.transform[:, :2].T + colour.transform[:, 2]
        if not np.isfinite(uv).all():
            self.warnings.append(
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


def _weights(holder: Fields) -> tuple[float, ...]:
    """How much of each morph target a node or a mesh shows at rest; empty where it does not say."""
    value = holder.value.get("weights", [])
    return holder.numbers("weights", len(value)) if isinstance(value, list) and value else ()
