"""Shared set-up: every tensor axis in a signature is checked while tests run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import helpers.typecheck  # noqa: F401  the hook names it
import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from meshstyle.style.vgg import VGG19

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# A shell that begins the tests beside others has them ignore Ctrl-C, and so would every command that they run.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if "PYTEST_XDIST_WORKER" in os.environ:  # there are as many processes as cores: each takes one thread
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the program has it (see `system.threads.tune_torch`)


def modules_with_tensors() -> list[str]:
    """The modules whose signatures tell axes. The others have nothing to check that mypy does not, and many small
    functions, whose calls would take longer than what is tested."""
    root = Path(__file__).parents[1]
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in sorted((root / "meshstyle").rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


install_import_hook(modules_with_tensors(), "helpers.typecheck.check")


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The test runs with one of torch's threads, and with two."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def network() -> VGG19:
    """As losses are shown pictures, on one CPU, in single precision."""
    from meshstyle.style.vgg import VGG19
    from meshstyle.style.vgg_weights import load_weights

    return VGG19(load_weights())


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Runs do not look at their own results: it takes seconds. Tests of that are marked `measured`."""
    if "measured" not in request.keywords and "meshstyle.optimize.clock" in sys.modules:
        monkeypatch.setattr(sys.modules["meshstyle.optimize.clock"], "MEASURED_VIEWS", 0)


_networks: dict[tuple[Any, ...], tuple[Any, Any]] = {}


@pytest.fixture(autouse=True)
def shared_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with the same weights and settings of the network share it, as jobs in one worker of a batch do: to bring
    its kernels into the form in which they are multiplied takes longer than the few steps that tests make."""
    if "meshstyle.style.vgg" not in sys.modules:
        return
    make = sys.modules["meshstyle.style.vgg"].VGG19

    def shared(weights: Any, *settings: Any, **named: Any) -> Any:
        key = (id(weights), *settings, *named.items())
        if key not in _networks:
            _networks[key] = (
                make(weights, *settings, **named),
                weights,
            )  # the weights stay, and so does their id
        return _networks[key][0]

    for name in ("style.network", "evaluation"):
        if module := sys.modules.get(f"meshstyle.{name}"):
            monkeypatch.setattr(module, "VGG19", shared)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty storage for memory:// URLs, and a cache folder of the test's own."""
    import fsspec

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
