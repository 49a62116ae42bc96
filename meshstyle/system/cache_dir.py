"""The user's folder of caches."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path | None:
    """meshstyle's folder among the user's caches; None where there is no such place. It need not exist."""
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = home / "Library" / "Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return place / "meshstyle" if place.is_absolute() else None
