"""Writing OBJ: what may change does, everything else is the same to the byte."""

from __future__ import annotations

import difflib
from pathlib import Path

import numpy as np
import pytest
import trimesh
from helpers.obj_models import QUAD, QUAD_MTL, paint, read_obj, read_plainly, write_quad
from PIL import Image

from meshstyle.errors import OutputError, UsageError
from meshstyle.io.images import encode_png
from meshstyle.io.obj.asset import ObjAsset
from meshstyle.io.save import save_asset
from meshstyle.io.types import Paint, PaintedAtlas, PaintedPart

ASSETS = Path(__file__).parents[2] / "assets"
DATA = Path(__file__).parents[1] / "data"


def changed_lines(before: bytes, after: bytes) -> list[str]:
    """Lines that differ, with their ends: first `-` what is gone, then `+` what is new."""
    diff = difflib.ndiff(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True))
    return sorted((line for line in diff if line[0] in "+-"), key=lambda line: line[0] == "+")


def test_kept_uvs_change_only_the_librarys_name(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    out = tmp_path / "new" / "painted.obj"
    written = save_asset(asset, out, paint(asset))
    assert [path.name for path in written] == ["painted.obj", "painted.mtl", "painted.png"]
    assert changed_lines(QUAD.encode(), out.read_bytes()) == ["- mtllib quad.mtl\n", "+ mtllib painted.mtl\n"]
    assert changed_lines(QUAD_MTL.encode(), (out.parent / "painted.mtl").read_bytes()) == [
        "- Kd 0.5 0.5 0.5\n",
        "- map_Kd four.png\n",
        '+ # meshstyle {"seed":7}\n',
        "+ Kd 1 1 1\n",
        "+ map_Kd painted.png\n",
    ]
    back = ObjAsset(out)
    np.testing.assert_array_equal(back.image(0)[..., :3], paint(asset).atlases[0].pixels)
    assert back.record == {"seed": 7}
    assert back.materials[0].factor == (1, 1, 1, 1)


def test_new_uvs(tmp_path: Path) -> None:
    """`vt` lines stand before the first face; positions and normals of the corners stay as written."""
    asset = ObjAsset(
        write_quad(
            tmp_path, QUAD.replace("f 1/1/1 2/2/1 3/3/1 4/4/1", "  f -4/1/1 2/2/-1 3/3/1 # a\nf 1 3 4")
        )
    )
    save_asset(asset, tmp_path / "new.obj", paint(asset, unwrap=True))
    assert changed_lines(QUAD.encode(), (tmp_path / "new.obj").read_bytes()) == [
        "- mtllib quad.mtl\n",
        "- f 1/1/1 2/2/1 3/3/1 4/4/1\n",
        "+ mtllib new.mtl\n",
        "+ vt 0.2500000 0.8750000\n",
        "+ vt 0.5000000 0.8750000\n",
        "+ vt 0.2500000 0.6250000\n",
        "+   f -4/5/1 2/6/-1 3/7/1 # a\n",
        "+ f 1/5 3/6 4/7\n",
    ]
    np.testing.assert_allclose(
        ObjAsset(tmp_path / "new.obj").parts[0].uv, paint(asset, unwrap=True).parts[0].uv
    )


def test_polygons_stay_whole_unless_a_seam_cuts_them(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    whole = corners[[[0, 1, 2], [0, 2, 3]]]
    apart = whole.copy()
    apart[1] += 0.05
    atlas = (PaintedAtlas("a", np.zeros((4, 4, 3), np.uint8)),)
    save_asset(asset, tmp_path / "whole.obj", Paint(atlas, (PaintedPart(0, whole),)))
    assert b"f 1/5/1 2/6/1 3/7/1 4/8/1\n" in (tmp_path / "whole.obj").read_bytes()
    save_asset(asset, tmp_path / "apart.obj", Paint(atlas, (PaintedPart(0, apart),)))
    assert b"f 1/5/1 2/6/1 3/7/1\nf 1/8/1 3/9/1 4/10/1\n" in (tmp_path / "apart.obj").read_bytes()
    np.testing.assert_allclose(ObjAsset(tmp_path / "apart.obj").parts[0].uv, apart, atol=1e-7)


def test_unpainted_faces_keep_their_uvs(tmp_path: Path) -> None:
    """The new block shifts what comes after it; relative references may reach across it. The reader agrees."""
    text = """\
mtllib m.mtl
v 0 0 0
v 1 0 0
v 0 1 0
vt 0.1 0.1
vt 0.2 0.2
usemtl keep
f 1/1 2/2 3/3
f 1/-2 2/-1 3/3
usemtl paint
f 1/1 2/2 3/3
vt 0.3 0.3
usemtl keep
f 1/-3 2/-2 3/-1
f 1/1 2/2 3/3
l 1/3 2/-3 3/1
"""
    asset = read_obj(tmp_path, text, m__mtl="newmtl keep\nnewmtl paint\n")
    new = PaintedPart(0, np.array([[[0.5, 0.5], [0.75, 0.5], [0.5, 0.75]]]))
    out = tmp_path / "new.obj"
    save_asset(asset, out, Paint((PaintedAtlas("a", np.zeros((4, 4, 3), np.uint8)),), (None, new)))
    before, after = read_plainly(tmp_path / "model.obj"), read_plainly(out)
    for face, material in enumerate(before.materials):
        if material == "keep":
            assert after.uv_corners(face) == before.uv_corners(face), face
    assert after.uv_corners(2) == [[0.5, 0.5], [0.75, 0.5], [0.5, 0.25]]
    assert after.rest[-1] == "l 1/6 2/1 3/1"
    back = ObjAsset(out)
    np.testing.assert_array_equal(back.parts[0].uv, asset.parts[0].uv)
    assert (out.parent / "new.mtl").read_text().count("map_Kd new.png") == 1


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encoding_and_line_ends_stay(tmp_path: Path, encoding: str, ending: str) -> None:
    path = write_quad(tmp_path)
    before = {"obj": QUAD.replace("a square", "Würfel"), "mtl": QUAD_MTL.replace("one", "eins: Ü")}
    for suffix, text in before.items():
        (tmp_path / f"quad.{suffix}").write_bytes(text.replace("\n", ending).encode(encoding))
    asset = ObjAsset(path)
    save_asset(asset, tmp_path / "Tür.obj", paint(asset, unwrap=False))
    expected = before["obj"].replace("quad.mtl", "Tür.mtl").replace("\n", ending).encode(encoding)
    assert (tmp_path / "Tür.obj").read_bytes() == expected
    library = before["mtl"].replace("Kd 0.5 0.5 0.5", "Kd 1 1 1").replace("four.png", "Tür.png")
    library = ('# meshstyle {"seed":7}\n' + library).replace("\n", ending)
    assert (tmp_path / "Tür.mtl").read_bytes() == library.encode(encoding)


def test_continued_lines_stay_continued(tmp_path: Path) -> None:
    text = QUAD.replace("f 1/1/1 2/2/1 3/3/1 4/4/1", "f 1/1/1\t2/2/1 \\\r\n  3/3/1 4/4/1 # end")
    asset = ObjAsset(write_quad(tmp_path, text))
    save_asset(asset, tmp_path / "new.obj", paint(asset, unwrap=True))
    written = (tmp_path / "new.obj").read_bytes()
    # Both triangles have the same three UVs: the quad is cut. One with kept UVs is not touched at all.
    assert b"f 1/5/1 2/6/1 3/7/1\nf 1/5/1 3/6/1 4/7/1 # end\n" in written
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])[[[0, 1, 2], [0, 2, 3]]]
    save_asset(asset, tmp_path / "new.obj", Paint(paint(asset).atlases, (PaintedPart(0, corners),)))
    assert b"f 1/5/1\t2/6/1 \\\r\n  3/7/1 4/8/1 # end\n" in (tmp_path / "new.obj").read_bytes()


def test_models_without_library_or_material_get_both(tmp_path: Path) -> None:
    asset = read_obj(tmp_path, "# first\n\nv 0 0 0\nv 1 0 0\nv 0 1 0\ng a\nf 1 2 3\nusemtl b\nf 1 2 3\n")
    save_asset(asset, tmp_path / "new.obj", paint(asset, unwrap=True))
    assert (tmp_path / "new.obj").read_text() == (
        "# first\n\nmtllib new.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\ng a\nusemtl default\n"
        "vt 0.2500000 0.8750000\nvt 0.5000000 0.8750000\nvt 0.2500000 0.6250000\n"
        "f 1/1 2/2 3/3\nusemtl b\nf 1/1 2/2 3/3\n"
    )
    assert (tmp_path / "new.mtl").read_text() == (
        '# meshstyle {"seed":7}\nnewmtl default\nKd 1 1 1\nmap_Kd new.png\nnewmtl b\nKd 1 1 1\nmap_Kd new.png\n'
    )
    assert [item.image for item in ObjAsset(tmp_path / "new.obj").materials] == [0, 0]


def test_vertex_colours_do_not_tint_the_paint(tmp_path: Path) -> None:
    text = "v 0 0 0 1 0 0\nv 1 0 0\t0 1 0 # green\r\nv 0 1 0 1\nv 0 0 1 0 0 1\nusemtl a\nf 1 2 3\nusemtl b\nf 1 2 4\n"
    asset = read_obj(tmp_path, text)
    save_asset(asset, tmp_path / "all.obj", paint(asset, unwrap=True))
    lines = (tmp_path / "all.obj").read_bytes().split(b"\n")
    assert lines[1:5] == [b"v 0 0 0", b"v 1 0 0 # green\r", b"v 0 1 0 1", b"v 0 0 1"]
    half = Paint(paint(asset).atlases, (paint(asset, unwrap=True).parts[0], None))
    save_asset(asset, tmp_path / "half.obj", half)
    lines = (tmp_path / "half.obj").read_bytes().split(b"\n")
    assert lines[1:5] == text.encode().split(b"\n")[:4]


STATEMENTS = """\
newmtl paper
  Kd 0.5 0.5 0.5 # grey
Ks 0.1 0.1 0.1
d 0.5
map_Ka four.png
map_Kd -s 2 2 -mm 0 0.5 -clamp on four.png
map_Bump -bm 0.5 tex\\bump.png
refl -type sphere sky.png
map_Ks lost.png
"""


def companions(folder: Path) -> Path:
    folder.mkdir()
    path = write_quad(folder, mtl=STATEMENTS)
    (folder / "tex").mkdir()
    for name, value in (("tex/bump.png", 1), ("sky.png", 2)):
        (folder / name).write_bytes(encode_png(np.full((2, 2, 3), value, np.uint8)))
    return path


def test_other_properties_stay_and_their_files_come_along(tmp_path: Path) -> None:
    asset = ObjAsset(companions(tmp_path / "in"))
    out = tmp_path / "out"
    written = save_asset(asset, out / "new.obj", paint(asset))
    assert {path.relative_to(out).as_posix() for path in written} == {
        "new.obj", "new.mtl", "new.png", "tex/bump.png", "sky.png"
    }  # fmt: skip
    assert (out / "new.mtl").read_text().splitlines()[1:] == [
        "newmtl paper",
        "  Kd 1 1 1",
        "Ks 0.1 0.1 0.1",
        "d 0.5",
        "map_Ka new.png",
        "map_Kd -s 2 2 -clamp on new.png",
        "map_Bump -bm 0.5 tex\\bump.png",
        "refl -type sphere sky.png",
        "map_Ks lost.png",
    ]
    assert (out / "sky.png").read_bytes() == (tmp_path / "in" / "sky.png").read_bytes()


def test_maps_for_other_uvs_are_left_out(tmp_path: Path) -> None:
    asset = ObjAsset(companions(tmp_path / "in"))
    save_asset(asset, tmp_path / "in" / "new.obj", paint(asset, unwrap=True, channels=4))
    text = (tmp_path / "in" / "new.mtl").read_text()
    assert "\nmap_Kd new.png\n" in text
    assert "\n# left out by meshstyle, made for other UVs: map_Bump -bm 0.5 tex\\bump.png\n" in text
    assert "\nrefl -type sphere sky.png\n" in text
    assert "map_d" not in text


def test_files_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    asset = ObjAsset(companions(tmp_path / "in"))
    out = tmp_path / "out"
    (out / "tex").mkdir(parents=True)
    foreign = {name: name.encode() for name in ("sky.png", "new.mtl", "new.png")}
    for name, data in foreign.items():
        (out / name).write_bytes(data)
    (out / "tex" / "bump.png").write_bytes((tmp_path / "in" / "tex" / "bump.png").read_bytes())  # the same
    names = [path.relative_to(out).as_posix() for path in save_asset(asset, out / "new.obj", paint(asset))]
    assert names == ["new.obj", "new_2.mtl", "new_2.png", "sky_2.png"]
    assert {name: (out / name).read_bytes() for name in foreign} == foreign
    assert "refl -type sphere sky_2.png" in (out / "new_2.mtl").read_text()
    # A second run replaces what the first one wrote.
    again = [path.relative_to(out).as_posix() for path in save_asset(asset, out / "new.obj", paint(asset))]
    assert again == names[:3]


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path, QUAD.replace("quad.mtl", "four.mtl"), None))
    with pytest.raises(OutputError):
        save_asset(asset, tmp_path / "quad.obj", paint(asset))
    names = [path.name for path in save_asset(asset, tmp_path / "four.obj", paint(asset))]
    assert names == ["four.obj", "four.mtl", "four_2.png"]  # no file of this model, but someone's
    (tmp_path / "four_2.png").unlink()
    (tmp_path / "four.mtl").write_text(QUAD_MTL)
    asset = ObjAsset(tmp_path / "quad.obj")
    names = [path.name for path in save_asset(asset, tmp_path / "four.obj", paint(asset))]
    assert names == ["four.obj", "four_2.mtl", "four_2.png"]
    assert (tmp_path / "four.mtl").read_text() == QUAD_MTL
    with pytest.raises(UsageError, match=r"\.fbx"):
        save_asset(asset, tmp_path / "quad.fbx", paint(asset))


def test_cut_outs_stay_cut_out(tmp_path: Path) -> None:
    leaf = encode_png(
        np.dstack([np.full((2, 2, 3), 9, np.uint8), np.array([[0, 255], [255, 255]], np.uint8)])
    )
    path = write_quad(tmp_path, mtl="newmtl paper\nmap_Kd four.png\nmap_d leaf.png\n")
    (tmp_path / "leaf.png").write_bytes(leaf)
    asset = ObjAsset(path)
    new = paint(asset, channels=4)
    new.atlases[0].pixels[..., 3] = np.where(np.arange(16) < 8, 0, 255)
    save_asset(asset, tmp_path / "new.obj", new)
    assert "map_Kd new.png\nmap_d -imfchan m new.png\n" in (tmp_path / "new.mtl").read_text()
    back = ObjAsset(tmp_path / "new.obj")
    assert back.materials[0].alpha_mode == "MASK"
    np.testing.assert_array_equal(back.image(0), new.atlases[0].pixels)


def test_several_libraries_become_one(tmp_path: Path) -> None:
    text = (
        "mtllib a.mtl\nmtllib b.mtl c.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl x\nf 1 2 3\nusemtl y\nf 1 2 3\n"
    )
    libraries = {"a__mtl": "newmtl x\nNs 1", "b__mtl": "newmtl y\nNs 2\n", "c__mtl": "newmtl x\nNs 3\n"}
    asset = read_obj(tmp_path, text, **libraries)
    first, second = paint(asset, unwrap=True).parts
    assert first is not None
    assert second is not None
    atlases = tuple(PaintedAtlas(name, np.full((2, 2, 3), 50, np.uint8)) for name in ("wood", "wood"))
    written = save_asset(asset, tmp_path / "n.obj", Paint(atlases, (first, PaintedPart(1, second.uv))))
    assert [path.name for path in written] == ["n.obj", "n.mtl", "n_wood.png", "n_wood_2.png"]
    assert (
        (tmp_path / "n.obj")
        .read_text()
        .startswith("mtllib n.mtl\n# now in n.mtl: mtllib b.mtl c.mtl\nv 0 0 0\n")
    )
    assert (tmp_path / "n.mtl").read_text() == (
        "# meshstyle {}\nnewmtl x\nKd 1 1 1\nmap_Kd n_wood.png\nNs 1\n"
        "newmtl y\nKd 1 1 1\nmap_Kd n_wood_2.png\nNs 2\nnewmtl x\nNs 3\n"
    )


def test_painting_twice_leaves_one_record(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    save_asset(asset, tmp_path / "one.obj", paint(asset, unwrap=True))
    again = ObjAsset(tmp_path / "one.obj")
    save_asset(
        again, tmp_path / "two.obj", Paint(paint(again).atlases, paint(again).parts, {"text": "ä\n# {"})
    )
    assert (tmp_path / "two.mtl").read_text().count("# meshstyle {") == 1
    assert ObjAsset(tmp_path / "two.obj").record == {"text": "ä\n# {"}


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    asset = ObjAsset(write_quad(tmp_path))
    (tmp_path / "out").write_text("a file where a folder should be")
    with pytest.raises(OutputError):
        save_asset(asset, tmp_path / "out" / "new.obj", paint(asset))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["four.png", "out", "quad.mtl", "quad.obj"]


REAL = [
    DATA / "building_A" / "building_A.obj",
    DATA / "plane" / "plane.obj",
    ASSETS / "models" / "spot" / "spot.obj",
]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_models_go_round(tmp_path: Path, path: Path) -> None:
    """Everything but UVs is the same, read without meshstyle; the UVs are the new ones."""
    asset = ObjAsset(path)
    rng = np.random.default_rng(3)
    parts = tuple(PaintedPart(0, rng.random((part.corners.shape[1], 3, 2))) for part in asset.parts)
    new = Paint((PaintedAtlas("a", np.zeros((4, 4, 3), np.uint8)),), parts)
    out = tmp_path / "new.obj"
    save_asset(asset, out, new)
    before, after = read_plainly(path), read_plainly(out)
    assert (after.positions, after.normals) == (before.positions, before.normals)
    assert after.uvs[: len(before.uvs)] == before.uvs
    back = ObjAsset(out)
    np.testing.assert_array_equal(back.parts[0].corners, asset.parts[0].corners)
    np.testing.assert_allclose(back.parts[0].uv, parts[0].uv, atol=1e-7)
    rest = [line for line in before.rest if not line.startswith("mtllib")]
    new_lines = [line for line in after.rest if not line.startswith(("mtllib", "usemtl default"))]
    assert new_lines == rest


@pytest.mark.parametrize("unwrap", [False, True])
def test_trimesh_sees_the_paint_the_right_way_up(tmp_path: Path, unwrap: bool) -> None:
    """The square's corners are at (x, y) = (0, 0) … (1, 1); each must show its own corner of the picture."""
    asset = ObjAsset(write_quad(tmp_path))
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4], pixels[:4, 4:], pixels[4:, :4] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    uv = np.array([[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]])[[[0, 1, 2], [0, 2, 3]]]  # v downwards
    save_asset(
        asset,
        tmp_path / "new.obj",
        Paint((PaintedAtlas("a", pixels),), (PaintedPart(0, uv if unwrap else None),)),
    )
    mesh = trimesh.load(tmp_path / "new.obj", force="mesh")
    image = np.asarray(mesh.visual.material.image.convert("RGB"))
    colours = trimesh.visual.color.uv_to_color(np.clip(mesh.visual.uv, 0.01, 0.99), Image.fromarray(image))
    seen = {tuple(point[:2]): tuple(colour[:3]) for point, colour in zip(mesh.vertices, colours, strict=True)}
    assert seen == {(0, 0): (0, 0, 255), (1, 0): (0, 0, 0), (1, 1): (0, 255, 0), (0, 1): (255, 0, 0)}
