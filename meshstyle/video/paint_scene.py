"""One scene, frame after frame: each begins with what those before it show, and is held to it.

The first pass goes forward, the next one backward, and so on. Every frame that is finished is kept on the disk, and
what later ones begin with is read from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..config.video import GAPS, VideoSettings
from ..style.content_image import ContentImage
from ..style.objective import Picture
from ..style.preserve_color import luminance
from ..style.vgg import VGG19
from .clip import Frames, Pixels
from .flow import Flow, Frame, carried
from .paint_frame import FramePainter
from .reliability import follow
from .store import FrameStore, Paint
from .temporal_loss import TemporalTarget, combined, mixed
from .trajectories import Trajectories

ANCHOR = 32  # frames: what has not moved is held to the last frame that is a multiple of it away from the scene's first
BLEND = 0.5  # of later passes: share of the neighbor's paint where it can be followed; the rest is the frame's own

Told = Callable[[int, int], None]  # pass and number of a frame that is finished


@dataclass(frozen=True, eq=False)
class SceneJob:
    """What painting a scene takes.

    Attributes:
        frames: of the clip, at the size of the result; `mask`: likewise, None: everything is painted.
        paintings: (1, 3, H, W) sRGB 0..1 each.
        start: what the first frame begins with; None: what `init` says.
    """

    frames: Frames
    mask: Frames | None
    paintings: Sequence[torch.Tensor]
    start: torch.Tensor | None
    network: VGG19
    settings: VideoSettings
    store: FrameStore

    def photo(self, number: int) -> ContentImage:
        """A frame with its mask, on the network's device."""
        mask = None if self.mask is None else self.mask.read(number)
        return content_image(self.frames.read(number), mask).to(self.network.device)


def content_image(pixels: Pixels, mask: Pixels | None) -> ContentImage:
    """A frame as what is painted. `mask`: white where to paint."""
    whole = to_tensor(pixels)
    alpha = whole[:, 3:].contiguous()
    share = torch.ones_like(alpha)
    if mask is not None:
        shades = to_tensor(mask)
        # 255 levels of luminance, whose weights sum to 1 only nearly: white must be exactly 1.
        share = (luminance(shades[:, :3]) * shades[:, 3:] * 255).round() / 255
    return ContentImage(whole[:, :3].contiguous(), alpha, share)


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, C) of 8 bits, or of floats 0..1, as (1, C, H, W) 0..1."""
    floats = pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels
    return torch.from_numpy(np.ascontiguousarray(floats.transpose(2, 0, 1)))[None]


def paint_scene(job: SceneJob, scene: range, told: Told) -> None:
    """Paint all frames of a scene that are not finished yet. KeyboardInterrupt leaves those that are."""
    passes = job.settings.passes_used
    if all(job.store.has(passes, number) for number in scene):
        return
    first = next((photo for number in scene if bool((photo := job.photo(number)).weight.any())), None)
    if first is None:  # nothing is to be painted at all
        first = job.photo(scene[0])
    painter = FramePainter(first, job.paintings, job.network, job.settings)
    for turn in range(1, passes + 1):
        _Pass(job, painter, scene, turn).run(told)
        if turn > 1:
            job.store.drop(turn - 1, scene)


class _Pass:
    """One pass over a scene."""

    def __init__(self, job: SceneJob, painter: FramePainter, scene: range, turn: int) -> None:
        self._job, self._painter, self._turn = job, painter, turn
        self._order = scene if turn % 2 else scene[::-1]
        self._ways = Trajectories() if job.settings.consistency > 0 else None
        self._painted: dict[int, np.ndarray | None] = {}  # by place: where it is painted; None: everywhere
        self._anchor: tuple[int, Frame] | None = None

    def run(self, told: Told) -> None:
        """Paint what is not finished; of what is, the latest frames are looked at again, as far as others need them."""
        done = [self._job.store.has(self._turn, number) for number in self._order]
        first = next((place for place, is_done in enumerate(done) if not is_done), len(done))
        for place in range(max(first - max(GAPS), 0), len(done) if first < len(done) else 0):
            number = self._order[place]
            photo = self._job.photo(number)
            self._remember(place, photo)
            if place >= first:
                self._job.store.write(self._turn, number, self._paint(place, photo))
                told(self._turn, number)
            elif self._ways is not None:
                self._ways.pass_by(self._frame(place))

    def _paint(self, place: int, photo: ContentImage) -> Paint:
        target = start = None
        if self._ways is not None:
            start, target = self._held(place, photo)
        own = self._own(place)
        if not bool(photo.weight.any()):
            picture = photo.colours
        elif target is None and own is not None:
            picture = own  # where a pass begins, nothing is known that the one before it did not know
        elif target is None or start is None:
            picture = self._painter.alone(photo, self._job.start)
        else:
            picture = self._painter.onward(photo, start if own is None else own.lerp(start, BLEND), target)
        return np.rint(picture[0].permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)

    def _own(self, place: int) -> Picture | None:
        """The paint of the pass before."""
        if self._turn == 1:
            return None
        return self._tensor(self._job.store.read(self._turn - 1, self._order[place]))

    def _held(self, place: int, photo: ContentImage) -> tuple[Picture | None, TemporalTarget | None]:
        """What a frame begins with and what it is held to; nothing where it is the pass's first."""
        assert self._ways is not None
        frame = self._frame(place)
        seen, reliable, shares = [], [], []
        for gap, (motion, earlier) in self._ways.advance(frame).items():
            followed = follow(motion, frame, earlier)
            paint, there = self._carried(place - gap, motion.back)
            seen.append(TemporalTarget(paint, self._weight(followed.seen * there)))
            reliable.append(TemporalTarget(paint, self._weight(followed.reliable * there)))
            shares.append(GAPS[gap])
        if not seen:
            return None, None
        held = [mixed(reliable, shares)]
        if (still := self._held_still(place, frame)) is not None:
            held.insert(0, still)
        return combined(seen).over(self._painter.blank(photo)), combined(held)

    def _held_still(self, place: int, frame: Frame) -> TemporalTarget | None:
        """The paint of a frame long ago, where nothing has moved since."""
        assert self._ways is not None
        anchor = (place - 1) // ANCHOR * ANCHOR
        if anchor == place - 1:
            return None
        if self._anchor is None or self._anchor[0] != anchor:
            self._anchor = anchor, self._frame(anchor)
        still = self._ways.still(frame, self._anchor[1])
        if not still.any():
            return None
        paint, there = self._carried(anchor, None)
        return TemporalTarget(paint, self._weight(still * there))

    def _carried(self, place: int, back: Flow | None) -> tuple[Picture, np.ndarray]:
        """The paint of a frame, carried along; and how far what it shows is paint."""
        paint = self._job.store.read(self._turn, self._order[place]).astype(np.float32) / 255
        if place not in self._painted:
            self._remember(place, self._job.photo(self._order[place]))
        there = self._painted[place]
        where = np.ones(paint.shape[:2], np.float32) if there is None else there
        if back is None:
            return self._tensor(paint), where
        if there is not None:
            where = carried(where[..., None], back, "linear")[..., 0]
        return self._tensor(carried(paint, back).clip(0, 1)), where

    def _remember(self, place: int, photo: ContentImage) -> None:
        """Where a frame is painted: elsewhere it tells the next ones nothing."""
        mask = (photo.weight[0, 0] > 0).cpu().numpy()
        self._painted[place] = None if mask.all() else mask.astype(np.float32)
        anchor = max(place - 1, 0) // ANCHOR * ANCHOR
        for old in [known for known in self._painted if known < place - max(GAPS) and known != anchor]:
            del self._painted[old]

    def _frame(self, place: int) -> Frame:
        return np.ascontiguousarray(self._job.frames.read(self._order[place])[..., :3])

    def _tensor(self, paint: np.ndarray) -> Picture:
        return to_tensor(paint).to(self._job.network.device)

    def _weight(self, weight: np.ndarray) -> torch.Tensor:
        floats = np.ascontiguousarray(weight, np.float32)
        return torch.from_numpy(floats)[None, None].to(self._job.network.device)
