"""The input of a film's run: looked at and checked, before anything is painted or written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..bundled import find_style
from ..config.layers import CELL
from ..config.video import VideoSettings
from ..errors import InputError, UsageError
from ..io.atomic_write import refuse_protected
from ..io.load import SUFFIXES
from ..optimize.init import starting_file
from ..progress import Progress, ProgressCallback
from ..provenance import run_record
from ..style.content_image import long_side
from ..style.style_image import load_style_image
from ..system.device import choose_device, threads_for
from .assemble import is_film
from .output import choose_video_output, replaced_by
from .paint_scenes import ScenesJob, count_finished, workers_for
from .results import VideoPlan
from .scan import Clip, check_packages, mask_frames, scan
from .store import FrameStore, file_stamp, store_folder
from .write_film import choose_encoder

_ENLARGED = 1.5  # how much a picture is enlarged before that is worth a note
_NOT_OF_PAINT = ("codec", "threads")  # settings that a frame's paint does not depend on, or not alone

Styles = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Asked:
    """What the caller asks for (see `stylize.stylize_video`)."""

    clip: str | Path
    styles: Styles
    output: str | Path | None
    settings: VideoSettings
    mask: str | Path | None
    workers: int | None
    overwrite: bool


@dataclass(frozen=True, eq=False)
class Inputs:
    """All input of a run, looked at and checked.

    Attributes:
        identity: what the paint of frames depends on: frames of another one are of no use.
        record: how the result is made, for whoever gets it.
    """

    plan: VideoPlan
    job: ScenesJob
    identity: Mapping[str, Any]
    record: Mapping[str, Any]

    @property
    def store(self) -> FrameStore:
        return FrameStore(self.job.store)


def read_inputs(asked: Asked, progress: ProgressCallback) -> Inputs:
    """Look at everything. Raises MeshStyleError; writes nothing."""
    progress(Progress("read"))
    settings, styles, mask, workers = asked.settings, asked.styles, asked.mask, asked.workers
    names = (str(styles),) if isinstance(styles, (str, Path)) else tuple(str(style) for style in styles)
    if not names:
        raise UsageError("style", "no picture was given", "Give at least one picture to paint like.")
    settings.shares(len(names))
    if workers is not None and workers < 1:
        raise UsageError("workers", f"{workers} is out of range", "Give 1 or more.")
    choose_device(settings.device)
    pictures = tuple(find_style(name) for name in names)
    paintings = [load_style_image(picture) for picture in pictures]
    start = starting_file(settings.init)
    if start is not None:
        load_style_image(start)
    others = [*pictures, *(extra for extra in (mask, start) if extra is not None)]
    path, target = _places(asked, others)
    looked = scan(path, settings.fps, settings.consistency > 0, lambda n: progress(Progress("read", n)))
    size = _size(looked, settings)
    if mask is not None:
        mask_frames(Path(mask), looked.info, size, settings.fps).close()
    warnings = [
        *looked.info.warnings,
        *_warnings(looked, names, [p.shape for p in paintings], target, settings),
    ]
    threads = threads_for(settings.threads)
    scenes = looked.scenes if settings.consistency > 0 else tuple(range(1) for _ in range(looked.info.count))
    count = workers_for(len(scenes), threads, workers)
    own = max(threads // count, 1)
    job = ScenesJob(
        clip=looked,
        size=size,
        mask=None if mask is None else Path(mask),
        pictures=pictures,
        start=start,
        settings=replace(settings, threads=own),
        store=store_folder(target),
    )
    record = run_record(settings, dict(zip(names, pictures, strict=True)))
    identity = _identity(job, record)
    plan = VideoPlan(
        clip=path,
        styles=names,
        output=target,
        size=size,
        frames=looked.info.count,
        seconds=looked.info.seconds,
        rate=float(looked.info.rate),
        scenes=tuple(len(scene) for scene in looked.scenes),
        workers=count,
        threads=own,
        finished=count_finished(job) if FrameStore(job.store).is_of(identity) else 0,
        settings=settings,
        warnings=(*warnings, *replaced_by(target, asked.overwrite)),
    )
    return Inputs(plan, job, identity, record)


def _places(asked: Asked, others: Sequence[str | Path]) -> tuple[Path, Path]:
    """The clip's path and the output's, of kinds that can be read and written."""
    path, settings = Path(asked.clip), asked.settings
    if path.suffix.lower() in SUFFIXES and path.is_file():
        remedy = "Paint it with: meshstyle stylize; meshstyle turntable makes a film of it."
        raise InputError(path, "it is a model, not a film", remedy)
    if not path.exists():
        raise InputError(path, "there is no such file", "Give a film, or a folder of numbered pictures.")
    check_packages(path)
    target = choose_video_output(path, asked.output)
    if is_film(target):
        choose_encoder(target.suffix, settings.codec)
    elif settings.codec != "auto":
        raise UsageError("codec", "a folder of pictures has none", "Leave it out, or write a .mp4.")
    refuse_protected(target, [path, *map(Path, others)])
    return path, target


def _size(clip: Clip, settings: VideoSettings) -> tuple[int, int]:
    """Of the result, (height, width). Raises InputError for a clip that is too narrow to be painted."""
    size = clip.info.size if settings.keeps_size else long_side(clip.info.size, settings.size_used)
    if min(size) < CELL and settings.strength > 0:
        cause = f"it is too narrow: at {settings.size_used} pixels it would be {min(size)} pixels thin"
        raise InputError(clip.info.path, cause, "Cut it to a wider film, or give a larger --size.")
    return size


def _warnings(
    clip: Clip,
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    target: Path,
    settings: VideoSettings,
) -> list[str]:
    found = []
    if clip.info.has_alpha and is_film(target):
        found.append("films hold no transparency here: transparent parts become white; a folder keeps them")
    if settings.strength == 0:
        return found
    size, longer = settings.size_used, max(clip.info.size)
    if size > _ENLARGED * longer:
        found.append(f"the clip is enlarged from {longer} to {size} pixels along its longer side")
    wanted = size * settings.style_scale
    for name, shape in zip(names, shapes, strict=True):
        if wanted > _ENLARGED * max(shape[-2:]):
            found.append(
                f"{name} is enlarged to {wanted:.0f} pixels: strokes will be soft; give a larger picture"
            )
    return found


def _identity(job: ScenesJob, record: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in job.settings.to_dict().items() if key not in _NOT_OF_PAINT}
    return {
        "format": 1,
        "version": record["version"],
        "clip": [job.clip.info.path.name, file_stamp(job.clip.info.path)],
        "mask": None if job.mask is None else file_stamp(job.mask),
        "start": None if job.start is None else file_stamp(job.start),
        "pictures": [hashlib.sha256(picture.read_bytes()).hexdigest() for picture in job.pictures],
        "size": list(job.size),
        "threads": job.settings.threads,
        "settings": settings,
    }
