"""The words of an OBJ file as arrays: where they are, in what kind of line, and what numbers they spell."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

V, VT, VN, F, STATEMENT, OTHER = range(6)
"""Kinds of lines."""


class Tokens:
    """The words of some whole lines of the body.

    Attributes:
        start: the chunk's offset in the body; all other offsets are relative to it.
        at: where each token begins; `line`, `rank`: its line and its place after the line's first token (−1).
        is_value: neither a line's keyword nor in a comment at the line's end.
        kind, line_span: of each line that has tokens.
    """

    def __init__(self, plain: bytes, start: int, end: int) -> None:
        self.start = start
        # Three more blanks, so that a keyword's second and third letter can always be asked for.
        self.text = np.frombuffer(plain[start:end] + b"\n  ", np.uint8)
        newline = self.text == ord("\n")
        word = ~(newline | (self.text == ord(" ")))
        self.at = np.flatnonzero(word & ~np.concatenate([[False], word[:-1]]))  # (K,)
        ends = np.flatnonzero(newline)
        physical = np.searchsorted(ends, self.at)
        is_first = np.concatenate([[True], physical[1:] != physical[:-1]])[: len(self.at)]
        self.line = np.cumsum(is_first) - 1
        first = np.flatnonzero(is_first)
        self.rank = np.arange(len(self.at)) - first[self.line] - 1
        self.line_span = np.stack([self.at[first], ends[physical[first]]], axis=1).astype(np.int64)
        self.kind = _kinds(*(self.text[self.at[first] + offset] for offset in range(3)))
        self.is_value = (self.rank >= 0) & ~self._in_comment()

    def text_of(self, wanted: Bool[np.ndarray, " K"]) -> UInt8[np.ndarray, " B"]:
        """The chunk with everything but the wanted tokens blanked out."""
        lengths = np.diff(self.at, append=len(self.text))
        keep = np.repeat(wanted, lengths)
        text = np.where(keep, self.text[len(self.text) - len(keep) :], np.uint8(ord(" ")))
        text[text == ord("\n")] = ord(" ")
        return np.concatenate([np.full(len(self.text) - len(keep), ord(" "), np.uint8), text])

    def _in_comment(self) -> Bool[np.ndarray, " K"]:
        """Mark what lies from a token that begins with # to the end of its line."""
        begins = self.text[self.at] == ord("#")
        if not begins.any():
            return begins
        limit = np.full(len(self.kind), len(self.at))
        np.minimum.at(limit, self.line[begins], np.flatnonzero(begins))
        return np.arange(len(self.at)) >= limit[self.line]


def _kinds(
    one: UInt8[np.ndarray, " L"], two: UInt8[np.ndarray, " L"], three: UInt8[np.ndarray, " L"]
) -> UInt8[np.ndarray, " L"]:
    """Kind of a line by the first letters of its keyword. Statements are only guessed at."""
    ends_at_two, ends_at_three = np.isin(two, (32, 10)), np.isin(three, (32, 10))
    kind = np.full(len(one), OTHER, np.uint8)
    for letter in b"ogum":
        kind[one == letter] = STATEMENT
    kind[(one == ord("v")) & ends_at_two] = V
    kind[(one == ord("v")) & (two == ord("t")) & ends_at_three] = VT
    kind[(one == ord("v")) & (two == ord("n")) & ends_at_three] = VN
    kind[(one == ord("f")) & ends_at_two] = F
    return kind


def parse_floats(text: UInt8[np.ndarray, " B"], count: int) -> Float64[np.ndarray, " K"]:
    """Blank-separated numbers. Other words become NaN: it takes a face that uses them to make a mistake."""
    if count == 0:  # numpy reads one number from blanks
        return np.empty(0)
    data = text.tobytes()
    values = numbers_from_text(data, np.float64)
    if values is None or len(values) != count:
        values = np.array([_float(word) for word in data.split(b" ") if word])
    return values


def parse_integers(text: UInt8[np.ndarray, " B"], count: int) -> Int64[np.ndarray, " K"] | None:
    values = numbers_from_text(text.tobytes(), np.int64) if count else np.empty(0, np.int64)
    return values if values is not None and len(values) == count else None


def numbers_from_text(data: bytes, dtype: type) -> np.ndarray | None:
    """Blank-separated numbers; None where a word is no number: numpy raises or warns of it, by version."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(data, dtype=dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def _float(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
