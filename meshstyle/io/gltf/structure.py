"""Whether the parts of a glTF document that the writer walks through have the types the schema gives them.

The reader checks what it reads as it reads it. This covers the rest, so that no long run fails at its end.
"""

from __future__ import annotations

from .fields import Fields

_LISTS = (
    "accessors",
    "animations",
    "buffers",
    "bufferViews",
    "cameras",
    "images",
    "materials",
    "meshes",
    "nodes",
    "samplers",
    "scenes",
    "skins",
    "textures",
)
# What no real model has more of, and what is read in some seconds. What holds geometry may be more.
MAX_ITEMS, MAX_LARGE, MAX_PRIMITIVES = 2**15, 2**17, 2**16
_LARGE = ("accessors", "bufferViews", "meshes", "nodes")
_BASE_COLOURS = (
    ("pbrMetallicRoughness", "baseColorFactor", "baseColorTexture"),
    ("KHR_materials_pbrSpecularGlossiness", "diffuseFactor", "diffuseTexture"),
)


def check_counts(root: Fields) -> None:
    """Raise AssetError for lists too long to go through, before that is done."""
    for name in _LISTS:
        items, most = root.value.get(name), MAX_LARGE if name in _LARGE else MAX_ITEMS
        if isinstance(items, list) and len(items) > most:
            root.fail(f"its list of {name} has {len(items)} entries, more than the limit of {most}")
    meshes = root.value.get("meshes")
    found = (
        [mesh.get("primitives") for mesh in meshes if isinstance(mesh, dict)]
        if isinstance(meshes, list)
        else []
    )
    count = sum(len(primitives) for primitives in found if isinstance(primitives, list))
    if count > MAX_PRIMITIVES:
        root.fail(f"its meshes have {count} primitives, more than the limit of {MAX_PRIMITIVES}")


def check_structure(root: Fields) -> None:
    """Raise AssetError for JSON of another shape than the schema's."""
    for name in _LISTS:
        for item in root.children(name):
            _check_extensions(item)
            item.text("name", "")
    _check_extensions(root)
    accessors, materials = len(root.children("accessors")), len(root.children("materials"))
    for mesh in root.children("meshes"):
        for primitive in mesh.children("primitives"):
            _check_primitive(primitive, accessors, materials)
    for animation in root.children("animations"):
        for sampler in animation.children("samplers"):
            sampler.index("input", accessors, "accessors")
            sampler.index("output", accessors, "accessors")
    for skin in root.children("skins"):
        skin.index("inverseBindMatrices", accessors, "accessors")
    for view in root.children("bufferViews"):
        _check_view(view, root.children("buffers"))
    for material in root.children("materials"):
        _check_material(material, len(root.children("textures")))
    for image in root.children("images"):
        image.text("uri", "")
        image.text("mimeType", "")
        image.index("bufferView", len(root.children("bufferViews")), "bufferViews")
    for texture in root.children("textures"):
        texture.index("source", len(root.children("images")), "images")
    for name in ("extensionsUsed", "extensionsRequired"):
        names = root.value.get(name, [])
        if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
            root.fail(f"{name} is not a list of names")


def _check_extensions(item: Fields) -> None:
    extensions = item.child("extensions")
    for name in extensions.value:
        extensions.child(name)


def _check_primitive(primitive: Fields, accessors: int, materials: int) -> None:
    _check_extensions(primitive)
    for holder in (primitive.child("attributes"), *primitive.children("targets")):
        for name in holder.value:
            holder.index(name, accessors, "accessors")
    primitive.index("indices", accessors, "accessors")
    primitive.index("material", materials, "materials")
    for mapping in primitive.extension("KHR_materials_variants").children("mappings"):
        mapping.index("material", materials, "materials")


def _check_view(view: Fields, buffers: list[Fields]) -> None:
    buffer = view.index("buffer", len(buffers), "buffers")
    if buffer is None:
        view.fail("has no buffer")
    end = view.integer("byteOffset", 0) + view.integer("byteLength")
    if end > buffers[buffer].integer("byteLength", low=1):
        view.fail(f"reaches byte {end}, beyond the end of its buffer")


def _check_material(material: Fields, textures: int) -> None:
    surfaces = (material.child("pbrMetallicRoughness"), material.extension(_BASE_COLOURS[1][0]))
    for surface, (_, factor, texture) in zip(surfaces, _BASE_COLOURS, strict=True):
        surface.numbers(factor, 4, (1.0, 1.0, 1.0, 1.0))
        info = surface.child(texture)
        _check_extensions(info)
        info.index("index", textures, "textures")
