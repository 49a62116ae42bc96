"""Compressed geometry and textures as arrays, by packages of the extra `compressed`, in a process of their own.

The decoders are native code, and Draco's and Basis Universal's can be crashed by damaged data: the child takes
that upon itself, and its memory and time are limited.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

SCRIPT = Path(__file__).with_name("decoder_process.py")
PACKAGES = {"draco": "DracoPy", "meshopt": "meshopt", "basis": "opengl_basisu"}
INSTALL = "Install what reads it: pip install 'meshstyle[compressed]'"
SECONDS = 15.0
MEMORY = 3 << 29  # 1.5 GiB of address space for the child

Arrays = dict[str, Shaped[np.ndarray, "..."]]


class DecodingError(Exception):
    """Data that cannot be decoded.

    Attributes:
        job: number of the job that it is about; None where that is not known.
    """

    def __init__(self, cause: str, job: int | None = None) -> None:
        self.job = job
        super().__init__(cause)


@dataclass(frozen=True)
class DecodeRequest:
    """A request to decode something.

    Attributes:
        kind: one of `PACKAGES`.
        data: the compressed bytes.
        parameters: what the kind needs (see `io.gltf.decoder_process`).
    """

    kind: str
    data: memoryview
    parameters: dict[str, Any] = field(default_factory=dict)


def is_installed(kind: str) -> bool:
    """Whether the package for this kind of data is there. It is not loaded."""
    return importlib.util.find_spec(PACKAGES[kind]) is not None


def decode(jobs: Sequence[DecodeRequest], limit: int, seconds: float = SECONDS) -> list[Arrays]:
    """The arrays of every job, at most `limit` bytes in all. Raises DecodingError.

    What the arrays are called, see `io.gltf.decoder_process`.
    """
    order = {
        "memory": MEMORY,
        "limit": limit,
        "jobs": [{**job.parameters, "kind": job.kind, "size": len(job.data)} for job in jobs],
    }
    text = json.dumps(order).encode()
    given = b"".join([struct.pack("<Q", len(text)), text, *(job.data for job in jobs)])
    return _read(_run(given, seconds))


def _run(given: bytes, seconds: float) -> bytes:
    # -P: the script's own folder is not searched for modules; ours must not shadow anyone's.
    command = [sys.executable, "-P", str(SCRIPT)]
    try:
        done = subprocess.run(
            command, input=given, timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise DecodingError(f"its decoder had not finished after {seconds:.0f} s") from None
    except OSError as error:
        raise DecodingError(f"its decoder could not be started ({error})") from error
    if done.returncode:
        raise DecodingError("its decoder broke down over it")
    return done.stdout


def _read(given: bytes) -> list[Arrays]:
    (length,) = struct.unpack_from("<Q", given)
    header = json.loads(given[8 : 8 + length])
    if "error" in header:
        raise DecodingError(header["error"], header["job"])
    places = _places(header["results"], 8 + length)
    return [
        {name: np.ndarray(shape, dtype, given, start) for name, dtype, shape, start in arrays}
        for arrays in places
    ]


def _places(
    results: list[list[dict[str, Any]]], start: int
) -> Iterator[list[tuple[str, np.dtype[Any], tuple[int, ...], int]]]:
    """Where each array lies in what the child wrote."""
    for arrays in results:
        found = []
        for item in arrays:
            dtype, shape = np.dtype(item["dtype"]), tuple(item["shape"])
            found.append((item["name"], dtype, shape, start))
            start += dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        yield found
