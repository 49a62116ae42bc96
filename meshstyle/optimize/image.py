"""Gatys et al. on a flat picture: the unknown is the picture itself, and there is one view, which sees it all.

Coarse to fine: strokes are set where the picture is small, and each level starts from the last one's result. The
style pictures grow with the levels, so that every level asks for the same strokes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..config.base import Scale
from ..config.image import PictureSettings
from ..config.layers import CELL
from ..progress import Progress, ProgressCallback
from ..style.content_image import ContentImage, long_side, shape_of
from ..style.objective import Picture, resize
from ..style.vgg import VGG19
from .loop import Schedule, Terms, run_coarse_to_fine
from .picture_problem import PictureProblem, Pixels, PreparedStyle

Save = Callable[[int, Pixels], None]  # steps done; the picture at the present size

_LEAST_SIDE = 2 * CELL  # pixels of the short side: coarser levels are left out


@dataclass(frozen=True, eq=False)
class OptimizedImage:
    """The optimized image and how it came about.

    Attributes:
        pixels: at the size that was asked for.
        terms: loss terms at the end, or None if no step was made.
        interrupted: whether it was stopped early.
        paint: the unknown itself, at the size it was last solved at, before it was laid over the photo.
    """

    pixels: Pixels
    terms: Terms | None = None
    interrupted: bool = False
    paint: Picture | None = None


class PictureSolver:
    """Paints one picture. Deterministic for a seed, a machine and a thread count."""

    def __init__(
        self,
        photo: ContentImage,
        paintings: Sequence[torch.Tensor],
        network: VGG19,
        settings: PictureSettings,
        style: PreparedStyle | None = None,
    ) -> None:
        """`paintings`: each (1, 3, H, W) sRGB 0..1; all tensors on the network's device. `style`: the paintings,
        where they have been prepared already."""
        self.photo, self.settings = photo, settings
        self._style = style or PreparedStyle(photo, paintings, network, settings)
        self._seen = self._style.seen(photo)
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
            if before is None:
                paint = self._style.start(photo, start, self._generator)
            else:
                paint = resize(before, shape_of(photo.colours))
            latest = self._style.problem(scale, photo, paint)
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
        way = Schedule(scales, self.settings.optimizer_used, self._shuffle, watch, self._style.kernels)
        terms, interrupted = run_coarse_to_fine(way, begin, settle)
        assert before is not None
        pixels = self._shown(before, self._shape(self.settings.size_used))
        return OptimizedImage(pixels, terms, interrupted, before)

    def _fits(self, scale: Scale) -> bool:
        return scale.size == self.settings.size_used or min(self._shape(scale.size)) >= _LEAST_SIDE

    def _shape(self, size: int) -> tuple[int, int]:
        return long_side(shape_of(self.photo.colours), size)

    def _shown(self, picture: Picture, shape: tuple[int, int]) -> Pixels:
        return self._style.shown(self.photo.at(shape), picture)


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
