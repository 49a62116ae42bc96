"""Which features of a view have to be made: those that the surface reaches, and that reach what counts.

Before a background of one colour most of a view is alike. Away from the surface a layer's features are those of a
picture of that colour, and need not be made; and of the deeper layers only what reaches cells that count is looked at.
Both are known before the first step, tile by tile of Winograd's algorithm: at 256 pixels a fifth to a third of the
work is left out, and what counts comes out the same.

How far a value reaches is one cell for each convolution, and what pooling makes of it. Zeros are padded around each
layer's maps, and so they are unlike the background's near the picture's border too. The first layer's gradient is made
everywhere: it is cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from ..config.layers import CELL, LAYER_NAMES, block_of, reach
from ..kernels.winograd import Tiles, Work
from ..kernels.winograd_arguments import STEP
from .vgg import VGG19

_SIDE = 128  # pixels: of a picture of background, whose middle is taken

Mask = Bool[np.ndarray, "_ _"]


@dataclass(frozen=True, eq=False)
class BackgroundFeatures:
    """The features of a picture of nothing but background.

    Attributes:
        layers: all up to the deepest that is looked at, in order.
        values: by layer (K,).
    """

    layers: tuple[str, ...]
    values: Mapping[str, Float[torch.Tensor, "_"]]

    @classmethod
    @torch.no_grad()
    def of(
        cls, network: VGG19, background: Float[torch.Tensor, "3"], looked_at: Iterable[str]
    ) -> BackgroundFeatures | None:
        """None where it is of no use: on other devices, and for layers that see farther than its picture."""
        looked_at = set(looked_at)
        if network.device.type != "cpu" or not network.fast or reach(looked_at) > _SIDE // 2 - CELL:
            return None
        layers = LAYER_NAMES[: max(LAYER_NAMES.index(name) for name in looked_at) + 1]
        found = network.features(background.view(1, 3, 1, 1).expand(1, 3, _SIDE, _SIDE), layers)
        middle = {name: maps[0, :, maps.shape[2] // 2, maps.shape[3] // 2] for name, maps in found.items()}
        return cls(layers, {name: values.contiguous() for name, values in middle.items()})


@dataclass(frozen=True, eq=False)
class ViewBackground:
    """The background of a view: its features, and where it is hidden.

    Attributes:
        ground: features of nothing but that.
        painted: pixels that show anything else.
    """

    ground: BackgroundFeatures
    painted: Mask


def work_for(ground: BackgroundFeatures, painted: Mask, counted: Mapping[str, Mask]) -> dict[str, Work]:
    """What of each layer is to be made for one view.

    Args:
        painted: pixels that are not background alone; sides are multiples of 8.
        counted: by layer that is looked at, the cells that count.
    """
    reached = _reached(ground.layers, painted)
    needed = _needed(ground.layers, reached, counted)
    found: dict[str, Work] = {}
    backward: Tiles | None = None
    for number, name in enumerate(ground.layers):
        wanted = reached[name] & needed[name]
        found[name] = Work(_tiles(wanted, ground.values[name]), backward)
        following = ground.layers[number + 1 : number + 2]
        if following and block_of(following[0]) != block_of(name):
            wanted = _pooled(wanted)
        backward = _tiles(wanted, torch.empty(0))
    return found


def _reached(layers: tuple[str, ...], painted: Mask) -> dict[str, Mask]:
    """Return, by layer, the cells that are not the background's."""
    found: dict[str, Mask] = {}
    mask, before = painted, layers[0]
    for name in layers:
        if block_of(name) != block_of(before):
            mask = _pooled(mask)
        mask = _grown(mask)
        if name != layers[0]:  # which goes on with what is on the border
            mask[[0, -1]] = mask[:, [0, -1]] = True
        found[name], before = mask, name
    return found


def _needed(
    layers: tuple[str, ...], shapes: Mapping[str, Mask], counted: Mapping[str, Mask]
) -> dict[str, Mask]:
    """Return, by layer, the cells that reach any that counts."""
    found: dict[str, Mask] = {}
    after: str | None = None
    for name in reversed(layers):
        mask = np.zeros_like(shapes[name])
        if after is not None:
            read = _grown(found[after])
            if block_of(after) != block_of(name):
                read = read.repeat(2, 0).repeat(2, 1)
            mask[: read.shape[0], : read.shape[1]] |= read[: mask.shape[0], : mask.shape[1]]
        if name in counted:
            mask |= counted[name]
        found[name], after = mask, name
    return found


def _grown(mask: Mask) -> Mask:
    """Add the eight cells around each cell."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    grown = rows.copy()
    grown[:, 1:] |= rows[:, :-1]
    grown[:, :-1] |= rows[:, 1:]
    return grown


def _pooled(mask: Mask) -> Mask:
    """2×2 cells with any of theirs; odd rows and columns are dropped."""
    height, width = mask.shape[0] // 2, mask.shape[1] // 2
    return np.asarray(mask[: 2 * height, : 2 * width].reshape(height, 2, width, 2).any((1, 3)))


def _tiles(wanted: Mask, ground: torch.Tensor) -> Tiles:
    """Those that hold any cell that is wanted."""
    rows, columns = (-(-size // STEP) for size in wanted.shape)
    whole = np.zeros((STEP * rows, STEP * columns), bool)
    whole[: wanted.shape[0], : wanted.shape[1]] = wanted
    active = whole.reshape(rows, STEP, columns, STEP).any((1, 3)).reshape(-1)
    return Tiles(np.flatnonzero(active), np.flatnonzero(~active), ground)
