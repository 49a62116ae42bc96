"""What happens beside the work: signals at any moment, folders that go, processes that are held, odd names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from meshstyle.cli.interrupt import StoppedError, interruptible
from meshstyle.cli.main import main

from meshstyle.batch import worker_pool
from meshstyle.batch.types import FailureKind, WorkerContext
from meshstyle.batch.worker_pool import Lost, Processes
from meshstyle.errors import OutputError
from meshstyle.io.atomic_write import write_all
from meshstyle.output_path import check_writable
from meshstyle.system import temporary
from meshstyle.system.temporary import temporary_folder

OBJ = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
COMMAND = [sys.executable, "-m", "meshstyle"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_starts(number: int) -> None:
    """As soon as the first line of the program has run."""
    program = (
        "import os, signal, sys; sys.argv = ['meshstyle', 'styles']\n"
        "from meshstyle.cli import start\n"
        f"real = os.getcwd; os.getcwd = lambda: os.kill(os.getpid(), {int(number)}) or real()\n"
        "start.run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "error: meshstyle: interrupted. Nothing was written.\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_at_any_time(number: int) -> None:
    for moment in range(20, 400, 40):
        with subprocess.Popen([*COMMAND, "styles"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            time.sleep(moment / 1000)
            child.send_signal(number)
            _, err = child.communicate(timeout=60)
        if moment > 100:  # before that it is Python that is starting
            assert child.returncode in (0, 130)
            assert err.count(b"\n") <= 1


def test_hanging_up_stops_as_terminating_does() -> None:
    with pytest.raises(StoppedError), interruptible(keep_partial=False):
        signal.raise_signal(signal.SIGHUP)


def test_nohup_is_heard() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible(keep_partial=False):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    program = (
        f"import os, runpy; os.rmdir({str(folder)!r}); runpy.run_module('meshstyle', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert done.stderr == (
        "error: .: the working folder is not there any more. Change to a folder that is there.\n"
    )


def test_a_folder_that_is_removed_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    check_writable(folder / "deep" / "a.glb")
    shutil.rmtree(folder)
    with pytest.raises(OutputError, match=r"the folder .*out was removed meanwhile"):
        write_all({folder / "deep" / "a.glb": b"x"}, ())
    assert not folder.exists()
    check_writable(folder / "deep" / "a.glb")  # another run, which finds it so
    write_all({folder / "deep" / "a.glb": b"x"}, ())
    assert (folder / "deep" / "a.glb").read_bytes() == b"x"


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    program = (
        "import os, signal, tempfile; tempfile.tempdir = os.environ['PLACE']\n"
        "from meshstyle.system.temporary import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'large').write_bytes(bytes(100)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "PLACE": str(tmp_path)}, timeout=60)
    (left,) = tmp_path.iterdir()
    (tmp_path / "meshstyle-mine").mkdir()  # of somebody who holds nothing
    with temporary_folder() as first, temporary_folder() as second:
        assert set(tmp_path.iterdir()) == {first, second, tmp_path / "meshstyle-mine"}
    assert set(tmp_path.iterdir()) == {tmp_path / "meshstyle-mine"}
    assert left.name.startswith("meshstyle-")


def hold(item: str, _: WorkerContext) -> str:
    """A worker that is stopped, as by SIGSTOP."""
    if item == "held":
        os.kill(os.getpid(), signal.SIGSTOP)
    return item


def test_a_worker_that_is_held_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "STOPPED_SECONDS", 0.2)
    monkeypatch.setattr(worker_pool, "POLL_SECONDS", 0.1)
    (tmp_path / "staging").mkdir()
    with Processes(1, WorkerContext(tmp_path / "staging")) as workers:
        answers = {ended.item: ended.answer for ended in workers.each(hold, ["held", "free"])}
    lost = answers["held"]
    assert isinstance(lost, Lost)
    assert (lost.kind, lost.cause) == (FailureKind.TIME, "its process was stopped, and nobody let it go on")
    assert answers["free"] == "free"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
@pytest.mark.parametrize(
    "line",
    [
        ["info", "--json"],
        ["turntable", "--frames", "2", "--size", "32", "--renderer", "rays", "--json"],
        ["turntable", "-o", "page.html"],
        ["stylize", "-s", "scream", "--strength", "0", "--texture-size", "32", "--json"],
        [
            "stylize",
            "-s",
            "scream",
            "--strength",
            "0",
            "--texture-size",
            "32",
            "-o",
            "o.gltf",
            "--preview",
            "p.html",
        ],
    ],
    ids=["info", "film", "page", "obj", "preview"],
)
def test_names_that_are_no_text(tmp_path: Path, line: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / os.fsdecode(b"m\xff\xfe.obj")
    model.write_text(OBJ)
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert main([line[0], model.name, *line[1:]]) == 0
    finally:
        os.chdir(before)
    out, err = capfd.readouterr()
    assert all(part.isprintable() for part in (out + err).split("\n"))
