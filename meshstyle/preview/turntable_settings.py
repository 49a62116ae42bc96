"""Every choice of a turntable, with its default. The API and the command line both read them from here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import UsageError

FRAMES, FPS = 60, 15.0
RENDERERS = ("auto", "egl", "osmesa", "rays")
MAX_FRAMES, SIDES, MAX_PIXELS = 3000, (16, 4096), 2**28  # the last one of all frames together: 800 MB
_FPS_RANGE = (0.1, 240.0)
_MOST_CELLS = 64  # rows or columns of a sheet


@dataclass(frozen=True, kw_only=True)
class TurntableSettings:
    """Settings of a turntable or contact sheet. Raises UsageError on values that make no sense.

    Attributes:
        frames, seconds, fps: any two give the third; otherwise 15 a second for 4 seconds.
        size: of one model's picture in pixels: "512", or width × height as in "640x360".
        elevation: of the camera above the horizon, degrees.
        start: where the camera begins, degrees around the model: 0 is +z, 90 is +x, 180 is −z.
        background: a colour as CSS has it, "studio" or "transparent".
        shadow: on the ground; None: unless the background is transparent.
        unlit: the bare base colour, without light.
        renderer: auto, egl, osmesa or rays.
        animation: name of the clip that is played, a whole number of times.
        sheet: rows and columns ("2x4") of a contact sheet instead of a film.
        wipe: with a model to compare: slide from one to the other instead of showing both.
        lossless: of WebP.
        root: folder above a model, from which its textures may be read as well; None: its own folder only.
    """

    frames: int | None = None
    seconds: float | None = None
    fps: float | None = None
    size: str = "512"
    elevation: float = 15.0
    start: float = 0.0
    background: str = "studio"
    shadow: bool | None = None
    unlit: bool = False
    renderer: str = "auto"
    animation: str | None = None
    sheet: str | None = None
    wipe: bool = False
    lossless: bool = False
    root: str | None = None

    def __post_init__(self) -> None:
        _check_number("frames", self.frames, 1, MAX_FRAMES)
        _check_number("seconds", self.seconds, 0.01, 3600)
        _check_number("fps", self.fps, *_FPS_RANGE)
        _check_number("elevation", self.elevation, -90, 90)
        _check_number("start", self.start, -360, 360)
        if self.renderer not in RENDERERS:
            raise UsageError(
                "renderer", f"{self.renderer!r} is not a choice", f"Choose one of: {', '.join(RENDERERS)}."
            )
        height, width = self.shape
        if not all(SIDES[0] <= side <= SIDES[1] for side in (height, width)):
            raise UsageError(
                "size", f"{self.size} is out of range", f"Give {SIDES[0]} to {SIDES[1]} pixels a side."
            )
        count, _ = self.timing
        if count * height * width > MAX_PIXELS:
            raise UsageError(
                "size",
                f"{count} pictures of {width} × {height} pixels are more than {MAX_PIXELS // 2**20} million pixels",
                "Ask for fewer or smaller ones.",
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a picture."""
        match = re.fullmatch(r"(\d{1,9})(?:[x×](\d{1,9}))?", str(self.size).strip().lower())
        if not match:
            raise UsageError("size", f"{self.size!r} is not a size", "Give pixels, as in 512 or 640x360.")
        return int(match[2] or match[1]), int(match[1])

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of a contact sheet."""
        return None if self.sheet is None else parse_sheet(self.sheet)

    @property
    def timing(self) -> tuple[int, float]:
        """How many pictures, and how many are shown a second."""
        if self.grid is not None:
            return self.grid[0] * self.grid[1], FPS
        if self.frames is None:
            fps = self.fps or FPS
            frames = max(round((self.seconds or FRAMES / FPS) * fps), 1)
            _check_number("frames", frames, 1, MAX_FRAMES)
            return frames, fps
        if self.seconds is None:
            return self.frames, self.fps or FPS
        fps = self.frames / self.seconds
        if self.fps is not None and not math.isclose(fps, self.fps, rel_tol=0.5 / self.frames):
            raise UsageError(
                "fps",
                f"{self.frames} frames in {self.seconds:g} s are {fps:g} a second, not {self.fps:g}",
                "Give two of frames, seconds and fps.",
            )
        _check_number("fps", fps, *_FPS_RANGE)
        return self.frames, fps


def _check_number(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise UsageError(name, f"{value:g} is out of range", f"Give a number from {low:g} to {high:g}.")


def parse_sheet(text: str) -> tuple[int, int]:
    """Rows and columns of `2x4`. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,3})[x×](\d{1,3})", text.strip().lower())
    rows, columns = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= rows <= _MOST_CELLS and 1 <= columns <= _MOST_CELLS):
        raise UsageError("--sheet", f"{text!r} is not a number of rows and columns", "Give them as in 2x4.")
    return rows, columns
