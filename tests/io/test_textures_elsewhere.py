"""Textures above the model's folder (--root), and textures that are not there (--strict)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.gltf_samples import SQUARE, SQUARE_UV, Maker, gradient, paint
from helpers.obj_models import FOUR, QUAD
from meshstyle.cli.main import main

from meshstyle.config.model import Settings
from meshstyle.errors import AssetError, UsageError
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.io.safe_paths import roots_for
from meshstyle.io.save import save_asset
from meshstyle.io.types import lost_textures
from meshstyle.prepare import check_textures
from meshstyle.provenance import run_record

SKIN = "../textures/skin.png"


def project(folder: Path, kind: str, texture: str = SKIN) -> Path:
    """`models/quad` and `textures/skin.png`, in a folder beside which lies `secret.png`."""
    for name in ("game/models", "game/textures"):
        (folder / name).mkdir(parents=True)
    (folder / "game/textures/skin.png").write_bytes(encode_png(FOUR))
    (folder / "secret.png").write_bytes(encode_png(FOUR))
    models = folder / "game/models"
    if kind == "obj":
        (models / "quad.obj").write_text(QUAD)
        (models / "quad.mtl").write_text(f"newmtl paper\nKd 1 1 1\nmap_Kd {texture}\n")
        return models / "quad.obj"
    maker = Maker(images=[{"uri": texture}], textures=[{"source": 0}])
    maker.mesh(maker.square(material=maker.material(0)))
    return maker.gltf(models / "quad.gltf")


@pytest.mark.parametrize("kind", ["obj", "gltf"])
def test_a_folder_above_can_be_allowed(kind: str, tmp_path: Path) -> None:
    asset = load_asset(project(tmp_path, kind), tmp_path / "game")
    assert asset.warnings == ()
    np.testing.assert_array_equal(asset.image(0)[..., :3], FOUR)


@pytest.mark.parametrize("kind", ["obj", "gltf"])
@pytest.mark.parametrize("name", ["../../secret.png", "../textures/../../secret.png"])
def test_nothing_outside_it_is_read(kind: str, name: str, tmp_path: Path) -> None:
    path = project(tmp_path, kind, name)
    if kind == "gltf":
        with pytest.raises(AssetError):
            load_asset(path, tmp_path / "game")
        return
    asset = load_asset(path, tmp_path / "game")
    assert asset.materials[0].image is None
    assert len(lost_textures(asset)) == 1


def test_links_that_lead_out_of_it_are_not_followed(tmp_path: Path) -> None:
    path = project(tmp_path, "obj", "../textures/link.png")
    (tmp_path / "game/textures/link.png").symlink_to(tmp_path / "secret.png")
    assert load_asset(path, tmp_path / "game").materials[0].image is None


def test_without_it_the_remedy_is_told(tmp_path: Path) -> None:
    asset = load_asset(project(tmp_path / "a", "obj"))
    assert asset.materials[0].image is None
    assert "--root" in lost_textures(asset)[0]
    with pytest.raises(AssetError) as caught:
        load_asset(project(tmp_path / "b", "gltf"))
    assert "--root" in caught.value.remedy


def test_the_folder_must_hold_the_model(tmp_path: Path) -> None:
    path = project(tmp_path, "obj")
    for wrong in (tmp_path / "game/textures", tmp_path / "nowhere", path):
        with pytest.raises(UsageError):
            load_asset(path, wrong)


def test_every_command_that_reads_models_knows_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, root = str(project(tmp_path, "gltf")), str(tmp_path / "game")
    film, page = str(tmp_path / "film.png"), str(tmp_path / "page.html")
    draw = ["turntable", path, "--sheet", "1x1", "--size", "16", "--renderer", "rays", "-o"]
    assert main(["info", path]) == main([*draw, film]) == 3
    capsys.readouterr()
    assert main(["info", path, "--root", root]) == 0
    assert "skin" in capsys.readouterr().out
    assert main([*draw, film, "--root", root]) == 0
    assert main(["turntable", path, "-o", page, "--root", root]) == 0
    compared: list[int] = []
    monkeypatch.setattr(
        "meshstyle.evaluation.judge", lambda ours, theirs, *more: compared.append(len(theirs.scene.atlases))
    )
    assert main(["evaluate", path, "--original", path, "--style", "mondrian", "--root", root]) == 3
    assert compared == [1]


def test_the_folder_need_hold_only_one_of_two_models(tmp_path: Path) -> None:
    path, root, result = project(tmp_path, "gltf"), tmp_path / "game", tmp_path / "out.glb"
    assert roots_for([result, path], root) == [None, root]
    assert roots_for([result, path], None) == [None, None]
    with pytest.raises(UsageError):
        roots_for([result, tmp_path / "other.glb"], root)


@pytest.mark.parametrize("kind", ["obj", "gltf"])
def test_results_elsewhere_bring_what_they_use(kind: str, tmp_path: Path) -> None:
    path = project(tmp_path, kind)
    asset = load_asset(path, tmp_path / "game")
    output = tmp_path / f"out/quad.{kind}"
    output.parent.mkdir()
    bare = paint(asset, False)  # type: ignore[arg-type]
    unpainted = type(bare)((), (None,), {"seed": 1})
    save_asset(asset, output, unpainted)
    np.testing.assert_array_equal(load_asset(output).image(0)[..., :3], FOUR)


@pytest.mark.parametrize("kind", ["obj", "gltf"])
def test_textures_that_are_not_there_are_told_and_refused_where_asked(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project(tmp_path, kind, "gone.png")
    asset = load_asset(path)
    (told,) = lost_textures(asset)
    assert "gone.png" in told
    assert told in asset.warnings
    check_textures(asset, Settings())
    with pytest.raises(AssetError):
        check_textures(asset, Settings(strict=True))
    plan = ["stylize", str(path), "--style", "starry-night", "--dry-run", "--json"]
    assert main(plan) == 0
    assert told in json.loads(capsys.readouterr().out)["warnings"]
    assert main([*plan, "--strict"]) == 3
    assert "gone.png" in capsys.readouterr().err


def test_a_missing_texture_of_a_gltf_is_painted_from_white(tmp_path: Path) -> None:
    path = project(tmp_path, "gltf", "gone.png")
    asset = load_asset(path)
    written = save_asset(asset, tmp_path / "out.glb", paint(asset, False))  # type: ignore[arg-type]
    np.testing.assert_array_equal(load_asset(written[0]).image(0)[..., :3], gradient())
    assert len(SQUARE) == len(SQUARE_UV)


def test_folders_of_this_machine_do_not_go_into_files(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(encode_png(FOUR))
    record = run_record(Settings(root=str(tmp_path), strict=True), {"p": tmp_path / "p.png"})
    assert not {"root", "strict"} & set(record["settings"])
