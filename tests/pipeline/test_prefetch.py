"""The process that goes ahead: what it finds is what would have been found here, and nothing depends on it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from meshstyle.config.model import Settings
from meshstyle.errors import AssetError
from meshstyle.prefetch import Prefetcher, start_prefetcher, trace_ahead
from meshstyle.prepare import prepare
from meshstyle.progress import Progress
from meshstyle.stylize_model import RunOptions, run_job, stylize
from meshstyle.system import threads
from meshstyle.system.array_stream import HEAD, ArrayWriter, read_packed, unpack
from meshstyle.views.training_views import numbers_of

DATA = Path(__file__).parents[1] / "data"
MODELS = [
    DATA / "plane" / "plane.obj",
    DATA / "variants" / "Fox_draco.glb",
    DATA / "plastic_monobloc_chair_01_1k" / "plastic_monobloc_chair_01_1k.gltf",
]
TINY = Settings(preset="draft", iterations=1, views=4, texture_size=64)


@dataclass(frozen=True)
class Views:
    """Something large."""

    lookups: np.ndarray
    hits: tuple[int, ...] = (1,)


def ignore(_: Progress) -> None:
    pass


def end(prefetcher: Prefetcher) -> None:
    """Kill its process, and wait until it is gone."""
    process = psutil.Process(prefetcher.pid)
    process.kill()
    process.wait()


@pytest.mark.parametrize("model", MODELS[1:], ids=lambda model: model.stem)
def test_a_run_with_a_prefetcher_writes_the_same_bytes(model: Path, tmp_path: Path) -> None:
    written: list[dict[str, bytes]] = []
    for name in ("with", "without"):
        output = tmp_path / name / model.with_suffix(".glb").name
        output.parent.mkdir()
        if name == "with":
            with Prefetcher(model, TINY) as prefetcher:
                run_job(model, "starry-night", output, TINY, RunOptions(), prefetcher.prepare)
        else:
            stylize(model, "starry-night", output, TINY)
        written.append({path.name: path.read_bytes() for path in output.parent.iterdir()})
    assert written[0] == written[1]


def test_it_hands_over_the_views_of_every_scale_and_says_what_it_does() -> None:
    heard: list[Progress] = []
    with Prefetcher(MODELS[0], TINY) as prefetcher:
        scene = prefetcher.scene(heard.append)
        assert scene is not None
        here = prepare(MODELS[0], TINY, ignore)
        traced = {scale.size: scene.trace(scale.size) for scale in TINY.scales}
    assert heard[0].stage == "read"
    for size, views in traced.items():
        wanted = here.trace(size)
        assert views.hits == []  # as only the prefetcher leaves them
        assert numbers_of(views.looks) == numbers_of(wanted.looks)
        assert len(views.lookups) == len(wanted.lookups)
        for found, made in zip(views.lookups, wanted.lookups, strict=True):
            assert np.array_equal(found.texels, made.texels)
            assert (found.matrix != made.matrix).nnz == 0
            assert (found.coarse != made.coarse).nnz == 0


def test_views_of_another_size_are_traced_here() -> None:
    with Prefetcher(MODELS[0], TINY) as prefetcher:
        scene = prefetcher.scene(ignore)
        assert scene is not None
        views = scene.trace(40)
        assert len(views.hits) == len(views.lookups) > 0
        assert scene.trace(TINY.scales[0].size).hits != []  # what came meanwhile was passed over


@pytest.mark.parametrize(
    "model", [DATA / "nowhere.glb", DATA / "broken" / "val_glb_empty_file" / "empty_file.glb"]
)
def test_what_is_wrong_with_a_model_is_raised_here(model: Path) -> None:
    with Prefetcher(model, TINY) as prefetcher, pytest.raises(AssetError) as caught:
        prefetcher.scene(ignore)
    with pytest.raises(AssetError) as alone:
        prepare(model, TINY, ignore)
    assert str(caught.value) == str(alone.value)


def test_a_prefetcher_that_is_lost_costs_nothing_but_time(tmp_path: Path) -> None:
    model, output = MODELS[0], tmp_path / "plane.glb"
    with Prefetcher(model, TINY) as prefetcher:
        end(prefetcher)
        assert prefetcher.scene(ignore) is None
        result = run_job(model, "starry-night", output, TINY, RunOptions(), prefetcher.prepare)
    assert result.outputs == (output,)


def test_one_that_is_lost_after_the_scene_leaves_the_views_to_be_traced() -> None:
    with Prefetcher(MODELS[0], TINY) as prefetcher:
        scene = prefetcher.scene(ignore)
        assert scene is not None
        end(prefetcher)
        last = TINY.scales[-1].size
        assert len(scene.trace(last).lookups) == len(prepare(MODELS[0], TINY, ignore).trace(last).lookups)


def test_it_is_gone_when_the_block_is_left() -> None:
    with Prefetcher(MODELS[0], TINY) as prefetcher:
        number = prefetcher.pid
        assert number is not None
        assert psutil.pid_exists(number)
    assert not psutil.pid_exists(number)


def test_it_goes_with_the_process_that_sent_it(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from meshstyle.prefetch import Prefetcher; from meshstyle.config.model import Settings\n"
        "prefetcher = Prefetcher(Path(sys.argv[1]), Settings())\n"
        "print(prefetcher.pid, flush=True); time.sleep(60)"
    )
    sender = subprocess.Popen(
        [sys.executable, "-c", program, str(DATA / "car_taxi" / "car_taxi.gltf")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sender.stdout is not None
    prefetcher = psutil.Process(int(sender.stdout.readline()))
    with sender.stdout:
        sender.kill()
        sender.wait()
    gone, _ = psutil.wait_procs([prefetcher], timeout=10)
    assert gone


def test_it_loads_no_torch_and_leaves_ctrl_c_to_its_sender(tmp_path: Path) -> None:
    """What a file named like a module in the user's own folder says is not run."""
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    program = "import sys, meshstyle.prefetch, meshstyle.prepare\nassert 'torch' not in sys.modules\n"
    subprocess.run([sys.executable, "-P", "-c", program], check=True, cwd=tmp_path)
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        with Prefetcher(MODELS[0], TINY) as prefetcher:
            heard: list[Progress] = []
            time.sleep(0.2)
            assert prefetcher.scene(heard.append) is not None
            process = psutil.Process(prefetcher.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) in (0, None)  # None where it had ended before
    finally:
        os.chdir(here)


def test_none_is_sent_where_no_core_is_free_for_it(monkeypatch: Any) -> None:
    with start_prefetcher(MODELS[0], replace(TINY, threads=1)) as prefetcher:
        assert prefetcher.pid is None
    monkeypatch.setattr("meshstyle.prefetch.usable_threads", lambda: 1)
    with start_prefetcher(MODELS[0], TINY) as prefetcher:
        assert prefetcher.pid is None
    monkeypatch.setattr("meshstyle.prefetch.usable_threads", lambda: 2)
    with start_prefetcher(MODELS[0], TINY) as prefetcher:
        assert prefetcher.pid is not None


def test_a_run_goes_on_where_no_process_can_be_had(monkeypatch: Any) -> None:
    before = psutil.Process().num_fds()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with start_prefetcher(MODELS[0], replace(TINY, threads=2)) as prefetcher:
        assert prefetcher.pid is None
        assert prefetcher.scene(ignore) is None
    assert psutil.Process().num_fds() == before


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what a process has mapped")
def test_each_large_array_has_its_memory_to_itself(tmp_path: Path) -> None:
    """Of arrays of one message, what is let go makes room, whatever of it stays. Changes stay here."""
    sent = [np.arange(count, dtype=np.float64) for count in (2**18, 3, 0, 2**18 + 7)]
    with (tmp_path / "arrays").open("w+b") as arrays, (tmp_path / "pipe").open("w+b") as pipe:
        arrays.write(b"before")
        ArrayWriter(pipe, arrays).send(sent)
        pipe.seek(0)
        packed = read_packed(pipe)
        assert packed is not None
        found = unpack(arrays.fileno(), *packed)
        for array, wanted in zip(found, sent, strict=True):
            assert np.array_equal(array, wanted)
            array += 1

        def mapped() -> int:
            return Path("/proc/self/maps").read_text().count(str(tmp_path))

        assert mapped() == 2
        last = found.pop()
        del found, array
        assert mapped() == 1
        assert last[-1] == 2**18 + 7
        assert np.array_equal(unpack(arrays.fileno(), *packed)[-1], sent[-1])


def test_a_message_that_is_cut_off_is_the_end(tmp_path: Path) -> None:
    with (tmp_path / "arrays").open("w+b") as arrays, (tmp_path / "pipe").open("w+b") as pipe:
        ArrayWriter(pipe, arrays).send("whole")
        for length in (HEAD.size - 1, pipe.tell() - 1):
            pipe.truncate(length)
            pipe.seek(0)
            assert read_packed(pipe) is None
            pipe.seek(0)
            pipe.truncate(0)
            ArrayWriter(pipe, arrays).send("whole")


def test_no_more_is_traced_ahead_than_there_is_room_for(monkeypatch: Any, tmp_path: Path) -> None:
    sizes: list[int] = []

    class Scene:
        def trace(self, size: int) -> Views:
            sizes.append(size)
            return Views(np.zeros(25 * size**2))

    monkeypatch.setattr("meshstyle.prefetch.UNREAD_BYTES", 1e7)
    with (tmp_path / "arrays").open("wb") as arrays, (tmp_path / "pipe").open("wb") as pipe:
        trace_ahead(Scene(), [64, 128, 192, 256], ArrayWriter(pipe, arrays))  # type: ignore[arg-type]
    assert sizes == [64, 128]  # of 0.8, 3.3, 7.4 and 13.1 MB


def test_garbage_is_looked_for_again_after_torch_was_loaded(monkeypatch: Any) -> None:
    with threads.loading_torch():
        assert gc.isenabled()  # torch is there already
    monkeypatch.delitem(sys.modules, "torch")
    with threads.loading_torch():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
