"""What a worker process does: one job, from reading the model to its files in a staging folder.

What jobs share is loaded once in each process and kept: the network with its kernels, the paintings.
"""

from __future__ import annotations

import tempfile
import time
from functools import lru_cache
from pathlib import Path

import torch

from ..config.model import Settings
from ..errors import MeshStyleError
from ..io.types import FromFiles
from ..optimize.init import starting_picture
from ..prepare import prepare
from ..progress import Progress, ProgressCallback, ignore
from ..provenance import run_record
from ..results import Result
from ..style.areas import Style
from ..style.network import make_network
from ..style.style_image import load_style_image
from ..style.vgg import VGG19
from ..style.vgg_weights import load_weights
from ..stylize_model import paint, report, write_painted
from ..system.device import choose_device, limited_threads
from ..texture.regions import read_mask
from .failures import failure_of
from .hashing import hash_file, hash_sources
from .types import FileHash, Job, JobState, Outcome, PaintedImage, SharedInputs, WorkerContext

_FIGURES = ("style_loss", "content_loss", "structure", "coverage", "surface_seen", "views")


def run_job(job: Job, context: WorkerContext, progress: ProgressCallback = ignore) -> Outcome:
    """Paint one model into a new folder below `context.staging`. Never raises but for interrupts.

    The same job gives the same bytes in any process of one kind of machine: what is shared does not change, and the
    folder is empty, so that no name depends on what lies elsewhere.
    """
    began = time.monotonic()
    try:
        folder = Path(tempfile.mkdtemp(dir=context.staging))
        result, sources = _paint(job, folder, progress)
        files = tuple(_hash_below(folder, path) for path in result.outputs)
    except Exception as error:
        seconds = time.monotonic() - began
        return Outcome(job.id, job.key, JobState.FAILED, seconds, failure=failure_of(job, error))
    figures = {name: float(value) for name in _FIGURES if (value := getattr(result, name)) is not None}
    return Outcome(
        job.id,
        job.key,
        JobState.DONE,
        time.monotonic() - began,
        files=files,
        sources=sources,
        figures=figures,
        images=tuple(PaintedImage(one.name, one.size, one.unwrapped, one.reason) for one in result.atlases),
        warnings=(*job.notes, *result.warnings),
        staged=folder,
    )


def check_shared(shared: SharedInputs) -> MeshStyleError | None:
    """What is wrong with a picture, weights, a start or a device, found by loading them."""
    try:
        choose_device(shared.device)
        load_style_image(shared.picture)
        starting_picture(shared.init)
        for mask in shared.masks:
            read_mask(mask)
        load_weights(shared.weights)
    except MeshStyleError as error:
        return error
    return None


def _hash_below(folder: Path, path: Path) -> FileHash:
    return FileHash(path.relative_to(folder).as_posix(), hash_file(path))


def _paint(job: Job, folder: Path, progress: ProgressCallback) -> tuple[Result, tuple[FileHash, ...]]:
    began, settings = time.monotonic(), job.settings
    record = run_record(job.recorded or settings, job.requested)
    if job.group is not None:
        record["set"] = job.group
    with limited_threads(settings.threads):
        styles = [Style(one.request, _painting(one.picture, settings.device)) for one in job.requested]
        scene = prepare(job.source, settings, progress)
        network = _network(settings.weights, settings.convolution, settings.device)
        painted = paint(scene, styles, network, settings, progress, job.colours, lenient=True)
        if painted.solution.interrupted:
            raise KeyboardInterrupt
        progress(Progress("write"))
        outputs = write_painted(scene, painted, folder / job.output, record, settings, job.companions)
    sources = scene.asset.sources if isinstance(scene.asset, FromFiles) else (job.source,)
    result = report(scene, painted, (outputs, settings, job.style, began))
    return result, hash_sources(job.source, sources)


@lru_cache(maxsize=2)
def _network(weights: str, convolution: str, device: str) -> VGG19:
    settings = Settings(weights=weights, convolution=convolution, device=device)
    return make_network(load_weights(weights), settings, choose_device(device), ignore)


@lru_cache(maxsize=4)
def _painting(picture: Path, device: str) -> torch.Tensor:
    return load_style_image(picture).to(choose_device(device))
