"""Tensors of a file of weights, read by a process of its own whose memory and time are limited
(`style.weights_process`)."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from ..errors import WeightsError

REMEDY = "Give a .pth, .safetensors or .h5 file with all the 3×3 convolutions of VGG-19, or 'bundled'."
SCRIPT = Path(__file__).with_name("weights_process.py")
SECONDS = (
    120.0  # of the clock, loading torch on a busy machine included; the child limits its processor's time
)
# HDF5 loads no plugins that files ask for; one thread is enough.
_ENVIRONMENT = {"HDF5_PLUGIN_PRELOAD": "::", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def read_tensors(path: Path, library: str) -> dict[str, torch.Tensor]:
    """Whatever may be a kernel or a bias, float32, by name.

    `library`: torch, safetensors or h5py. Raises WeightsError.
    """
    # -P: the script's own folder is not searched for modules; ours must not shadow anyone's.
    command = [sys.executable, "-P", str(SCRIPT), library, os.path.abspath(path)]
    try:
        done = subprocess.run(
            command,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
    except subprocess.TimeoutExpired:
        raise WeightsError(path, f"{library} had not read it after {SECONDS:.0f} s", REMEDY) from None
    except (OSError, ValueError) as error:
        raise WeightsError(path, f"its reader could not be started ({error})", REMEDY) from error
    if done.returncode or len(done.stdout) < 8:
        raise WeightsError(path, f"{library} broke down over it", REMEDY)
    return _tensors(done.stdout, path, library)


def _tensors(given: bytes, path: Path, library: str) -> dict[str, torch.Tensor]:
    (length,) = struct.unpack_from("<Q", given)
    header = json.loads(given[8 : 8 + length])
    if "error" in header:
        raise WeightsError(path, f"{library} cannot read it ({header['error']})", REMEDY)
    found, start = {}, 8 + length
    for name, shape in header["tensors"]:
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(given, np.float32, count, start).reshape(shape).copy()
        found[name] = torch.from_numpy(values)
        start += values.nbytes
    return found
