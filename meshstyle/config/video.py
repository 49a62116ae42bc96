"""Every choice of `meshstyle video`, with its default."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UsageError
from .base import Scale, check_choice, check_range
from .image import PictureSettings

CODECS = ("auto", "h264", "vp9", "av1")
# Frames back that paint is held to (Ruder et al. 2016, section 4.3), and how much each counts.
GAPS = {1: 2.0, 2: 1.0, 4: 1.0, 8: 1.0}


@dataclass(frozen=True)
class VideoPreset:
    """How much work to do on a frame that begins with the paint of others.

    Attributes:
        steps: from the finest level, that of the result, to coarser ones.
        passes: over each scene, the first forward, the second backward and so on.
    """

    steps: tuple[int, ...]
    passes: int


VIDEO_PRESETS: dict[str, VideoPreset] = {
    "draft": VideoPreset(steps=(5, 6), passes=1),
    "standard": VideoPreset(steps=(8, 10), passes=1),
    "fine": VideoPreset(steps=(12, 15, 20), passes=2),
}


@dataclass(frozen=True, kw_only=True)
class VideoSettings(PictureSettings):
    """Settings of painting a film. Raises UsageError on values that make no sense.

    Attributes, beside those of `PictureSettings`, which hold for every frame:
        consistency: weight of the mean squared difference from what frames before show at the same places; 0 paints
            every frame by itself.
        passes: over each scene, in turns forward and backward; None takes the preset's.
        frame_steps: optimizer steps at the result's size on frames that begin with the paint of others; None takes
            the preset's, and `iterations` where that is less.
        fps: frames a second of a folder of pictures.
        codec: of the film that is written; `auto`: H.264, in WebM VP9.
    """

    consistency: float = 2000.0
    passes: int | None = None
    frame_steps: int | None = None
    fps: float = 25.0
    codec: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("consistency", self.consistency, 0.0, 1e12)
        check_range("passes", self.passes, 1, 100)
        check_range("frame_steps", self.frame_steps, 1, 100_000)
        check_range("fps", self.fps, 0.01, 1000)
        check_choice("codec", self.codec, CODECS)
        if self.save_every is not None:
            remedy = "Leave it out; the folder of finished frames shows how far it is."
            raise UsageError("save_every", "films have no intermediate pictures", remedy)

    @property
    def passes_used(self) -> int:
        """What `passes` stands for where it is None: one is enough for frames that do not know of each other."""
        if self.consistency == 0 or self.strength == 0:
            return 1
        return VIDEO_PRESETS[self.preset].passes if self.passes is None else self.passes

    @property
    def warm_scales(self) -> tuple[Scale, ...]:
        """The levels, coarse to fine, of frames that begin with the paint of others."""
        steps = list(VIDEO_PRESETS[self.preset].steps)
        if self.frame_steps is not None:
            steps = [round(count * self.frame_steps / steps[0]) for count in steps]
        elif self.iterations is not None:
            steps = [min(count, self.iterations) for count in steps]
        scales = tuple(
            Scale(scale.size, count) for scale, count in zip(reversed(self.scales), steps, strict=False)
        )
        return scales[::-1]
