"""Where results go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshstyle.errors import OutputError, UsageError
from meshstyle.io.load import SUFFIXES
from meshstyle.output_path import CAN_BECOME, check_writable, choose_output, default_output


def test_beside_the_model_under_its_own_kind() -> None:
    assert default_output(Path("a/cow.glb")) == Path("a/cow.stylized.glb")
    assert choose_output(Path("a/cow.v2.OBJ"), None) == Path("a/cow.v2.stylized.OBJ")
    assert choose_output(Path("a/cow.STL"), None) == Path("a/cow.stylized.glb")


def test_a_folder_takes_it_under_its_usual_name(tmp_path: Path) -> None:
    assert choose_output(Path("cow.glb"), tmp_path) == tmp_path / "cow.stylized.glb"
    new = f"{tmp_path}/new{os.sep}"
    assert choose_output(Path("cow.glb"), new) == tmp_path / "new" / "cow.stylized.glb"


@pytest.mark.parametrize(
    ("model", "output"),
    [("a.obj", "b.glb"), ("a.obj", "b.obj"), ("a.glb", "b.GLTF"), ("a.gltf", "b.glb"), ("a.ply", "b.gltf")],
)
def test_kinds_that_can_be_written(model: str, output: str) -> None:
    assert choose_output(Path(model), output) == Path(output)


@pytest.mark.parametrize(
    ("model", "output", "cause"),
    [
        ("a.obj", "b", "its name has no suffix to say what kind of file it should be"),
        ("a.obj", "b.png", ".png is not a kind of model that can be written"),
        ("a.obj", "b.vrm", "a .obj model cannot be written as .vrm"),
        ("a.off", "b.vrm", "a .off model cannot be written as .vrm"),
        ("a.stl", "b.stl", ".stl is not a kind of model that can be written"),
    ],
)
def test_kinds_that_cannot(model: str, output: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_output(Path(model), output)
    assert (caught.value.subject, caught.value.cause) == (output, cause)


def test_every_kind_that_is_read_has_one_that_is_written() -> None:
    assert set(CAN_BECOME) == set(SUFFIXES)


def test_unknown_models_are_left_to_their_reader() -> None:
    assert choose_output(Path("a.txt"), None) == Path("a.stylized.txt")


def test_the_model_itself_is_refused_by_any_name(tmp_path: Path) -> None:
    model = tmp_path / "a.obj"
    model.touch()
    (tmp_path / "link.obj").symlink_to(model)
    for name in (model, tmp_path / "link.obj", f"{tmp_path}/./a.obj"):
        with pytest.raises(UsageError, match="the output is the input"):
            choose_output(model, name)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        choose_output(tmp_path / "a.glb", "")
    with pytest.raises(OutputError, match="cannot be written"):
        choose_output(tmp_path / "a.glb", tmp_path / ("x" * 300 + ".glb"))


def test_trying_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "deep" / "a.glb")
    check_writable(tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "deep" / "a.glb"
    with pytest.raises(OutputError) as caught:
        check_writable(output)
    assert caught.value.subject == str(output)
    assert caught.value.cause.startswith("its folder cannot be written to (")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
