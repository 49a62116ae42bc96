"""The text of OBJ and MTL files: bytes in whatever encoding, and how to put them back.

Everything downstream works on `Text.body`, a string of 8-bit characters, by byte offsets. `plain_lines` gives
a twin of the same length with everything awkward blanked out, so that offsets found in it hold in the body.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ...errors import AssetError
from ..read_file import read_file

MAX_OBJ_BYTES = 200 * 2**20  # about three million triangles
MAX_CONTINUATIONS = 1_000_000  # further lines are not joined: only mischief has so many
REMEDY = "Export the model again."

Edit = tuple[int, int, bytes]
"""Bytes start to end of a body, and what comes in their place."""

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BLANKS = bytes.maketrans(b"\t\v\f\0", b"    ")
_CONTINUATION = re.compile(rb"\\ *\n")
_COMMENT = re.compile(rb" *#")


@dataclass(frozen=True)
class Text:
    """A file of lines.

    Attributes:
        body: the content without its byte order mark; UTF-16 is held as UTF-8.
        codec: of the body: `utf-8`, or `latin-1` where it is not valid UTF-8.
        bom: the byte order mark, or b"".
        stored: codec of the file: the body's or UTF-16 in one byte order.
    """

    body: bytes
    codec: str
    bom: bytes
    stored: str

    @property
    def newline(self) -> bytes:
        r"""How the first line ends: \r\n, \n or \r."""
        first = re.search(rb"\r\n|\n|\r", self.body)
        return first.group() if first else b"\n"

    def decode(self, part: bytes) -> str:
        return part.decode(self.codec, errors="replace")

    def encode(self, name: str) -> bytes:
        """A name for the body; what Latin-1 lacks goes in as UTF-8, as most readers take names."""
        try:
            return name.encode(self.codec)
        except UnicodeEncodeError:
            return name.encode("utf-8", errors="surrogateescape")

    def pack(self, body: bytes) -> bytes:
        """A changed body as the bytes of a file like this one."""
        if self.stored.startswith("utf-16"):
            body = body.decode("utf-8", "surrogatepass").encode(self.stored, "surrogatepass")
        return self.bom + body


def read_text(path: Path, subject: Path, limit: int = MAX_OBJ_BYTES) -> Text:
    """Raises AssetError about `subject`: no such file, too large, damaged UTF-16."""
    return split_text(read_file(path, subject, limit), path, subject)


def split_text(data: bytes, path: Path, subject: Path) -> Text:
    """The encoding by the byte order mark, else UTF-8 where it is valid, else Latin-1."""
    bom, stored = next(((mark, codec) for mark, codec in _BOMS if data.startswith(mark)), (b"", ""))
    body = data[len(bom) :]
    if stored.startswith("utf-16"):
        try:
            body = body.decode(stored, "surrogatepass").encode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise AssetError(subject, f"{path.name} is damaged UTF-16", REMEDY) from error
        return Text(body, "utf-8", bom, stored)
    codec = "utf-8" if _is_utf8(body) else "latin-1"
    return Text(body, codec, bom, codec)


def _is_utf8(body: bytes) -> bool:
    """Piece by piece: decoded text can take four times the memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), 2**20):
            decoder.decode(body[start : start + 2**20])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def plain_lines(body: bytes) -> bytes:
    r"""A twin of equal length: blanks are spaces, lines end in \n alone, continued lines are one line.

    A backslash at the end of a comment joins nothing: comments there end in Windows paths.
    """
    plain = body.translate(_BLANKS)
    if b"\r" in plain:
        plain = plain.replace(b"\r", b" " if b"\n" in plain else b"\n")  # old Macintosh files have \r alone
    if b"\\" not in plain:
        return plain
    joined, done, comment = bytearray(plain), 0, bool(_COMMENT.match(plain))
    for match in islice(_CONTINUATION.finditer(plain), MAX_CONTINUATIONS):
        newline = plain.rfind(b"\n", done, match.start())
        if newline >= 0:  # else this is one more part of the line before
            comment = bool(_COMMENT.match(plain, newline + 1))
        if not comment:
            joined[match.start() : match.end()] = b" " * (match.end() - match.start())
        done = match.end() - comment  # the newline of a comment still ends its line
    return bytes(joined)


def apply_edits(body: bytes, edits: Iterable[Edit]) -> bytes:
    """The body with some places replaced. They must not overlap; insertions at one place keep their order."""
    parts, done = [], 0
    for start, end, new in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        if start < done:
            raise ValueError("edits overlap")
        parts += [body[done:start], new]
        done = end
    return b"".join([*parts, body[done:]])
