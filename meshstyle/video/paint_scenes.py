"""All scenes of a clip, one after the other or by several processes: scenes know nothing of each other."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

from ..config.video import VideoSettings
from ..errors import InputError
from ..progress import ProgressCallback, ignore
from ..style.network import make_network
from ..style.style_image import load_style_image
from ..style.vgg_weights import load_weights
from ..system.cgroups import memory_left
from ..system.device import choose_device, limited_threads
from .clip import Frames
from .packages import load_package
from .paint_scene import SceneJob, paint_scene
from .scan import Clip, mask_frames
from .store import FrameStore

_MEMORY = 2 * 2**30  # bytes that a worker may take
_POLL = 0.5  # seconds between looks at what workers have finished

Told = Callable[[int], None]  # frames finished so far, over all passes


@dataclass(frozen=True)
class ScenesJob:
    """What painting scenes takes, as it can be handed to another process.

    Attributes:
        size: of the result, (height, width).
        mask: a film, a folder or a picture; None: everything is painted.
        pictures: the paintings' files.
        start: the picture that first frames begin with; None: what `init` says.
        store: the folder of finished frames.
    """

    clip: Clip
    size: tuple[int, int]
    mask: Path | None
    pictures: tuple[Path, ...]
    start: Path | None
    settings: VideoSettings
    store: Path

    @property
    def scenes(self) -> tuple[range, ...]:
        """What is painted in one go: where frames do not know of each other, any of them."""
        if self.settings.consistency == 0:
            return tuple(range(number, number + 1) for number in range(self.clip.info.count))
        return self.clip.scenes


def workers_for(scenes: int, threads: int, wanted: int | None) -> int:
    """How many processes paint. `wanted`: None: as many as there are scenes, threads and memory for."""
    left = memory_left()
    room = threads if left is None else max(int(left // _MEMORY), 1)
    return max(min(scenes, wanted if wanted is not None else min(threads, room)), 1)


def paint_scenes(job: ScenesJob, workers: int, progress: ProgressCallback, told: Told) -> None:
    """Paint what is not finished yet. KeyboardInterrupt leaves all frames that are.

    `job.settings.threads`: of each process.
    """
    if workers == 1:
        done = count_finished(job)

        def finished(_turn: int, _number: int) -> None:
            nonlocal done
            done += 1
            told(done)

        told(done)
        with _opened(job, progress) as scene_job:
            for scene in job.scenes:
                paint_scene(scene_job, scene, finished)
        return
    _in_processes(job, workers, told)


def count_finished(job: ScenesJob) -> int:
    """Frames that are finished, over all passes; those of a pass that has been dropped count."""
    store, passes = FrameStore(job.store), job.settings.passes_used
    total = 0
    for number in range(job.clip.info.count):
        total += next((turn for turn in range(passes, 0, -1) if store.has(turn, number)), 0)
    return total


@contextlib.contextmanager
def _opened(job: ScenesJob, progress: ProgressCallback) -> Iterator[SceneJob]:
    """The job with its files open and the network loaded."""
    settings = job.settings
    device = choose_device(settings.device)
    network = make_network(
        load_weights(settings.weights), settings, device, progress, settings.pooling, edges=True
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(limited_threads(settings.threads))
        stack.enter_context(_opencv_threads(settings.threads))
        frames = job.clip.frames(job.size)
        stack.callback(frames.close)
        mask: Frames | None = None
        if job.mask is not None:
            mask = mask_frames(job.mask, job.clip.info, job.size, settings.fps)
            stack.callback(mask.close)
        yield SceneJob(
            frames=frames,
            mask=mask,
            paintings=[load_style_image(picture).to(device) for picture in job.pictures],
            start=None if job.start is None else load_style_image(job.start).to(device),
            network=network,
            settings=settings,
            store=FrameStore(job.store),
        )


@contextlib.contextmanager
def _opencv_threads(count: int | None) -> Iterator[None]:
    """OpenCV's threads inside the block: what flow it finds depends on their number."""
    cv2 = load_package("cv2")
    before = cv2.getNumThreads()
    cv2.setNumThreads(count or before)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _in_processes(job: ScenesJob, workers: int, told: Told) -> None:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (job,))
    try:
        futures = [pool.submit(_paint_in_worker, scene) for scene in job.scenes]
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, _POLL, FIRST_EXCEPTION)
            for future in done:
                future.result()
            told(count_finished(job))
    except BrokenProcessPool as error:
        cause = "a process that painted it died, perhaps for want of memory"
        remedy = "Run it again with --workers 1 or a smaller --size: it goes on where it was."
        raise InputError(job.clip.info.path, cause, remedy) from error
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """What a worker process holds as long as it lives."""

    job: ScenesJob
    open_job: SceneJob | None = None
    stack = contextlib.ExitStack()


def _begin_worker(job: ScenesJob) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever began it ends it
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _Worker.job = job


def _end_with(sentinel: int) -> None:
    """End when the parent has ended, however that was."""
    connection.wait([sentinel])
    os._exit(1)


def _paint_in_worker(scene: range) -> None:
    if _Worker.open_job is None:
        _Worker.open_job = _Worker.stack.enter_context(_opened(_Worker.job, ignore))
    paint_scene(_Worker.open_job, scene, lambda _turn, _number: None)
