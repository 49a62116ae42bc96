"""Where results go: the input's tree again, below OUT."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ..config.styles import StyleRequest, parse_styles
from ..output_path import default_output

_UNSAFE = re.compile(r"[^\w.-]+")
_WITH_COMPANIONS = (".obj", ".gltf")  # kinds that bring files beside the model


def name_styles(styles: Sequence[str]) -> dict[str, str]:
    """A folder's name for each style: what the user called it, or its file's name; numbered where taken."""
    names: dict[str, str] = {}
    for style in styles:
        base = "+".join(map(_folder_name, parse_styles(style)))
        name, number = base, 1
        while name in names.values():
            number += 1
            name = f"{base}_{number}"
        names[style] = name
    return names


def _folder_name(request: StyleRequest) -> str:
    picture = Path(request.picture)
    base = picture.stem if picture.suffix else PurePosixPath(request.picture).name
    if request.region is None:
        return base
    return f"{base}-{_UNSAFE.sub('', PurePosixPath(request.region.value).stem) or request.region.kind}"


def name_outputs(models: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """Choose for each model its result's path, and what its companions' names begin with where that is not its own
    name.

    Paths are below the input and below OUT (or a style's folder in it), with slashes. A model keeps its name if its
    kind can hold the paint. Models of one name and several kinds in one folder do not get into each other's way:
    `a.ply` beside `a.glb` becomes `a_ply.glb`, and the textures of `a.obj` beside `a.gltf` begin with `a_obj`.
    """
    usual = {model: PurePosixPath(model).with_suffix(default_output(Path(model)).suffix) for model in models}
    taken = {str(path) for model, path in usual.items() if str(path) == model}
    stems = Counter(
        str(path.with_suffix("")).casefold()
        for path in usual.values()
        if path.suffix.lower() in _WITH_COMPANIONS
    )
    named: dict[str, tuple[str, str | None]] = {}
    for model, path in usual.items():
        kind = PurePosixPath(model).suffix[1:].lower()
        output, number = path, 1
        while str(output) != model and str(output) in taken:
            output = path.with_stem(f"{path.stem}_{kind}" + (f"_{number}" if number > 1 else ""))
            number += 1
        taken.add(str(output))
        shared = output.suffix.lower() in _WITH_COMPANIONS and stems[str(path.with_suffix("")).casefold()] > 1
        named[model] = (str(output), f"{output.stem}_{kind}" if shared else None)
    return named
