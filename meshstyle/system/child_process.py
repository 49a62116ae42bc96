"""A function in a process of its own, with limits on time and memory.

Native code that reads the files of strangers can crash, hang or take all memory. What it does to this process's child
stays there, and the caller gets a `ChildError`.

The caller runs `answer = run_child(module_program("meshstyle.some_module"), request, seconds)`; the module ends with
`if __name__ == "__main__": serve(function)`. Request and answer are a `Message` each, in the child's stdin and stdout:
the length of a JSON text as 8 bytes (little endian), the JSON, and the contents of the arrays that it describes, one
after the other. No pickles: what a crashed decoder left in its memory must not be run here.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, eq=False)
class Message:
    """`values`: what JSON can hold; `arrays`: of plain numbers, of any shape."""

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


class ChildError(Exception):
    """There is no answer. The text is a clause without its subject, as in "had not finished after 15 s".

    Attributes:
        last_line: what the child said last on stderr, where it failed; "" where it said nothing.
    """

    def __init__(self, clause: str, last_line: str = "") -> None:
        self.last_line = last_line
        super().__init__(clause)


def module_program(module: str) -> tuple[str, ...]:
    """The arguments that have Python run a module of this package."""
    return ("-m", module)


def run_child(program: Sequence[str], request: Message, seconds: float) -> Message:
    """Run Python with these arguments, and return its answer to a request.

    The child finds modules where this process does, but not in the working folder, which may be anybody's. Raises
    ChildError where it cannot be started, does not finish in time, ends with another exit status than 0, or gives no
    answer that can be read.
    """
    # -P: neither the working folder nor a script's own folder is searched for modules.
    command = [sys.executable, "-P", *program]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command, input=_pack(request), env=environment, timeout=seconds, capture_output=True
        )
    except subprocess.TimeoutExpired:
        raise ChildError(f"had not finished after {seconds:.0f} s") from None
    except OSError as error:
        raise ChildError(f"could not be started ({error.strerror or error})") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ChildError(f"failed (exit status {done.returncode})", lines[-1] if lines else "")
    try:
        return _unpack(done.stdout)
    except (ValueError, TypeError, KeyError, struct.error):
        raise ChildError("left no readable result") from None


def serve(function: Callable[[Message], Message]) -> None:
    """The child's whole life: answer the request on stdin. What libraries print goes to stderr."""
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answer = function(_unpack(sys.stdin.buffer.read()))
    _write(target, answer)
    target.close()


def limit_memory(limit: int) -> None:
    """Limit this process's address space to so many bytes, where the system can: allocations fail rather than drive
    the machine into swapping."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return


def _pack(message: Message) -> bytes:
    return b"".join(_pieces(message))


def _write(target: IO[bytes], message: Message) -> None:
    for piece in _pieces(message):
        target.write(piece)
    target.flush()


def _pieces(message: Message) -> list[bytes | memoryview]:
    arrays = {name: np.ascontiguousarray(array) for name, array in message.arrays.items()}
    described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    text = json.dumps({"values": message.values, "arrays": described}).encode()
    contents = [array.reshape(-1).view(np.uint8).data for array in arrays.values()]
    return [_LENGTH.pack(len(text)), text, *contents]


def _unpack(data: bytes) -> Message:
    """The message; its arrays cannot be written to. Raises ValueError, TypeError, KeyError, struct.error."""
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    header = json.loads(data[_LENGTH.size : start])
    arrays: dict[str, np.ndarray] = {}
    for name, kind, shape in header["arrays"]:
        dtype = np.dtype(kind)
        if dtype.kind not in "biufc":  # objects would be addresses, which the child must not choose
            raise ValueError(f"{kind} are not plain numbers")
        arrays[name] = np.ndarray(shape, dtype, data, start)
        start += arrays[name].nbytes
    return Message(header["values"], arrays)
