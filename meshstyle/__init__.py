"""meshstyle: paint a 3D model in the manner of a picture.

    result = meshstyle.stylize("chair.glb", "starry-night", "out/chair.glb")
    result = meshstyle.stylize_image("cat.jpg", "starry-night", "out/cat.png")

The public names are those in `__all__`, and `evaluate.evaluate`. They are loaded when first used, so that
importing the package, and asking the command line for help, costs nothing. Importing it sets two environment variables
that torch's threads and allocator read, unless torch is there already (see `system.threads.tune_torch`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .system.threads import tune_torch

if TYPE_CHECKING:
    from .batch.options import BatchOptions
    from .batch.results import BatchPlan, BatchResult
    from .batch.run import plan_batch, run_batch
    from .bundled import styles
    from .config.image import PictureSettings
    from .config.model import Settings
    from .errors import (
        AssetError,
        InputError,
        ManifestError,
        MeshStyleError,
        OutputError,
        PictureError,
        UsageError,
        WeightsError,
    )
    from .evaluate import Evaluation
    from .info import ModelInfo, describe
    from .progress import Progress, ProgressCallback
    from .results import PictureResult
    from .run_file import RunFile, read_picture_run_file, read_run_file
    from .stylize_flat_image import stylize_image
    from .stylize_model import Result, stylize

    __version__: str

_HOME = {
    "AssetError": "errors",
    "BatchOptions": "batch.options",
    "BatchPlan": "batch.results",
    "BatchResult": "batch.results",
    "Evaluation": "evaluate",
    "InputError": "errors",
    "ManifestError": "errors",
    "MeshStyleError": "errors",
    "ModelInfo": "info",
    "OutputError": "errors",
    "PictureError": "errors",
    "PictureResult": "results",
    "PictureSettings": "config.image",
    "Progress": "progress",
    "ProgressCallback": "progress",
    "Result": "stylize_model",
    "RunFile": "run_file",
    "Settings": "config.model",
    "UsageError": "errors",
    "WeightsError": "errors",
    "describe": "info",
    "plan_batch": "batch.run",
    "read_picture_run_file": "run_file",
    "read_run_file": "run_file",
    "run_batch": "batch.run",
    "styles": "bundled",
    "stylize": "stylize_model",
    "stylize_image": "stylize_flat_image",
}

__all__ = [
    "AssetError",
    "BatchOptions",
    "BatchPlan",
    "BatchResult",
    "Evaluation",
    "InputError",
    "ManifestError",
    "MeshStyleError",
    "ModelInfo",
    "OutputError",
    "PictureError",
    "PictureResult",
    "PictureSettings",
    "Progress",
    "ProgressCallback",
    "Result",
    "RunFile",
    "Settings",
    "UsageError",
    "WeightsError",
    "__version__",
    "describe",
    "plan_batch",
    "read_picture_run_file",
    "read_run_file",
    "run_batch",
    "styles",
    "stylize",
    "stylize_image",
]

tune_torch()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("meshstyle")
    elif name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
