"""What Linux' control groups grant this process: in a container, less than the machine has.

Version 2 states a limit in one file, version 1 in others, in a folder of each controller (Linux'
Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst). A group has no more than
the groups above it. On other systems no file is there, and nothing is limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
_MOUNTS = {"cpu": ("cpu", "cpu,cpuacct"), "memory": ("memory",)}  # of version 1
_UNLIMITED = 1 << 62  # bytes: version 1 says no limit by the largest number of whole pages


def core_quota(root: Path = ROOT) -> float | None:
    """Cores' worth of time that is granted (`docker run --cpus`); None without a limit.

    Args:
        root: where `/proc` and `/sys` lie.
    """
    return min(
        (limit for folder in _groups(root, "cpu") if (limit := _cores(folder)) is not None), default=None
    )


def memory_left(root: Path = ROOT) -> int | None:
    """Bytes that the process and those of its groups may still take (`docker run --memory`); None without a limit."""
    return min(
        (left for folder in _groups(root, "memory") if (left := _left(folder)) is not None), default=None
    )


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, and of all above them."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        names = [name for name in path.split("/") if name not in ("", "..")]
        for mount in _MOUNTS[controller] if controllers else ("", "unified"):
            # In a container the path may be the machine's, of which only the group's own folder is shown, as the root.
            for depth in range(len(names), -1, -1):
                yield root.joinpath("sys/fs/cgroup", mount, *names[:depth])


def _cores(folder: Path) -> float | None:
    """Quota over period of one group."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    try:
        quota, period = map(int, words)
    except ValueError:  # "max", or there are no such files
        return None
    return quota / period if quota > 0 and period > 0 else None


def _left(folder: Path) -> int | None:
    """Limit less use of one group. Files that it has read and nobody uses count as use, and go when room is needed."""
    for limit, use, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most, taken = int(_text(folder / limit)), int(_text(folder / use))
        except ValueError:  # "max", or there are no such files
            continue
        if most >= _UNLIMITED:
            continue
        statistics = dict(
            words for line in _text(folder / "memory.stat").splitlines() if len(words := line.split()) == 2
        )
        spare = statistics.get(files, "0")
        return max(most - taken + (int(spare) if spare.isdecimal() else 0), 0)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
