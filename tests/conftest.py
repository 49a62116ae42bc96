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
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the program has it (see `system.threads.tune_torch`)

# Not the settings: they check what users hand them themselves, and their tests hand them nonsense.
_PARTS = (
    "bake",
    "batch.inspect_model",
    "config.layers",
    "evaluate",
    "figures",
    "info",
    "io",
    "kernels.thread_pool",
    "kernels.winograd",
    "kernels.winograd_matrices",
    "optimize",
    "prepare",
    "preview",
    "provenance",
    "relief",
    "results",
    "srgb",
    "strength",
    "style",
    "style_grid",
    "stylize_flat_image",
    "stylize_model",
    "system.device",
    "system.threads",
    "texture",
    "viewing",
    "views",
)
install_import_hook([f"meshstyle.{name}" for name in _PARTS], "helpers.typecheck.check")


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
