"""What the optimizer looks at: whole views of the model, and collages.

Every picture has a size that strokes go by: the pixels across the frame of what it shows, for which the painting's
short side is made as many pixels.

A camera beyond the even ones was added for a few crevices; the rest of its view is surface that others show as well
or better. So only those places are cut out of such views, with a little around them, and laid out side by side in
pictures about as large as a view: to the losses a collage is one more view. A model whose crevices took fifty cameras
is looked at in twenty pictures, and a picture's statistics are never those of a single crevice. Pieces that need views
of their own (see `views.pieces`) are shown in collages too, each from all its sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.ndimage
from jaxtyping import Float64

from ..texture.shelf_pack import shelf_pack
from .cameras import Camera, camera_towards_centre
from .pieces import Piece
from .placement import Placement
from .raytrace import Hits, Tracer
from .stroke_direction import asked_turns, turns_of

AROUND = 1 / 64  # of the views' size: counts, on each side of what a cutting is there for
CONTEXT = 1 / 16  # of the views' size: shown around that, and does not count
_ROUND = 8  # pixels: sides are multiples of it

_Box = tuple[int, int, int, int]  # top, left, bottom, right


Axis = Float64[np.ndarray, "3"] | None


@dataclass(frozen=True, eq=False)
class WholeView:
    """The whole object from one of a placement's directions, `number`; `style_size`: see above."""

    number: int
    camera: Camera
    style_size: int

    @property
    def numbers(self) -> tuple[int, ...]:
        return (self.number,)

    def trace(self, tracer: Tracer, side: int, axis: Axis) -> Hits | None:
        """`side`² rays a pixel. None where nothing is seen. `axis`: see `views.stroke_direction`."""
        hits = tracer.view(self.camera, side)
        if hits is None:
            return None
        return replace(hits, turns=asked_turns([turns_of(hits, tracer, axis)]), style_size=self.style_size)


@dataclass(frozen=True, eq=False)
class Cutting:
    """A window of one camera's view.

    Attributes:
        number: of the placement's direction that the camera stands in; None: of none of them.
        corner: row and column of its top left pixel, counted from the optical axis; `shape`: height and width.
        place: row and column of that pixel in the collage.
        piece: what alone is there; None: everything.
    """

    number: int | None
    camera: Camera
    corner: tuple[int, int]
    shape: tuple[int, int]
    place: tuple[int, int] = (0, 0)
    piece: Piece | None = None


@dataclass(frozen=True, eq=False)
class Collage:
    """Cuttings of views of one pitch.

    Attributes:
        shape: height and width.
        border: how wide the frame of each cutting is that does not count, pixels.
        style_size: see above.
    """

    cuttings: tuple[Cutting, ...]
    shape: tuple[int, int]
    border: int
    style_size: int

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(sorted({cutting.number for cutting in self.cuttings if cutting.number is not None}))

    def trace(self, tracer: Tracer, side: int, axis: Axis) -> Hits | None:
        """Trace the rays of all cuttings, as if they were one view. None where nothing is seen."""
        counted = np.zeros(self.shape, bool)
        found: list[Hits] = []
        turns = []
        for cutting in self.cuttings:
            (top, left), (height, width) = cutting.place, cutting.shape
            inner = slice(self.border, -self.border or None)
            counted[top : top + height, left : left + width][inner, inner] = True
            seen_by = tracer if cutting.piece is None else cutting.piece.tracer(tracer)
            hits = seen_by.view(cutting.camera, side, cutting.shape, cutting.corner)
            if hits is not None:
                row, column = np.divmod(hits.pixel, width)
                found.append(replace(hits, pixel=(row + top) * self.shape[1] + column + left))
                turns.append(turns_of(hits, tracer, axis))
        if not found:
            return None
        return replace(_joined(found, counted), turns=asked_turns(turns), style_size=self.style_size)


TrainingView = WholeView | Collage


def make_training_views(placement: Placement, size: int, whole: bool = False) -> list[TrainingView]:
    """All pictures of views of that size: whole ones first, then collages.

    `whole`: no collages: the views of all directions.
    """
    even = len(placement.directions) - (0 if whole else len(placement.added))
    views = (
        WholeView(number, camera_towards_centre(direction, size), size)
        for number, direction in enumerate(placement.directions[:even])
    )
    return [*views] if whole else [*views, *collages(placement, size), *piece_collages(placement, size)]


def whole_views(looks: Iterable[TrainingView]) -> int:
    """How many of these are whole views, and not collages."""
    return sum(isinstance(look, WholeView) for look in looks)


def numbers_of(looks: Iterable[TrainingView]) -> list[int]:
    """The numbers of the placement's directions that these views show something from, ascending."""
    return sorted({number for look in looks for number in look.numbers})


def collages(placement: Placement, size: int) -> list[Collage]:
    """What the cameras beyond the even ones were added for, in pictures of about size² pixels."""
    border, around = round(CONTEXT * size), round(AROUND * size)
    even = len(placement.directions) - len(placement.added)
    cuttings = []
    for number, points in enumerate(placement.added, start=even):
        camera = camera_towards_centre(placement.directions[number], size)
        for top, left, bottom, right in _boxes(camera.project(points), around + border):
            cuttings.append(Cutting(number, camera, (top, left), (bottom - top, right - left)))
    return _laid_out(cuttings, size, border, size)


def piece_collages(placement: Placement, size: int) -> list[Collage]:
    """Pieces that are looked at by themselves, from all sides, in pictures of about size² pixels.

    Pieces with strokes of one size share pictures.
    """
    kinds: dict[tuple[int, int], list[Cutting]] = {}
    for piece in placement.pieces:
        frame = piece.frame_size(size)
        cuttings = kinds.setdefault((piece.style_size(size), frame), [])
        for camera in piece.cameras(size):
            cuttings.append(Cutting(None, camera, (-frame // 2, -frame // 2), (frame, frame), piece=piece))
    return [
        collage for (style, _), cuttings in kinds.items() for collage in _laid_out(cuttings, size, 0, style)
    ]


def _boxes(spots: Float64[np.ndarray, "N 2"], around: int) -> list[_Box]:
    """Boxes that hold all spots with so many pixels around each; those that would overlap for the most part are one."""
    cell = ((spots - spots.min(0)) // around).astype(np.int64)
    taken = np.zeros(cell.max(0) + 1, bool)
    taken[tuple(cell.T)] = True
    groups, count = scipy.ndimage.label(taken, np.ones((3, 3)))
    group = groups[tuple(cell.T)]
    boxes = [_rounded(spots[group == number], around) for number in range(1, count + 1)]
    done: list[_Box] = []
    while boxes:
        box = boxes.pop()
        for number, other in enumerate(boxes):
            both = _union(box, other)
            if _area(both) <= _area(box) + _area(other):
                boxes[number] = both
                break
        else:
            done.append(box)
    return done


def _rounded(spots: Float64[np.ndarray, "N 2"], around: int) -> _Box:
    low = np.floor(spots.min(0)).astype(int) - around
    high = np.ceil(spots.max(0)).astype(int) + around
    low -= (-(high - low) % _ROUND) // 2  # the rounding is shared by both sides
    high += -(high - low) % _ROUND
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _union(one: _Box, other: _Box) -> _Box:
    """Sides are multiples of `_ROUND` again."""
    top, left, bottom, right = (*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))
    return top, left, bottom + (top - bottom) % _ROUND, right + (left - right) % _ROUND


def _area(box: _Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _laid_out(cuttings: Sequence[Cutting], size: int, border: int, style_size: int) -> list[Collage]:
    """On shelves as wide as a view, and those in pictures as high."""
    if not cuttings:
        return []
    box = np.array([cutting.shape[::-1] for cutting in cuttings], np.float64)
    _, place = shelf_pack(box, max(size, box[:, 0].max()))
    made: list[Collage] = []
    page: list[Cutting] = []
    first = 0.0
    most = max(size, box[:, 1].max())
    for number in np.lexsort((place[:, 0], place[:, 1])):
        if place[number, 1] + box[number, 1] > first + most:
            made.append(_collage(page, border, style_size))
            page, first = [], place[number, 1]
        spot = (int(place[number, 1] - first), int(place[number, 0]))
        page.append(replace(cuttings[number], place=spot))
    return [*made, _collage(page, border, style_size)]


def _collage(cuttings: list[Cutting], border: int, style_size: int) -> Collage:
    ends = np.array([np.add(cutting.place, cutting.shape) for cutting in cuttings]).max(0)
    return Collage(tuple(cuttings), (int(ends[0]), int(ends[1])), border, style_size)


def _joined(found: list[Hits], counted: np.ndarray) -> Hits:
    """One view's hits from those of cuttings, whose pixels are numbered in it already."""
    order = np.argsort(np.concatenate([hits.pixel for hits in found]), kind="stable")

    def rays(name: str) -> np.ndarray:
        of_all: np.ndarray = np.concatenate([getattr(hits, name) for hits in found])
        return of_all[order]

    return Hits(
        camera=found[0].camera,  # of which only the pitch is that of all
        shape=(counted.shape[0], counted.shape[1]),
        corner=(0, 0),
        side=found[0].side,
        pixel=rays("pixel"),
        triangle=rays("triangle"),
        barycentric=rays("barycentric"),
        cosine=rays("cosine"),
        facing=rays("facing"),
        distance=rays("distance"),
        counted=counted.reshape(-1),
    )
