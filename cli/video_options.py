"""The options of `meshstyle video` beside those of `image`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshstyle.config.video import CODECS, VIDEO_PRESETS

from .options import Texts
from .picture_options import PICTURE_SETTINGS

Clip = Annotated[
    Path,
    typer.Argument(
        metavar="CLIP",
        help="A film (.mp4, .mov, .webm, .mkv, .gif, ...), or a folder of numbered pictures.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where to write: .mp4, .mov, .mkv, .webm or .gif; any other name is that of a folder of pictures. "
        "Default: NAME.stylized.mp4 beside the clip.",
        show_default=False,
    ),
]
Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask",
        metavar="FILE",
        help="Where to paint: white; where to leave the clip: black. A film or folder as long as the clip, or one "
        "picture.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings from a TOML file, or from a PNG that meshstyle video painted. Options on the line win.",
        show_default=False,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="auto|N",
        help="Processes, each of which paints a scene; auto: as many as there are scenes and cores for.",
    ),
]
NoResume = Annotated[
    bool,
    typer.Option("--no-resume", help="Begin anew, though an earlier run has finished some frames."),
]

_OWN: Texts = {
    "consistency": ("X", "How firmly frames are held together; 0 paints each by itself.", ""),
    "passes": (
        "N",
        "Passes over each scene, in turns forward and backward.",
        ", ".join(f"{preset.passes} ({name})" for name, preset in VIDEO_PRESETS.items()),
    ),
    "frame_steps": (
        "N",
        "Optimizer steps on a frame that begins with the paint of others.",
        ", ".join(f"{preset.steps[0]} ({name})" for name, preset in VIDEO_PRESETS.items()),
    ),
    "fps": ("X", "Frames a second of a folder of pictures.", ""),
    "codec": ("|".join(CODECS), "Of the film; auto: H.264, and VP9 in .webm.", ""),
}
VIDEO_SETTINGS: Texts = {
    **{name: text for name, text in PICTURE_SETTINGS.items() if name != "save_every"},
    "iterations": ("N", "Optimizer steps on each scale of frames that begin anew.", "the preset's"),
    **_OWN,
}
