"""Every choice a run can make, with its default. The API and the command line both read them from here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import UsageError
from .base import CommonSettings, check_choice, check_range
from .base import Scale as Scale  # it is part of a preset, and of this module for those who make one

DEFAULT_TEXTURE_SIZE_RANGE = (512, 2048)  # what `texture_size=None` clamps the original's size into


@dataclass(frozen=True)
class Detail:
    """Close-ups after the whole views, where the texture has room for more than those can show.

    Attributes:
        size: of a close-up, pixels.
        steps: on each of them.
        texels: along the side of a pixel, at the largest zoom.
        above: longer side of an atlas, in texels, up to which none are made.
        most: how many times finer than the largest whole views, at the most; below LEAST_DETAIL: none are made.
    """

    size: int = 256
    steps: int = 8
    texels: float = 1.5
    above: int = DEFAULT_TEXTURE_SIZE_RANGE[1]  # no preset takes the time of close-ups unasked
    most: float = math.inf


@dataclass(frozen=True)
class Preset:
    """How much work to do.

    Attributes:
        scales: with steps that look at one view each.
        views: at the least.
        rounds: with steps that look at all views; empty: the same as `scales`.
        detail: of large textures.
        structure: how many times the structure weight counts. Few steps on small views leave strokes as noise, which
            letters and eyes drown in where they are not held more firmly than in a finished picture.
    """

    scales: tuple[Scale, ...]
    views: int
    rounds: tuple[Scale, ...] = ()
    detail: Detail = Detail()
    structure: float = 1.0


PRESETS: dict[str, Preset] = {
    "draft": Preset(
        scales=(Scale(128, 40),), views=8, rounds=(Scale(128, 12),), detail=Detail(most=1.0), structure=24.0
    ),
    "standard": Preset(
        scales=(Scale(128, 120), Scale(256, 100), Scale(384, 90), Scale(768, 60)),
        views=20,
        rounds=(Scale(128, 30), Scale(256, 25)),
    ),
    "fine": Preset(
        scales=(Scale(128, 160), Scale(256, 200), Scale(384, 240), Scale(768, 240)),
        views=32,
        rounds=(Scale(128, 40), Scale(256, 60), Scale(384, 15)),
        detail=Detail(size=384, steps=16, texels=1.0),
    ),
}
SOLVERS = ("texture", "views")
UV_CHOICES = ("auto", "keep", "unwrap")
ATLAS_CHOICES = ("separate", "shared")
IMAGE_FORMATS = ("png", "webp", "jpeg")
STROKE_DIRECTIONS = ("up", "shape", "free")
KEEP_COLORS = ("off", "luminance", "match", "palette")
TEXTURE_SIZE_RANGE = (16, 8192)
ORIGINAL = "original"
DETAIL_CHOICES = ("auto", "off")
LEAST_DETAIL = 1.3  # zoom: what less would add, nobody sees


@dataclass(frozen=True, kw_only=True)
class Settings(CommonSettings):
    """Settings of painting a model. Raises UsageError on values that make no sense.

    Attributes, beside those of `CommonSettings`:
        views: cameras to spread around the model at the least; None takes the preset's.
        solver: what is optimized: the `texture`, which all views read, or the `views`, held together by a loss.
        consistency: γ of the views' solver, on the mean squared difference between the views and their consensus.
        texture_size: longer side of the painted image in texels; None takes the original's, within 512..2048;
            `original`: whatever it is.
        root: folder above the model, from which textures may be read as well; None: the model's own folder only.
        strict: refuse models that name textures which are not there.
        detail: close-ups that fill large textures with detail: `auto`, as the preset has them; `off`; or a number: as
            many times finer than the whole views, at the most, as the texture has room for.
        uv: `auto` keeps usable UVs and unwraps the rest, `keep` and `unwrap` force it.
        atlas: `separate`: one painted image for each that the materials read; `shared`: one for all, with fresh UVs.
        only, skip: name patterns of the materials to paint, and of those to leave as they are; empty: all, none.
        image_format: of the painted image; `jpeg` only where it is opaque, else PNG.
        stroke_direction: which way the painting's own up lies on the surface: `up`, `shape`: along the direction in
            which the model extends most, or `free`: any way.
        style_weights: how much each style counts among those of its place (see `config.styles`); empty: all the same.
        style_border: width of the soft border between places of different styles, as a share of the model's size (the
            diagonal of its bounding box).
        keep_colors: `off`; `luminance`: only light and dark are painted; `match`: the paintings are given the model's
            colours first; `palette`: the paint has the paintings' colours and no others (see `style.keep_colors`).
        strength_map: a picture over the model's UVs: white takes the whole style, black none; None: there is none.
        style_scale_map: another: strokes are half as large where it is black, twice where it is white.
        protect: what keeps its light and dark more firmly, strokes or not: names of materials or nodes, masks' paths,
            or `material=…`, `part=…`, `mask=…`, `attribute=…`.
        relief: 0..1, how much strokes stand out in a normal map and a roughness map; 0: neither is written (glTF only).
        height_map: whether the strokes' height is written as a 16-bit PNG beside the model, with relief.
    """

    views: int | None = None
    solver: str = "texture"
    consistency: float = 8000.0
    texture_size: str | int | None = None
    detail: str | float = "auto"
    uv: str = "auto"
    atlas: str = "separate"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    image_format: str = "png"
    stroke_direction: str = "up"
    style_weights: tuple[float, ...] = ()
    style_border: float = 0.02
    keep_colors: str = "off"
    strength_map: str | None = None
    style_scale_map: str | None = None
    protect: tuple[str, ...] = ()
    relief: float = 0.0
    height_map: bool = False
    root: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset", self.preset, tuple(PRESETS))
        check_choice("solver", self.solver, SOLVERS)
        object.__setattr__(self, "detail", _detail(self.detail))
        check_choice("uv", self.uv, UV_CHOICES)
        check_choice("atlas", self.atlas, ATLAS_CHOICES)
        check_choice("image_format", self.image_format, IMAGE_FORMATS)
        check_choice("stroke_direction", self.stroke_direction, STROKE_DIRECTIONS)
        check_choice("keep_colors", self.keep_colors, KEEP_COLORS)
        check_range("style_border", self.style_border, 0.0, 1.0)
        check_range("relief", self.relief, 0.0, 1.0)
        if self.height_map and not self.relief:
            raise UsageError("height_map", "there is no height without relief", "Add --relief 0.5, say.")
        for weight in self.style_weights:
            check_range("style_weights", weight, 0.0, 1e12)
        check_range("views", self.views, 1, 1000)
        object.__setattr__(self, "texture_size", _texture_size(self.texture_size))
        check_range("consistency", self.consistency, 0.0, 1e12)

    @property
    def side(self) -> int | None:
        """`texture_size` where it is a number."""
        return self.texture_size if isinstance(self.texture_size, int) else None

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The preset's ladder, with `iterations` steps on each level where that is given."""
        preset = PRESETS[self.preset]
        all_views_a_step = self.solver == "views" or self.optimizer_used == "lbfgs"
        multiscale = (all_views_a_step and preset.rounds) or preset.scales
        if self.iterations is None:
            return multiscale
        return tuple(replace(scale, steps=self.iterations) for scale in multiscale)

    @property
    def close_ups(self) -> Detail:
        """The preset's, as `detail` and `iterations` change them. The views' solver makes none."""
        found = PRESETS[self.preset].detail
        if self.detail == "off" or self.solver != "texture":
            found = replace(found, most=1.0)
        elif self.detail != "auto":
            found = replace(found, above=0, most=float(self.detail))
        return found if self.iterations is None else replace(found, steps=min(found.steps, self.iterations))

    @property
    def structure_used(self) -> float:
        """`structure_weight` as the preset has it count."""
        return self.structure_weight * PRESETS[self.preset].structure

    @property
    def whole_views(self) -> bool:
        """Whether even crevices are shown in whole views: a solver that goes from view to view must know where each was
        taken from."""
        return self.solver == "views"

    @property
    def optimizer_used(self) -> str:
        """What `optimizer` stands for where it is None."""
        return self.optimizer or {"texture": "adam", "views": "lbfgs"}[self.solver]

    @property
    def view_count(self) -> int:
        return PRESETS[self.preset].views if self.views is None else self.views


def _texture_size(value: str | int | None) -> str | int | None:
    """`original`, None, or a number in range; texts that hold one will do."""
    if value is None or value == ORIGINAL:
        return value
    try:
        number = int(value)
    except ValueError as error:
        remedy = f"Give a number of texels, or {ORIGINAL}."
        raise UsageError("texture_size", f"{value!r} is no size", remedy) from error
    check_range("texture_size", number, *TEXTURE_SIZE_RANGE)
    return number


def _detail(value: str | float) -> str | float:
    """One of the choices, or a number of at least 1; texts that hold one will do."""
    if value in DETAIL_CHOICES:
        return value
    try:
        number = float(value)
    except (ValueError, OverflowError):
        check_choice("detail", str(value), (*DETAIL_CHOICES, "a number"))
        raise
    check_range("detail", number, 1.0, 64.0)
    return number
