"""Files of weights that strangers made: the process that reads them, and what it takes."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from meshstyle.cli.main import main

from meshstyle.errors import WeightsError
from meshstyle.style import weights_file, weights_process
from meshstyle.style.vgg_weights import load_weights
from meshstyle.style.weights_process import READERS, collect

NAME = "features.0.weight"


def read(kind: str, path: Path) -> dict[str, np.ndarray]:
    """As the child does, in this process."""
    return collect(READERS[kind]()(str(path)))


def sparse() -> torch.Tensor:
    return torch.ones(64, 3, 3, 3).to_sparse()


def quantized() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.ones(64, 3, 3, 3), 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore")  # of torch, about what it gives up
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(64, 3, 3, 3, dtype=torch.complex64),
        lambda: torch.ones(64, 3, 3, 3).to(torch.float8_e4m3fn),
        lambda: torch.ones(64, 3, 3, 3, device="meta"),
        sparse,
        quantized,
    ],
    ids=["complex", "float8", "meta", "sparse", "quantized"],
)
def test_only_dense_floating_point_is_taken(make: Callable[[], torch.Tensor], tmp_path: Path) -> None:
    torch.save({NAME: make()}, tmp_path / "x.pth")
    with pytest.raises(Exception, match=r"is not dense numbers|Weights only load failed|sparse"):
        read("torch", tmp_path / "x.pth")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_floating_point_is(kind: torch.dtype, tmp_path: Path) -> None:
    torch.save({NAME: torch.full((2, 3, 3, 3), 1.5, dtype=kind), "step": torch.tensor(3)}, tmp_path / "x.pth")
    found = read("torch", tmp_path / "x.pth")
    assert list(found) == [NAME]
    assert found[NAME].dtype == np.float32
    assert (found[NAME] == 1.5).all()


def test_names_of_no_layer_and_large_tensors_are_left_out(tmp_path: Path) -> None:
    large = torch.zeros(1).expand(512, 512, 3, 4)  # one number on the disk
    torch.save({"9" * 5000: torch.ones(3), "features.0.bias": large, 5: torch.ones(3)}, tmp_path / "x.pth")
    assert read("torch", tmp_path / "x.pth") == {}


def test_all_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_process, "MOST_BYTES", 4 * 100)
    torch.save({"a": torch.ones(100)}, tmp_path / "x.pth")
    assert list(read("torch", tmp_path / "x.pth")) == ["a"]
    torch.save({"a": torch.ones(100), "b": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(weights_process.RefusedError, match="it holds more than"):
        read("torch", tmp_path / "x.pth")


def test_safetensors(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5], np.float32)
    kinds = {
        "F32": values.tobytes(),
        "F16": values.astype(np.float16).tobytes(),
        "F64": values.astype(np.float64).tobytes(),
        "BF16": (values.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
    }
    header, data = {"__metadata__": {"a": "b"}}, b""
    for kind, piece in kinds.items():
        entry = {"dtype": kind, "shape": [2], "data_offsets": [len(data), len(data) + len(piece)]}
        header[kind], data = entry, data + piece  # type: ignore[assignment]
    text = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    found = read("safetensors", tmp_path / "x.safetensors")
    assert set(found) == set(kinds)
    assert all((one == values).all() for one in found.values())
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 1 << 60))
    with pytest.raises(weights_process.RefusedError, match="its header promises"):
        read("safetensors", tmp_path / "x.safetensors")
    text = json.dumps({"a": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(weights_process.RefusedError, match="is not dense numbers"):
        read("safetensors", tmp_path / "x.safetensors")


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
    file.create_virtual_dataset("x", layout)


def external(file: h5py.File, other: Path) -> None:
    file.create_dataset("x", (3,), np.float32, external=[(str(other), 0, 12)])


def wide(file: h5py.File, other: Path) -> None:
    file.create_dataset("x", (3,), np.float32, chunks=(1 << 28,), maxshape=(None,), compression="gzip")


@pytest.mark.parametrize("make", [virtual, external, wide])
def test_h5_reads_from_no_other_file(make: Callable[[h5py.File, Path], None], tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file, other)
    with pytest.raises(weights_process.RefusedError, match="lies in other files"):
        read("h5py", tmp_path / "x.h5")


def test_h5_follows_no_links_out_of_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["out"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
        file["own"] = np.ones(2, np.float32)
        file["loop"] = h5py.SoftLink("/")
        file["text"] = np.array([b"a"], "S1")
    assert list(read("h5py", tmp_path / "x.h5")) == ["own"]


def test_h5_that_grows_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_process, "MOST_BYTES", 1 << 22)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for number in range(2):
            file.create_dataset(f"conv1_{number}", (512, 512, 3, 3), np.float32, compression="gzip")
    assert (tmp_path / "x.h5").stat().st_size < 1 << 20
    with pytest.raises(weights_process.RefusedError, match="it holds more than 4 MiB"):
        read("h5py", tmp_path / "x.h5")


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this ran",)


def deflated(path: Path) -> None:
    """An ordinary .pth whose numbers, all zeros, are packed: 3 GB of them."""
    stream = io.BytesIO()
    torch.save({NAME: torch.zeros(1)}, stream)
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename.endswith("/data/0"):
                with target.open(item.filename, "w", force_zip64=True) as out:
                    for _ in range(3):
                        out.write(bytes(1 << 30))
            else:
                target.writestr(item.filename, data)


FILES: dict[str, bytes] = {
    "dot.pth": b".",
    "stack.pth": b"\x80\x02N0.",
    "text.pth": b"hello\n",
    "digits.pth": b"I" + b"9" * 5000 + b"\n.",
    "deep.pth": b"(" * 200_000 + b".",
    "payload.pth": pickle.dumps(Payload()),
    "empty.pth": b"",
    "empty.safetensors": b"",
    "cut.safetensors": b"\x08\0\0\0\0\0\0\0{",
    "empty.h5": b"",
    "text.h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("name", FILES)
def test_each_is_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    (tmp_path / "x.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert main(["stylize", str(tmp_path / "x.obj"), "-s", "scream", "--weights", str(path)]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.isprintable()
    assert len(line) <= 300
    assert "cannot read it" in line or "broke down" in line


@pytest.mark.slow
def test_a_bomb_is_one_line(tmp_path: Path) -> None:
    deflated(tmp_path / "x.pth")
    with pytest.raises(WeightsError):
        load_weights(str(tmp_path / "x.pth"))


def test_a_reader_that_dies_or_hangs_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(b"x")
    child = tmp_path / "child.py"
    monkeypatch.setattr(weights_file, "SCRIPT", child)
    child.write_text("import os; os.abort()")
    with pytest.raises(WeightsError, match="torch broke down over it"):
        load_weights(str(path))
    monkeypatch.setattr(weights_file, "SECONDS", 0.5)
    child.write_text("import time; time.sleep(60)")
    with pytest.raises(WeightsError, match="torch had not read it after"):
        load_weights(str(path))
