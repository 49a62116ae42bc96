"""Writing a glTF asset with its paint: the file as it was, but for the base colour and what that needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .. import images as pictures
from ..atomic_write import write_all
from ..images import Encoded
from ..safe_paths import file_stem
from ..types import Paint
from . import vrm
from .asset import GltfAsset
from .companions import Companions
from .container import dump_json, pack_glb
from .document import COMPRESSIONS
from .draft import Draft, Json, NewView, drop_unused_names
from .materials import IMAGE_EXTENSIONS, TRANSFORM
from .pack import pack_for_glb, pack_for_gltf
from .paint import first_set_is_free, keep_vertex_colours_aside, paint_materials, point_at_webp
from .relief import with_relief
from .tangents import add_tangents
from .vertices import add_uv_sets

_MEDIA = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"\xabKTX": "image/ktx2",
}


def write_gltf(asset: GltfAsset, output: Path, paint: Paint) -> tuple[Path, ...]:
    """See `save.save_asset`. `output` ends in .glb (everything in one file) or .gltf.

    Raises OutputError; UsageError for other suffixes; AssetError where the input has changed meanwhile.
    """
    suffix = output.suffix.lower()
    is_vrm = any(name in asset.document.root.child("extensions").value for name in vrm.EXTENSIONS)
    if suffix not in (".glb", ".gltf", ".vrm") or (suffix == ".vrm" and not is_vrm):
        raise UsageError(
            str(output),
            f"a {asset.kind} model cannot be written as {suffix or 'a file without a suffix'}, which would "
            "lose what such files cannot hold",
            "Give an output that ends in .glb, .gltf or .obj.",
        )
    if len(paint.parts) != len(asset.parts):
        raise ValueError(f"{len(asset.parts)} parts, but paint for {len(paint.parts)}")
    draft = Draft(asset.document)
    count = len(paint.atlases)
    paint, relief = with_relief(paint)
    encoded = [
        pictures.encode(atlas.pixels, paint.image_format if number < count else "png")
        for number, atlas in enumerate(paint.atlases)
    ]
    images = _edit(draft, asset, paint, encoded, relief)
    files, stale = (_as_gltf if suffix == ".gltf" else _as_glb)(draft, output, paint, images, encoded)
    return write_all(files, asset.document.sources, stale)


def _edit(
    draft: Draft,
    asset: GltfAsset,
    paint: Paint,
    encoded: Sequence[Encoded],
    relief: Mapping[int, tuple[int, int]],
) -> dict[int, list[int]]:
    """All changes but the contents of images. Returns which images hold each atlas."""
    sources = asset.part_sources
    new_uv = {i: part.uv for i, part in enumerate(paint.parts) if part is not None and part.uv is not None}
    emissive = {i for i, item in enumerate(asset.base_colours) if item.emissive}
    first = {i for i in new_uv if first_set_is_free(draft, sources[i], emissive)}
    raised = {i for i, part in enumerate(paint.parts) if part is not None and part.atlas in relief}
    uv_sets = add_uv_sets(draft, sources, new_uv, first, raised)
    add_tangents(draft, asset, sorted(raised - new_uv.keys()))
    keep_vertex_colours_aside(draft, paint, sources)
    images = paint_materials(draft, paint, sources, uv_sets, emissive, relief)
    asset.warnings = tuple(dict.fromkeys([*asset.warnings, *vrm.follow(draft)]))
    in_webp = {number for atlas in images if encoded[atlas].media == "image/webp" for number in images[atlas]}
    point_at_webp(draft, in_webp)
    drop_unused_names(draft, (*IMAGE_EXTENSIONS, TRANSFORM, *COMPRESSIONS))
    if paint.record:
        _add_record(draft.json, paint.record)
    return images


def _add_record(json: Json, record: Mapping[str, Any]) -> None:
    extras = json["asset"].setdefault("extras", {})
    if not isinstance(extras, dict):  # glTF allows anything there
        json["asset"]["extras"] = extras = {"original": extras}
    extras["meshstyle"] = dict(record)


def _as_glb(
    draft: Draft, output: Path, paint: Paint, images: Mapping[int, list[int]], encoded: Sequence[Encoded]
) -> tuple[dict[Path, bytes], tuple[Path, ...]]:
    """One file that holds everything; nothing is left behind."""
    painted = {image for numbers in images.values() for image in numbers}
    for number, image in enumerate(draft.items("images")):
        if number not in painted and "uri" in image:
            _embed(draft, image, number)
    for atlas, numbers in images.items():
        view = NewView(encoded[atlas].data)
        for number in numbers:
            _clear_image(draft, number, {"mimeType": encoded[atlas].media})
            draft.attach(draft.items("images")[number], view)
    binary = pack_for_glb(draft)
    return {output: pack_glb(draft.json, binary, draft.document.container.extra_chunks)}, ()


def _embed(draft: Draft, image: Json, number: int) -> None:
    """Bring an image from its file or data URI into the binary chunk; a missing file stays a reference."""
    file = draft.document.image_file(number)
    if file is not None and not file.is_file():
        return
    media, data = draft.document.image_bytes(number)
    media = media or next((kind for magic, kind in _MEDIA.items() if data.startswith(magic)), "")
    if not data or not media:  # a bufferView needs both
        return
    del image["uri"]
    image["mimeType"] = media
    draft.attach(image, NewView(data))


def _as_gltf(
    draft: Draft, output: Path, paint: Paint, images: Mapping[int, list[int]], encoded: Sequence[Encoded]
) -> tuple[dict[Path, bytes], tuple[Path, ...]]:
    """JSON, painted images and new binary data as files; what the input had beside it stays in reach. Also what an
    earlier result leaves behind."""
    companions = Companions(output, draft.document)
    painted = {image for numbers in images.values() for image in numbers}
    for number, image in enumerate(draft.items("images")):
        if number not in painted and (file := draft.document.image_file(number)) is not None:
            image["uri"] = companions.keep(file, image["uri"])
    for number, buffer in enumerate(draft.items("buffers")):
        if (file := draft.document.buffer_file(number)) is not None:
            buffer["uri"] = companions.keep(file, buffer["uri"])
    for atlas, numbers in images.items():
        name = f"{paint.stem(output)}_{file_stem(paint.atlases[atlas].name)}{encoded[atlas].suffix}"
        uri = companions.add(name, encoded[atlas].data)
        for number in numbers:
            _clear_image(draft, number, {"uri": uri, "mimeType": encoded[atlas].media})
    home, binary = pack_for_gltf(draft)
    if home is not None:
        home["uri"] = companions.add(f"{paint.stem(output)}.bin", binary)
    indent = 2 if draft.document.container.is_glb or b"\n" in draft.document.container.text.strip() else None
    return {output: dump_json(draft.json, indent), **companions.files}, companions.stale


def _clear_image(draft: Draft, number: int, place: Json) -> None:
    """An image for new contents; its name and extras stay."""
    image = draft.items("images")[number]
    draft.release(image)
    for key in ("uri", "bufferView", "mimeType"):
        image.pop(key, None)
    image.update(place)
