"""What a film's run would do, and what it made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config.video import VideoSettings


@dataclass(frozen=True)
class VideoPlan:
    """What a run would do.

    Attributes:
        clip: a film, or a folder of numbered pictures.
        output: a film, or a folder for pictures.
        size: of the result, (height, width).
        frames: how many there are; `seconds`: how long they are; `rate`: frames a second, on average.
        scenes: the numbers of frames of each.
        workers: processes that paint; `threads`: of each.
        finished: frames that an earlier run has finished, of `frames` times the number of passes.
    """

    clip: Path
    styles: tuple[str, ...]
    output: Path
    size: tuple[int, int]
    frames: int
    seconds: float
    rate: float
    scenes: tuple[int, ...]
    workers: int
    threads: int
    finished: int
    settings: VideoSettings
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        settings = self.settings
        return found | {
            "clip": str(self.clip),
            "output": str(self.output),
            "settings": settings.to_dict(),
            "scales": [asdict(scale) for scale in settings.scales],
            "frame_scales": [asdict(scale) for scale in settings.warm_scales],
            "passes": settings.passes_used,
        }


@dataclass(frozen=True)
class VideoResult:
    """What a run made and how it went.

    Attributes:
        outputs: the film, or the pictures.
        size: of the result, (height, width).
        frames: how many were written; fewer than the clip has where it was interrupted.
        scenes: how many scenes were found.
        settings: what it was made with; `styles` by what pictures.
        seconds: wall time.
        warnings: what was odd and how it was taken.
        interrupted: stopped early; the output holds what was finished, from the beginning on.
    """

    outputs: tuple[Path, ...]
    size: tuple[int, int]
    frames: int
    scenes: int
    settings: VideoSettings
    styles: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...]
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        found = asdict(self)
        found["outputs"] = [str(path) for path in self.outputs]
        found["settings"] = self.settings.to_dict()
        return found
