"""Every option, once. Types and defaults of the settings are read from their classes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from meshstyle.config.base import CONVOLUTIONS, DEVICE_CHOICES, INITS, OPTIMIZERS, PRECISIONS, CommonSettings
from meshstyle.config.model import (
    ATLAS_CHOICES,
    DEFAULT_TEXTURE_SIZE_RANGE,
    DETAIL_CHOICES,
    IMAGE_FORMATS,
    KEEP_COLORS,
    ORIGINAL,
    PRESETS,
    SOLVERS,
    STROKE_DIRECTIONS,
    UV_CHOICES,
    Settings,
)
from meshstyle.errors import UsageError


@dataclass(frozen=True)
class Reporting:
    """How a command talks.

    Attributes:
        json: one JSON object on stdout.
        quiet: nothing on stderr but errors.
        verbose: more on stderr.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False


Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="A .glb, .gltf, .vrm, .obj, .ply, .stl or .off file.", show_default=False
    ),
]
Style = Annotated[
    list[str] | None,  # so that a second one is seen, and not taken for the only one
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE",
        help="The picture to paint like: a file, or the name of a shipped one (see: meshstyle styles).",
        show_default=False,
    ),
]
Styles = Annotated[
    list[str] | None,
    typer.Option(
        "--style",
        "-s",
        metavar="PICTURE[:PLACE]",
        help="The picture to paint like: a file, or the name of a shipped one (see: meshstyle styles). Repeat it to "
        "mix several, or to give each a place: ink.png:material=Sail*, :part=Node*, :mask=FILE (white, over the UVs), "
        ":attribute=_STYLE; and :strength=0.5. (In grid a second one is a row, in batch a folder; there write one "
        "text for all: 'a + b:material=Sail*'.)",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,  # not a Path, which forgets the / at the end of a folder's name
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Where to write; the suffix (.glb, .gltf, .vrm, .obj) decides the kind. A folder takes it under "
        "its usual name. Default: NAME.stylized.SUFFIX beside the model.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings from a TOML file, a shipped look (oil, ink, woodcut, watercolor, comic), or a model that "
        "meshstyle painted. Options on the line win.",
        show_default=False,
    ),
]
# Setting: (metavar, what it does, what it is when not given and its class has None there).
Texts = dict[str, tuple[str, str, str]]
MODEL_SETTINGS: Texts = {
    "preset": ("|".join(PRESETS), "How much work to do.", ""),
    "iterations": ("N", "Optimizer steps on each scale.", "the preset's"),
    "views": ("N", "Cameras around the model, at the least.", "the preset's"),
    "content_weight": ("X", "How much to keep of what the model shows.", ""),
    "style_weight": ("X", "How much to take of the picture's manner.", ""),
    "structure_weight": ("X", "How much to keep of light and dark: eyes, patches, panels.", ""),
    "tv_weight": ("X", "How smooth the paint should be.", ""),
    "style_scale": ("X", "Size of the strokes: more makes larger ones.", ""),
    "solver": ("|".join(SOLVERS), "Optimize the texture itself, or views held together by a loss.", ""),
    "optimizer": ("|".join(OPTIMIZERS), "How to minimize the loss.", "adam for the texture, lbfgs for views"),
    "consistency": ("X", "How firmly the views are held together (--solver views).", ""),
    "strength": ("X", "How much of the style: 0 gives the original back, 1 is all of it.", ""),
    "init": (f"{'|'.join(INITS)}|FILE", "Where the paint begins; FILE is a picture for the texture.", ""),
    "texture_size": (
        f"TEXELS|{ORIGINAL}",
        "Longer side of the painted image.",
        "the original's, within {}..{}".format(*DEFAULT_TEXTURE_SIZE_RANGE),
    ),
    "detail": (
        "|".join((*DETAIL_CHOICES, "N")),
        "Close-ups that fill large textures with detail; N: up to N times finer than the whole views.",
        "",
    ),
    "uv": ("|".join(UV_CHOICES), "Keep the model's UVs, make new ones, or decide by their health.", ""),
    "atlas": ("|".join(ATLAS_CHOICES), "One painted image for each that is there, or one for all.", ""),
    "only": ("NAME", "Paint only materials of this name (* and ? allowed); may be repeated.", "all"),
    "skip": ("NAME", "Leave materials of this name as they are; may be repeated.", "none"),
    "image_format": ("|".join(IMAGE_FORMATS), "Of the painted image; jpeg only where it is opaque.", ""),
    "stroke_direction": (
        "|".join(STROKE_DIRECTIONS),
        "Which way the painting's up lies on the model: up, along its longest side, or any way.",
        "",
    ),
    "style_weights": ("X,X,…", "How much each style counts among those of its place.", "all the same"),
    "style_border": (
        "X",
        "Width of the soft border between places of different styles, as a share of the model's size.",
        "",
    ),
    "keep_colors": (
        "|".join(KEEP_COLORS),
        "Keep the model's colours: paint only light and dark (luminance), or give the painting the model's colours "
        "first (match); palette: the painting's colours and no others.",
        "",
    ),
    "strength_map": ("FILE", "A picture over the UVs: white takes the whole style, black none.", "none"),
    "style_scale_map": (
        "FILE",
        "A picture over the UVs: strokes half as large where black, twice where white.",
        "none",
    ),
    "protect": (
        "NAME",
        "Hold light and dark of a material, node or mask (FILE) firmly: faces, text; may be repeated.",
        "nothing",
    ),
    "relief": (
        "0..1",
        "How much strokes stand out under light: normal and roughness maps (glTF output).",
        "",
    ),
    "height_map": ("", "With --relief, also write the strokes' height as a 16-bit PNG.", ""),
    "root": (
        "FOLDER",
        "A folder above the model: textures in it may be read too (../textures/skin.png).",
        "the model's own",
    ),
    "strict": (
        "",
        "Refuse a model that names textures which are not there (exit code 3).",
        "",
    ),
    "seed": ("N", "Same seed, machine and thread count: same bytes.", ""),
    "device": ("|".join(DEVICE_CHOICES), "Where to compute; auto takes a GPU where there is one.", ""),
    "threads": ("N", "CPU threads.", "the cores it may use"),
    "convolution": (
        "|".join(CONVOLUTIONS),
        "How the CPU convolves: winograd takes a quarter of the multiplications; auto uses it where it is faster.",
        "",
    ),
    "precision": (
        "|".join(PRECISIONS),
        "Of the numbers within VGG-19; auto multiplies in bf16 on CPUs that do so faster; bf16 and fp16 are for GPUs.",
        "",
    ),
    "weights": (
        "bundled|torchvision|FILE",
        "The VGG-19 to see with; FILE is .pth, .safetensors or .h5. Only torchvision uses the network.",
        "",
    ),
}


Root = Annotated[
    str | None,
    typer.Option("--root", metavar="FOLDER", help=MODEL_SETTINGS["root"][1], show_default=False),
]


def takes_settings(
    kind: type[CommonSettings] = Settings, texts: Texts = MODEL_SETTINGS, **others: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one option per setting. It gets those that were given, as the mapping `given`.

    `others`: what its help tells as defaults, where that differs from the settings' own.
    """
    defaults, hints = kind(**others), get_type_hints(kind)
    added = {
        name: _option(name, _plain_type(hints[name]), getattr(defaults, name), *text)
        for name, text in texts.items()
    }

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return _with_parameters(
            command,
            "given",
            added,
            lambda values: {name: value for name, value in values.items() if value not in (None, [])},
        )

    return decorate


def one_style(styles: list[str] | None) -> str | None:
    """The picture that was given. Raises UsageError where there are several."""
    if styles and len(styles) > 1:
        remedy = "Give one; stylize and image mix several, and grid shows them side by side."
        raise UsageError("--style", f"{len(styles)} pictures were given, and one is used", remedy)
    return styles[0] if styles else None


def no_style() -> UsageError:
    """There is nothing to paint like."""
    return UsageError(
        "--style",
        "no picture was given",
        "Give a picture's path, or the name of a shipped one (see: meshstyle styles).",
    )


@contextmanager
def naming_options(given: Mapping[str, Any]) -> Iterator[None]:
    """Errors about a setting that came from the line name it as it stands there: `--texture-size`."""
    try:
        yield
    except UsageError as error:
        if error.subject not in given:
            raise
        raise UsageError("--" + error.subject.replace("_", "-"), error.cause, error.remedy) from error


def reports(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`, `-q`, `-v` and `--debug`. It gets them as `reporting`.

    `--debug` is for whoever catches errors (`main`), which must know it even when parsing fails.
    """
    added = {
        "json": _flag(("--json",), "One JSON object on stdout, everything else on stderr."),
        "quiet": _flag(("--quiet", "-q"), "Nothing on stderr but errors."),
        "verbose": _flag(("--verbose", "-v"), "More on stderr."),
        "debug": _flag(("--debug",), "Show tracebacks of errors."),
    }

    def bundle(values: dict[str, Any]) -> Reporting:
        values.pop("debug")
        return Reporting(**values)

    return _with_parameters(command, "reporting", added, bundle)


def _plain_type(hint: Any) -> Any:
    """`int` for `int | None`; a list, which may be repeated on the line, for a tuple."""
    if get_origin(hint) is tuple:
        return list[str]
    return next((kind for kind in get_args(hint) if kind is not type(None)), hint)


def _option(name: str, kind: Any, default: Any, metavar: str, text: str, without: str) -> inspect.Parameter:
    shown = without if without and default in (None, (), False) else _shown(default)
    option = typer.Option(
        "--" + name.replace("_", "-"),
        metavar=metavar or None,
        help=f"{text} Default: {shown}.",
        show_default=False,
        rich_help_panel="Settings",
    )
    return _parameter(name, Annotated[kind | None, option], None)


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(_shown, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def _flag(names: tuple[str, ...], text: str) -> inspect.Parameter:
    option = typer.Option(*names, help=text, rich_help_panel="Reporting")
    return _parameter(names[0].removeprefix("--"), Annotated[bool, option], False)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _with_parameters(
    command: Callable[..., Any],
    name: str,
    added: dict[str, inspect.Parameter],
    bundle: Callable[[dict[str, Any]], Any],
) -> Callable[..., Any]:
    """A command whose one parameter `name` is fed from several options. Typer reads its signature."""
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.name != name
    ]

    @functools.wraps(command)
    def wrapper(**arguments: Any) -> Any:
        values = {key: arguments.pop(key) for key in added}
        return command(**arguments, **{name: bundle(values)})

    signature = inspect.Signature([*own, *added.values()])
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    wrapper.__annotations__ = {key: parameter.annotation for key, parameter in signature.parameters.items()}
    return wrapper
