"""Shared set-up: every tensor axis in a signature is checked while tests run."""

from __future__ import annotations

import os

from jaxtyping import install_import_hook

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

# Not the settings: they check what users hand them themselves, and their tests hand them nonsense.
_PARTS = (
    "asset",
    "bake",
    "batch.looking",
    "evaluate",
    "info",
    "machine",
    "picture",
    "pipeline",
    "preview",
    "record",
    "results",
    "solver",
    "strength",
    "surface",
    "views",
)
install_import_hook([f"meshstyle.{name}" for name in _PARTS], "typecheck.check")
