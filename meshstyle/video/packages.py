"""The packages of the extra `video`, loaded when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import UsageError

_NAMES = {"av": "PyAV, which reads and writes films,", "cv2": "OpenCV, which estimates their motion,"}


def load_package(name: str) -> Any:
    """`av` or `cv2`. Raises UsageError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = "Run: pip install 'meshstyle[video]'."
        raise UsageError("video", f"{_NAMES[name]} is not installed", remedy) from error
