"""Models in and out: read once, painted, written back with nothing but the paint changed."""

from __future__ import annotations

from pathlib import Path

from ..errors import AssetError
from .safe_paths import check_root
from .types import Asset

_BLENDER = "blender -b --python-expr \"import bpy; {}; bpy.ops.export_scene.gltf(filepath='model.glb')\""
_EMPTY = "bpy.ops.wm.read_factory_settings(use_empty=True); "
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
# Kinds that are not read, and what makes a .glb of them.
_CONVERTED = {
    ".blend": "blender -b {name} --python-expr \"import bpy; bpy.ops.export_scene.gltf(filepath='model.glb')\"",
    ".fbx": _BLENDER.format(_EMPTY + "bpy.ops.import_scene.fbx(filepath='{name}')"),
    ".dae": "assimp export {name} model.glb",
    ".usdz": _BLENDER.format(_EMPTY + "bpy.ops.wm.usd_import(filepath='{name}')"),
    ".zip": "unzip {name} -d model",
}
SUFFIXES = (".glb", ".gltf", ".vrm", ".obj", ".ply", ".stl", ".off")


def load_asset(path: Path, root: str | Path | None = None) -> Asset:
    """Read a model; its suffix says how. Raises AssetError, and PictureError for pictures named in it.

    `root`: a folder above the model whose files may be read too; None: those of the model's own folder only. Raises
    UsageError where it is not above the model.
    """
    allowed = check_root(root, path)
    suffix = path.suffix.lower()
    if suffix in (".glb", ".gltf", ".vrm"):
        from .gltf.asset import GltfAsset

        return GltfAsset(path, allowed)
    if suffix == ".obj":
        from .obj.asset import ObjAsset

        return ObjAsset(path, allowed)
    if suffix in SUFFIXES:
        from .mesh.asset import MeshAsset

        return MeshAsset(path, allowed)
    if not path.exists():
        raise AssetError(path, "there is no such file", "Check the path.")
    if suffix in _CONVERTED:
        remedy = f"Convert it first: {_CONVERTED[suffix].format(name='model' + suffix)}"
        raise AssetError(path, f"{suffix} files are not read", remedy)
    if suffix in _PICTURES:
        raise AssetError(path, "it is a picture, not a model", "Paint it with: meshstyle image.")
    raise AssetError(
        path,
        f"models of the kind {suffix or 'without a suffix'} are not read",
        f"Give a file that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.",
    )
