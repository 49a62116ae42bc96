"""Relief in glTF: normals and roughness are images of their own, in the UVs of the paint."""

from __future__ import annotations

from dataclasses import replace

from ..types import Paint, PaintedAtlas


def with_relief(paint: Paint) -> tuple[Paint, dict[int, tuple[int, int]]]:
    """The paint with the maps of its relief as further atlases, and which those of each atlas are."""
    atlases, found = list(paint.atlases), dict[int, tuple[int, int]]()
    for number, atlas in enumerate(paint.atlases):
        if atlas.relief is not None:
            found[number] = (len(atlases), len(atlases) + 1)
            atlases.append(PaintedAtlas(f"{atlas.name} normal", atlas.relief.normal))
            atlases.append(PaintedAtlas(f"{atlas.name} roughness", atlas.relief.surface))
    return replace(paint, atlases=tuple(atlases)), found
