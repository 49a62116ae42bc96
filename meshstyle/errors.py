"""Every error that a user can cause.

    MeshStyleError
    ├── UsageError            wrong options or settings
    │   └── ManifestError     mistakes of a manifest, all of them
    ├── InputError            a file that cannot be used
    │   ├── AssetError        the 3D model
    │   ├── PictureError      a style picture, photo or texture
    │   └── WeightsError      a file of network weights
    └── OutputError           a place that cannot be written

Each says which file (or option), what is wrong with it and what to do. Anything else that escapes the
library is a bug in meshstyle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .text import escaped, message


class MeshStyleError(Exception):
    """A mistake the user can mend.

    Args:
        subject: the file or option it is about.
        cause: what is wrong, as a clause without a full stop ("the JSON chunk is cut off").
        remedy: what to do about it, as a sentence.

    They may hold texts from files: they are escaped, and the message as a whole is short (see `text.message`).
    """

    def __init__(self, subject: str | Path, cause: str, remedy: str) -> None:
        self.subject, self.cause, self.remedy = map(escaped, (str(subject), cause, remedy))
        super().__init__(message(self.subject, self.cause, self.remedy))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.subject, self.cause, self.remedy)


class UsageError(MeshStyleError):
    """An option or setting that makes no sense, alone or beside another."""


class ManifestError(UsageError):
    """Everything that is wrong with a manifest.

    Args:
        problems: one for each mistake, at least one; each names file and line.
    """

    def __init__(self, problems: Sequence[MeshStyleError]) -> None:
        self.problems = tuple(problems)
        first, more = self.problems[0], len(self.problems) - 1
        super().__init__(first.subject, first.cause + (f" (and {more} more)" if more else ""), first.remedy)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.problems,)


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
