"""Pictures for the report of a batch: every asset before and after, perhaps turning, and the styles.

They lie below OUT/report.files. The name of each tells what it shows, down to the bytes of the files: a picture that is
there is the right one, whichever run drew it, and nothing has to be remembered about it. (`drawing` draws them.)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..hashing import hash_file, hash_values
from ..types import Job, JobState, Outcome

FOLDER = "report.files"
DIGITS = 12  # of the hash in a name
_LONGEST_NAME = 200  # bytes of a file's name; what is longer goes by its hash


@dataclass(frozen=True)
class RenderRequest:
    """One image or film to draw, as it is handed to a process.

    Attributes:
        subject: id of the job that it shows, or the name of a style.
        kind: stills, turntable or style.
        out: the folder that `names` count from.
        original: the model before; the picture of a style.
        result: the model after; None: there is none.
        names: of the files to make, by what they show.
        root: folder above the original, from which its textures may be read as well.
    """

    subject: str
    kind: str
    out: Path
    original: Path
    result: Path | None
    names: Mapping[str, str]
    root: str | None = None

    @property
    def missing(self) -> bool:
        """Whether it has not been drawn yet."""
        return not all(os.path.isfile(self.out / name) for name in self.names.values())


@dataclass(frozen=True)
class RenderOutcome:
    """What became of a render request; `problem` is "" where all went well."""

    render_request: RenderRequest
    problem: str = ""


def stills_of(job: Job, outcome: Outcome, out: Path) -> RenderRequest:
    """The model before and, where there is a result, after."""
    begin = _begin(outcome)
    if outcome.state is JobState.FAILED:
        shown = {"before": f"{begin}.before.webp"}
        return RenderRequest(job.id, "stills", out, job.source, None, shown, job.settings.root)
    names = {"before": f"{begin}.before.webp", "after": f"{begin}.after.webp"}
    return RenderRequest(job.id, "stills", out, job.source, out / job.output, names, job.settings.root)


def turntable_of(job: Job, outcome: Outcome, out: Path) -> RenderRequest:
    """Both turning, in step."""
    names = {"turntable": f"{_begin(outcome)}.turntable.webp"}
    return RenderRequest(job.id, "turntable", out, job.source, out / job.output, names, job.settings.root)


def style_of(style: str, picture: Path, out: Path) -> RenderRequest:
    """A small copy of a style picture."""
    name = f"{FOLDER}/{_short(picture.stem)}.{(hash_file(picture) or '')[:DIGITS]}.style.webp"
    return RenderRequest(style, "style", out, picture, None, {"style": name})


def _begin(outcome: Outcome) -> str:
    shown = [outcome.key, *(file.sha256 for file in (*outcome.sources, *outcome.files))]
    return f"{FOLDER}/{_short(outcome.job)}.{hash_values(shown)[:DIGITS]}"


def _short(name: str) -> str:
    """As long as file systems allow."""
    path = PurePosixPath(name)
    if len(os.fsencode(path.name)) <= _LONGEST_NAME:
        return name
    return str(path.with_name(hashlib.sha256(os.fsencode(path.name)).hexdigest()))
