"""Style texts: pictures with places of their own, from the command line to the record in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from meshstyle.cli.main import main

from meshstyle.bundled import find_styles
from meshstyle.config.model import Settings
from meshstyle.config.styles import Region, StyleRequest, beside, parse_styles, shares
from meshstyle.errors import InputError, UsageError
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.provenance import run_record
from meshstyle.recorded_settings import take_record
from meshstyle.run_file import read_run_file
from meshstyle.stylize_model import stylize

ASSETS = Path(__file__).parents[2] / "assets"
ROBOT = ASSETS / "models" / "robot" / "robot.glb"


def test_a_text_names_pictures_places_and_strengths() -> None:
    assert parse_styles("scream") == (StyleRequest("scream"),)
    assert parse_styles("a.png + b:material=Sail* + c:mask=m.png:strength=0.5") == (
        StyleRequest("a.png"),
        StyleRequest("b", Region("material", "Sail*")),
        StyleRequest("c", Region("mask", "m.png"), 0.5),
    )
    assert parse_styles("https://host/x.png:part=A:B") == (
        StyleRequest("https://host/x.png", Region("part", "A:B")),
    )
    for text in ("a", "a:part=B", "a:mask=x y.png:strength=0.25"):
        assert str(parse_styles(text)[0]) == text


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a + ", "lacks a picture"),
        (":material=x", "names no picture"),
        ("a:material=", "says nothing after material="),
        ("a:material=x:part=y", "names two places"),
        ("a:strength=2", "no number from 0 to 1"),
        (" + ".join("a" * 17), "too many"),
    ],
)
def test_what_is_no_style_text_is_told(text: str, cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        parse_styles(text)


def test_a_file_of_that_very_name_wins(tmp_path: Path) -> None:
    odd = tmp_path / "a + b:mask=c.png"
    odd.write_bytes(b"")
    assert parse_styles(str(odd)) == (StyleRequest(str(odd)),)


def test_weights_share_out_each_place() -> None:
    requests = parse_styles("a + b + c:part=x")
    assert shares((), requests) == (0.5, 0.5, 1.0)
    assert shares((3, 1, 7), requests) == (0.75, 0.25, 1.0)
    for weights, cause in (((1,), "1 weights were given for 3"), ((1, 1, 0), "part=x have the weight 0")):
        with pytest.raises(UsageError, match=cause):
            shares(weights, requests)


def test_files_lie_beside_the_settings_file(tmp_path: Path) -> None:
    for name in ("ink.png", "m.png", "s.png"):
        (tmp_path / name).write_bytes(b"")
    assert (
        beside("ink.png:mask=m.png + scream", tmp_path)
        == f"{tmp_path}/ink.png:mask={tmp_path}/m.png + scream"
    )
    look = tmp_path / "look.toml"
    look.write_text(
        'style = ["scream", "ink.png:mask=m.png"]\nstrength-map = "s.png"\nprotect = ["Eye*", "mask=m.png"]'
    )
    run = read_run_file(look)
    assert run.style == f"scream + {tmp_path}/ink.png:mask={tmp_path}/m.png"
    assert run.settings().strength_map == str(tmp_path / "s.png")
    assert run.settings().protect == ("Eye*", f"mask={tmp_path}/m.png")
    look.write_text('\nstyle = ["scream:material="]')
    with pytest.raises(UsageError, match=r"look.toml:2: style: .*says nothing"):
        read_run_file(look)


def test_records_keep_places_and_no_folders(tmp_path: Path) -> None:
    picture = tmp_path / "ink.png"
    picture.write_bytes(encode_png(_black(32)))
    requested = find_styles(["scream", f"{picture}:material=Sail*:strength=0.5"])
    settings = Settings(style_weights=(2, 1), strength_map=str(picture), protect=("Eye", f"mask={picture}"))
    record = run_record(settings, requested)
    assert record["style"] == ["scream", "ink.png:material=Sail*:strength=0.5"]
    assert record["settings"]["strength_map"] == "ink.png"
    assert record["settings"]["protect"] == ["Eye", "mask=ink.png"]
    assert str(tmp_path) not in str(record)
    record["settings"] = {"style_weights": [2, 1]}
    taken = take_record(tmp_path / "x.glb", record, Settings)
    assert taken.styles == ("scream", f"{picture}:material=Sail*:strength=0.5")


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"style": "scream:mask=m.png"}, "no files are taken from records"),
        ({"style": ["scream"] * 17}, "names no picture"),
        ({"settings": {"strength_map": "m.png"}}, "--strength-map, and no files"),
        ({"settings": {"protect": ["mask=m.png"]}}, "protects what a mask marks"),
    ],
)
def test_no_masks_are_taken_from_records(changed: dict[str, Any], cause: str, tmp_path: Path) -> None:
    record = {"style": "scream", "settings": {}, **changed}
    with pytest.raises(InputError, match=cause):
        take_record(tmp_path / "x.glb", record, Settings)


def _black(side: int) -> Any:
    import numpy as np

    return np.zeros((side, side, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["-s", "scream", "-s", "mondrian:material=Nowt"],
            2,
            "no material is called Nowt. The materials are: Main",
        ),
        (["-s", "scream:part=Nowt*"], 2, "no part is called Nowt"),
        (["-s", "scream:attribute=_STYLE"], 2, "no vertex attribute _STYLE"),
        (["-s", "scream:mask=no.png"], 3, "there is no such mask"),
        (["-s", "scream:mask=black.png"], 2, "no white anywhere"),
        (["-s", "scream", "--strength-map", "no.png"], 3, "there is no such mask"),
        (["-s", "scream", "-s", "mondrian", "--style-weights", "1,2,3"], 2, "3 weights were given for 2"),
        (["-s", "scream", "--protect", "Nowt"], 2, "no part is called Nowt"),
        (["-s", "scream", "--keep-colors", "some"], 2, "--keep-colors"),
    ],
)
def test_bad_places_are_one_line_and_nothing_is_written(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("black.png").write_bytes(encode_png(_black(8)))
    little = ["--preset", "draft", "--iterations", "1", "--texture-size", "64", "--views", "4"]
    model = str(ASSETS / "models" / "spot" / "spot.obj") if "black" in said or "white" in said else str(ROBOT)
    assert main(["stylize", model, *arguments, *little, "-q", "-o", "out.glb"]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["black.png"]


def test_two_materials_come_out_in_two_styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A red painting on one material and a blue one on the other: each has its own colour."""
    import numpy as np

    from meshstyle.config.model import Scale

    monkeypatch.setattr(Settings, "scales", property(lambda _: (Scale(64, 4),)))
    red, blue = _black(64), _black(64)
    red[..., 0], blue[..., 2] = 200, 200
    red[::8], blue[::8] = (120, 0, 0), (0, 0, 120)
    for name, pixels in (("red.png", red), ("blue.png", blue)):
        (tmp_path / name).write_bytes(encode_png(pixels))
    result = stylize(
        ROBOT,
        [f"{tmp_path}/red.png", f"{tmp_path}/blue.png:material=Grey"],
        tmp_path / "out.glb",
        views=4,
        texture_size=128,
        style_border=0.0,
        structure_weight=0.0,
    )
    assert result.style.endswith("red.png + " + f"{tmp_path}/blue.png:material=Grey")
    asset = load_asset(tmp_path / "out.glb")
    assert asset.record is not None
    assert asset.record["style"] == ["red.png", "blue.png:material=Grey"]
    means = {}
    for part in asset.parts:
        image = asset.image(asset.materials[part.material].image)
        assert part.uv is not None
        middle = part.uv.mean(axis=1)
        colours = image[
            (middle[:, 1] * 128).astype(int).clip(0, 127), (middle[:, 0] * 128).astype(int).clip(0, 127)
        ]
        means.setdefault(asset.materials[part.material].name.split(".")[0], []).append(colours[:, :3])
    colour = {name: np.concatenate(found).mean(axis=0) for name, found in means.items()}
    assert colour["Main"][0] > 2 * colour["Main"][2]
    assert colour["Grey"][2] > 2 * colour["Grey"][0]
