"""Compressed geometry and textures as arrays, by packages of the extra `compressed`, in a process of their own.

The decoders are native code, and Draco's and Basis Universal's can be crashed by damaged data: the child takes
that upon itself, and its memory and time are limited.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ...system.child_process import ChildError, Message, module_program, run_child

PROGRAM = module_program("meshstyle.io.gltf.decoder_process")
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
    values = {
        "memory": MEMORY,
        "limit": limit,
        "jobs": [{**job.parameters, "kind": job.kind} for job in jobs],
    }
    data = {str(number): np.frombuffer(job.data, np.uint8) for number, job in enumerate(jobs)}
    try:
        answer = run_child(PROGRAM, Message(values, data), seconds)
    except ChildError as error:
        raise DecodingError(f"its decoder {error}") from error
    if "error" in answer.values:
        raise DecodingError(answer.values["error"], answer.values["job"])
    found: list[Arrays] = [{} for _ in jobs]
    for name, array in answer.arrays.items():
        number, _, own_name = name.partition("/")
        found[int(number)][own_name] = array
    return found
