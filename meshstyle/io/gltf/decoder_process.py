"""Decodes compressed data in a process of its own, for `decoders` (damaged data can crash the decoders).

A request has the values `memory` and `limit` in bytes and `jobs`, each a `kind` with its parameters, and an array of
bytes for each job, called "0", "1" and so on. The answer has the arrays "JOB/NAME" of all jobs, or the values `job` and
`error`: the one that failed, and why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...system.child_process import Message, limit_memory, serve

Arrays = dict[str, np.ndarray]


class TooLargeError(ValueError):
    """More data than asked for."""


def answer(request: Message) -> Message:
    """Decode everything that is asked for, or until a job fails."""
    limit, jobs = request.values["limit"], request.values["jobs"]
    decoders = {job["kind"]: DECODERS[job["kind"]]() for job in jobs}  # imported while there is room
    limit_memory(request.values["memory"])
    left = limit
    found: Arrays = {}
    for number, job in enumerate(jobs):
        try:
            arrays = decoders[job["kind"]](request.arrays[str(number)].tobytes(), job)
            left -= sum(array.nbytes for array in arrays.values())
            if left < 0:
                raise TooLargeError(f"it holds more than {limit} bytes")
        except MemoryError:
            return Message({"job": number, "error": "it needs too much memory"})
        except Exception as error:  # whatever a decoder raises is about its data
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            return Message({"job": number, "error": reason})
        found |= {f"{number}/{name}": array for name, array in arrays.items()}
    return Message({}, found)


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
    serve(answer)
