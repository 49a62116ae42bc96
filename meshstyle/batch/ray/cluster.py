"""The way to a Ray cluster: one that runs already, or one of our own on this machine for as long as it is needed.

Ray is an extra and is imported here alone. What it would print goes nowhere, usage reports are off, and a cluster of
our own can be reached from this machine only.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import MeshStyleError, UsageError

AUTO, LOCAL = "auto", "local"
_ADDRESS = re.compile(r"(?P<host>[^\s:/]+|\[[^\s\]]+\]):(?P<port>\d{1,5})")
_REACH = 5.0  # seconds that a connection may take
_OBJECT_STORE = 256 << 20  # bytes: a cluster of our own shares the disk, so that little travels


@dataclass(frozen=True)
class Need:
    """What a worker reserves on its node. `memory`: bytes."""

    threads: int
    gpus: float
    memory: float

    def resources(self) -> dict[str, float]:
        """Return the resources by Ray's names."""
        return {"CPU": self.threads, "memory": self.memory} | ({"GPU": self.gpus} if self.gpus else {})

    def __str__(self) -> str:
        gpus = f", {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.threads} CPU{gpus} and {self.memory / 2**30:.1f} GiB of memory"


def check_address(address: str) -> None:
    """Raise UsageError where it is no `auto`, `local` or HOST:PORT."""
    if address in (AUTO, LOCAL) or _ADDRESS.fullmatch(address):
        return
    remedy = f"Give {AUTO} (a cluster that runs on this machine), {LOCAL} (one for this run) or HOST:PORT."
    if address.startswith("ray://"):
        cause = "Ray's client protocol is not supported"
        remedy = "Run the command on a node of the cluster, with --ray-address auto."
        raise UsageError("ray_address", cause, remedy)
    raise UsageError("ray_address", f"{address!r} is no address", remedy)


@contextlib.contextmanager
def reach(address: str) -> Iterator[Any]:
    """The module `ray`, connected; if it was connected before, as it is.

    Raises UsageError where Ray is not installed; MeshStyleError where no cluster can be reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--engine ray", "Ray is not installed", "Run: pip install 'meshstyle[ray]'")
    with contextlib.ExitStack() as stack:
        if address == LOCAL:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ms-ray-", ignore_cleanup_errors=True)
            )
            stack.enter_context(environment_of_our_own())
            options: Mapping[str, Any] = {
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_temp_dir": folder,
            }
        else:
            stack.enter_context(_environment({"RAY_USAGE_STATS_ENABLED": "0"}))
            _knock(address)
            options = {}
        import ray

        if not ray.is_initialized():
            stack.enter_context(_silence(ray))
            stack.callback(ray.shutdown)
            _connect(ray, address, options)
        yield ray


def environment_of_our_own() -> contextlib.AbstractContextManager[None]:
    """Return the environment of a cluster that nobody else can reach or hear of; it is set before Ray is imported."""
    return _environment(
        {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for: listen on 127.0.0.1 only, on any system
        }
    )


def slots(ray: Any, need: Need) -> int:
    """How many workers the nodes that are alive could hold if they had nothing else to do."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = need.resources().items()
    return sum(min(int(node.get(name, 0.0) / amount) for name, amount in wanted) for node in nodes)


def _connect(ray: Any, address: str, options: Mapping[str, Any]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, configure_logging=False, **options)
    except Exception as error:  # of many kinds, and not documented
        if address == AUTO and isinstance(error, ConnectionError):
            cause = "no cluster runs on this machine"
            remedy = "Start one with: ray start --head, or give --ray-address local or HOST:PORT."
        else:
            cause = f"the cluster at {address} cannot be used ({_first_line(error)})"
            remedy = "Look at: ray status. This machine must be a node of it."
        raise MeshStyleError("--ray-address", cause, remedy) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray sets its own


def _knock(address: str) -> None:
    """Ray itself tries for a minute and more."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), _REACH).close()
    except (OSError, OverflowError) as error:
        cause = f"there is no cluster at {address} ({getattr(error, 'strerror', None) or error})"
        remedy = "Look at the address that ray start --head has shown, or use --ray-address local."
        raise MeshStyleError("--ray-address", cause, remedy) from error


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that Ray and its processes read."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _silence(ray: Any) -> Iterator[None]:
    """News of dying nodes and processes, which become outcomes, would be printed on stdout, whatever is asked for."""
    module = ray._private.worker
    before = getattr(module, "print_to_stdstream", None)
    if before is None:
        yield
        return
    module.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        module.print_to_stdstream = before


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
