"""Objects that one process hands to another, their arrays in a file that both have open.

A message is a head (three numbers of 8 bytes: bytes of the pickle, and where its arrays begin and end in the file) and
the pickle, in a pipe. The arrays' contents lie in the file, and the reader maps large ones instead of copying them:
through a pipe, hundreds of megabytes would take Python's lock thousands of times.

The file has no name and is made by `memfd_create`. `multiprocessing.shared_memory` makes named files in /dev/shm, which
containers limit to 64 MB unless told otherwise, and which stay where both processes are killed.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

HEAD = struct.Struct("<3Q")
_SIZE = struct.Struct("<Q")
_ALIGNED = 64  # bytes: a line of the cache
_MAPPED = 2**20  # bytes of an array from which on it is not copied


def nameless_file() -> int:
    """A descriptor of a file that goes with the last process that has it; in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("meshstyle-arrays")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class ArrayWriter:
    """Sends messages."""

    def __init__(self, target: BinaryIO, arrays: BinaryIO) -> None:
        """`target`: the pipe; `arrays`: the file, at its end."""
        self._target, self._arrays = target, arrays

    @property
    def written(self) -> int:
        """Bytes of all arrays so far."""
        return self._arrays.tell()

    def send(self, message: object) -> None:
        """Write a message at once. Raises OSError where nobody reads any more."""
        buffers: list[pickle.PickleBuffer] = []
        stream = io.BytesIO()
        _Pickler(stream, 5, buffer_callback=buffers.append).dump(message)
        begin = self.written
        for buffer in buffers:
            content = buffer.raw()
            filled = -content.nbytes % _ALIGNED
            self._arrays.write(_SIZE.pack(content.nbytes).ljust(_ALIGNED, b"\0"))
            self._arrays.write(content)
            self._arrays.write(bytes(filled))
        self._arrays.flush()
        pickled = stream.getvalue()
        self._target.write(HEAD.pack(len(pickled), begin, self.written) + pickled)
        self._target.flush()


class _Pickler(pickle.Pickler):
    """Takes views of memory too: of buffers of glTF, and of the files they lie in."""

    def reducer_override(self, obj: Any) -> Any:
        return (memoryview, (pickle.PickleBuffer(obj),)) if isinstance(obj, memoryview) else NotImplemented


def read_packed(source: IO[bytes]) -> tuple[bytes, int, int] | None:
    """The next message as it came: its pickle, and where its arrays begin and end. None at the end of the stream."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, begin, end = HEAD.unpack(head)
    pickled = source.read(length)
    return (pickled, begin, end) if len(pickled) == length else None


def unpack(file: int, pickled: bytes, begin: int, end: int) -> Any:
    """The message whose arrays lie in `file`, a descriptor. The sender must be trusted, as pickles run code."""
    return pickle.loads(pickled, buffers=_buffers(file, begin, end) if end > begin else [])


def _buffers(file: int, begin: int, end: int) -> Iterator[memoryview]:
    """The contents of arrays from one position of a file to another: each after its length in 8 bytes, on multiples of
    `_ALIGNED`. Changes stay here. Each large one is mapped by itself, so that its memory goes when it does: in one
    piece, whichever stays would hold all of them. Small ones are copied, as there may be more of them than a process
    may map."""
    position = begin
    while position < end:
        (size,) = _SIZE.unpack(os.pread(file, _SIZE.size, position))
        first = position + _ALIGNED
        if size >= _MAPPED:
            start = first // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            mapped = mmap.mmap(file, first + size - start, access=mmap.ACCESS_COPY, offset=start)
            yield memoryview(mapped)[first - start :]
        else:
            yield memoryview(bytearray(os.pread(file, size, first)))
        position = first + -(-size // _ALIGNED) * _ALIGNED
