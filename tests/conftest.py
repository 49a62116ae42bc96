"""Shared set-up: every tensor axis in a signature is checked while tests run."""

from __future__ import annotations

import os

from jaxtyping import install_import_hook

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # as the program has it (see `cores.tune_torch`)

# Not the settings: they check what users hand them themselves, and their tests hand them nonsense.
_PARTS = (
    "asset",
    "bake",
    "batch.looking",
    "cores",
    "evaluate",
    "info",
    "machine",
    "picture",
    "pipeline",
    "preview",
    "record",
    "results",
    "scene",
    "solver",
    "strength",
    "surface",
    "views",
)
install_import_hook([f"meshstyle.{name}" for name in _PARTS], "typecheck.check")
