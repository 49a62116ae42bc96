"""Every choice of `meshstyle image`, with its default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import UsageError
from .base import CommonSettings, Scale, check_choice, check_range
from .layers import CONTENT_LAYER, STYLE_LAYERS, layer_weights


@dataclass(frozen=True)
class PicturePreset:
    """How much work to do: `size`, the result's longer side in pixels, and the steps from the coarsest level up;
    levels beyond the last number take that."""

    size: int
    steps: tuple[int, ...]


PICTURE_PRESETS: dict[str, PicturePreset] = {
    "draft": PicturePreset(size=384, steps=(40, 15)),
    "standard": PicturePreset(size=512, steps=(60, 40, 25, 15)),
    "fine": PicturePreset(size=1024, steps=(100, 80, 50, 30)),
}
COARSEST = 128  # pixels along the longer side of a level, at the least: each is half the next
POOLINGS = ("average", "max")
KEEP_COLORS = ("no", "luminance", "matched")
SIZE_RANGE = (32, 8192)


@dataclass(frozen=True, kw_only=True)
class PictureSettings(CommonSettings):
    """Settings of painting a flat picture. Raises UsageError on values that make no sense.

    Attributes, beside those of `CommonSettings`:
        size: longer side of the result in pixels; None takes the preset's, and at strength 0 the photo's own.
        init: as there, or a picture's path.
        content_layers, style_layers: names like `relu4_2`, with a weight among their kind where one is wanted:
            `relu3_1=0.5`. One text may hold several, with commas.
        pooling: of the network: `average` or `max`.
        style_weights: how much each style picture counts; empty: all the same.
        keep_colors: `no`; `luminance`: only light and dark are painted; `matched`: the style is first given the
            photo's colours (both after Gatys et al. 2016, "Preserving color in neural artistic style transfer").
        save_every: steps after which an intermediate picture is written; None: none is.
    """

    style_weight: float = 100.0
    structure_weight: float = 0.0
    size: int | None = None
    content_layers: tuple[str, ...] = (CONTENT_LAYER,)
    style_layers: tuple[str, ...] = STYLE_LAYERS
    pooling: str = "average"
    style_weights: tuple[float, ...] = ()
    keep_colors: str = "no"
    save_every: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("preset", self.preset, tuple(PICTURE_PRESETS))
        check_choice("pooling", self.pooling, POOLINGS)
        check_choice("keep_colors", self.keep_colors, KEEP_COLORS)
        check_range("size", self.size, *SIZE_RANGE)
        check_range("save_every", self.save_every, 1, 100_000)
        for name in ("content_layers", "style_layers"):
            object.__setattr__(self, name, _split(getattr(self, name)))
            _check_layers(name, getattr(self, name))
        for weight in self.style_weights:
            check_range("style_weights", weight, 0.0, 1e12)
        if self.style_weights and not any(self.style_weights):
            raise UsageError("style_weights", "all of them are 0", "Give at least one style some weight.")

    @property
    def size_used(self) -> int:
        """What `size` stands for where it is None."""
        return PICTURE_PRESETS[self.preset].size if self.size is None else self.size

    @property
    def keeps_size(self) -> bool:
        """Whether the result has the photo's own size: the original is asked for, at no size that was given."""
        return self.strength == 0 and self.size is None

    @property
    def optimizer_used(self) -> str:
        """What `optimizer` stands for where it is None."""
        return self.optimizer or "lbfgs"

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The levels from the coarsest up to the result's size, each twice the one before."""
        sizes = [self.size_used]
        while sizes[0] >= 2 * COARSEST:
            sizes.insert(0, round(sizes[0] / 2))
        steps = PICTURE_PRESETS[self.preset].steps
        return tuple(
            Scale(size, steps[min(level, len(steps) - 1)] if self.iterations is None else self.iterations)
            for level, size in enumerate(sizes)
        )

    def shares(self, count: int) -> tuple[float, ...]:
        """How much each of `count` style pictures counts, 1 in sum. Raises UsageError for another number of weights."""
        weights = self.style_weights or (1.0,) * count
        if len(weights) != count:
            cause = f"{len(weights)} weights were given for {count} style pictures"
            raise UsageError("style_weights", cause, "Give one weight for each --style, with commas.")
        return tuple(weight / sum(weights) for weight in weights)


def _split(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def _check_layers(setting: str, names: tuple[str, ...]) -> None:
    try:
        layer_weights(names)
    except UsageError as error:
        raise UsageError(setting, f"{error.subject}: {error.cause}", error.remedy) from error
