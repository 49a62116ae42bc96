"""Runs decoders of compressed data in a process of its own, for `decoders` (damaged data can crash them).

    python decoder_process.py < JOBS > RESULTS

Run by path, not as a module: it must not import the package. JOBS and RESULTS are the length of a JSON text as
8 bytes (little endian), the JSON, and the data it speaks of, one after the other. JOBS holds `memory` and
`limit` in bytes and the `jobs`, each a `kind` with its parameters and the `size` of its data. RESULTS holds
`results`: for each job a list of arrays (`name`, `dtype`, `shape`), or `job` and `error`: the one that failed,
and why.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

Arrays = dict[str, np.ndarray]


class TooLargeError(ValueError):
    """More data than asked for."""


def main(source: BinaryIO, target: BinaryIO) -> None:
    (length,) = struct.unpack("<Q", source.read(8))
    order = json.loads(source.read(length))
    decoders = {job["kind"]: DECODERS[job["kind"]]() for job in order["jobs"]}  # imported while there is room
    _limit_memory(order["memory"])
    room, found = order["limit"], []
    for number, job in enumerate(order["jobs"]):
        try:
            arrays = decoders[job["kind"]](source.read(job["size"]), job)
            room -= sum(array.nbytes for array in arrays.values())
            if room < 0:
                raise TooLargeError(f"it holds more than {order['limit']} bytes")
        except MemoryError:
            _write(target, {"job": number, "error": "it needs too much memory"}, [])
            return
        except Exception as error:  # whatever a decoder raises is about its data
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            _write(target, {"job": number, "error": reason}, [])
            return
        found.append(arrays)
    _write(target, {"results": [list(_describe(arrays)) for arrays in found]}, found)


def _limit_memory(limit: int) -> None:
    """Rather fail in here than drive the machine into swapping. Not every system has such a limit."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        return


def _describe(arrays: Arrays) -> Iterator[dict[str, Any]]:
    for name, array in arrays.items():
        yield {"name": name, "dtype": array.dtype.str, "shape": array.shape}


def _write(target: BinaryIO, header: dict[str, Any], found: list[Arrays]) -> None:
    text = json.dumps(header).encode()
    target.write(struct.pack("<Q", len(text)) + text)
    for arrays in found:
        for array in arrays.values():
            target.write(np.ascontiguousarray(array).data)
    target.flush()


def _draco() -> Any:
    """Triangles as `faces` (F,3) uint32; attribute number N as `N` (V,C)."""
    import DracoPy

    def decode(data: bytes, job: dict[str, Any]) -> Arrays:
        mesh = DracoPy.decode(data)
        faces = np.asarray(mesh.faces) if isinstance(mesh, DracoPy.DracoMesh) else np.zeros((0, 3))
        arrays = {"faces": faces.reshape(-1, 3).astype("<u4")}
        for item in mesh.attributes:
            values = np.asarray(item["data"])
            arrays[str(item["unique_id"])] = values.reshape(len(values), int(item["num_components"]))
        return arrays

    return decode


def _meshopt() -> Any:
    """`bytes`: COUNT elements of STRIDE bytes."""
    import meshopt

    def decode(data: bytes, job: dict[str, Any]) -> Arrays:
        found = meshopt.decode_gltf_buffer(data, job["count"], job["stride"], job["mode"], job["filter"])
        return {"bytes": np.ascontiguousarray(found).view(np.uint8).reshape(-1)}

    return decode


def _basis() -> Any:
    """`pixels` (H,W,4) uint8 of the largest image."""
    import opengl_basisu

    def decode(data: bytes, job: dict[str, Any]) -> Arrays:
        texture = opengl_basisu.open(data)
        if (texture.height, texture.width) != (job["height"], job["width"]):
            raise ValueError("its sizes contradict each other")
        return {"pixels": texture.transcode("rgba8").data}

    return decode


DECODERS = {"draco": _draco, "meshopt": _meshopt, "basis": _basis}


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
