"""A sheet of pictures with headings: styles down the left, strengths along the top, the original in the corner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from .painted_asset import BACKGROUND

GAP = 6  # pixels between pictures
_INK = (30, 30, 34)
_SHORTEST = 12  # pixels: the smallest letters that can be read


def label(style: str | Path) -> str:
    """A style's name for people: a file's without folder and suffix."""
    return Path(str(style)).stem or str(style)


class Sheet:
    """The first row and column are half as large as the others: there are the headings."""

    def __init__(self, cell: int, rows: Sequence[str], columns: Sequence[str]) -> None:
        """`cell`: pixels of a picture's side; `rows`, `columns`: their headings."""
        self._cell, self._head = cell, max(cell // 2, 4 * _SHORTEST)
        size = (self._start(len(columns)) - GAP, self._start(len(rows)) - GAP)
        self._image = Image.new("RGB", size, BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)
        self._letters = max(_SHORTEST, cell // 14)
        for row, text in enumerate(rows):
            self._write(text, (0, self._start(row) + (cell + self._head) // 2), self._head)
        for column, text in enumerate(columns):
            middle = (self._head - self._line) // 2
            self._write(text, (self._start(column), middle), cell)

    @property
    def _line(self) -> int:
        return self._letters * 3 // 2

    def _start(self, number: int) -> int:
        return self._head + GAP + number * (self._cell + GAP)

    def put_original(self, picture: UInt8[np.ndarray, "S S 3"]) -> None:
        """Into the corner."""
        side = self._head - self._line
        left = (self._head - side) // 2
        self._image.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (left, 0))
        self._write("original", (0, side), self._head)

    def put_style(self, row: int, picture: UInt8[np.ndarray, "H W 4"]) -> None:
        """The painting beside its row."""
        image = Image.fromarray(picture)
        image.thumbnail((self._head, self._head), Image.Resampling.LANCZOS)
        left = (self._head - image.width) // 2
        top = self._start(row) + (self._cell + self._head) // 2 - image.height - GAP
        self._image.paste(image, (left, top), image.getchannel("A"))

    def put(self, row: int, column: int, picture: UInt8[np.ndarray, "S S 3"]) -> None:
        """One result."""
        self._image.paste(Image.fromarray(picture), (self._start(column), self._start(row)))

    def pixels(self) -> UInt8[np.ndarray, "H W 3"]:
        return np.asarray(self._image).copy()

    def _write(self, text: str, place: tuple[int, int], width: int) -> None:
        """Centred in a box of that width, smaller where it is long, cut where that is not enough."""
        size = self._letters
        while size > _SHORTEST and self._wide(text, size) > width:
            size -= 1
        while len(text) > 2 and self._wide(text, size) > width:
            text = text[:-2] + "…"
        left = place[0] + max(0.0, (width - self._wide(text, size)) / 2)
        self._draw.text((left, place[1]), text, fill=_INK, font=ImageFont.load_default(size))

    def _wide(self, text: str, size: int) -> float:
        return self._draw.textlength(text, font=ImageFont.load_default(size))
