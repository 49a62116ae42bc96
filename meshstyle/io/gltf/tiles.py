"""Pictures of glTF files that are called after tiles (UDIM), which glTF does not know: viewers repeat the one named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..obj.udim import named_tile
from ..types import Material, Part
from .document import GltfDocument


def tile_notes(document: GltfDocument, materials: Sequence[Material], parts: Sequence[Part]) -> list[str]:
    """A sentence for each picture with a tile's number, of which others are there, whose UVs lie in several tiles."""
    found: dict[str, None] = {}
    for part in parts:
        image = materials[part.material].image
        if image is None or part.uv is None or not len(part.uv):
            continue
        name = _name(document, image)
        number = named_tile(name)
        middles = np.floor(np.nan_to_num(part.uv.mean(axis=1)))
        if number is not None and middles.any() and _has_others(document, name, number):
            found[name] = None
    return [
        f"The texture {name[-60:]!r} is called after one of several tiles, which glTF does not know: it is painted as "
        "viewers show it, repeated."
        for name in found
    ]


def _name(document: GltfDocument, image: int) -> str:
    """Of an image: its file's, else its own."""
    item = document.root.children("images")[image]
    file = document.image_file(image)
    return file.name if file is not None else item.text("name", "")


def _has_others(document: GltfDocument, name: str, number: int) -> bool:
    """Whether pictures of other tiles are among the images, or beside the one that is named."""
    parts = [re.escape(piece) for piece in name.rsplit(str(number), 1)]
    other = re.compile(r"1[0-9]{3}".join(parts))
    names = (_name(document, image) for image in range(len(document.root.children("images"))))
    if any(one != name and other.fullmatch(one) for one in names):
        return True
    files = filter(None, map(document.image_file, range(len(document.root.children("images")))))
    folders = {file.parent for file in files if file.name == name}
    return any(_is_there(folder, name, number + step) for folder in folders for step in (1, -1, 10, -10))


def _is_there(folder: Path, name: str, number: int) -> bool:
    return (folder / str(number).join(name.rsplit(str(named_tile(name)), 1))).is_file()
