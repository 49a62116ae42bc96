"""Any model as the bytes of one GLB that a browser can show."""

from __future__ import annotations

from pathlib import Path

from ...io.gltf.container import pack_glb
from ...io.gltf.document import GltfDocument
from ...io.gltf.draft import Draft, NewView, drop_unused_names
from ...io.gltf.ktx2 import decode_ktx2, is_ktx2
from ...io.gltf.pack import pack_for_glb
from ...io.images import encode_png
from ...io.save import save_asset
from ...io.types import Asset, Paint
from ...system.temporary import temporary_folder

_BASIS = "KHR_texture_basisu"


def glb_bytes(asset: Asset) -> bytes:
    """The model as it is, in one file: its textures and buffers embedded, nothing compressed.

    Raises PictureError for KTX2 textures that cannot be decoded.
    """
    with temporary_folder() as folder:
        path = Path(folder) / "model.glb"
        save_asset(asset, path, Paint((), tuple(None for _ in asset.parts)))
        return _without_ktx2(path, asset.path)


def _without_ktx2(path: Path, subject: Path) -> bytes:
    """A GLB's bytes, with KTX2 textures as PNG: viewers need a decoder for them that is not at hand."""
    document = GltfDocument(path)
    draft = Draft(document)
    found = False
    for number, image in enumerate(draft.items("images")):
        data = document.image_bytes(number)[1] if "bufferView" in image else b""
        if is_ktx2(data):
            found = True
            draft.release(image)
            del image["bufferView"]
            image["mimeType"] = "image/png"
            draft.attach(image, NewView(encode_png(decode_ktx2(data, subject))))
    if not found:
        return path.read_bytes()
    for texture in draft.items("textures"):
        basis = texture.get("extensions", {}).pop(_BASIS, None)
        if basis is not None:
            texture["source"] = basis["source"]
        if texture.get("extensions") == {}:
            del texture["extensions"]
    drop_unused_names(draft, (_BASIS,))
    return pack_glb(draft.json, pack_for_glb(draft), document.container.extra_chunks)
