"""Worker processes: whatever becomes of one, the others go on. (Nothing heavy is imported: workers load this file.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshstyle.batch.types import FailureKind, WorkerContext
from meshstyle.batch.worker_pool import Lost, Processes


@pytest.fixture
def context(tmp_path: Path) -> WorkerContext:
    (tmp_path / "staging").mkdir()
    return WorkerContext(tmp_path / "staging", memory_limit=300 * 2**20)


def die(how: str, _: WorkerContext) -> str:
    """What a worker is asked to do."""
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raise":
        raise ValueError("no")
    if how == "hang":
        time.sleep(60)
    if how == "eat":
        hold = bytearray(400 * 2**20)
        hold[:: 2**12] = b"x" * len(hold[:: 2**12])
        time.sleep(60)
    return how


def test_whatever_becomes_of_a_worker_its_own_work_alone_is_lost(context: WorkerContext) -> None:
    asked = ["exit", "fine", "segfault", "killed", "raise", "eat", "well"]
    with Processes(2, context) as processes:
        ended = {one.item: one.answer for one in processes.each(die, asked)}
        ended |= {one.item: one.answer for one in processes.each(die, ["hang"], time_limit=1.0)}
    assert ended["fine"] == "fine"
    assert ended["well"] == "well"
    lost = {how: answer.kind for how, answer in ended.items() if isinstance(answer, Lost)}
    assert lost == {
        "exit": FailureKind.CRASH,
        "segfault": FailureKind.CRASH,
        "killed": FailureKind.MEMORY,
        "raise": FailureKind.BUG,
        "hang": FailureKind.TIME,
        "eat": FailureKind.MEMORY,
    }


def test_items_are_taken_only_when_a_worker_is_free(context: WorkerContext) -> None:
    taken: list[str] = []

    def items() -> Iterator[str]:
        for name in ("a", "b", "c", "d"):
            taken.append(name)
            yield name

    with Processes(1, context) as processes:
        answers = processes.each(die, items())
        next(answers)
        assert taken == ["a"]
        answers.close()


def test_a_program_without_its_guard_is_told_so(tmp_path: Path) -> None:
    """Not the painting, which is what the first worker was to look at."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    program = tmp_path / "mine.py"
    program.write_text("import meshstyle\nmeshstyle.run_batch('in', 'out', 'scream')\n")
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.splitlines()[-1] == (
        "meshstyle.errors.UsageError: run_batch: the program calls it whenever it is loaded, and every worker loads "
        "the program. Put the call below: if __name__ == '__main__':"
    )
