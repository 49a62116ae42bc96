"""Every choice about how a batch is run, with its default; how models are painted is in `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config.base import check_choice, check_range
from ..errors import UsageError
from .ray.cluster import check_address

ENGINES = ("local", "ray")
AUTO, NO_SET = "auto", "none"


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """How a batch is run. Raises UsageError on values that make no sense.

    Attributes:
        include, exclude: patterns as in .gitignore, on paths below the input's folder; nothing included: everything.
        group: `auto`: models that share a texture are a set; `none`: no model belongs to another; else the name of
            the set that all models belong to.
        workers: how many models are painted at a time; None: what measures fastest.
        time_limit: seconds that one model may take; None: any.
        memory_limit: GiB that one worker may take; None: any.
        retries: how often a model is tried again whose process died or ran out of memory.
        engine: `local`: processes on this machine; `ray`: a Ray cluster.
        turntable: whether the report shows every model turning, before and after.
        ray_address: of the cluster: `auto`, one that runs on this machine; `local`, one for this run; HOST:PORT.
        overwrite: whether a result that an earlier run made with other settings, or of another file, is made anew.
        gpus_per_job: of its node's GPUs that every worker of a cluster gets.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    group: str = AUTO
    workers: int | None = None
    time_limit: float | None = None
    memory_limit: float | None = None
    retries: int = 1
    engine: str = "local"
    turntable: bool = False
    ray_address: str = AUTO
    gpus_per_job: float = 0.0
    overwrite: bool = True

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, ENGINES)
        check_range("workers", self.workers, 1, 1024)
        check_range("time_limit", self.time_limit, 1, 1e7)
        check_range("memory_limit", self.memory_limit, 0.25, 1e5)
        check_range("retries", self.retries, 0, 100)
        check_range("gpus_per_job", self.gpus_per_job, 0, 64)
        check_address(self.ray_address)
        if self.engine != "ray" and (self.gpus_per_job or self.ray_address != AUTO):
            option = "gpus_per_job" if self.gpus_per_job else "ray_address"
            raise UsageError(option, "it is for Ray clusters", "Add --engine ray, or leave it out.")
        if not self.group.strip():
            raise UsageError("set", "the name is empty", "Give a name, or leave it out.")


@dataclass(frozen=True)
class BatchInput:
    """What a batch is asked for.

    Attributes:
        source: a folder, or a manifest (.toml).
        output: OUT, which keeps the batch's state in `.meshstyle`.
        styles: pictures; they count for all models of a manifest too.
        settings: single settings by name, over those of a manifest.
        from_url: whether the source is a copy of what a URL holds: a manifest in it names no other local files.
    """

    source: Path
    output: Path
    styles: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: BatchOptions = field(default_factory=BatchOptions)
    from_url: bool = False
