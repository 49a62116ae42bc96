"""Settings: defaults, checks, round trips; and the files they are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshstyle.config.model import PRESETS, Scale, Settings
from meshstyle.errors import InputError, UsageError
from meshstyle.run_file import RunFile, read_run_file


def test_round_trip_leaves_out_what_is_not_set() -> None:
    settings = Settings(preset="fine", views=3)
    values = settings.to_dict()
    assert "iterations" not in values
    assert "texture_size" not in values
    assert values["views"] == 3
    assert Settings.from_mapping(values) == settings


def test_iterations_are_steps_on_every_scale_of_the_preset() -> None:
    multiscale = PRESETS["standard"].scales
    assert Settings(iterations=7).scales == tuple(Scale(scale.size, 7) for scale in multiscale)
    assert Settings().scales == multiscale


def test_views_override_the_preset() -> None:
    assert Settings(preset="draft").view_count == PRESETS["draft"].views
    assert Settings(preset="draft", views=2).view_count == 2


def test_whole_numbers_become_fractions_where_fractions_belong() -> None:
    assert repr(Settings(style_weight=2).style_weight) == "2.0"


def test_dashes_count_as_underscores() -> None:
    assert Settings.from_mapping({"texture-size": 64}).texture_size == 64


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("preset", "best", "'best' is not a choice"),
        ("uv", "", "'' is not a choice"),
        ("device", "tpu", "'tpu' is not a choice"),
        ("iterations", -1, "-1 is out of range"),
        ("iterations", 1.5, "1.5 is a float"),
        ("iterations", True, "True is a bool"),
        ("views", 0, "0 is out of range"),
        ("texture_size", 8193, "8193 is out of range"),
        ("texture_size", 15, "15 is out of range"),
        ("seed", -1, "-1 is out of range"),
        ("seed", None, "None is a NoneType"),
        ("threads", 0, "0 is out of range"),
        ("style_weight", -0.5, "-0.5 is out of range"),
        ("content_weight", float("nan"), "nan is out of range"),
        ("tv_weight", float("inf"), "inf is out of range"),
        ("structure_weight", "1", "'1' is a str"),
    ],
)
def test_refuses_nonsense(name: str, value: Any, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(**{name: value})
    assert caught.value.subject == name
    assert caught.value.cause == cause


def test_unknown_names_are_told_together() -> None:
    with pytest.raises(UsageError, match="there is no setting called alpha, beta"):
        Settings.from_mapping({"beta": 1, "alpha": 1, "seed": 1}, "here")


# --- settings files ---


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_only_what_the_file_says(tmp_path: Path) -> None:
    run = read_run_file(
        write(tmp_path, 'style = "scream"\npreset = "draft"\ntexture-size = 64\ntv_weight = 2\n')
    )
    assert run.style == "scream"
    assert run.values == {"preset": "draft", "texture_size": 64, "tv_weight": 2}
    assert run.settings() == Settings(preset="draft", texture_size=64, tv_weight=2)


def test_others_go_on_top_of_the_file(tmp_path: Path) -> None:
    run = read_run_file(write(tmp_path, "views = 20\nseed = 3\n"))
    assert run.settings(views=2) == Settings(views=2, seed=3)


def test_no_file_means_defaults() -> None:
    assert RunFile(Path()).settings() == Settings()


def test_a_byte_order_mark_is_no_setting(tmp_path: Path) -> None:
    assert read_run_file(write(tmp_path, "\ufeffviews = 20\n")).values == {"views": 20}


def test_paths_count_from_the_files_own_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.png").touch()
    (tmp_path / "vgg.h5").touch()
    run = read_run_file(write(tmp_path, 'style = "mine.png"\nweights = "vgg.h5"\n'))
    assert run.style == str(tmp_path / "mine.png")
    assert run.values == {"weights": str(tmp_path / "vgg.h5")}


@pytest.mark.parametrize(
    ("text", "line", "cause", "remedy"),
    [
        ("seed = 1\niteratons = 5\n", 2, "there is no setting called iteratons", "Did you mean iterations?"),
        ("\n\n# x = 1\n  views = 0\n", 4, "views: 0 is out of range", "Give a number from 1 to 1000."),
        ('"uv" = "none"\n', 1, "uv: 'none' is not a choice", "Choose one of: auto, keep, unwrap."),
        ("seed = 1\n[ladder]\nsteps = 3\n", 2, "there is no setting called ladder", None),
        ("ladder.steps = 3\n", 1, "there is no setting called ladder", None),
        ("style = 5\n", 1, "style: 5 is not a text", None),
        ("tv-weight = 1\ntv_weight = 1\n", 2, "tv_weight is set twice", "Leave one of the two."),
    ],
)
def test_wrong_settings_are_named_with_their_line(
    tmp_path: Path, text: str, line: int, cause: str, remedy: str | None
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_run_file(path)
    assert caught.value.subject == f"{path}:{line}"
    assert caught.value.cause == cause
    assert remedy is None or caught.value.remedy == remedy


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"views = = 3\n", "it is not valid TOML"),
        (b"views = \xff\n", "it is not UTF-8 text"),
        (b"#" * (2**20 + 1), "it is too large"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, data: bytes, cause: str) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_run_file(path)
    assert caught.value.subject == str(path)
    assert caught.value.cause.startswith(cause)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: there is no such file"):
        read_run_file(tmp_path / "none.toml")
    with pytest.raises(InputError, match="ordinary file"):
        read_run_file(tmp_path)
