"""A painted model and the painting, both at the size at which people look at them.

Views are what renderers show: 768 pixels, a field of view of 40°, from 0.9·R / sin 20°, one ray a pixel, textures
filtered as GPUs do it (see `views.reference_renderer`), the headlight on the displayed colour. The painting's short
side is as long as a view. Both are compared as they are, and shrunk to a half and a quarter: so strokes, patches and
composition count alike.

    yard = PaintingAtSize(painting, network)
    styles = [yard.styles(view.lit, view.mask) for view in views_of(renderer, yard)]
    at_viewing_size(styles)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Float64
from PIL import Image as Pillow

from .config.layers import CONTENT_LAYER, STYLE_LAYERS, reach
from .figures import Mask, Picture, geometric_mean
from .kernels.load import load_kernels
from .kernels.winograd import Work
from .style.background_features import BackgroundFeatures, work_for
from .style.losses import masked_gram, shrink_mask, style_loss
from .style.masked_gram import Cells, counted_gram, suits
from .style.objective import layer_shape
from .style.vgg import VGG19
from .views.cameras import camera_towards_centre, fibonacci_sphere
from .views.reference_renderer import Image, Renderer

SIZE = 768  # pixels of a view, and of the painting's short side; a multiple of 32
SHRINKS = (1, 2, 4)  # by box means over so many pixels a side
TURN = 2.0  # radians: no direction is then nearer than 5° to those of a spiral of 6 to 32 training cameras
_CELL = 8  # pixels along the side of a cell of relu4_1 and relu4_2
FEW = 4  # views for a figure at the end of a run


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """One picture at one size.

    Attributes:
        style: mean over relu1_1 … relu4_1 of ‖G − G_painting‖² / ‖G_painting‖², masked Gram matrices.
        content: features of relu4_2, where they were asked for.
        mask: that layer's; the share of each of its cells that counts.
    """

    style: float
    content: Float[torch.Tensor, "1 C h w"] | None
    mask: Float[torch.Tensor, "1 1 h w"] | None


class StyleAtViewSize:
    """A painting as large as the views it is compared with, and what it asks of them.

    Attributes:
        size: pixels along its short side.
        picture: the painting, sRGB 0..1.
        background: its mean colour, which lies behind every view.
    """

    def __init__(self, painting: Picture, network: VGG19, size: int | None = None) -> None:
        """`painting`: sRGB 0..1, of any size. `size`: multiple of 32; None: that of a view, 768."""
        self.size = SIZE if size is None else size
        self.picture = _fitted(painting, self.size)
        self.background = self.picture.mean((0, 2, 3))
        self._network = network
        self._ground = BackgroundFeatures.of(
            network, self.background.to(network.device), (*STYLE_LAYERS, CONTENT_LAYER)
        )
        self._grams = [self._grams_of(shrunk(self.picture, by)) for by in SHRINKS]

    def styles(self, lit: Picture, mask: Mask) -> tuple[float, ...]:
        """Style losses of a view at full, half and quarter size; 0: like the painting, about 1: like another."""
        return tuple(self.look(lit, mask, number).style for number in range(len(SHRINKS)))

    @torch.no_grad()
    def look(self, lit: Picture, mask: Mask, number: int, content: bool = False) -> MeasuredImage:
        """One view at one of the sizes. `lit`: before this painting's background; `number`: of `SHRINKS`."""
        by, device = SHRINKS[number], self._network.device
        layers = (*STYLE_LAYERS, CONTENT_LAYER) if content else STYLE_LAYERS
        counted = shrunk(mask, by)
        rows, columns = bounding_window(counted, reach(layers))
        counted = counted[..., rows, columns].to(device)
        small = shrunk(lit, by)[..., rows, columns].contiguous().to(device)
        height, width = counted.shape[-2:]
        masks = {name: shrink_mask(counted, *layer_shape(height, width, name)) for name in layers}
        found = self._network.features(small, layers, work=self._work(counted, masks))
        losses = [
            style_loss(self._gram(found[name], masks[name]), self._grams[number][name])
            for name in STYLE_LAYERS
        ]
        style = float(torch.stack(losses).mean())
        return MeasuredImage(style, found.get(CONTENT_LAYER), masks.get(CONTENT_LAYER))

    def _work(self, mask: Mask, layer_masks: dict[str, torch.Tensor]) -> dict[str, Work] | None:
        """What of the network's maps is wanted: not the background's."""
        if self._ground is None:
            return None
        counted = {name: layer_mask[0, 0].numpy() > 0 for name, layer_mask in layer_masks.items()}
        return work_for(self._ground, mask[0, 0].numpy() > 0, counted)

    @torch.no_grad()
    def _grams_of(self, picture: Picture) -> dict[str, torch.Tensor]:
        found = self._network.features(picture.to(self._network.device), STYLE_LAYERS)
        return {name: self._gram(maps, torch.ones_like(maps[:, :1])) for name, maps in found.items()}

    def _gram(
        self, features: Float[torch.Tensor, "1 C h w"], mask: Float[torch.Tensor, "1 1 h w"]
    ) -> Float[torch.Tensor, "C C"]:
        if not suits(features):
            return masked_gram(features, mask)
        cells = Cells.of(mask, mask.sum())
        return counted_gram(features, cells, load_kernels().program, self._network.bf16)[1]


@dataclass(frozen=True, eq=False)
class ViewImage:
    """One view of a model before a painting's mean colour.

    Attributes:
        lit: with the headlight.
        unlit: the bare base colour.
        mask: 1 where the model is.
        image: what it was made of, unlit.
    """

    lit: Picture
    unlit: Picture
    mask: Mask
    image: Image


def see(
    renderer: Renderer, direction: Float64[np.ndarray, "3"], painting: StyleAtViewSize
) -> ViewImage | None:
    """One view, as large as the painting's short side; None where nothing is seen. `direction`: centre to eye."""
    camera = camera_towards_centre(direction, painting.size)
    image = renderer.render(camera, 1, frame=(painting.size, painting.size), lit=False)
    if image is None:
        return None
    background = painting.background.numpy()
    lit, unlit = (_tensor(shown.over(background)) for shown in (image.under_headlight(), image))
    return ViewImage(lit, unlit, torch.from_numpy(image.mask)[None, None], image)


def directions(count: int) -> Float64[np.ndarray, "N 3"]:
    """Return the directions a result is looked at from: a spiral from top to bottom, turned away from the training
    cameras'."""
    return fibonacci_sphere(count, TURN)


def at_viewing_size(styles: Sequence[Sequence[float]]) -> float:
    """Style at viewing size: the geometric mean over sizes of the views' mean losses. `styles`: view by view."""
    return geometric_mean([float(np.mean(of_size)) for of_size in zip(*styles, strict=True)])


def viewing_size_style(renderer: Renderer, painting: StyleAtViewSize, views: int = FEW) -> float | None:
    """Style at viewing size of a model, on `evaluate`'s scale, from so many views that were not painted from.

    None where no view shows any of it. Paint in memory needs no file: see `preview.painted_asset.PaintedAsset`. The
    scale is `evaluate`'s where `painting` was made with the bundled weights and average pooling.
    """
    seen = (see(renderer, direction, painting) for direction in directions(views))
    styles = [painting.styles(view.lit, view.mask) for view in seen if view is not None]
    return at_viewing_size(styles) if styles else None


def shrunk(picture: Float[torch.Tensor, "1 C H W"], by: int) -> Float[torch.Tensor, "1 C h w"]:
    """Means over `by`² pixels, which is what a screen shows from so much farther away."""
    return picture if by == 1 else F.avg_pool2d(picture, by)


def bounding_window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Rows and columns that reach that far around what counts, in whole cells of the deepest layer.

    Beyond there is nothing but background, and no feature that counts sees it.
    """
    counted = mask[0, 0].numpy() > 0

    def reached(lines: Bool[np.ndarray, "_ n"]) -> slice:
        places = np.flatnonzero(lines.any(0))
        first, last = (int(places[0]), int(places[-1])) if len(places) else (0, 0)
        end = -(-(last + 1 + margin) // _CELL) * _CELL
        return slice(max(first - margin, 0) // _CELL * _CELL, min(end, lines.shape[1]))

    return reached(counted.T), reached(counted)


def _fitted(painting: Picture, size: int) -> Float[torch.Tensor, "1 3 h w"]:
    """Resize to that short side with Lanczos, as pictures are shrunk for the screen."""
    height, width = painting.shape[-2:]
    scale = size / min(height, width)
    shape = (round(width * scale), round(height * scale))
    pixels = torch.round(painting[0].permute(1, 2, 0) * 255).to(torch.uint8).cpu().numpy()
    picture = Pillow.fromarray(pixels).resize(shape, Pillow.Resampling.LANCZOS)
    return _tensor(np.asarray(picture, np.float32) / 255)


def _tensor(picture: Float32[np.ndarray, "H W 3"]) -> Float32[torch.Tensor, "1 3 H W"]:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
