"""One page to hand over: the model in a 3D viewer, before and after, and how it was made. It needs no network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from markupsafe import Markup

from ...io.atomic_write import write_all
from ...io.load import load_asset
from ...io.safe_paths import roots_for
from ...io.types import Asset
from ...provenance import file_name
from ...recorded_settings import recorded_style
from ...views.cameras import FIELD_OF_VIEW, Frame
from ..painted_asset import BACKGROUND
from ..thumbnail import thumbnail
from . import three
from .glb import glb_bytes
from .html import TEMPLATE, binary_block, document, json_block, own_file, picture
from .templates import macros

AZIMUTH, ELEVATION = math.radians(30), math.radians(15)  # where the viewer begins
MARGIN = 1.03  # bounding radii that half the frame shows: nothing is cut off on any side
_STYLE_SIDE = 480  # pixels of the longer side of the style picture


@dataclass(frozen=True)
class Story:
    """What a page tells beside its pictures; texts are plain, not HTML.

    Attributes:
        record: what the run left in the model: version, style, seed, settings (see `provenance.run_record`).
        styles: the style pictures, as far as they are known.
        figures: name and value of what was measured.
        curves: markup of `curves.curve`.
    """

    record: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[Path, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    curves: Markup = field(default_factory=Markup)


def write_page(
    model: str | Path,
    output: str | Path,
    original: str | Path | None = None,
    story: Story | None = None,
    eye: tuple[float, float] = (AZIMUTH, ELEVATION),
    root: str | Path | None = None,
) -> tuple[Path, ...]:
    """Write a self-contained HTML page that shows a model.

    Args:
        model: .glb, .gltf, .obj or another kind that meshstyle reads.
        output: the page; a file that is there is replaced.
        original: the model before it was painted: a slider then goes from one to the other.
        story: how it was made. Without a record, that is what the model itself remembers; without styles, what the
            record names, if it can still be found.
        eye: azimuth (0: +z, π/2: +x) and elevation from which the viewer looks at first, radians.
        root: folder above one of the models, from which its textures may be read as well.

    Returns: the paths written. Raises AssetError, PictureError, OutputError.
    """
    model, output = Path(model), Path(output)
    paths = [model] if original is None else [model, Path(original)]
    after, *rest = (load_asset(path, one) for path, one in zip(paths, roots_for(paths, root), strict=True))
    before = rest[0] if rest else None
    story = story or Story()
    record = story.record or after.record or {}
    story = replace(story, record=record, styles=story.styles or _style_of(record, model.parent))
    page = build_page(model.name, after, before, story, eye)
    return write_all({output: page.encode()}, [*paths, *story.styles])


def build_page(name: str, after: Asset, before: Asset | None, story: Story, eye: tuple[float, float]) -> str:
    """The page's HTML."""
    frame = Frame.of(np.concatenate([part.corners.reshape(-1, 3) for part in after.parts]))
    setup = {
        "centre": frame.centre.tolist(),
        "radius": frame.radius,
        "azimuth": eye[0],
        "elevation": eye[1],
        "distance": MARGIN / math.sin(FIELD_OF_VIEW / 2),
        "background": "#{:02x}{:02x}{:02x}".format(*BACKGROUND),
    }
    models = {"model-after": after} if before is None else {"model-before": before, "model-after": after}
    blocks = [json_block("setup", setup)]
    blocks += [binary_block(element, glb_bytes(asset)) for element, asset in models.items()]
    page = macros(TEMPLATE)
    stage = page.stage(before is not None)
    body = page.model(heading(name, story.record), stage, aside(story), Markup("").join(blocks))
    return document(name, body, [three.library(), *map(own_file, ("gltf.js", "wipe.js", "viewer.js"))])


def direction(turn: float = 0.0) -> Float64[np.ndarray, "3"]:
    """Return the direction from the centre to the eye where the viewer begins, or so many radians further to the
    right."""
    flat = math.cos(ELEVATION)
    return np.array([flat * math.sin(AZIMUTH + turn), math.sin(ELEVATION), flat * math.cos(AZIMUTH + turn)])


def heading(name: str, record: Mapping[str, Any]) -> Markup:
    """Title and one line below it."""
    names = record.get("style") or []
    style = " and ".join(Path(str(name)).name for name in ([names] if isinstance(names, str) else names))
    return Markup(macros(TEMPLATE).heading(name, style))


def aside(story: Story) -> Markup:
    """Style picture, figures, curves, settings."""
    shown = [picture(thumbnail(style, _STYLE_SIDE), "the style picture", "jpeg") for style in story.styles]
    figures = [(name.replace("_", " "), shown_value(value)) for name, value in story.figures.items()]
    settings = settings_rows(story.record)
    return Markup(macros(TEMPLATE).aside(Markup("").join(shown), figures, story.curves, settings))


def settings_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The record, settings unfolded; of files, the names alone: earlier releases kept their folders too."""
    rows = [
        (name.replace("_", " "), shown_value(_without_folders(record[name])))
        for name in ("style", "version")
        if record.get(name)
    ]
    settings = record.get("settings")
    if isinstance(settings, Mapping):
        plain = {name: _without_folders(settings[name]) for name in ("weights", "init") if name in settings}
        rows += [
            (str(name).replace("_", "-"), shown_value(value)) for name, value in {**settings, **plain}.items()
        ]
    return rows


def _without_folders(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_without_folders(item) for item in value]
    return file_name(value) if isinstance(value, str) else value


def shown_value(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown_value(item) for item in value)
    return str(value)


def _style_of(record: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """The picture a record names, if it is still the same. Nothing outside the model's folder is looked at."""
    name, digest = record.get("style"), record.get("style_sha256")
    if not isinstance(name, str) or digest is None:
        return ()
    path = recorded_style(name, digest, folder)
    return () if path is None else (path,)


def flat_stage(before: UInt8[np.ndarray, "H W 3"], after: UInt8[np.ndarray, "H W 3"]) -> Markup:
    """Two pictures of one size, with the slider between them (it needs `wipe.js`)."""
    height, width = before.shape[:2]
    shape = f"{width / height:.4f}"
    return Markup(macros(TEMPLATE).flat_stage(picture(before, "before"), picture(after, "after"), shape))
