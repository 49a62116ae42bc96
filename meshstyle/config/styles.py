"""What a style text asks for: pictures, where on the model each counts, and how much.

    starry-night                                one picture, everywhere
    starry-night + great-wave                   both, mixed (`style_weights` says how)
    oil.png + ink.png:material=Sail*            the second on materials of that name, the first on the rest
    ink.png:mask=mask.png:strength=0.5          where a picture over the UVs is white, half as much

Styles of one place are mixed; where several places overlap, the last one named counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError

JOIN = " + "
REGION_KINDS = ("material", "part", "mask", "attribute")
_KEY = re.compile(rf":({'|'.join((*REGION_KINDS, 'strength'))})=")
MOST_STYLES = 16  # styles of one model
_EXAMPLE = "Write for example: great-wave:material=Sail* or great-wave:mask=mask.png:strength=0.5."


@dataclass(frozen=True)
class Region:
    """A place on a model.

    Attributes:
        kind: `material`: materials of that name; `part`: nodes, meshes, objects or groups of that name; `mask`: a
            picture over the model's UVs, white where it counts; `attribute`: a vertex attribute of that name.
        value: a name pattern (`*` and `?` allowed), a file's path or an attribute's name.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


@dataclass(frozen=True)
class StyleRequest:
    """A picture to paint like, by its path or the name of a shipped one, and where.

    Attributes:
        region: None: wherever no other style has a place of its own.
        strength: of this style, times the setting `strength`.
    """

    picture: str
    region: Region | None = None
    strength: float = 1.0

    def __str__(self) -> str:
        where = f":{self.region}" if self.region else ""
        return f"{self.picture}{where}" + (f":strength={self.strength:g}" if self.strength != 1 else "")


@dataclass(frozen=True)
class RequestedStyle:
    """A style and the file that holds its picture."""

    request: StyleRequest
    picture: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture, and the mask where there is one."""
        region = self.request.region
        masked = region is not None and region.kind == "mask"
        return (self.picture, Path(region.value)) if masked and region is not None else (self.picture,)

    def absolute(self) -> RequestedStyle:
        """The same, wherever the working folder is."""
        region = self.request.region
        if region is None or region.kind != "mask":
            return replace(self, picture=self.picture.absolute())
        region = replace(region, value=str(Path(region.value).absolute()))
        return replace(self, picture=self.picture.absolute(), request=replace(self.request, region=region))


def join_styles(texts: Sequence[str]) -> str:
    """Several styles as one text."""
    return JOIN.join(texts)


def parse_styles(text: str) -> tuple[StyleRequest, ...]:
    """What a text asks for. Raises UsageError."""
    if JOIN not in text or _is_file(text):
        return (parse_style(text),)
    parts = [part.strip() for part in text.split(JOIN)]
    if not all(parts):
        raise UsageError("style", f"{text!r} lacks a picture beside a +", _EXAMPLE)
    if len(parts) > MOST_STYLES:
        raise UsageError("style", f"{len(parts)} styles are too many", f"Give at most {MOST_STYLES}.")
    return tuple(parse_style(part) for part in parts)


def parse_style(text: str) -> StyleRequest:
    """One picture and its place. A file of exactly that name wins. Raises UsageError."""
    found = None if _is_file(text) else _KEY.search(text)
    if found is None:
        return StyleRequest(text)
    request = StyleRequest(text[: found.start()])
    if not request.picture:
        raise UsageError("style", f"{text!r} names no picture", _EXAMPLE)
    words = _KEY.split(text[found.start() :])[1:]
    for key, value in zip(words[::2], words[1::2], strict=True):
        if not value:
            raise UsageError("style", f"{text!r} says nothing after {key}=", _EXAMPLE)
        if key == "strength":
            request = replace(request, strength=_strength(value, text))
        elif request.region is not None:
            raise UsageError("style", f"{text!r} names two places", "Repeat --style for the second one.")
        else:
            request = replace(request, region=Region(key, value))
    return request


def beside(text: str, folder: Path) -> str:
    """A style text whose pictures and masks are looked for in a folder first."""
    return join_styles([str(_beside(request, folder)) for request in parse_styles(text)])


def _beside(request: StyleRequest, folder: Path) -> StyleRequest:
    region = request.region
    if region is not None and region.kind == "mask" and _is_file(str(folder / region.value)):
        region = replace(region, value=str(folder / region.value))
    picture = folder / request.picture
    return replace(
        request, picture=str(picture) if _is_file(str(picture)) else request.picture, region=region
    )


def parse_region(text: str) -> Region | None:
    """`material=Face*` and the like; None where the text is of no such form."""
    kind, equals, value = text.partition("=")
    return Region(kind, value) if equals and kind in REGION_KINDS and value else None


def shares(weights: Sequence[float], requests: Sequence[StyleRequest]) -> tuple[float, ...]:
    """How much each style counts, 1 in sum among those of one place.

    `weights`: one for each style, or none: all alike. Raises UsageError for another number, and for a place whose
    styles all have weight 0.
    """
    given = tuple(weights) or (1.0,) * len(requests)
    if len(given) != len(requests):
        cause = f"{len(given)} weights were given for {len(requests)} style pictures"
        raise UsageError("style_weights", cause, "Give one weight for each --style, with commas.")
    found = []
    for weight, request in zip(given, requests, strict=True):
        total = sum(w for w, other in zip(given, requests, strict=True) if other.region == request.region)
        if total <= 0:
            cause = f"all styles of {request.region or 'the whole model'} have the weight 0"
            raise UsageError("style_weights", cause, "Give at least one of them some weight.")
        found.append(weight / total)
    return tuple(found)


def _strength(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UsageError("style", f"{text!r}: its strength is no number from 0 to 1", _EXAMPLE)
    return number


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than the system allows, or with a NUL
        return False
