"""What `Settings` and `PictureSettings` have in common: the choices they share, and how any are checked and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, get_args, get_type_hints

from ..errors import UsageError
from ..text import shortened

_LARGEST = int(1e300)  # of integers that stand for floats
_SHOWN = 60  # characters of a value in a message
OPTIMIZERS = ("adam", "lbfgs")
INITS = ("color-matched", "content", "noise")
DEVICE_CHOICES = ("auto", "cpu", "cuda", "mps")
CONVOLUTIONS = ("auto", "torch", "winograd")
PRECISIONS = ("auto", "float32", "bf16", "fp16")
MAPS = ("strength_map", "style_scale_map")  # settings that name pictures, where they are given


@dataclass(frozen=True)
class Scale:
    """One level of the coarse-to-fine ladder: pictures of `size` pixels along a side, `steps` optimizer steps."""

    size: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class CommonSettings:
    """Settings of any run. Raises UsageError on values that make no sense.

    Attributes:
        preset: how much work: draft, standard or fine.
        iterations: optimizer steps per scale; None takes the preset's.
        content_weight: α, on the relative squared error of the content features (Gatys et al. 2016, eq. 1, made
            relative). Of models α³, so that it is felt: at 1 it is a thousandth of the style's, at 10 as much.
        style_weight: β, on the relative squared error of the Gram matrices (ibid., eq. 4-5).
        structure_weight: σ, on 1 − correlation of the luminance with the original's.
        tv_weight: τ, on the total variation.
        strength: how much of the style: 0 gives the original back, 1 is all of it (see `strength`).
        style_scale: size of the strokes. Of a flat picture: the style pictures' longer side, as a share of the
            result's; of a model: the style picture's short side, as a share of a view that frames the whole model.
        optimizer: `adam` or `lbfgs`; None takes what suits the job.
        init: where the paint begins: the original's colours in the painting's palette, its own, noise, or a
            picture's path (for a model: laid over each atlas, as a texture is).
        seed: same seed, machine and thread count give the same bytes.
        device: `auto` takes a GPU where torch finds one.
        threads: CPU threads; None takes as many as may run at once (see `system.threads`).
        convolution: `torch`: the library's; `winograd`: ours, on the CPU; `auto`: ours where it is faster.
        precision: of the numbers within VGG-19; losses and colours are float32 always. `auto`: float32, but what our
            convolution multiplies is bf16 where the processor does that faster.
        weights: `bundled`, `torchvision`, or a path to a .pth, .safetensors or .h5 file of VGG-19.
    """

    preset: str = "standard"
    iterations: int | None = None
    content_weight: float = 1.0
    style_weight: float = 1000.0
    structure_weight: float = 130.0
    tv_weight: float = 1.0
    strength: float = 1.0
    style_scale: float = 1.0
    optimizer: str | None = None
    init: str = "color-matched"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    convolution: str = "auto"
    precision: str = "auto"
    weights: str = "bundled"

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if hint == tuple[str, ...]:
                object.__setattr__(self, name, _strings(name, getattr(self, name)))
            elif hint == tuple[float, ...]:
                object.__setattr__(self, name, _numbers(name, getattr(self, name)))
            else:
                check_type(name, getattr(self, name), hint)
            if hint is float:
                object.__setattr__(self, name, float(getattr(self, name)))
        if self.optimizer is not None:
            check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("device", self.device, DEVICE_CHOICES)
        check_choice("convolution", self.convolution, CONVOLUTIONS)
        check_choice("precision", self.precision, PRECISIONS)
        check_range("iterations", self.iterations, 0, 100_000)
        check_range("seed", self.seed, 0, 2**63 - 1)
        check_range("threads", self.threads, 1, 1024)
        for name in ("content_weight", "style_weight", "structure_weight", "tv_weight"):
            check_range(name, getattr(self, name), 0.0, 1e12)
        check_range("strength", self.strength, 0.0, 1.0)
        check_range("style_scale", self.style_scale, 0.05, 20)

    @property
    def compiled(self) -> bool:
        """Whether our own compiled code may be used: it is what `convolution` turns off."""
        return self.convolution != "torch"

    def to_dict(self) -> dict[str, Any]:
        """JSON- and TOML-able; without the settings that are None or empty lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None and value != ()
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> Self:
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


def check_type(name: str, value: Any, hint: Any) -> None:
    """Integers pass for floats; booleans for booleans alone."""
    allowed = get_args(hint) or (hint,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        if not -_LARGEST <= value <= _LARGEST:
            raise UsageError(name, f"{shown(value)} is out of range", "Give a smaller number.")
        return
    if (isinstance(value, bool) and bool not in allowed) or not isinstance(value, allowed):
        kinds = " or ".join("nothing" if kind is type(None) else kind.__name__ for kind in allowed)
        raise UsageError(
            name, f"{shown(value)} is a {type(value).__name__}", f"Give a value of type {kinds}."
        )


def shown(value: Any) -> str:
    """A value in a message: at most 60 characters."""
    try:
        return shortened(repr(value), _SHOWN)
    except ValueError:  # an integer of more digits than Python prints
        return "a huge number"


def _strings(name: str, value: Any) -> tuple[str, ...]:
    """A list of texts; one text alone will do."""
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) and text for text in texts):
        raise UsageError(name, f"{shown(value)} is not a list of names", "Give one name, or a list of them.")
    return tuple(texts)


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    """A list of numbers, or of texts that hold some, with commas; one alone will do."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    try:
        texts = [part for item in items for part in str(item).split(",") if part.strip()]
        return tuple(float(text) for text in texts)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            name, f"{shown(value)} is not a list of numbers", "Write for example 2,1."
        ) from error


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(name, f"{shown(value)} is not a choice", f"Choose one of: {', '.join(choices)}.")


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:  # nor is what is no number
        raise UsageError(name, f"{shown(value)} is out of range", f"Give a number from {low:g} to {high:g}.")
