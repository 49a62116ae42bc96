"""Shared set-up: every tensor axis in a signature is checked while tests run."""

from __future__ import annotations

import os

from jaxtyping import install_import_hook

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

_hook = install_import_hook("meshstyle", "beartype.beartype")
_hook.install() if hasattr(_hook, "install") else None
