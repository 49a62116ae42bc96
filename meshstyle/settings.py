"""Every choice a run can make, with its default. The API and the command line both read them from here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from .errors import UsageError


@dataclass(frozen=True)
class Scale:
    """One rung of the coarse-to-fine ladder: views of `size`² pixels, `steps` optimizer steps."""

    size: int
    steps: int


@dataclass(frozen=True)
class Preset:
    """How much work to do.

    Attributes:
        scales: with steps that look at one view each.
        views: at the least.
        rounds: with steps that look at all views; empty: the same as `scales`.
    """

    scales: tuple[Scale, ...]
    views: int
    rounds: tuple[Scale, ...] = ()


PRESETS: dict[str, Preset] = {
    "draft": Preset(scales=(Scale(128, 24),), views=8, rounds=(Scale(128, 12),)),
    "standard": Preset(
        scales=(Scale(128, 50), Scale(256, 45)), views=14, rounds=(Scale(128, 30), Scale(256, 25))
    ),
    "fine": Preset(
        scales=(Scale(128, 60), Scale(256, 120), Scale(384, 40)),
        views=20,
        rounds=(Scale(128, 40), Scale(256, 60), Scale(384, 15)),
    ),
}
SOLVERS = ("texture", "views")
OPTIMIZERS = ("adam", "lbfgs")
INITS = ("color-matched", "content", "noise")
UV_CHOICES = ("auto", "keep", "unwrap")
ATLAS_CHOICES = ("separate", "shared")
IMAGE_FORMATS = ("png", "webp", "jpeg")
DEVICE_CHOICES = ("auto", "cpu", "cuda", "mps")
TEXTURE_SIZE_RANGE = (16, 8192)
DEFAULT_TEXTURE_SIZE_RANGE = (512, 2048)  # what `texture_size=None` clamps the original's size into


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one run. Raises UsageError on values that make no sense.

    Attributes:
        preset: how much work: draft, standard or fine.
        iterations: optimizer steps per scale; None takes the preset's.
        views: cameras to spread around the model at the least; None takes the preset's.
        content_weight: α, on the relative squared error of relu4_2 (Gatys et al. 2016, eq. 1, made relative).
        style_weight: β, on the relative squared error of the Gram matrices (ibid., eq. 4-5).
        structure_weight: σ, on 1 − correlation of the luminance with the original's.
        tv_weight: τ, on the total variation over the surface.
        solver: what is optimized: the `texture`, which all views read, or the `views`, held together by a loss.
        optimizer: `adam` or `lbfgs`; None takes adam for the texture, lbfgs for the views.
        consistency: γ of the views' solver, on the mean squared difference between the views and their consensus.
        init: where the paint begins: the model's colours in the painting's palette, the model's own, or noise.
        texture_size: longer side of the painted image in texels; None takes the original's, within 512..2048.
        uv: `auto` keeps usable UVs and unwraps the rest, `keep` and `unwrap` force it.
        atlas: `separate`: one painted image for each that the materials read; `shared`: one for all, with fresh UVs.
        only, skip: name patterns of the materials to paint, and of those to leave as they are; empty: all, none.
        image_format: of the painted image; `jpeg` only where it is opaque, else PNG.
        seed: same seed, machine and thread count give the same bytes.
        device: `auto` takes a GPU where torch finds one.
        threads: CPU threads; None leaves it to torch.
        weights: `bundled`, `torchvision`, or a path to a .pth, .safetensors or .h5 file of VGG-19.
    """

    preset: str = "standard"
    iterations: int | None = None
    views: int | None = None
    content_weight: float = 1.0
    style_weight: float = 1000.0
    structure_weight: float = 400.0
    tv_weight: float = 1.0
    solver: str = "texture"
    optimizer: str | None = None
    consistency: float = 2000.0
    init: str = "color-matched"
    texture_size: int | None = None
    uv: str = "auto"
    atlas: str = "separate"
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    image_format: str = "png"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    weights: str = "bundled"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if hint == tuple[str, ...]:
                object.__setattr__(self, name, _strings(name, getattr(self, name)))
            else:
                _check_type(name, getattr(self, name), hint)
        _check_choice("preset", self.preset, tuple(PRESETS))
        _check_choice("solver", self.solver, SOLVERS)
        if self.optimizer is not None:
            _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("init", self.init, INITS)
        _check_choice("uv", self.uv, UV_CHOICES)
        _check_choice("atlas", self.atlas, ATLAS_CHOICES)
        _check_choice("image_format", self.image_format, IMAGE_FORMATS)
        _check_choice("device", self.device, DEVICE_CHOICES)
        _check_range("iterations", self.iterations, 0, 100_000)
        _check_range("views", self.views, 1, 1000)
        _check_range("texture_size", self.texture_size, *TEXTURE_SIZE_RANGE)
        _check_range("seed", self.seed, 0, 2**63 - 1)
        _check_range("threads", self.threads, 1, 1024)
        for name in ("content_weight", "style_weight", "structure_weight", "tv_weight", "consistency"):
            _check_range(name, getattr(self, name), 0.0, 1e12)
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The preset's ladder, with `iterations` steps on each rung where that is given."""
        preset = PRESETS[self.preset]
        all_views_a_step = self.solver == "views" or self.optimizer_used == "lbfgs"
        ladder = (all_views_a_step and preset.rounds) or preset.scales
        if self.iterations is None:
            return ladder
        return tuple(replace(scale, steps=self.iterations) for scale in ladder)

    @property
    def optimizer_used(self) -> str:
        """What `optimizer` stands for where it is None."""
        return self.optimizer or {"texture": "adam", "views": "lbfgs"}[self.solver]

    @property
    def view_count(self) -> int:
        return PRESETS[self.preset].views if self.views is None else self.views

    def to_dict(self) -> dict[str, Any]:
        """JSON- and TOML-able; without the settings that are None or empty lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None and value != ()
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> Settings:
        """The reverse of `to_dict`. Dashes in names count as underscores. Raises UsageError."""
        known = {field.name for field in fields(cls)}
        named = {str(name).replace("-", "_"): value for name, value in values.items()}
        unknown = sorted(set(named) - known)
        if unknown:
            raise UsageError(
                source,
                f"there is no setting called {', '.join(unknown)}",
                f"The settings are: {', '.join(sorted(known))}.",
            )
        return cls(**named)


def _check_type(name: str, value: Any, hint: Any) -> None:
    """Integers pass for floats; booleans for nothing."""
    allowed = get_args(hint) or (hint,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return
    if isinstance(value, bool) or not isinstance(value, allowed):
        kinds = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in allowed)
        raise UsageError(name, f"{value!r} is a {type(value).__name__}", f"Give a value of type {kinds}.")


def _strings(name: str, value: Any) -> tuple[str, ...]:
    """A list of texts; one text alone will do."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) and text for text in texts):
        raise UsageError(name, f"{value!r} is not a list of names", "Give one name, or a list of them.")
    return tuple(texts)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(name, f"{value!r} is not a choice", f"Choose one of: {', '.join(choices)}.")


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(name, f"{value} is out of range", f"Give a number from {low:g} to {high:g}.")
