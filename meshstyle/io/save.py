"""Writing a painted model: which writer an asset and the suffix of the output call for."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from .convert.obj_to_glb import write_glb
from .convert.to_obj import write_as_obj
from .gltf.asset import GltfAsset
from .gltf.fields import Fields
from .gltf.write import write_gltf
from .mesh.asset import MeshAsset, write_mesh
from .obj.asset import ObjAsset
from .obj.write import write_obj
from .types import Asset, Paint


def save_asset(asset: Asset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write the model with its paint; all files or none. Returns what was written, the model first.

    Raises OutputError; UsageError where the suffix of `output` is not one this asset can become.
    """
    if isinstance(asset, GltfAsset):
        return _save_gltf(asset, output, paint)
    if isinstance(asset, ObjAsset):
        return _save_obj(asset, output, paint)
    if isinstance(asset, MeshAsset):
        return write_mesh(asset, output, paint)
    raise TypeError(f"a {type(asset).__name__} cannot be written")


def _save_gltf(asset: GltfAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write the model with its paint. Raises OutputError, UsageError (see `io.types.Asset`)."""
    if output.suffix.lower() == ".obj":
        asset.warnings = tuple(dict.fromkeys([*asset.warnings, *_lost_in_obj(asset)]))
        return write_as_obj(asset, output, paint, asset.sources)

    return write_gltf(asset, output, paint)


def _save_obj(asset: ObjAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """Write OBJ + MTL + PNG, GLB or glTF, as the suffix says. Raises OutputError, UsageError."""
    writers = {".obj": write_obj, ".glb": write_glb, ".gltf": write_glb}
    writer = writers.get(output.suffix.lower())
    if writer is None:
        raise UsageError(
            str(output),
            f"an OBJ model cannot be written as {output.suffix or 'a file without a suffix'}",
            "Give the output a name that ends in .obj, .glb or .gltf.",
        )
    return writer(asset, output, paint)


def _lost_in_obj(asset: GltfAsset) -> list[str]:
    """What OBJ cannot hold of this model, as a sentence."""
    root = asset.document.root
    lost = [name for name in ("animations", "skins", "cameras") if root.children(name)]
    if any(
        item.children("targets") for mesh in root.children("meshes") for item in mesh.children("primitives")
    ):
        lost.append("morph targets")
    if any(_has_more(material) for material in root.children("materials")):
        lost.append("all of its materials but their base colours")
    if any(part.corners.shape[0] > 1 for part in asset.parts):
        lost.append("instances, which were written one by one")
    return [f"OBJ cannot hold these, which were left out: {', '.join(lost)}."] if lost else []


def _has_more(material: Fields) -> bool:
    surface = material.child("pbrMetallicRoughness")
    maps = ("normalTexture", "occlusionTexture", "emissiveTexture", "extensions")
    return any(map(material.has, maps)) or any(
        map(surface.has, ("metallicRoughnessTexture", "metallicFactor", "roughnessFactor"))
    )
