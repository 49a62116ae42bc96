"""Functions in processes of their own: what is asked and answered, and what becomes of children that fail."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from meshstyle.system.child_process import ChildError, Message, run_child

PREFIX = "from meshstyle.system.child_process import Message, limit_memory, serve; import numpy as np, sys\n"


def run(folder: Path, source: str, request: Message | None = None, seconds: float = 30.0) -> Message:
    script = folder / "child.py"
    script.write_text(PREFIX + source, encoding="utf-8")
    return run_child((str(script),), request or Message(), seconds)


def test_values_and_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "numbers": np.arange(6, dtype="<f4").reshape(2, 3),
        "turned": np.arange(6, dtype=np.int64).reshape(2, 3).T,
        "none": np.zeros((0, 4), np.uint8),
        "one": np.array(7.5),
        "large": np.arange(2**20, dtype=np.uint16),
    }
    answer = run(tmp_path, "serve(lambda request: request)", Message({"a": [1, "é", None]}, arrays))
    assert answer.values == {"a": [1, "é", None]}
    assert list(answer.arrays) == list(arrays)
    for name, array in arrays.items():
        assert answer.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(answer.arrays[name], array)


def test_what_libraries_print_is_not_part_of_the_answer(tmp_path: Path) -> None:
    source = "def answer(_):\n print('noise', flush=True)\n return Message({'a': 1})\nserve(answer)"
    assert run(tmp_path, source).values == {"a": 1}


@pytest.mark.parametrize(
    ("source", "clause", "last_line"),
    [
        ("sys.exit('no such luck')", r"failed \(exit status 1\)", "no such luck"),
        ("import os; os.abort()", r"failed \(exit status -6\)", ""),
        ("", "no readable result", ""),
        ("print('x' * 100)", "no readable result", ""),
        # It promises more numbers than it sends.
        (
            't = b\'{"values": {}, "arrays": [["a", "<f8", [9]]]}\'\n'
            "sys.stdout.buffer.write(len(t).to_bytes(8, 'little') + t + bytes(8))",
            "no readable result",
            "",
        ),
        # Objects are not plain numbers.
        (
            't = b\'{"values": {}, "arrays": [["a", "|O", [1]]]}\'\n'
            "sys.stdout.buffer.write(len(t).to_bytes(8, 'little') + t + bytes(8))",
            "no readable result",
            "",
        ),
    ],
)
def test_failures_are_told_apart(tmp_path: Path, source: str, clause: str, last_line: str) -> None:
    with pytest.raises(ChildError, match=clause) as caught:
        run(tmp_path, source)
    assert caught.value.last_line == last_line


def test_a_child_that_hangs_is_stopped(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ChildError, match="had not finished after 1 s"):
        run(tmp_path, "import time; time.sleep(60)", seconds=1)
    assert time.monotonic() - began < 20


def test_where_no_process_can_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
    with pytest.raises(ChildError, match="could not be started"):
        run(tmp_path, "")


def test_memory_is_limited(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    source = "limit_memory(2 << 30)\nnp.ones(3 << 30, np.uint8)"
    with pytest.raises(ChildError) as caught:
        run(tmp_path, source)
    assert "MemoryError" in caught.value.last_line


def test_modules_in_the_working_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, "serve(lambda _: Message({'a': 1}))").values == {"a": 1}
