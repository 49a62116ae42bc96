"""The style's target for a close-up: the part of the painting that its colours come from.

A close-up sees little of the palette. Held to the Gram matrices of the whole painting, a patch of night sky would be
pulled to hold its share of stars. So its target is made of the painting's own places of like colour: each cell of the
close-up is given, softly, to the cells of the painting whose colours are nearest; the window of the painting that gets
most of them is looked at as closely as the model is, and its Gram matrices are taken with those shares as the mask.

Enlarged, a painting has no more detail than its file. The deep layers look at it enlarged, so that strokes keep their
size; the first layer, which sees edges and grain, looks at it no larger than the file is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float

from .losses import masked_gram
from .objective import Grams, Picture, StyleTarget, fit_short_side, resize
from .vgg import VGG19

CELL = 8  # pixels of a close-up that are given to the painting together
WINDOW = 320  # pixels of the painting, as large as it is looked at
GRAIN_LAYERS = ("relu1_1",)
_MAP = 64  # cells along the painting's short side, among which the window is looked for
_LIKE = 0.06  # sRGB: how far colours may be apart to be like each other
_INSIDE = 0.5  # share of a cell that must be surface

Weights = Float[torch.Tensor, "1 1 h w"]


class LocalStyle:
    """Targets from one painting, looked at so closely that its short side would have `short_side` pixels."""

    def __init__(self, network: VGG19, painting: Picture, layers: tuple[str, ...], short_side: int) -> None:
        self._network, self._painting = network, painting
        own = min(painting.shape[-2:])
        self._looks = {short_side: [name for name in layers if name not in GRAIN_LAYERS]}
        self._looks.setdefault(min(short_side, own), []).extend(n for n in layers if n in GRAIN_LAYERS)
        self._map = fit_short_side(painting, min(_MAP, own))

    @torch.no_grad()
    def target(self, picture: Picture, mask: Float[torch.Tensor, "1 1 H W"]) -> StyleTarget:
        """Return the target for a close-up that shows these colours, sRGB 0..1."""
        share = F.avg_pool2d(mask, CELL)
        colours = F.avg_pool2d(picture * mask, CELL) / share.clamp_min(1e-6)
        cells = colours[0].flatten(1).T[share.flatten() > _INSIDE]  # (N, 3)
        grams: Grams = {}
        for side, layers in self._looks.items():
            if layers:
                grams |= self._grams(cells, side, layers)
        return StyleTarget(grams)

    def _grams(self, cells: Float[torch.Tensor, "N 3"], side: int, layers: list[str]) -> Grams:
        window = self._window(cells, side)
        found = self._network.features(window, layers)
        weights = given(cells, F.avg_pool2d(window, CELL))
        return {
            name: masked_gram(maps, F.interpolate(weights, maps.shape[-2:], mode="bilinear"))
            for name, maps in found.items()
        }

    def _window(self, cells: Float[torch.Tensor, "N 3"], side: int) -> Picture:
        """The part of the painting that holds most of what the cells are like, `side` pixels being its short side."""
        weights = given(cells, self._map)
        rows, columns = weights.shape[-2:]
        reach = max(1, round(WINDOW / side * min(rows, columns)))
        box = (min(reach, rows), min(reach, columns))
        place = int(F.avg_pool2d(weights, box, stride=1).flatten().argmax())
        top, left = divmod(place, columns - box[1] + 1)
        height, width = self._painting.shape[-2:]
        first = (top * height // rows, left * width // columns)
        last = (-(-(top + box[0]) * height // rows), -(-(left + box[1]) * width // columns))
        crop = self._painting[..., first[0] : last[0], first[1] : last[1]]
        scale = side / min(height, width)
        size = [max(2 * CELL, round(length * scale)) for length in crop.shape[-2:]]
        return resize(crop.contiguous(), (size[0], size[1])).contiguous()


def given(cells: Float[torch.Tensor, "N 3"], painting: Picture) -> Weights:
    """How much of the cells each pixel of a painting is given: all of them together 1.

    A cell goes to the pixels nearest to it in colour: softmax of −d²/2σ², however far the nearest is.
    """
    height, width = painting.shape[-2:]
    if not len(cells):
        return painting.new_full((1, 1, height, width), 1 / (height * width))
    squared = torch.cdist(cells, painting[0].flatten(1).T) ** 2
    return torch.softmax(-squared / (2 * _LIKE**2), 1).mean(0).view(1, 1, height, width)
