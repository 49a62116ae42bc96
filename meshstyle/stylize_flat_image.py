"""`meshstyle image`: a photo in the manner of one or more pictures, in the order the data flows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .bundled import find_style
from .config.image import PictureSettings
from .config.layers import CELL
from .errors import PictureError, UsageError
from .io.atomic_write import refuse_protected, write_all
from .io.image_files import encode_picture, is_kind
from .io.images import read_picture
from .io.load import SUFFIXES
from .optimize.image import OptimizedImage, PictureSolver, Save
from .optimize.init import starting_file
from .optimize.loop import known
from .optimize.picture_problem import Pixels
from .output_path import check_writable, choose_picture_output, replacing
from .preview.live.image import PicturePreview
from .preview.live.live import Run, open_preview
from .progress import Progress, ProgressCallback, ignore
from .provenance import run_record
from .results import PicturePlan, PictureResult
from .style.content_image import ContentImage, check_same_shape, long_side, read_content_image
from .style.network import make_network
from .style.style_image import load_style_image
from .style.vgg_weights import load_weights
from .system.device import choose_device, limited_threads

_ENLARGED = 1.5  # how much a picture is enlarged before that is worth a note

Styles = str | Path | Sequence[str | Path]


@dataclass(frozen=True, eq=False)
class _Inputs:
    """All input of a run, read and checked; tensors on the CPU.

    `photo`: at the size of the result; `resized`: whether that is not its own.
    """

    plan: PicturePlan
    photo: ContentImage
    resized: bool
    paintings: tuple[torch.Tensor, ...]
    start: torch.Tensor | None
    run: Run


def stylize_image(
    photo: str | Path,
    styles: Styles,
    output: str | Path | None = None,
    settings: PictureSettings | None = None,
    *,
    mask: str | Path | None = None,
    progress: ProgressCallback = ignore,
    partial: bool = True,
    preview: str | Path | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> PictureResult:
    """Repaint a photo in the manner of a painting, or of several, and write it.

    Args:
        photo: a picture's path.
        styles: a picture's path or the name of a shipped one, or several.
        output: where to; its suffix (.png, .jpg, .webp) says what kind. None: `NAME.stylized.png` beside the photo.
        settings: None takes the defaults; `overrides` are single settings by name.
        mask: a picture's path: white where to paint, black where the photo stays as it is.
        progress: is handed a record of every step.
        partial: whether an interrupted run writes the best so far.
        preview: .html or .png to look at meanwhile (see `preview.live.live`); what goes wrong with it is a warning.
        overwrite: whether an output, or a preview, that is there already may be replaced; else OutputError.

    Raises MeshStyleError; KeyboardInterrupt if interrupted before there was anything to write.
    """
    began = time.monotonic()
    progress(Progress("read"))
    settings = _settings(settings, overrides)
    device = choose_device(settings.device)
    job = _read(Path(photo), styles, output, settings, mask, overwrite)
    check_writable(job.plan.output)
    saved: list[Path] = []

    def save(step: int, pixels: Pixels) -> None:
        saved.extend(_write(_intermediate(job.plan.output, step), pixels, job))

    with open_preview(preview, job.run, PicturePreview, overwrite) as live:
        live.show(job.photo)
        painted = _paint(job, device, live.watching(progress), save)
        if painted.interrupted and not partial:
            raise KeyboardInterrupt
        progress(Progress("write"))
        if not overwrite:
            replacing(job.plan.output, overwrite)  # somebody else may have written it meanwhile
        written = _write(job.plan.output, painted.pixels, job)
    return live.finish(painted, _report(job.plan, painted, (*written, *saved), time.monotonic() - began))


def plan_image(
    photo: str | Path,
    styles: Styles,
    output: str | Path | None = None,
    settings: PictureSettings | None = None,
    *,
    mask: str | Path | None = None,
    overwrite: bool = True,
    **overrides: Any,
) -> PicturePlan:
    """What `stylize_image` would do with the same arguments. Reads and checks everything, writes nothing."""
    settings = _settings(settings, overrides)
    choose_device(settings.device)
    return _read(Path(photo), styles, output, settings, mask, overwrite).plan


def _settings(settings: PictureSettings | None, overrides: dict[str, Any]) -> PictureSettings:
    settings = PictureSettings() if settings is None else settings
    return PictureSettings.from_mapping({**settings.to_dict(), **overrides}) if overrides else settings


def _paint(job: _Inputs, device: torch.device, progress: ProgressCallback, save: Save) -> OptimizedImage:
    """Optimize the image; at strength 0 the result is the photo."""
    settings = job.plan.settings
    if settings.strength == 0:
        return OptimizedImage(job.photo.pixels())
    network = make_network(
        load_weights(settings.weights), settings, device, progress, settings.pooling, edges=True
    )
    with limited_threads(settings.threads):
        paintings = [painting.to(device) for painting in job.paintings]
        solver = PictureSolver(job.photo.to(device), paintings, network, settings)
        start = None if job.start is None else job.start.to(device)
        return solver.solve(progress, start, save)


def _read(
    path: Path,
    styles: Styles,
    output: str | Path | None,
    settings: PictureSettings,
    mask: str | Path | None,
    overwrite: bool,
) -> _Inputs:
    names = (str(styles),) if isinstance(styles, (str, Path)) else tuple(str(style) for style in styles)
    if not names:
        raise UsageError("style", "no picture was given", "Give at least one picture to paint like.")
    settings.shares(len(names))
    if path.suffix.lower() in SUFFIXES and path.is_file():
        raise PictureError(path, "it is a model, not a picture", "Paint it with: meshstyle stylize.")
    pixels = read_picture(path)
    target = choose_picture_output(path, output)
    own = (pixels.shape[0], pixels.shape[1])
    size = own if settings.keeps_size else long_side(own, settings.size_used)
    if min(size) < CELL and settings.strength > 0:
        cause = f"it is too narrow: at {settings.size_used} pixels it would be {min(size)} pixels thin"
        raise PictureError(path, cause, "Cut it to a wider picture, or give a larger --size.")
    pictures = tuple(find_style(name) for name in names)
    paintings = tuple(load_style_image(picture) for picture in pictures)
    photo = read_content_image(pixels, path, mask)
    begin = starting_file(settings.init)
    start = None if begin is None else load_style_image(begin)
    if start is not None and begin is not None:
        check_same_shape(tuple(start.shape[-2:]), own, begin)
    warnings = (*_warnings(photo, paintings, names, target, settings), *replacing(target, overwrite))
    plan = PicturePlan(path, names, target, size, settings, warnings)
    sources = (path, *(Path(extra) for extra in (mask, begin) if extra is not None))
    record = run_record(settings, dict(zip(names, pictures, strict=True)))
    run = Run(sources, target, pictures, record)
    refuse_protected(target, run.protected)
    return _Inputs(plan, photo.at(size), size != own, paintings, start, run)


def _warnings(
    photo: ContentImage,
    paintings: Sequence[torch.Tensor],
    names: Sequence[str],
    target: Path,
    settings: PictureSettings,
) -> list[str]:
    found = []
    if target.suffix.lower() in (".jpg", ".jpeg") and bool((photo.alpha < 1).any()):
        found.append("JPEG holds no transparency: transparent parts become white")
    if settings.strength == 0:
        return found
    size, longer = settings.size_used, max(photo.colours.shape[-2:])
    if size > _ENLARGED * longer:
        found.append(f"the photo is enlarged from {longer} to {size} pixels along its longer side")
    wanted = size * settings.style_scale
    for painting, name in zip(paintings, names, strict=True):
        longer = max(painting.shape[-2:])
        if wanted > _ENLARGED * longer:
            found.append(
                f"{name} is enlarged from {longer} to {wanted:.0f} pixels: strokes will be soft; give a larger picture"
            )
    return found


def _intermediate(output: Path, step: int) -> Path:
    return output.with_name(f"{output.stem}.{step:04d}{output.suffix}")


def _write(path: Path, pixels: Pixels, job: _Inputs) -> tuple[Path, ...]:
    """Encode the result; at strength 0 it is the photo's own bytes, where they are what is asked for: encoding may
    lose some of it."""
    photo = job.plan.photo
    if job.plan.settings.strength == 0 and not job.resized and is_kind(photo, path.suffix):
        data = photo.read_bytes()
    else:
        data = encode_picture(np.rint(pixels * 255).astype(np.uint8), path.suffix, job.run.record)
    return write_all({path: data}, job.run.protected)


def _report(
    plan: PicturePlan, painted: OptimizedImage, outputs: tuple[Path, ...], seconds: float
) -> PictureResult:
    terms = painted.terms
    structured = terms is not None and plan.settings.structure_weight > 0
    return PictureResult(
        outputs=outputs,
        size=plan.size,
        settings=plan.settings,
        styles=plan.styles,
        seconds=seconds,
        style_loss=terms.style if terms else None,
        content_loss=known(terms.content) if terms else None,
        structure=terms.structure if terms and structured else None,
        warnings=plan.warnings,
        interrupted=painted.interrupted,
    )
