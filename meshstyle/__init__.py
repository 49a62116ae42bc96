"""meshstyle: paint a 3D model in the manner of a picture.

    result = meshstyle.stylize("chair.glb", "starry-night", "out/chair.glb")
    result = meshstyle.stylize_image("cat.jpg", "starry-night", "out/cat.png")
    result = meshstyle.stylize_video("cat.mp4", "starry-night", "out/cat.mp4")
    figures = meshstyle.evaluate("out/chair.glb", "chair.glb", "starry-night")
    meshstyle.turntable("out/chair.glb", "out/chair.gif", compare="chair.glb")

The public names are those in `__all__`; everything else may change between versions. They are loaded when first used,
so that importing the package, and asking the command line for help, costs nothing. Importing it sets two environment
variables that torch's threads and allocator read, unless torch is there already (see `system.threads.tune_torch`).
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
    from .config.video import VideoSettings
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
    from .evaluation import Evaluation, evaluate
    from .info import ModelInfo, describe
    from .preview.turntable import TurntableResult, turntable
    from .preview.turntable_settings import TurntableSettings
    from .progress import Progress, ProgressCallback
    from .results import PictureResult, Result
    from .run_file import RunFile, read_picture_run_file, read_run_file, read_video_run_file
    from .style_grid import Grid, make_grid
    from .stylize_flat_image import stylize_image
    from .stylize_model import stylize
    from .video.results import VideoResult
    from .video.stylize import stylize_video

    __version__: str

_HOME = {
    "AssetError": "errors",
    "BatchOptions": "batch.options",
    "BatchPlan": "batch.results",
    "BatchResult": "batch.results",
    "Evaluation": "evaluation",
    "Grid": "style_grid",
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
    "Result": "results",
    "RunFile": "run_file",
    "Settings": "config.model",
    "TurntableResult": "preview.turntable",
    "TurntableSettings": "preview.turntable_settings",
    "UsageError": "errors",
    "VideoResult": "video.results",
    "VideoSettings": "config.video",
    "WeightsError": "errors",
    "describe": "info",
    "evaluate": "evaluation",
    "make_grid": "style_grid",
    "plan_batch": "batch.run",
    "read_picture_run_file": "run_file",
    "read_run_file": "run_file",
    "read_video_run_file": "run_file",
    "run_batch": "batch.run",
    "styles": "bundled",
    "stylize": "stylize_model",
    "stylize_image": "stylize_flat_image",
    "stylize_video": "video.stylize",
    "turntable": "preview.turntable",
}

__all__ = [
    "AssetError",
    "BatchOptions",
    "BatchPlan",
    "BatchResult",
    "Evaluation",
    "Grid",
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
    "TurntableResult",
    "TurntableSettings",
    "UsageError",
    "VideoResult",
    "VideoSettings",
    "WeightsError",
    "__version__",
    "describe",
    "evaluate",
    "make_grid",
    "plan_batch",
    "read_picture_run_file",
    "read_run_file",
    "read_video_run_file",
    "run_batch",
    "styles",
    "stylize",
    "stylize_image",
    "stylize_video",
    "turntable",
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
