"""What a plan has to know of a model before anything is painted (`inspect_model` finds it out)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config.model import Settings
from ..style.color_statistics import Colours
from .hashing import hash_file, hash_values
from .types import FileHash

_CHOICES = ("only", "skip", "uv", "atlas", "texture_size")  # settings that decide what is seen


@dataclass(frozen=True)
class ModelSummary:
    """What is known of a model.

    Attributes:
        key: SHA-256 of its file and of the settings that decide what is seen; `sources`: the files it was read from.
        radius: half the model's size in the file's units: from the centre of its bounding box to the farthest vertex.
        triangles: instances counted.
        texels: of all images that will be painted.
        textures: SHA-256 of the pixels of the painted materials' textures.
        colours: of its surface; None where nothing of it is painted.
        only, skip: those patterns of the settings that a material of the model fits.
        painted: by meshstyle, as its record says.
        problem: why nothing is known, or "": whoever paints it will say so too.
    """

    key: str
    sources: tuple[FileHash, ...] = ()
    radius: float = 0.0
    triangles: int = 0
    texels: int = 0
    textures: tuple[str, ...] = ()
    colours: Colours | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    painted: bool = False
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> ModelSummary:
        """The reverse of `to_dict`."""
        colours = found["colours"]
        if colours is not None:
            colours = Colours(tuple(colours["mean"]), tuple(map(tuple, colours["covariance"])))
        sources = tuple(FileHash(**file) for file in found["sources"])
        lists = {name: tuple(found[name]) for name in ("textures", "only", "skip")}
        return cls(**(found | lists | {"sources": sources, "colours": colours}))


@dataclass(frozen=True)
class SummaryRequest:
    """A model to look at, as these settings see it."""

    model: Path
    settings: Settings

    def key(self) -> str:
        """See `ModelSummary`."""
        chosen = {name: getattr(self.settings, name) for name in _CHOICES}
        return hash_values([hash_file(self.model), chosen])


def is_still_so(summary: ModelSummary, model: Path) -> bool:
    """Whether all files are as they were looked at."""
    return all(hash_file(model.parent / file.path) == file.sha256 for file in summary.sources)
