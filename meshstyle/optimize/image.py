"""Gatys et al. on a flat picture: the unknown is the picture itself, and there is one view, which sees it all.

Coarse to fine: strokes are set where the picture is small, and each level starts from the last one's result. The
style pictures grow with the levels, so that every level asks for the same strokes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int64

from ..config.base import Scale
from ..config.image import PictureSettings
from ..config.layers import CELL
from ..progress import Progress, ProgressCallback
from ..strength import paint_share
from ..style.content_image import ContentImage, long_side, pixels_of, shape_of
from ..style.gray import is_grey
from ..style.network import own_kernels
from ..style.objective import ContentTarget, LossWeights, Objective, Picture, StyleTarget, resize
from ..style.preserve_color import grey, prepare, with_luminance_of
from ..style.tiled_objective import TiledObjective
from ..style.vgg import VGG19
from .init import colours_in, mixed_palette
from .loop import Gradient, Schedule, Terms, in_rounds, run_coarse_to_fine
from .total_variation import Smoothness, neighbouring

Pixels = Float32[np.ndarray, "H W 4"]  # sRGB and alpha 0..1
Save = Callable[[int, Pixels], None]  # steps done; the picture at the present size

_LEAST_SIDE = 2 * CELL  # pixels of the short side: coarser levels are left out


@dataclass(frozen=True, eq=False)
class OptimizedImage:
    """The optimized image and how it came about.

    Attributes:
        pixels: at the size that was asked for.
        terms: loss terms at the end, or None if no step was made.
        interrupted: whether it was stopped early.
    """

    pixels: Pixels
    terms: Terms | None = None
    interrupted: bool = False


class PictureProblem:
    """The unknown pixels of one picture; there is one part, the picture (see `optimize.loop.Problem`)."""

    parts = even = 1

    def __init__(
        self,
        canvas: Picture,
        unknown: Int64[torch.Tensor, "N"],
        objective: TiledObjective,
        targets: tuple[StyleTarget, ContentTarget],
        smoothness: Smoothness,
        shades: bool = False,
    ) -> None:
        """`canvas`: changed where it is `unknown` (row-major pixels). `shades`: it is grey and stays so."""
        self._canvas, self._unknown = canvas[0].flatten(1).T.contiguous(), unknown  # (H·W, 3)
        self._shape = canvas.shape
        self.values = self._canvas[unknown]
        self._objective, self._targets, self._smoothness = objective, targets, smoothness
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
        smooth, slope = self._smoothness(self.values, self._rows)
        found += slope
        if self._shades:  # the gradient along the greys: that of f((r + g + b) / 3 in all channels)
            found = found.mean(1, keepdim=True).expand(-1, 3).contiguous()
        total, style, content, structure, rough = terms.fetch(smooth)
        return Gradient(self._rows, found, Terms(total + rough, style, content, structure))


class PictureSolver:
    """Paints one picture. Deterministic for a seed, a machine and a thread count."""

    def __init__(
        self,
        photo: ContentImage,
        paintings: Sequence[torch.Tensor],
        network: VGG19,
        settings: PictureSettings,
    ) -> None:
        """`paintings`: each (1, 3, H, W) sRGB 0..1; all tensors on the network's device."""
        self.photo, self.settings = photo, settings
        self._shares = settings.shares(len(paintings))
        seen, self._paintings = prepare(settings.keep_colors, photo.over_mean(), photo.weight, paintings)
        self._seen = replace(photo, colours=seen)
        colourless = all(is_grey(painting.cpu().numpy()) for painting in paintings)
        self._grey = colourless and settings.keep_colors == "no"
        weights = LossWeights(
            settings.content_weight, settings.style_weight, settings.structure_weight, settings.strength
        )
        objective = Objective(network, weights, settings.style_layers, settings.content_layers)
        self._objective = TiledObjective(objective)
        self._kernels = own_kernels(settings, network.device)
        self._generator = torch.Generator().manual_seed(settings.seed % 2**63)
        self._shuffle = np.random.default_rng(settings.seed)

    def solve(
        self, progress: ProgressCallback, start: Picture | None = None, save: Save | None = None
    ) -> OptimizedImage:
        """Run all scales. KeyboardInterrupt ends it early with the best so far, once there is any.

        Args:
            start: where the paint begins, where it is a picture.
            save: is given intermediate pictures, as `save_every` says.
        """
        before: Picture | None = None
        latest: PictureProblem | None = None

        def begin(scale: Scale) -> PictureProblem:
            nonlocal latest
            photo = self._seen.at(self._shape(scale.size))
            paint = self._start(photo, start) if before is None else resize(before, shape_of(photo.colours))
            latest = self._problem(scale, photo, paint)
            return latest

        def settle(problem: PictureProblem, last: bool) -> None:
            nonlocal before
            before = problem.picture()

        def look() -> Pixels:
            assert latest is not None
            picture = latest.picture()
            return self._shown(picture, shape_of(picture))

        scales = [scale for scale in self.settings.scales if self._fits(scale)]
        watch = _Watch(progress, look, self.settings.save_every, save)
        way = Schedule(scales, self.settings.optimizer_used, self._shuffle, watch, self._kernels)
        terms, interrupted = run_coarse_to_fine(way, begin, settle)
        assert before is not None
        return OptimizedImage(self._shown(before, self._shape(self.settings.size_used)), terms, interrupted)

    def _fits(self, scale: Scale) -> bool:
        return scale.size == self.settings.size_used or min(self._shape(scale.size)) >= _LEAST_SIDE

    def _shape(self, size: int) -> tuple[int, int]:
        return long_side(shape_of(self.photo.colours), size)

    def _problem(self, scale: Scale, photo: ContentImage, paint: Picture) -> PictureProblem:
        """`photo`: at the scale's size; `paint`: of the same, to begin with."""
        longer = round(scale.size * self.settings.style_scale)
        style = mixed_style(self._objective, self._paintings, self._shares, longer)
        weight = F.pad(photo.weight, _beyond(photo.weight))
        content = self._objective.content_target(in_whole_cells(photo.colours), weight)
        mask = photo.weight[0, 0] > 0
        canvas = torch.where(mask, paint, photo.colours)
        if self.settings.keep_colors == "luminance":
            canvas = canvas.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
        pixels = mask.cpu().numpy()
        rows = np.maximum(np.cumsum(pixels).reshape(pixels.shape) - 1, 0)
        neighbours = neighbouring(rows, pixels, np.zeros(pixels.shape, np.int64))
        return PictureProblem(
            canvas,
            mask.flatten().nonzero()[:, 0],
            self._objective,
            (style, content),
            Smoothness(neighbours, self.settings.tv_weight, canvas.device, program=self._kernels),
            self.settings.keep_colors == "luminance",
        )

    def _start(self, photo: ContentImage, given: Picture | None) -> Picture:
        """What the paint begins with: a picture, or what `--init` says; the less strength, the less of it."""
        if given is not None:
            begin = resize(given, shape_of(photo.colours))
        else:
            original = photo.colours[0].flatten(1).T
            palette = mixed_palette(self._paintings, self._shares)
            weights, generator = photo.weight.flatten(), self._generator
            colours = colours_in(self.settings.init, original, weights, palette, generator)
            begin = colours.T.reshape(photo.colours.shape)
        return torch.lerp(photo.colours, begin, self.settings.strength)

    def _shown(self, picture: Picture, shape: tuple[int, int]) -> Float32[np.ndarray, "h w 4"]:
        """The paint at a size, over the photo where the mask and the strength say so."""
        photo, paint = self.photo.at(shape), resize(picture, shape)
        if self.settings.keep_colors == "luminance":
            paint = with_luminance_of(photo.colours, paint)
        elif self._grey:
            paint = grey(paint)
        share = torch.where(photo.alpha > 0, photo.mask, 0) * paint_share(self.settings.strength)
        colours = torch.where(share == 1, paint, photo.colours + share * (paint - photo.colours))
        return pixels_of(colours, photo.alpha)


def in_whole_cells(picture: torch.Tensor) -> torch.Tensor:
    """A picture (1, C, H, W) that goes on, mirrored, to the right and below, up to whole cells of the deepest layer,
    which sees nothing of what lies in a part of a cell."""
    return F.pad(picture, _beyond(picture), mode="reflect")


def _beyond(picture: torch.Tensor) -> tuple[int, int, int, int]:
    """Pixels that are missing to the left, to the right, above and below."""
    height, width = shape_of(picture)
    return 0, -width % CELL, 0, -height % CELL


class _Watch:
    """A progress callback that saves intermediate pictures, and lets whoever listens look at the paint."""

    def __init__(
        self,
        progress: ProgressCallback,
        look: Callable[[], Pixels],
        every: int | None,
        save: Save | None,
    ) -> None:
        self._progress, self._look, self._every, self._save = progress, look, every, save

    def __call__(self, record: Progress) -> None:
        if self._save is not None and self._every and record.step % self._every == 0:
            self._save(record.step, self._look())
        self._progress(replace(record, paint=lambda: [self._look()]))


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
