"""Every error that a user can cause.

    MeshStyleError
    ├── UsageError            wrong options or settings
    ├── InputError            a file that cannot be used
    │   ├── AssetError        the 3D model
    │   ├── PictureError      a style picture, photo or texture
    │   └── WeightsError      a file of network weights
    └── OutputError           a place that cannot be written

Each says which file (or option), what is wrong with it and what to do. Anything else that escapes the
library is a bug in meshstyle.
"""

from __future__ import annotations

from pathlib import Path


class MeshStyleError(Exception):
    """A mistake the user can mend.

    Args:
        subject: the file or option it is about.
        cause: what is wrong, as a clause without a full stop ("the JSON chunk is cut off").
        remedy: what to do about it, as a sentence.
    """

    def __init__(self, subject: str | Path, cause: str, remedy: str) -> None:
        self.subject, self.cause, self.remedy = str(subject), cause, remedy
        super().__init__(f"{self.subject}: {cause}. {remedy}")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.subject, self.cause, self.remedy)


class UsageError(MeshStyleError):
    """An option or setting that makes no sense, alone or beside another."""


class InputError(MeshStyleError):
    """A file that cannot be used."""


class AssetError(InputError):
    """A 3D model that is missing, damaged, or has nothing to paint."""


class PictureError(InputError):
    """A picture that is missing, damaged or over the size limit."""


class WeightsError(InputError):
    """A file that does not hold the weights of VGG-19."""


class OutputError(MeshStyleError):
    """A place where the result cannot be written."""
