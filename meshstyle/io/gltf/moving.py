"""Which materials' pictures are moved across the surface: by an animation, or by an expression of an avatar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .document import GltfDocument

_MOVING = re.compile(
    r"/materials/(\d{1,9})/.*(?:baseColor|diffuse|emissive)Texture/.*KHR_texture_transform/.*"
)
_MOVING_0 = "_MainTex_ST"  # of VRM 0: scale and offset; _MainTex_ST_S and _MainTex_ST_T are one of each


def moving_pictures(document: GltfDocument) -> set[int]:
    """Numbers of materials whose picture an animation (KHR_animation_pointer) or an expression (VRM) moves."""
    found: set[int] = set()
    for animation in document.root.children("animations"):
        for channel in animation.children("channels"):
            pointer = channel.child("target").extension("KHR_animation_pointer").value.get("pointer")
            if isinstance(pointer, str) and (hit := _MOVING.fullmatch(pointer)):
                found.add(int(hit[1]))
    found.update(_of_vrm_1(document.root.extension("VRMC_vrm").value))
    names = set(_of_vrm_0(document.root.extension("VRM").value))
    materials = document.root.children("materials")
    return found | {number for number, item in enumerate(materials) if item.value.get("name") in names}


def _of_vrm_1(extension: Any) -> Iterator[int]:
    for kind in _values(_dict(extension).get("expressions")):
        for expression in _values(kind):
            for bind in _dicts(_dict(expression).get("textureTransformBinds")):
                if isinstance(bind.get("material"), int):
                    yield bind["material"]


def _of_vrm_0(extension: Any) -> Iterator[str]:
    """Names of materials."""
    master = _dict(_dict(extension).get("blendShapeMaster"))
    for group in _dicts(master.get("blendShapeGroups")):
        for value in _dicts(group.get("materialValues")):
            name, moved = value.get("materialName"), value.get("propertyName")
            if isinstance(name, str) and isinstance(moved, str) and moved.startswith(_MOVING_0):
                yield name


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _values(value: Any) -> list[Any]:
    return list(_dict(value).values())


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
