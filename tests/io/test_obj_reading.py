"""OBJ models as assets: base colours, pictures found and not found, odd and broken files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.obj_models import FOUR, QUAD, QUAD_MTL, read_obj, write_quad

from meshstyle.bake.bake import bake, quantized
from meshstyle.config.model import Settings
from meshstyle.errors import AssetError, PictureError
from meshstyle.io.images import encode_png
from meshstyle.io.load import load_asset
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.obj.mtl import parse_map
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart, Wrap
from meshstyle.texture.build import build_surface
from meshstyle.views.placement import place_cameras
from meshstyle.views.raytrace import Tracer

DATA = Path(__file__).parents[1] / "data"
TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
HALF = 0.21404114048223255  # sRGB 0.5 in linear light: ((0.5 + 0.055) / 1.055)^2.4


def test_square(tmp_path: Path) -> None:
    asset = load_asset(write_quad(tmp_path))
    (part,), (material,) = asset.parts, asset.materials
    assert (asset.kind, asset.warnings, asset.record) == ("OBJ", (), None)
    np.testing.assert_array_equal(
        part.corners[0], [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]]
    )
    np.testing.assert_array_equal(
        part.uv, [[[0, 1], [1, 1], [1, 0]], [[0, 1], [1, 0], [0, 0]]]
    )  # v turned over
    np.testing.assert_array_equal(part.normals, np.broadcast_to([0.0, 0, 1], (1, 2, 3, 3)))
    assert part.colours is None
    np.testing.assert_allclose(material.factor, (HALF, HALF, HALF, 1), rtol=1e-12)
    assert (material.name, material.image, material.alpha_mode) == ("paper", 0, "OPAQUE")
    assert (asset.image_name(0), asset.image_size(0)) == ("four", (2, 2))
    np.testing.assert_array_equal(asset.image(0)[..., :3], FOUR)


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_line_ends_and_encodings(tmp_path: Path, ending: str, encoding: str) -> None:
    path = write_quad(tmp_path)
    for file, text in (
        (path, QUAD.replace("paper", "Tür weiß")),
        (tmp_path / "quad.mtl", QUAD_MTL.replace("paper", "Tür weiß")),
    ):
        file.write_bytes(text.replace("\n", ending).encode(encoding))
    asset = ObjAsset(path)
    assert asset.materials[0].name == "Tür weiß"
    assert asset.materials[0].image == 0
    assert asset.warnings == ()
    assert asset.parts[0].corners.shape == (1, 2, 3, 3)


def test_one_part_for_each_material_in_use(tmp_path: Path) -> None:
    corners = "".join(f"v {x} 0 0\nv {x} 1 0\nv {x} 0 1\n" for x in range(4))
    faces = "usemtl b\nf 1 2 3\no x\nusemtl a\nf 4 5 6\nusemtl b\nf 7 8 9\ng y\nusemtl none\nf 10 11 12\n"
    mtl = "newmtl a\nKd 1 0 0\nnewmtl unused\nKd 0 0 1\nnewmtl b\nKd 0 1 0\nd 0.25\n"
    asset = read_obj(tmp_path, f"mtllib m.mtl\n{corners}{faces}", m__mtl=mtl)
    assert [item.name for item in asset.materials] == ["b", "a", "none"]
    assert [item.factor for item in asset.materials] == [(0, 1, 0, 0.25), (1, 0, 0, 1), (1, 1, 1, 1)]
    assert [item.alpha_mode for item in asset.materials] == ["BLEND", "OPAQUE", "OPAQUE"]
    assert [part.corners[0, :, 0, 0].tolist() for part in asset.parts] == [[0, 2], [1], [3]]
    assert all(part.uv is None and part.normals is None for part in asset.parts)
    assert asset.warnings == ("No library has the material 'none'; white was taken.",)


@pytest.mark.parametrize(
    ("statements", "factor"),
    [
        ("", (1, 1, 1, 1)),
        ("Kd 0.5", (HALF, HALF, HALF, 1)),
        ("Kd 2 -1 0 # bright", (1, 0, 0, 1)),
        ("Kd spectral file.rfl", (1, 1, 1, 1)),
        ("Kd nan 0 0", (1, 1, 1, 1)),
        ("kd 0 0 0", (0, 0, 0, 1)),
        ("Kd 1 0 0\nKd 0 1 0", (0, 1, 0, 1)),
        ("Tr 0.75", (1, 1, 1, 0.25)),
        ("d 0.5\nTr 0.9", (1, 1, 1, 0.5)),
        ("d -halo 0.5", (1, 1, 1, 0.5)),
        ("Tr 1", (1, 1, 1, 1)),
        ("d 0", (1, 1, 1, 1)),
    ],
)
def test_factors(tmp_path: Path, statements: str, factor: tuple[float, ...]) -> None:
    asset = read_obj(tmp_path, f"mtllib m.mtl\nusemtl a\n{TRIANGLE}", m__mtl=f"newmtl a\n{statements}\n")
    np.testing.assert_allclose(asset.materials[0].factor, factor, rtol=1e-12)
    assert len(asset.warnings) == (statements in ("Tr 1", "d 0"))


def test_black_that_would_hide_the_texture(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path, mtl="newmtl paper\nKd 0 0 0\nmap_Kd four.png\n"))
    assert asset.materials[0].factor == (1, 1, 1, 1)
    assert "Kd 0 0 0" in asset.warnings[0]


@pytest.mark.parametrize(
    ("value", "file", "scale", "offset", "clamp", "placing"),
    [
        ("wood.png", "wood.png", (1, 1), (0, 0), False, ""),
        ("my wood  2.png", "my wood  2.png", (1, 1), (0, 0), False, ""),
        ('"my wood.png" # oak', "my wood.png", (1, 1), (0, 0), False, ""),
        ("-s 2 3 1 -o .5 -clamp on a b.png", "a b.png", (2, 3), (0.5, 0), True, "-s 2 3 1 -o .5 -clamp on"),
        ("-S 2 wood.png", "wood.png", (2, 1), (0, 0), False, "-s 2"),
        ("-s 2 2 2", "2", (2, 2), (0, 0), False, "-s 2 2"),
        (
            "-bm 1 -blendu off -mm 0 1 -texres 64 -clamp off x.png",
            "x.png",
            (1, 1),
            (0, 0),
            False,
            "-clamp off",
        ),
        ("-odd x.png", "-odd x.png", (1, 1), (0, 0), False, ""),
    ],
)
def test_map_options(
    value: str, file: str, scale: tuple[float, float], offset: tuple[float, float], clamp: bool, placing: str
) -> None:
    found = parse_map(value)
    assert found is not None
    assert (found.file, found.scale, found.offset, found.clamp, found.placing) == (
        file,
        scale,
        offset,
        clamp,
        placing,
    )


def test_placed_textures(tmp_path: Path) -> None:
    """In OBJ's orientation the lookup is at (2u + 0.5, 3v − 1); v is turned over at the end."""
    mtl = "newmtl paper\nmap_Kd -s 2 3 1 -o 0.5 -1 -clamp on four.png\n"
    asset = ObjAsset(write_quad(tmp_path, mtl=mtl))
    assert asset.parts[0].uv is not None
    np.testing.assert_allclose(asset.parts[0].uv[0], [[0.5, 2], [2.5, 2], [2.5, -1]])
    assert asset.materials[0].wrap == (Wrap.CLAMP, Wrap.CLAMP)


def test_range_of_a_texture(tmp_path: Path) -> None:
    """-mm 0.2 0.5: black counts as 51, white as 51 + 127.5."""
    asset = ObjAsset(write_quad(tmp_path, mtl="newmtl paper\nmap_Kd -mm 0.2 0.5 four.png\n"))
    assert asset.image(0)[0, 0].tolist() == [178, 51, 51, 255]


def test_cut_outs(tmp_path: Path) -> None:
    """With map_d an alpha of 0 and 1 is a mask; without, it is left aside and stays in the picture.

    Blender's map_d means the picture's alpha.
    """
    leaf = encode_png(np.dstack([FOUR, np.array([[0, 255], [255, 255]], np.uint8)]))
    soft = encode_png(np.dstack([FOUR, np.full((2, 2), 100, np.uint8)]))
    grey = encode_png(np.array([[[0], [255]], [[128], [64]]], np.uint8))
    for statements, mode, alpha in [
        ("map_Kd leaf.png\nmap_d leaf.png", "MASK", [[0, 255], [255, 255]]),
        ("map_Kd leaf.png", "OPAQUE", [[0, 255], [255, 255]]),
        ("map_Kd four.png\nmap_d grey.png", "BLEND", [[0, 255], [128, 64]]),
        ("map_Kd soft.png", "OPAQUE", [[100, 100], [100, 100]]),
        ("map_Kd soft.png\nmap_d soft.png", "BLEND", [[100, 100], [100, 100]]),
        ("map_Kd four.png\nmap_d -imfchan r four.png\nd 0.5", "BLEND", [[255, 0], [0, 255]]),
        ("map_Kd four.png\nd 0.5", "BLEND", [[255, 255], [255, 255]]),
    ]:
        path = write_quad(tmp_path, mtl=f"newmtl paper\n{statements}\n")
        for name, data in (("leaf", leaf), ("soft", soft), ("grey", grey)):
            (tmp_path / f"{name}.png").write_bytes(data)
        asset = ObjAsset(path)
        assert asset.materials[0].alpha_mode == mode, statements
        assert asset.image(0)[..., 3].tolist() == alpha, statements
        assert len(asset.warnings) == (statements in ("map_Kd soft.png", "map_Kd leaf.png"))


def test_a_mask_alone_makes_a_white_image(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path, mtl="newmtl paper\nmap_d -imfchan b four.png\n"))
    assert asset.image(0).tolist() == [[[255, 255, 255, 0]] * 2, [[255, 255, 255, 255]] * 2]


def test_masks_of_another_size(tmp_path: Path) -> None:
    path = write_quad(tmp_path, mtl="newmtl paper\nmap_Kd four.png\nmap_d mask.png\n")
    (tmp_path / "mask.png").write_bytes(encode_png(np.full((5, 7, 1), 64, np.uint8)))
    asset = ObjAsset(path)
    assert (asset.image(0)[..., 3] == 64).all()
    assert asset.image_size(0) == (2, 2)


@pytest.mark.parametrize(
    ("written", "there", "note"),
    [
        ("four.png", "four.png", None),
        ("tex/four.png", "tex/four.png", None),
        ("tex\\four.png", "tex/four.png", None),
        ("my%20four.png", "my four.png", None),
        ("my four.png", "my four.png", None),
        ("Four.PNG", "four.png", "is not there; 'four.png' was taken"),
        ("Tex/Four.png", "tex/four.png", "is not there; 'tex/four.png' was taken"),
        ("four.tga", "four.png", "is not there; 'four.png' was taken"),
        ("four.png", "textures/four.png", "is not there; 'textures/four.png' was taken"),
        ("C:\\art\\four.png", "four.png", "leads out of the model's folder; 'four.png' was taken"),
        ("/home/art/four.png", "tex/four.png", "leads out of the model's folder; 'tex/four.png' was taken"),
        ("../four.png", "four.png", "leads out of the model's folder; 'four.png' was taken"),
        ("https://example.org/four.png", "four.png", "leads out of the model's folder; 'four.png' was taken"),
    ],
)
def test_where_textures_are_found(tmp_path: Path, written: str, there: str, note: str | None) -> None:
    path = write_quad(tmp_path, mtl=f"newmtl paper\nmap_Kd {written}\n")
    (tmp_path / "four.png").unlink()
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(encode_png(FOUR))
    asset = ObjAsset(path)
    np.testing.assert_array_equal(asset.image(0)[..., :3], FOUR)
    assert len(asset.warnings) == (note is not None)
    assert note is None or note in asset.warnings[0]


def test_textures_that_are_not_found(tmp_path: Path) -> None:
    """Two candidates are none; files outside the folder are not opened, by name or by link."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(encode_png(FOUR))
    os.symlink(tmp_path / "secret.png", folder / "link.png")
    path = write_quad(folder)
    (folder / "four.jpg").write_bytes(b"")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "four.tga", "x" * 9999):
        (folder / "quad.mtl").write_text(f"newmtl paper\nKd 1 0 0\nmap_Kd {name}\n")
        asset = ObjAsset(path)
        assert asset.materials[0].image is None, name
        assert asset.materials[0].factor == (1, 0, 0, 1)
        assert "nothing beside the model" in asset.warnings[0]
        assert len(asset.warnings[0]) < 200


def test_libraries(tmp_path: Path) -> None:
    """Names with blanks, several in a line, misnamed ones; what the first library says counts."""
    body = f"usemtl a\n{TRIANGLE}"
    red, green = "newmtl a\nKd 1 0 0\n", "newmtl a\nKd 0 1 0\n"
    (tmp_path / "my lib.mtl").write_text(red)
    (tmp_path / "other.mtl").write_text(green)
    for line, factor, warned in [
        ("mtllib my lib.mtl", (1, 0, 0, 1), False),
        ('mtllib "my lib.mtl"', (1, 0, 0, 1), False),
        ("mtllib my lib.mtl other.mtl", (1, 0, 0, 1), False),
        ("mtllib other.mtl\nmtllib my lib.mtl", (0, 1, 0, 1), False),
        ("mtllib ./other.mtl", (0, 1, 0, 1), False),
        ("mtllib OTHER.mtl", (0, 1, 0, 1), True),
        ("mtllib /abs/other.mtl", (0, 1, 0, 1), True),
    ]:
        asset = read_obj(tmp_path, f"{line}\n{body}")
        assert asset.materials[0].factor == factor, line
        assert bool(asset.warnings) == warned, line
    (tmp_path / "model.mtl").write_text(green)
    asset = read_obj(tmp_path, f"mtllib lost.mtl\n{body}")
    assert asset.materials[0].factor == (0, 1, 0, 1)
    assert "'model.mtl' was taken" in asset.warnings[1]


def test_libraries_in_folders_name_files_from_there(tmp_path: Path) -> None:
    (tmp_path / "mat").mkdir()
    (tmp_path / "mat" / "m.mtl").write_text("newmtl a\nmap_Kd four.png\n")
    (tmp_path / "mat" / "four.png").write_bytes(encode_png(FOUR))
    asset = read_obj(tmp_path, f"mtllib mat/m.mtl\nusemtl a\n{TRIANGLE}")
    assert asset.image_size(0) == (2, 2)
    assert asset.warnings == ()


def test_models_that_name_nothing(tmp_path: Path) -> None:
    """A picture called like the model is taken, normal maps are not."""
    picture = encode_png(FOUR)
    assert read_obj(tmp_path, TRIANGLE).materials[0].image is None
    asset = read_obj(tmp_path, TRIANGLE, model_normal__png=picture, other__png=picture)
    assert asset.materials[0].image is None
    asset = read_obj(tmp_path, TRIANGLE, model_diffuse__png=picture)
    assert asset.image_name(0) == "model_diffuse"
    assert asset.warnings == ("The model names no texture; 'model_diffuse.png' was taken.",)
    assert (
        read_obj(tmp_path, TRIANGLE.replace("/1", "").replace("/2", "").replace("/3", "")).materials[0].image
        == 0
    )
    assert (
        read_obj(tmp_path, TRIANGLE, model_albedo__png=picture).materials[0].image is None
    )  # two: which one?


def test_the_only_material_serves_faces_without_one(tmp_path: Path) -> None:
    asset = read_obj(tmp_path, f"mtllib m.mtl\n{TRIANGLE}", m__mtl="newmtl a\nKd 1 0 0\n")
    assert (asset.materials[0].name, asset.materials[0].factor) == ("a", (1, 0, 0, 1))
    asset = read_obj(tmp_path, f"mtllib m.mtl\n{TRIANGLE}", m__mtl="newmtl a\nKd 1 0 0\nnewmtl default\n")
    assert (asset.materials[0].name, asset.materials[0].factor) == ("default1", (1, 1, 1, 1))


def test_vertex_colours(tmp_path: Path) -> None:
    """sRGB to linear; vertices without a colour are white; 0..255 is noticed."""
    faces = "f 1 2 3\n"
    asset = read_obj(tmp_path, f"v 0 0 0 1 0.5 0\nv 1 0 0\nv 0 1 0 0 0 0 0.5\n{faces}")
    np.testing.assert_allclose(
        asset.parts[0].colours, [[[1, HALF, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0.5]]], rtol=1e-12
    )
    asset = read_obj(tmp_path, f"v 0 0 0 255 0 0\nv 1 0 0 0 255 0\nv 0 1 0 0 0 255\n{faces}")
    np.testing.assert_allclose(asset.parts[0].colours, [[[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]]])
    assert "0 to 255" in asset.warnings[0]
    dark = "usemtl dark\nf 4 5 6\n"
    points = (
        "v 0 0 0 255 0 0\nv 1 0 0 0 255 0\nv 0 1 0 0 0 255\n"
        + "v 0 0 1 1 0 0\nv 1 0 1 1 0 0\nv 0 1 1 1 0 0\n"
    )
    asset = read_obj(tmp_path, points + faces + dark)
    np.testing.assert_allclose(asset.parts[1].colours[..., 0], 1 / 255 / 12.92)  # type: ignore[index]
    assert (
        read_obj(tmp_path, f"v 0 0 0 1 1 1\nv 1 0 0 1 1 1\nv 0 1 0 1 1 1\n{faces}").parts[0].colours is None
    )
    textured = f"mtllib m.mtl\nv 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl a\n{faces}"
    asset = read_obj(tmp_path, textured, m__mtl="newmtl a\nmap_Kd p.png\n", p__png=encode_png(FOUR))
    assert asset.parts[0].colours is None
    assert "vertex colours were left aside" in asset.warnings[0]
    assert read_obj(tmp_path, f"v 0 0 0 0.5\nv 1 0 0 0.5\nv 0 1 0 0.5\n{faces}").parts[0].colours is None


def test_normals_of_all_kinds(tmp_path: Path) -> None:
    """Any length becomes 1; corners without a usable one have the face's: +z here."""
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvn 3e200 0 4e200\nvn 0 0 0\nf 1//1 2//2 3\n"
    asset = read_obj(tmp_path, text)
    assert asset.parts[0].normals is not None
    np.testing.assert_allclose(asset.parts[0].normals[0, 0], [[0.6, 0, 0.8], [0, 0, 1], [0, 0, 1]])


def test_uvs_that_cannot_be_used(tmp_path: Path) -> None:
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0.5 0.5\nvt nan 1\nf 1/1 2/2 3\n"
    asset = read_obj(tmp_path, text)
    np.testing.assert_array_equal(asset.parts[0].uv, [[[0.5, 0.5], [0, 1], [0, 1]]])
    assert asset.warnings == ("Corners of material 'default' without usable UVs: 2.",)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "no faces"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no faces"),
        (b"v 0 0 0\nl 1 1\np 1\n", "no faces"),
        (b"v 0 0 0\nv 1 0 0\nf 1 2\n", "no faces"),
        (b"v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "vertex in line 2 is not three finite numbers"),
        (b"v 0 0 0\nv 1 0\nv 0 1 0\nf 1 2 3\n", "vertex in line 2"),
        (b"v 0 0 0\nv 1 0 1e39\nv 0 1 0\nf 1 2 3\n", "vertex in line 2"),
        (b"v 0 0 0\nf 1 2 3\n", "line 2 has an index beyond the 1 vertices"),
    ],
)
def test_broken_models(tmp_path: Path, content: bytes, cause: str) -> None:
    (tmp_path / "model.obj").write_bytes(content)
    with pytest.raises(AssetError, match=cause) as error:
        ObjAsset(tmp_path / "model.obj")
    assert str(error.value).startswith(str(tmp_path / "model.obj"))
    assert "\n" not in str(error.value)


def test_vertices_nobody_uses_may_be_broken(tmp_path: Path) -> None:
    assert len(read_obj(tmp_path, f"{TRIANGLE}v nan nan nan\n").parts) == 1


def test_no_such_model(tmp_path: Path) -> None:
    for path in (tmp_path / "none.obj", tmp_path):
        with pytest.raises(AssetError):
            ObjAsset(path)


def test_damaged_textures(tmp_path: Path) -> None:
    path = write_quad(tmp_path)
    whole = (tmp_path / "four.png").read_bytes()
    (tmp_path / "four.png").write_bytes(whole[: len(whole) - 25])
    with pytest.raises(PictureError, match=r"four\.png"):
        ObjAsset(path).image(0)


@pytest.mark.parametrize("name", ["assimp_invalid_malformed/malformed.obj", "tinyobj_test-nan/test-nan.obj"])
def test_broken_files_of_other_test_suites(name: str) -> None:
    with pytest.raises(AssetError, match="line"):
        ObjAsset(DATA / "broken" / name)


def test_real_models() -> None:
    building = ObjAsset(DATA / "building_A" / "building_A.obj")
    assert building.parts[0].corners.shape == (1, 828, 3, 3)
    assert building.image_name(0) == "citybits_texture"
    plane = ObjAsset(DATA / "plane" / "plane.obj")
    assert plane.image_name(0) == "plane_diffuse"
    assert plane.parts[0].corners.shape == (1, 2564, 3, 3)


@pytest.mark.parametrize("hidden", ["all", "half"])
def test_alpha_that_no_map_d_asks_for_hides_nothing(hidden: str, tmp_path: Path) -> None:
    pixels = np.dstack([np.kron(FOUR, np.ones((16, 16, 1), np.uint8)), np.zeros((32, 32), np.uint8)])
    if hidden == "half":
        pixels[:, 16:, 3] = 255
    path = write_quad(tmp_path, mtl="newmtl paper\nmap_Kd skin.png\n")
    (tmp_path / "skin.png").write_bytes(encode_png(pixels))
    surface = build_surface(ObjAsset(path), Settings(uv="keep", texture_size=32))
    assert place_cameras(Tracer(surface), 4, 0).visible == 1.0
    texture = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32)
    (image,) = bake(surface, [texture], [surface.atlases[0].covered]).images
    np.testing.assert_array_equal(image[..., :3], quantized(texture, None))  # painted below alpha everywhere
    np.testing.assert_array_equal(image[..., 3], pixels[..., 3])  # which stays in the picture


def test_texture_vertices_and_normals_that_do_not_exist_are_left_aside(tmp_path: Path) -> None:
    """`f 1/1/1 2/2/2 3/3/3` without any vt and vn, as several programs export; all viewers read it."""
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nusemtl a\nf 1/1/1 2/2/2 3/3/3\nusemtl b\nf 3/3/3 2/2/2 1/1/1\n"
    asset = read_obj(tmp_path, text)
    assert [part.uv for part in asset.parts] == [None, None]
    assert [part.normals for part in asset.parts] == [None, None]
    assert sum("left aside" in text for text in asset.warnings) == 2
    pixels = np.zeros((16, 16, 3), np.uint8)
    uv = np.array([[[0.25, 0.25], [0.75, 0.25], [0.25, 0.75]]])
    save_asset(asset, tmp_path / "new.obj", Paint((PaintedAtlas("p", pixels),), (PaintedPart(0, uv), None)))
    back = ObjAsset(tmp_path / "new.obj")
    np.testing.assert_allclose(back.parts[0].uv, uv)
    assert back.parts[1].uv is None  # the texture vertices that exist now are not its


def test_some_texture_vertices_do_not_excuse_an_index_beyond_them(tmp_path: Path) -> None:
    with pytest.raises(AssetError):
        read_obj(tmp_path, "v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nf 1/1 2/2 3/3\n")
