"""What ships: every file is there, has a licence, and is found by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshstyle.bundled import find_style, models, styles
from meshstyle.errors import PictureError
from meshstyle.io.images import read_picture

ROOT = Path(__file__).parents[2] / "assets"


def test_enough_ships_and_it_is_small() -> None:
    assert len(styles()) >= 6
    assert len(models()) >= 3
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) < 12e6


def test_every_painting_can_be_read_and_is_found_by_name() -> None:
    for style in styles():
        assert find_style(style.name) == style.path
        pixels = read_picture(style.path)
        assert min(pixels.shape[:2]) >= 256, style.name
        assert pixels[..., 3].min() == 255


def test_every_shipped_file_is_in_the_list_of_licences() -> None:
    text = (ROOT / "LICENSES.md").read_text(encoding="utf-8")
    for style in styles():
        assert f"`{style.path.name}`" in text
        assert style.artist in text
    for model in models():
        assert model.path.is_file()
        assert f"`{model.path.parent.name}/`" in text
    for photo in (ROOT / "photos").iterdir():
        assert f"`{photo.name}`" in text
    catalogued = {style.path.name for style in styles()}
    assert {path.name for path in (ROOT / "paintings").iterdir()} == catalogued
    assert {path.name for path in (ROOT / "models").iterdir()} == {
        model.path.parent.name for model in models()
    }


@pytest.mark.parametrize(
    "spelling", ["starry-night", "starry_night", "Starry Night", "The Starry Night", " STARRY-night"]
)
def test_spellings(spelling: str) -> None:
    assert find_style(spelling).name == "starry-night.jpg"


def test_a_file_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scream").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    assert find_style("scream") == Path("scream")
    (tmp_path / "mondrian").mkdir()  # a folder is no picture
    assert find_style("mondrian").name == "mondrian.jpg"


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(
        PictureError, match=r"^stary-nite: .*Did you mean starry-night\?.*one of: contrast-of-forms, "
    ):
        find_style("stary-nite")
    with pytest.raises(PictureError, match=r"no such picture file"):
        find_style("folder/none.png")
    with pytest.raises(PictureError):
        find_style("x" * 5000)
    assert find_style(tmp_path) == tmp_path  # the reader says that it is a folder
