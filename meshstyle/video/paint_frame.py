"""One frame: painted by itself, or from what other frames of its scene show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..config.base import Scale
from ..config.video import VideoSettings
from ..optimize.image import PictureSolver
from ..optimize.loop import Schedule, Terms, run_coarse_to_fine
from ..optimize.picture_problem import PictureProblem, PreparedStyle, unknown_pixels
from ..progress import ignore
from ..style.content_image import ContentImage, long_side, shape_of
from ..style.objective import Picture, resize
from ..style.vgg import VGG19
from .temporal_loss import TemporalTarget, temporal_term

_FIRST_CHANGE = 0.002  # of L-BFGS, root mean square, sRGB: what has been carried is nearly good
_LEAST_SIDE = 32  # pixels of the short side of a level


class FramePainter:
    """Paints the frames of one scene. Deterministic for a seed, a machine and a thread count.

    Attributes:
        evaluations: of the network on a whole frame of the result's size, forward and back, so far; those on smaller
            ones count by their pixels.
    """

    def __init__(
        self,
        first: ContentImage,
        paintings: Sequence[torch.Tensor],
        network: VGG19,
        settings: VideoSettings,
    ) -> None:
        """`first`: a frame of the scene, whose colors the paintings are given where settings ask for that."""
        self._settings, self._network, self._paintings = settings, network, paintings
        self._style = PreparedStyle(first, paintings, network, settings)

    def alone(self, photo: ContentImage, start: Picture | None = None) -> Picture:
        """Paint a frame as `meshstyle image` does, sRGB 0..1. `start`: what the paint begins with.

        Raises KeyboardInterrupt if interrupted: half a frame is none.
        """
        shared = None if self._settings.consistency == 0 else self._style
        solver = PictureSolver(photo, self._paintings, self._network, self._settings, shared)
        painted = solver.solve(ignore, start)
        if painted.interrupted or painted.paint is None:
            raise KeyboardInterrupt
        return painted.paint

    def blank(self, photo: ContentImage) -> Picture:
        """What the paint of a place begins with that no other frame shows: the colors of the frame in those of the
        paintings, without noise, for which few steps leave no time."""
        return self._style.start(self._style.seen(photo), None, None)

    def onward(self, photo: ContentImage, start: Picture, target: TemporalTarget) -> Picture:
        """Paint a frame from `start`, held to `target`, all of its size.

        The coarse levels change what is coarse about it: what they come to is added to what is there, so that nothing
        fine is lost.
        """
        seen, size = self._style.seen(photo), max(shape_of(start))
        before = paint = start

        def begin(scale: Scale) -> PictureProblem:
            nonlocal before
            shape = shape_of(start) if scale.size >= size else long_side(shape_of(start), scale.size)
            small, held = seen.at(shape), target.at(shape)
            before = resize(paint, shape)
            term = temporal_term(held, unknown_pixels(small), self._settings.consistency)
            return self._style.problem(scale, small, before, [term])

        def settle(problem: PictureProblem, last: bool) -> None:
            nonlocal paint
            found = problem.picture()
            if shape_of(found) == shape_of(paint):
                paint = found
            else:
                change = torch.nn.functional.interpolate(
                    found - before, size=shape_of(paint), mode="bicubic", align_corners=False
                )
                paint = (paint + change).clamp(0, 1)

        fit = [scale for scale in self._settings.warm_scales if self._fits(scale, shape_of(start))]
        shuffle = np.random.default_rng(self._settings.seed)
        way = Schedule(
            fit, self._settings.optimizer_used, shuffle, ignore, self._style.kernels, _FIRST_CHANGE
        )
        self.terms, interrupted = run_coarse_to_fine(way, begin, settle)
        if interrupted:
            raise KeyboardInterrupt
        return paint

    terms: Terms | None = None

    def _fits(self, scale: Scale, shape: tuple[int, int]) -> bool:
        return scale.size >= self._settings.size_used or min(long_side(shape, scale.size)) >= _LEAST_SIDE
