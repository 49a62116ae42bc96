"""How many threads a run takes by default: affinity, and the quotas of both versions of control groups."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from meshstyle.system import device
from meshstyle.system import threads as cores
from meshstyle.system.cgroups import core_quota, memory_left
from meshstyle.system.device import limited_threads
from meshstyle.system.threads import tune_torch, usable_threads


def make_files(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


V1 = "4:memory:/x\n1:cpu,cpuacct:/docker/abc\n"
QUOTAS = {
    "nothing there": ({}, None),
    "version 2, none": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "version 2": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "version 2, above": (
        {
            "proc/self/cgroup": "0::/user/run\n",
            "sys/fs/cgroup/user/run/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/user/cpu.max": "200000 100000\n",
        },
        2.0,
    ),
    "version 2, a container that is told the machine's path": (
        {"proc/self/cgroup": "0::/docker/abc\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"},
        0.5,
    ),
    "version 1, none": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        },
        None,
    ),
    "version 1": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        },
        3.0,
    ),
    "version 1, by its other name": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "25000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        0.25,
    ),
    "another controller's": (
        {"proc/self/cgroup": "2:cpuset:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "25000\n"},
        None,
    ),
    "damaged": ({"proc/self/cgroup": "0::/\nx\n", "sys/fs/cgroup/cpu.max": "many 0 0\n"}, None),
    "no period": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 0\n"}, None),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_quotas(name: str, tmp_path: Path) -> None:
    files, expected = QUOTAS[name]
    assert core_quota(make_files(tmp_path, files)) == expected


MEMORY: dict[str, tuple[dict[str, str], int | None]] = {
    "none": ({}, None),
    "version 2, none": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "max\n",
            "sys/fs/cgroup/memory.current": "5\n",
        },
        None,
    ),
    "version 2, with files that nobody uses": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1000\n",
            "sys/fs/cgroup/memory.current": "700\n",
            "sys/fs/cgroup/memory.stat": "anon 500\ninactive_file 150\nactive_file 50\n",
        },
        450,
    ),
    "version 2, less above": (
        {
            "proc/self/cgroup": "0::/user/run\n",
            "sys/fs/cgroup/user/run/memory.max": "900\n",
            "sys/fs/cgroup/user/run/memory.current": "100\n",
            "sys/fs/cgroup/user/memory.max": "1000\n",
            "sys/fs/cgroup/user/memory.current": "600\n",
        },
        400,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "5:memory:/docker/abc\n2:cpu:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "800\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
            "sys/fs/cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 20\n",
        },
        120,
    ),
    "version 1, none": (
        {
            "proc/self/cgroup": "5:memory:/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2**63 - 4096}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "700\n",
        },
        None,
    ),
    "used up": (
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "100\n",
            "sys/fs/cgroup/memory.current": "120\n",
        },
        0,
    ),
}


@pytest.mark.parametrize("name", MEMORY)
def test_memory_that_is_left(name: str, tmp_path: Path) -> None:
    files, expected = MEMORY[name]
    assert memory_left(make_files(tmp_path, files)) == expected


@pytest.mark.parametrize(("quota", "threads"), [(None, 6), (0.2, 1), (1.5, 2), (4.0, 4), (64.0, 6)])
def test_no_more_threads_than_may_run(
    quota: float | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "allowed_cores", lambda: 6)
    monkeypatch.setattr(cores, "core_quota", lambda: quota)
    assert usable_threads() == threads


@pytest.mark.parametrize(
    ("asked", "usable", "before", "used"), [(None, 1, 2, 1), (None, 8, 2, 2), (3, 1, 2, 3)]
)
def test_what_is_asked_for_wins_and_torchs_own_limit_holds(
    asked: int | None, usable: int, before: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "usable_threads", lambda: usable)
    found = torch.get_num_threads()
    torch.set_num_threads(before)
    try:
        with limited_threads(asked):
            assert torch.get_num_threads() == used
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(found)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins no processes to cores")
def test_a_process_that_is_pinned_to_one_core_takes_one_thread() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from meshstyle.system.device import limited_threads, threads_for\nimport torch\n"
        "with limited_threads(None): print(torch.get_num_threads(), threads_for(None), threads_for(3))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "1 1 3\n"


def test_idle_threads_sleep_unless_the_user_has_said_how_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "")
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    monkeypatch.setenv("GOMP_SPINCOUNT", "")  # so that what is set here goes again
    monkeypatch.delenv("GOMP_SPINCOUNT")
    tune_torch()
    assert "GOMP_SPINCOUNT" not in os.environ, "torch is loaded, and has read what there was"
    monkeypatch.delitem(sys.modules, "torch")
    tune_torch()
    assert os.environ["GOMP_SPINCOUNT"] == "2000"
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "1"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    tune_torch()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    tune_torch()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "0"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    tune_torch()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_memory_is_given_back_where_the_library_knows_how(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    library = types.SimpleNamespace(malloc_trim=asked.append)
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: library)
    device.give_back_memory()
    assert asked == [0]
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: types.SimpleNamespace())  # another library
    device.give_back_memory()

    def none(_: object) -> None:
        raise TypeError  # as Windows does

    monkeypatch.setattr(device.ctypes, "CDLL", none)
    device.give_back_memory()


@pytest.mark.parametrize("first", ["meshstyle", "meshstyle.cli.start"], ids=["library", "command"])
def test_the_library_quiets_threads_as_the_command_does(first: str) -> None:
    """GNU OpenMP itself tells what it took, when torch loads it."""
    unset = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "THP_MEM_ALLOC_ENABLE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    program = f"import {first}, sys; assert 'torch' not in sys.modules; import torch"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**environment, "OMP_DISPLAY_ENV": "verbose"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    if "GOMP_SPINCOUNT" in done.stderr:  # another OpenMP does not know it
        assert "GOMP_SPINCOUNT = '2000'" in done.stderr
