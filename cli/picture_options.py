"""The options of `meshstyle image` beside those in `options`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshstyle.config.base import INITS
from meshstyle.config.image import KEEP_COLORS, PICTURE_PRESETS, POOLINGS

from .options import MODEL_SETTINGS, Texts

Photo = Annotated[
    Path,
    typer.Argument(metavar="PHOTO", help="The picture to paint: PNG, JPEG, WebP, ...", show_default=False),
]
Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE",
        help="The picture to paint like: a file, or the name of a shipped one (see: meshstyle styles). "
        "May be repeated: the styles are mixed.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where to write: .png, .jpg or .webp. A folder takes it under its usual name. "
        "Default: NAME.stylized.png beside the photo.",
        show_default=False,
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        metavar="FILE",
        help="Where to paint: white; where to leave the photo: black. Of the photo's proportions.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings from a TOML file, or from a PNG that meshstyle painted. Options on the line win.",
        show_default=False,
    ),
]

_SHARED = (
    "preset",
    "iterations",
    "content_weight",
    "style_weight",
    "structure_weight",
    "tv_weight",
    "strength",
    "style_scale",
    "optimizer",
)
_LAST = ("seed", "device", "threads", "convolution", "precision", "weights")
PICTURE_SETTINGS: Texts = {
    "size": (
        "PIXELS",
        "Longer side of the result.",
        ", ".join(f"{preset.size} ({name})" for name, preset in PICTURE_PRESETS.items()),
    ),
    **{name: MODEL_SETTINGS[name] for name in _SHARED},
    "content_weight": ("X", "How much to keep of what the photo shows.", ""),
    "optimizer": (MODEL_SETTINGS["optimizer"][0], MODEL_SETTINGS["optimizer"][1], "lbfgs"),
    "init": (f"{'|'.join(INITS)}|FILE", "Where the paint begins.", ""),
    "content_layers": (
        "NAME,...",
        "Layers of VGG-19 that see what the photo shows; NAME=X has weight X.",
        "",
    ),
    "style_layers": ("NAME,...", "Layers that see the manner; likewise.", ""),
    "pooling": ("|".join(POOLINGS), "How the network shrinks what it sees.", ""),
    "style_weights": ("X,...", "How much each --style counts.", "all the same"),
    "keep_colors": (
        "|".join(KEEP_COLORS),
        "Keep the photo's colours: paint only light and dark, or give the style the photo's colours first.",
        "",
    ),
    "save_every": ("N", "Also write OUT.0010.png and so on, every N steps.", "never"),
    **{name: MODEL_SETTINGS[name] for name in _LAST},
}
