"""Reads files of weights in a process of its own, for `weights_file` (they come from strangers, and native code reads
them).

    python weights_process.py torch|safetensors|h5py FILE > RESULT

Run by path, not as a module: it must not import the package. RESULT is the length of a JSON text as 8 bytes (little
endian), the JSON, and the data it speaks of: `tensors`, a list of (name, shape) whose float32 numbers follow one after
the other; or `error`: why there are none. Only dense numbers in floating point are taken, of what may be a kernel or
bias of a convolution; nothing but FILE is opened.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

MOST_NAMES, LONGEST_NAME = 20_000, 200  # longer names are left out: no layer is called so
MOST_NUMBERS = 512 * 512 * 9  # of a tensor: VGG-19's largest kernel
MOST_BYTES = 256 << 20  # of all together, as float32; VGG-19 has 80 MB
MOST_HEADER = 16 << 20  # bytes of a .safetensors file's header
MEMORY, SECONDS = 3 << 29, 15  # bytes beside what the libraries take, and of the processor's time

Found = Iterator[tuple[str, np.ndarray]]


class RefusedError(Exception):
    """What the file holds is not taken."""


def main(kind: str, path: str, target: BinaryIO) -> None:
    """Write RESULT."""
    reader = READERS[kind]()  # imported while there is room
    limit()
    try:
        found = collect(reader(path))
    except MemoryError:
        write(target, {"error": "it needs too much memory"}, {})
    except Exception as error:  # whatever a library raises is about its data
        write(target, {"error": " ".join(str(error).split())[:120] or type(error).__name__}, {})
    else:
        write(target, {"tensors": [(name, values.shape) for name, values in found.items()]}, found)


def limit() -> None:
    """Limit memory and time, where the system has such limits."""
    try:
        import resource

        with open("/proc/self/statm") as stream:
            taken = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return


def collect(tensors: Found) -> dict[str, np.ndarray]:
    """All of them as float32. Raises RefusedError where they are too many."""
    found: dict[str, np.ndarray] = {}
    room = MOST_BYTES
    for name, values in tensors:
        room -= 4 * values.size
        if room < 0 or len(found) >= MOST_NAMES:
            raise RefusedError(f"it holds more than {MOST_BYTES >> 20} MiB of what may be convolutions")
        found[name] = np.ascontiguousarray(values, dtype=np.float32)
    return found


def write(target: BinaryIO, header: Mapping[str, Any], found: Mapping[str, np.ndarray]) -> None:
    text = json.dumps(header).encode()
    target.write(struct.pack("<Q", len(text)) + text)
    for values in found.values():
        target.write(values.data)
    target.flush()


def _suits(name: str, shape: tuple[int, ...]) -> bool:
    """Whether it may be a kernel or a bias."""
    count = 1
    for side in shape:
        count *= side
    return len(name) <= LONGEST_NAME and len(shape) in (1, 4) and 0 < count <= MOST_NUMBERS


def _torch() -> Callable[[str], Found]:
    import torch

    torch.set_num_threads(1)
    dense = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
    whole = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)

    def read(path: str) -> Found:
        data = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
            data = data["state_dict"]
        if not isinstance(data, Mapping):
            raise RefusedError("it does not hold named tensors")
        for key, value in data.items():
            if not isinstance(key, str) or not isinstance(value, torch.Tensor) or value.dtype in whole:
                continue
            if (
                value.is_meta
                or value.is_quantized
                or value.layout != torch.strided
                or value.dtype not in dense
            ):
                raise RefusedError(f"{key[:60]!r} is not dense numbers in floating point")
            if _suits(key, tuple(value.shape)):
                yield key, value.detach().to(torch.float32).numpy()

    return read


def _safetensors() -> Callable[[str], Found]:
    from safetensors import safe_open

    def read(path: str) -> Found:
        with open(path, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > MOST_HEADER:
                raise RefusedError(f"its header promises {length} bytes")
            with safe_open(
                path, "numpy"
            ):  # checks all of the header: what is promised is there, and nothing overlaps
                header = json.loads(stream.read(length))
            for name, entry in header.items():
                if name == "__metadata__" or not _suits(name, tuple(entry["shape"])):
                    continue
                stream.seek(8 + length + entry["data_offsets"][0])
                data = stream.read(entry["data_offsets"][1] - entry["data_offsets"][0])
                yield name, _numbers(name, entry["dtype"], data).reshape(entry["shape"])

    return read


def _numbers(name: str, kind: str, data: bytes) -> np.ndarray:
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    if kind not in ("F16", "F32", "F64"):
        raise RefusedError(f"{name[:60]!r} is not dense numbers in floating point")
    return np.frombuffer(data, f"<f{int(kind[1:]) // 8}")


def _h5py() -> Callable[[str], Found]:
    import h5py

    def read(path: str) -> Found:
        with h5py.File(path, "r") as file:
            left = [MOST_NAMES]
            names: list[str] = []

            def visit(name: str, item: object) -> None:  # links to other files are not followed
                left[0] -= 1
                if left[0] < 0:
                    raise RefusedError(f"it holds more than {MOST_NAMES} items")
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and _suits(name, item.shape):
                    names.append(name)

            file.visititems(visit)
            for name in names:
                yield name, _dataset(name, file[name])

    return read


def _dataset(name: str, item: Any) -> np.ndarray:
    chunk = int(np.prod(item.chunks or (0,), dtype=np.float64))
    if item.is_virtual or item.external or chunk > 4 * MOST_NUMBERS:
        raise RefusedError(f"{name!r} lies in other files, or in pieces that are too large")
    return np.asarray(item[()], dtype=np.float32)


READERS: dict[str, Callable[[], Callable[[str], Found]]] = {
    "torch": _torch,
    "safetensors": _safetensors,
    "h5py": _h5py,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdout.buffer)
