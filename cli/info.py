"""`meshstyle info`: what a model holds and what would be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from meshstyle.text import escaped, shortened

from .display import emit, emit_json, table, texels
from .interrupt import interruptible
from .options import Model, Reporting, Root, naming_options, reports

if TYPE_CHECKING:
    from meshstyle.info import AtlasInfo, MaterialInfo, ModelInfo, PartInfo

PARTS_SHOWN = 20  # JSON has them all
TITLE = 100  # characters


@reports
def info(model: Model, *, root: Root = None, reporting: Reporting) -> None:
    """Show what MODEL holds and what stylize would do."""
    with interruptible(), naming_options({"root": root}):
        from meshstyle.config.model import Settings
        from meshstyle.info import describe

        described = describe(model, Settings(root=root))
    if reporting.json:
        emit_json(described.to_dict())
        return
    emit("\n".join(_lines(described)))


def _lines(model: ModelInfo) -> Iterator[str]:
    x, y, z = model.extent
    size = f"{x:.4g} × {y:.4g} × {z:.4g} units"
    yield f"{escaped(str(model.path))}: {model.kind}, {_count(model.triangles, 'triangle')}, {size}"
    yield from _section("materials", [(each.name, _material(each)) for each in model.materials])
    shown = [(part.name, _part(part)) for part in model.parts[:PARTS_SHOWN]]
    if len(model.parts) > PARTS_SHOWN:
        shown.append(("…", f"and {len(model.parts) - PARTS_SHOWN} more"))
    yield from _section("parts", shown)
    for atlas in model.atlases:
        yield from _section(f"stylize would paint {atlas.name}", list(_atlas(atlas)))
    yield from _section("notes", [("-", warning) for warning in model.warnings])
    if model.record:
        yield from _section("painted by meshstyle before", list(_record(model.record)))


def _section(title: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    return ["", shortened(escaped(title), TITLE), *("  " + line for line in table(rows).splitlines())]


def _material(material: MaterialInfo) -> str:
    if material.texture is None or material.texture_size is None:
        colour = "no texture"
    else:
        colour = f"{material.texture} ({texels(material.texture_size)})"
    factor = ", ".join(f"{value:.3g}" for value in material.factor)
    extras = [f"colour factor {factor}"] if material.factor != (1.0, 1.0, 1.0, 1.0) else []
    extras += [f"alpha {material.alpha_mode.lower()}"] if material.alpha_mode != "OPAQUE" else []
    extras += ["double-sided"] if material.double_sided else []
    return ", ".join([colour, *extras])


def _part(part: PartInfo) -> str:
    text = _count(part.triangles, "triangle")
    if part.instances != 1:
        text += f" × {part.instances} instances"
    has = {"UVs": part.has_uv, "vertex colours": part.has_colours, "normals": part.has_normals}
    carries = ", ".join(name for name, there in has.items() if there)
    return f"{text} of {part.material}, with {carries or 'neither UVs nor normals'}"


def _atlas(atlas: AtlasInfo) -> Iterator[tuple[str, str]]:
    yield "size", texels(atlas.size)
    yield "materials", ", ".join(atlas.materials)
    yield "UVs", atlas.reason
    if atlas.uv is None:
        return
    uv = atlas.uv
    yield "overlap", f"{uv.overlap:.1%} of the covered texels have several owners"
    yield "zero area", f"{uv.zero_area:.1%} of the surface has no texels"
    yield "coverage", f"{uv.coverage:.1%} of the atlas is used"
    yield "range", f"u {uv.low[0]:.3g} to {uv.high[0]:.3g}, v {uv.low[1]:.3g} to {uv.high[1]:.3g}"


def _record(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield name, ", ".join(f"{key} {item}" for key, item in value.items())
        else:
            yield name, str(value)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
