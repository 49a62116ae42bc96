"""VGG-19's layers by name, and the choice of them that losses look at. Loads no heavy library."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import UsageError

BLOCKS = (2, 2, 4, 4, 4)  # convolutions per block
LAYERS = tuple(f"{b}_{k}" for b, n in enumerate(BLOCKS, 1) for k in range(1, n + 1))
LAYER_NAMES = tuple(f"relu{layer}" for layer in LAYERS)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_LAYER = "relu4_2"
CELL = 16  # pixels along the side of a cell of the deepest block

LayerWeights = dict[str, float]


def layer_weights(names: Iterable[str]) -> LayerWeights:
    """Weights by layer, from texts like `relu3_1` (weight 1) and `relu3_1=0.5`.

    Raises UsageError for unknown or repeated layers, weights below 0, and where no weight is above 0.
    """
    found: LayerWeights = {}
    for text in names:
        name, _, weight = text.partition("=")
        name = name.strip()
        if name not in LAYER_NAMES:
            raise UsageError(text, "VGG-19 has no such layer", f"Choose of: {', '.join(LAYER_NAMES)}.")
        if name in found:
            raise UsageError(text, f"{name} is given twice", "Leave one of the two.")
        found[name] = _weight(weight, text) if weight else 1.0
    if not any(found.values()):
        raise UsageError("layers", "none of them has any weight", "Name at least one layer.")
    return found


def _weight(text: str, whole: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= 1e12:
        raise UsageError(whole, f"{text!r} is not a weight", "Write for example relu3_1=0.5.")
    return weight


def block_of(layer: str) -> int:
    """Which block a layer is in: 1 to 5."""
    return int(layer[len("relu")])


def reach(layers: Iterable[str]) -> int:
    """How many pixels away a feature of the deepest of these layers can see, from its own cell's border."""
    last = max(LAYER_NAMES.index(layer) for layer in layers)
    pixels, stride = 0, 1
    for name in LAYER_NAMES[: last + 1]:
        if name.endswith("_1") and name != LAYER_NAMES[0]:
            pixels += stride  # pooling looks at the next cell
            stride *= 2
        pixels += stride
    return pixels
