"""What a painted file remembers of its making."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .common_settings import CommonSettings

LOCAL = ("root", "strict")  # settings that say something of the machine, not of the paint


def run_record(settings: CommonSettings, styles: Mapping[str, Path]) -> dict[str, Any]:
    """What goes into the file, so that the run can be told and repeated.

    `styles`: the pictures, by what the user called them; one stands alone in the record, several in a list.
    """
    try:
        release = version("meshstyle")
    except PackageNotFoundError:
        release = "unknown"
    names = list(styles)
    digests = [hashlib.sha256(picture.read_bytes()).hexdigest() for picture in styles.values()]
    return {
        "version": release,
        "style": names if len(names) > 1 else names[0],
        "style_sha256": digests if len(names) > 1 else digests[0],
        "seed": settings.seed,
        "settings": {key: value for key, value in settings.to_dict().items() if key not in LOCAL},
    }
