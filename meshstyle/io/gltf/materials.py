"""The base colour of glTF materials: which factor, image, sampler and UVs it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ...errors import AssetError, PictureError
from ..types import Material, Wrap
from . import ktx2
from .document import GltfDocument
from .fields import Fields
from .moving import moving_pictures
from .pointers import left_behind

SPECULAR_GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"
TRANSFORM = "KHR_texture_transform"
WEBP = "EXT_texture_webp"
# In order of preference where a texture has no plain source.
IMAGE_EXTENSIONS = (WEBP, "EXT_texture_avif", "KHR_texture_basisu", "MSFT_texture_dds")
_WRAPS = {10497: Wrap.REPEAT, 33648: Wrap.MIRROR, 33071: Wrap.CLAMP}
DARK = 0.02  # linear; base colours below it show nothing of their picture
DARK_BYTE = 38  # the same in a picture, sRGB
BLACK_SHARE = 0.999  # of a picture that must be so dark
_IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class BaseColour:
    """Where a material's base colour comes from.

    Attributes:
        material: what the pipeline sees.
        texture: index into the document's textures, or None.
        texcoord: number of the UV set.
        transform: from stored UVs to effective ones: `(u', v') = transform @ (u, v, 1)`.
        emissive: whether it is the material's emissive picture, which is all that is seen of it.
        lost: what is to be told where its picture is not there.
        notes: where its picture is named as well and will not follow the paint, a sentence for each.
    """

    material: Material
    texture: int | None
    texcoord: int
    transform: Float64[np.ndarray, "2 3"]
    emissive: bool = False
    notes: tuple[str, ...] = ()
    lost: str = ""


DEFAULT = BaseColour(Material("default material"), None, 0, _IDENTITY)


def read_materials(document: GltfDocument) -> tuple[BaseColour, ...]:
    """Every material of the document, in its order. Raises AssetError."""
    moving = moving_pictures(document)
    return tuple(
        _read_material(document, item, i, moving)
        for i, item in enumerate(document.root.children("materials"))
    )


def _transmits(item: Fields) -> bool:
    """Whether light goes through: KHR_materials_transmission, and bodies of KHR_materials_volume."""
    transmission = item.extension("KHR_materials_transmission").number("transmissionFactor", 0.0)
    thickness = item.extension("KHR_materials_volume").number("thicknessFactor", 0.0)
    return transmission > 0 or thickness > 0


def _read_material(document: GltfDocument, item: Fields, index: int, moving: set[int]) -> BaseColour:
    surface, factor_key, texture_key = (
        item.child("pbrMetallicRoughness"),
        "baseColorFactor",
        "baseColorTexture",
    )
    if SPECULAR_GLOSSINESS in item.child("extensions").value:
        surface, factor_key, texture_key = (
            item.extension(SPECULAR_GLOSSINESS),
            "diffuseFactor",
            "diffuseTexture",
        )
    red, green, blue, alpha = surface.numbers(factor_key, 4, (1.0, 1.0, 1.0, 1.0))
    mode = item.text("alphaMode", "OPAQUE")
    emissive = _can_be_only_emissive(item, mode) and (
        max(red, green, blue) < DARK or _is_black(document, surface.child(texture_key))
    )
    info = item.child("emissiveTexture") if emissive else surface.child(texture_key)
    if emissive:
        red, green, blue = item.numbers("emissiveFactor", 3)
    texture = info.index("index", len(document.root.children("textures")), "textures")
    if mode not in ("OPAQUE", "MASK", "BLEND"):
        item.fail(f"has the unknown alphaMode {mode[:20]!r}")
    image, wrap = (None, (Wrap.REPEAT, Wrap.REPEAT)) if texture is None else read_texture(document, texture)
    lost = ""
    if image is not None and document.is_missing(image):
        uri = document.root.children("images")[image].text("uri")
        image, lost = (
            None,
            f"The texture {uri if len(uri) <= 60 else f'...{uri[-57:]}'!r} is not there; white was taken.",
        )
    material = Material(
        name=item.text("name", "") or f"material {index}",
        factor=(_unit(red), _unit(green), _unit(blue), _unit(alpha)),
        image=image,
        wrap=wrap,
        alpha_mode=mode,  # type: ignore[arg-type]  # one of the three, as checked
        alpha_cutoff=item.number("alphaCutoff", 0.5),
        double_sided=item.flag("doubleSided", False),
        transmits=_transmits(item),
        moves=index in moving,
    )
    behind = (
        left_behind(item.value, info.value, document.root.value.get("textures", []))
        if image is not None
        else []
    )
    notes = [
        f"Material {material.name!r} names its picture as {place} too, which stays as it is."
        for place in behind
    ]
    if item.extension("MSFT_lod").value.get("ids"):
        notes.append(
            f"Material {material.name!r} has coarser materials (MSFT_lod), which are left as they are."
        )
    return BaseColour(material, texture, *read_mapping(info), emissive, tuple(notes), lost)


def _can_be_only_emissive(item: Fields, mode: str) -> bool:
    """Whether all that is seen of a material is its emissive picture if its base colour is black, as that of shadeless
    exports is."""
    lit = max(item.numbers("emissiveFactor", 3, (0.0, 0.0, 0.0))) > 0
    has = item.child("emissiveTexture").has("index")
    unlit = "KHR_materials_unlit" in item.child("extensions").value
    return has and lit and mode == "OPAQUE" and not unlit


def _is_black(document: GltfDocument, info: Fields) -> bool:
    """Whether the picture of a base colour is black. One that is not there or cannot be read is not: whoever paints it
    will tell."""
    texture = info.index("index", len(document.root.children("textures")), "textures")
    image = None if texture is None else read_texture(document, texture)[0]
    if image is None or document.is_missing(image):
        return False
    try:
        pixels = document.decoded.get(
            image, lambda: ktx2.decode_image(document.image_bytes(image)[1], "base colour")
        )
    except (AssetError, PictureError):
        return False
    return bool(np.quantile(pixels[..., :3].max(axis=2), BLACK_SHARE) < DARK_BYTE)


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def read_texture(document: GltfDocument, index: int) -> tuple[int | None, tuple[Wrap, Wrap]]:
    """The image of a texture (the plain source where there is one, which all can read) and its wrap modes."""
    root = document.root
    texture, image_count = root.children("textures")[index], len(root.children("images"))
    image = texture.index("source", image_count, "images")
    for name in IMAGE_EXTENSIONS:
        if image is None:
            image = texture.extension(name).index("source", image_count, "images")
    samplers = root.children("samplers")
    sampler = texture.index("sampler", len(samplers), "samplers")
    if sampler is None:
        return image, (Wrap.REPEAT, Wrap.REPEAT)
    return image, (_wrap(samplers[sampler], "wrapS"), _wrap(samplers[sampler], "wrapT"))


def _wrap(sampler: Fields, key: str) -> Wrap:
    value = sampler.integer(key, 10497)
    if value not in _WRAPS:
        sampler.fail(f"has the unknown {key} {value}")
    return _WRAPS[value]


def read_mapping(info: Fields) -> tuple[int, Float64[np.ndarray, "2 3"]]:
    """UV set and transform of a textureInfo.

    The extension's text turns UVs counter-clockwise as one sees them, v pointing down; its sample matrix
    turns them the other way (KhronosGroup/glTF issue 1563). Renderers and Khronos' test model follow the
    text, and so do we.
    """
    texcoord = info.integer("texCoord", 0, high=1000)
    if TRANSFORM not in info.child("extensions").value:
        return texcoord, _IDENTITY
    transform = info.extension(TRANSFORM)
    (tu, tv), (su, sv) = transform.numbers("offset", 2, (0.0, 0.0)), transform.numbers("scale", 2, (1.0, 1.0))
    angle = transform.number("rotation", 0.0)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos * su, sin * sv, tu], [-sin * su, cos * sv, tv]])
    return transform.integer("texCoord", texcoord, high=1000), matrix
