"""`meshstyle video`: a film in the manner of one or more pictures, in the order the data flows."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from pathlib import Path
from typing import Any

from ..config.video import VideoSettings
from ..optimize.picture_problem import without_color
from ..output_path import check_writable
from ..progress import Progress, ProgressCallback, ignore
from ..style.style_image import load_style_image
from .assemble import Assembly, assemble, is_film
from .inputs import Asked, Inputs, Styles, read_inputs
from .paint_scenes import paint_scenes
from .results import VideoPlan, VideoResult
from .scan import mask_frames

_RECENT = 24  # frames whose time tells how long the others will take


def stylize_video(
    clip: str | Path,
    styles: Styles,
    output: str | Path | None = None,
    settings: VideoSettings | None = None,
    *,
    mask: str | Path | None = None,
    progress: ProgressCallback = ignore,
    partial: bool = True,
    workers: int | None = None,
    resume: bool = True,
    overwrite: bool = True,
    **overrides: Any,
) -> VideoResult:
    """Repaint a film in the manner of a painting, or of several, with strokes that stay where they belong.

    Finished frames are kept in the folder `OUTPUT.frames` until the result is there: the same call goes on from them,
    whatever ended it. Where there are several workers, programs need `if __name__ == "__main__":` above the call, since
    these load them too.

    Args:
        clip: a film, or a folder of numbered pictures.
        styles: a picture's path or the name of a shipped one, or several.
        output: a film (.mp4, .mov, .mkv, .webm, .gif), or a folder for pictures. None: `NAME.stylized.mp4` beside the
            clip, of its own kind where that can be written.
        settings: None takes the defaults; `overrides` are single settings by name.
        mask: a film or folder as long as the clip, or one picture: white where to paint, black where the clip stays.
        progress: is handed a record of every frame.
        partial: whether an interrupted run writes the frames that are finished.
        workers: processes, each of which paints a scene; None: as many as there are scenes and threads for.
        resume: whether frames that an earlier run finished are used.
        overwrite: whether an output that is there already may be replaced; else OutputError.

    Raises MeshStyleError; KeyboardInterrupt if interrupted before there was anything to write.
    """
    began = time.monotonic()
    asked = Asked(clip, styles, output, _settings(settings, overrides), mask, workers, overwrite)
    given = read_inputs(asked, progress)
    plan, store = given.plan, given.store
    check_writable(plan.output if is_film(plan.output) else plan.output / "frame")
    with store.exclusive():
        others = store.begin(given.identity, resume)
        interrupted = not _paint(given, progress)
        outputs, frames, notes = _write(given, progress, partial or not interrupted)
    if not interrupted:
        store.remove()
    if others:
        notes.insert(0, f"{store.folder.name} held frames of other settings: they were painted anew")
    return VideoResult(
        outputs=outputs,
        size=plan.size,
        frames=frames,
        scenes=len(plan.scenes),
        settings=plan.settings,
        styles=plan.styles,
        seconds=time.monotonic() - began,
        warnings=(*plan.warnings, *notes),
        interrupted=interrupted,
    )


def plan_video(
    clip: str | Path,
    styles: Styles,
    output: str | Path | None = None,
    settings: VideoSettings | None = None,
    *,
    mask: str | Path | None = None,
    workers: int | None = None,
    overwrite: bool = True,
    progress: ProgressCallback = ignore,
    **overrides: Any,
) -> VideoPlan:
    """What `stylize_video` would do with the same arguments. Looks at all of the clip, writes nothing."""
    asked = Asked(clip, styles, output, _settings(settings, overrides), mask, workers, overwrite)
    return read_inputs(asked, progress).plan


def _settings(settings: VideoSettings | None, overrides: dict[str, Any]) -> VideoSettings:
    settings = VideoSettings() if settings is None else settings
    return VideoSettings.from_mapping({**settings.to_dict(), **overrides}) if overrides else settings


def _paint(given: Inputs, progress: ProgressCallback) -> bool:
    """Paint all frames; False where that was interrupted."""
    if given.plan.settings.strength == 0:
        return True
    clock = _FrameClock(progress, given.plan.frames * given.plan.settings.passes_used)
    try:
        paint_scenes(given.job, given.plan.workers, progress, clock.tell)
    except KeyboardInterrupt:
        return False
    return True


def _write(
    given: Inputs, progress: ProgressCallback, wanted: bool
) -> tuple[tuple[Path, ...], int, list[str]]:
    """The paths written, the number of frames in them, and notes. Raises KeyboardInterrupt where there is nothing to
    write, or nothing wanted."""
    job = given.job
    with contextlib.ExitStack() as stack:
        frames = job.clip.frames(job.size)
        stack.callback(frames.close)
        mask = None
        if job.mask is not None:
            mask = mask_frames(job.mask, job.clip.info, job.size, job.settings.fps)
            stack.callback(mask.close)
        colourless = without_color([load_style_image(picture) for picture in job.pictures])
        whole = Assembly(
            clip=job.clip,
            output=given.plan.output,
            size=job.size,
            frames=frames,
            mask=mask,
            store=given.store,
            settings=job.settings,
            colourless=colourless,
            record=given.record,
        )
        count = whole.finished()
        if not count or not wanted:
            raise KeyboardInterrupt
        progress(Progress("write"))
        outputs, notes = assemble(whole, lambda done, all_: progress(Progress("write", done, all_)))
    return outputs, count, notes


class _FrameClock:
    """Turns finished frames into progress records, with the time left.

    The first frame of a scene takes several times as long as the others, of which there are more: the latest ones' time
    counts.
    """

    def __init__(self, progress: ProgressCallback, frames: int) -> None:
        self._progress, self._frames = progress, frames
        self._times: deque[tuple[float, int]] = deque(maxlen=_RECENT + 1)

    def tell(self, done: int) -> None:
        """So many frames are finished."""
        now = time.monotonic()
        if not self._times or done > self._times[-1][1]:
            self._times.append((now, done))
        (begin, first), (end, last) = self._times[0], self._times[-1]
        rate = (last - first) / (end - begin) if last > first and end > begin else None
        left = None if rate is None else max((self._frames - done) / rate - (now - end), 0.0)
        minute = 0.0 if rate is None else 60 * rate
        self._progress(Progress("solve", done, self._frames, None, left, frames_a_minute=minute))
