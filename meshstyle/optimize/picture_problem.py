"""The pixels of one flat picture as unknowns, and the objective of which they are: that of `style.objective`, and terms
in the colours alone, such as total variation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int64

from ..config.base import Scale
from ..config.image import PictureSettings
from ..config.layers import CELL
from ..strength import paint_share
from ..style.content_image import ContentImage, long_side, pixels_of, shape_of
from ..style.gray import is_grey
from ..style.network import own_kernels
from ..style.objective import ContentTarget, LossWeights, Objective, Picture, StyleTarget, resize
from ..style.preserve_color import grey, prepare, with_luminance_of
from ..style.tiled_objective import TiledObjective
from ..style.vgg import VGG19
from .init import colours_in, mixed_palette
from .loop import Gradient, Terms, in_rounds
from .total_variation import Smoothness, neighbouring

Pixels = Float32[np.ndarray, "H W 4"]  # sRGB and alpha 0..1
# A term of the objective in the colours alone: its value and gradient for the unknown pixels, (N, 3) sRGB 0..1.
PixelTerm = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class PictureProblem:
    """The unknown pixels of one picture; there is one part, the picture (see `optimize.loop.Problem`)."""

    parts = even = 1

    def __init__(
        self,
        canvas: Picture,
        unknown: Int64[torch.Tensor, "N"],
        objective: TiledObjective,
        targets: tuple[StyleTarget, ContentTarget],
        pixel_terms: Sequence[PixelTerm],
        shades: bool = False,
    ) -> None:
        """`canvas`: changed where it is `unknown` (row-major pixels). `shades`: it is grey and stays so."""
        self._canvas, self._unknown = canvas[0].flatten(1).T.contiguous(), unknown  # (H·W, 3)
        self._shape = canvas.shape
        self.values = self._canvas[unknown]
        self._objective, self._targets, self._pixel_terms = objective, targets, pixel_terms
        self._shades = shades
        self._rows = torch.arange(len(unknown), device=canvas.device)

    def picture(self) -> Picture:
        """As it stands."""
        self._canvas.index_copy_(0, self._unknown, self.values)
        return self._canvas.T.reshape(self._shape).contiguous()

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        """The one part, at a rate that falls."""
        return in_rounds(self.parts, self.even, scale, shuffle)

    def gradient(self, part: int) -> Gradient:
        """Return the gradient of the objective in the image."""
        picture = self.picture().requires_grad_(True)
        seen = in_whole_cells(picture)
        gradient, terms = self._objective.gradient(seen.detach(), *self._targets)
        (gradient,) = torch.autograd.grad(seen, picture, gradient)
        found = gradient[0].flatten(1).T[self._unknown]
        beside = picture.new_zeros(())
        for term in self._pixel_terms:
            value, slope = term(self.values)
            beside, found = beside + value, found + slope
        if self._shades:  # the gradient along the greys: that of f((r + g + b) / 3 in all channels)
            found = found.mean(1, keepdim=True).expand(-1, 3).contiguous()
        total, style, content, structure, rest = terms.fetch(beside)
        return Gradient(self._rows, found, Terms(total + rest, style, content, structure))


class PreparedStyle:
    """What all pictures that are painted alike share: the paintings as targets of any size, and how paint is shown.

    Attributes:
        kernels: compiled ones, where they may be used.
    """

    def __init__(
        self,
        photo: ContentImage,
        paintings: Sequence[torch.Tensor],
        network: VGG19,
        settings: PictureSettings,
    ) -> None:
        """`photo`: whose colours the paintings are given, where settings ask for that; `paintings`: each (1, 3, H, W)
        sRGB 0..1; all tensors on the network's device."""
        self.settings = settings
        self._shares = settings.shares(len(paintings))
        _, self._paintings = prepare(settings.keep_colors, photo.over_mean(), photo.weight, paintings)
        self._colourless = without_color(paintings)
        weights = LossWeights(
            settings.content_weight, settings.style_weight, settings.structure_weight, settings.strength
        )
        objective = Objective(network, weights, settings.style_layers, settings.content_layers)
        self._objective = TiledObjective(objective)
        self.kernels = own_kernels(settings, network.device)
        self._targets: dict[int, StyleTarget] = {}

    def seen(self, photo: ContentImage) -> ContentImage:
        """A photo as the objective sees it."""
        colours = photo.over_mean()
        return replace(photo, colours=grey(colours) if self.settings.keep_colors == "luminance" else colours)

    def problem(
        self, scale: Scale, photo: ContentImage, paint: Picture, terms: Sequence[PixelTerm] = ()
    ) -> PictureProblem:
        """What is to be solved at a scale.

        Args:
            photo: as it is `seen`, at the scale's size.
            paint: of the same size, to begin with.
            terms: of the objective, beside those of the settings; they see the pixels that `unknown_pixels` names.
        """
        content = self._objective.content_target(
            in_whole_cells(photo.colours), F.pad(photo.weight, _beyond(photo.weight))
        )
        mask = photo.weight[0, 0] > 0
        canvas = torch.where(mask, paint, photo.colours)
        if self.settings.keep_colors == "luminance":
            canvas = canvas.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
        return PictureProblem(
            canvas,
            unknown_pixels(photo),
            self._objective,
            (self._target(round(scale.size * self.settings.style_scale)), content),
            (self._smooth(mask.cpu().numpy(), canvas.device), *terms),
            self.settings.keep_colors == "luminance",
        )

    def start(self, photo: ContentImage, given: Picture | None, generator: torch.Generator | None) -> Picture:
        """What the paint begins with: a picture, or what `--init` says; the less strength, the less of it.

        `photo`: as it is `seen`; `generator`: of the noise in colors that are matched; None: without.
        """
        if given is not None:
            begin = resize(given, shape_of(photo.colours))
        else:
            original = photo.colours[0].flatten(1).T
            palette = mixed_palette(self._paintings, self._shares)
            colours = colours_in(self.settings.init, original, photo.weight.flatten(), palette, generator)
            begin = colours.T.reshape(photo.colours.shape)
        return torch.lerp(photo.colours, begin, self.settings.strength)

    def shown(self, photo: ContentImage, paint: Picture) -> Float32[np.ndarray, "h w 4"]:
        """The paint at the photo's size, over the photo (see `laid_over`)."""
        return laid_over(photo, paint, self.settings, self._colourless)

    def _target(self, longer: int) -> StyleTarget:
        if longer not in self._targets:
            self._targets[longer] = mixed_style(self._objective, self._paintings, self._shares, longer)
        return self._targets[longer]

    def _smooth(self, mask: np.ndarray, device: torch.device) -> PixelTerm:
        rows = np.maximum(np.cumsum(mask).reshape(mask.shape) - 1, 0)
        neighbours = neighbouring(rows, mask, np.zeros(mask.shape, np.int64))
        smoothness = Smoothness(neighbours, self.settings.tv_weight, device, program=self.kernels)
        everywhere = torch.arange(int(mask.sum()), device=device)
        return lambda values: smoothness(values, everywhere)


def without_color(paintings: Sequence[torch.Tensor]) -> bool:
    """Whether none of the paintings has any colour."""
    return all(is_grey(painting.cpu().numpy()) for painting in paintings)


def laid_over(
    photo: ContentImage, paint: Picture, settings: PictureSettings, colourless: bool
) -> Float32[np.ndarray, "h w 4"]:
    """Paint at the photo's size, over the photo where the mask and the strength say so.

    `colourless`: the paintings are, and what is painted after them.
    """
    paint = resize(paint, shape_of(photo.colours))
    if settings.keep_colors == "luminance":
        paint = with_luminance_of(photo.colours, paint)
    elif colourless and settings.keep_colors == "no":
        paint = grey(paint)
    share = torch.where(photo.alpha > 0, photo.mask, 0) * paint_share(settings.strength)
    colours = torch.where(share == 1, paint, photo.colours + share * (paint - photo.colours))
    return pixels_of(colours, photo.alpha)


def unknown_pixels(photo: ContentImage) -> Int64[torch.Tensor, "N"]:
    """The pixels that are painted, row-major."""
    return (photo.weight[0, 0] > 0).flatten().nonzero()[:, 0]


def in_whole_cells(picture: torch.Tensor) -> torch.Tensor:
    """A picture (1, C, H, W) that goes on, mirrored, to the right and below, up to whole cells of the deepest layer,
    which sees nothing of what lies in a part of a cell."""
    return F.pad(picture, _beyond(picture), mode="reflect")


def _beyond(picture: torch.Tensor) -> tuple[int, int, int, int]:
    """Pixels that are missing to the left, to the right, above and below."""
    height, width = shape_of(picture)
    return 0, -width % CELL, 0, -height % CELL


def mixed_style(
    objective: TiledObjective, paintings: Sequence[torch.Tensor], shares: Sequence[float], size: int
) -> StyleTarget:
    """The weighted mean of the paintings' Gram matrices, their longer sides at `size` pixels."""
    total: dict[str, torch.Tensor] = {}
    for painting, share in zip(paintings, shares, strict=True):
        height, width = long_side(shape_of(painting), size)
        fitted = resize(painting, (max(CELL, height), max(CELL, width)))
        for name, gram in objective.style_target(fitted).grams.items():
            total[name] = total.get(name, 0) + share * gram
    return StyleTarget(total)
