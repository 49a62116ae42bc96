"""The scanner and the cutting of polygons, on models small enough to do by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshstyle.errors import AssetError
from meshstyle.io.obj import scan as obj_scan
from meshstyle.io.obj.polygons import triangulate
from meshstyle.io.obj.scan import scan
from meshstyle.io.obj.text import apply_edits, plain_lines, split_text

HERE = Path("model.obj")


def scanned(text: str) -> obj_scan.Scan:
    return scan(plain_lines(text.encode()), HERE)


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        (b"v 1\t2\v3\r\n", b"v 1 2 3 \n"),
        (b"v 1\rv 2\r", b"v 1\nv 2\n"),
        (b"f 1 \\\n2 3\n", b"f 1   2 3\n"),
        (b"f 1 \\ \r\n2 3\r\n", b"f 1     2 3 \n"),
        (b"# C:\\\nf 1\\\n2\\\n3\n#\\\nv\n", b"# C:\\\nf 1  2  3\n#\\\nv\n"),
    ],
)
def test_plain_lines_keep_every_offset(body: bytes, plain: bytes) -> None:
    assert plain_lines(body) == plain
    assert len(body) == len(plain)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
def test_encodings_come_back(encoding: str) -> None:
    data = "\ufeffo Tür\n".encode(encoding) if encoding == "utf-16-be" else "o Tür\n".encode(encoding)
    text = split_text(data, HERE, HERE)
    assert text.decode(text.body) == "o Tür\n"
    assert text.pack(text.body) == data
    assert text.decode(text.encode("Tür.mtl")) == "Tür.mtl"


def test_damaged_utf_16() -> None:
    with pytest.raises(AssetError, match="UTF-16"):
        split_text(b"\xff\xfev\0\xff", HERE, HERE)


def test_edits() -> None:
    assert apply_edits(b"abcdef", [(4, 5, b"E"), (1, 1, b"-"), (1, 3, b""), (6, 6, b"!")]) == b"a-dEf!"
    with pytest.raises(ValueError, match="overlap"):
        apply_edits(b"abc", [(0, 2, b""), (1, 3, b"")])


def test_numbers_of_every_length() -> None:
    found = scanned(
        "v 1 2 3\nv 4 5 6 1\n  v 1 2 3 .1 .2 .3 # c\nv 1 2 3 .1 .2 .3 .4 9 9\nv 1\nvt .5\nvt 1 2 3\n"
    )
    nan = np.nan
    np.testing.assert_array_equal(
        found.positions, [[1, 2, 3], [4, 5, 6], [1, 2, 3], [1, 2, 3], [1, nan, nan]]
    )
    np.testing.assert_array_equal(
        found.colours, [[nan] * 4, [nan] * 4, [0.1, 0.2, 0.3, nan], [0.1, 0.2, 0.3, 0.4], [nan] * 4]
    )
    np.testing.assert_array_equal(found.uvs, [[0.5, nan], [1, 2]])
    assert found.vertex_at.tolist() == [0, 8, 20, 41, 65]


def test_words_that_are_no_numbers() -> None:
    """Some exporters write -1.#IND; unused vertices may be anything."""
    found = scanned("v nan inf -inf\nv 1.#IND 1e400 x\nv 1 2 3\n")
    np.testing.assert_array_equal(
        found.positions, [[np.nan, np.inf, -np.inf], [np.nan, np.inf, np.nan], [1, 2, 3]]
    )


def test_corners_of_every_form_and_relative_indices() -> None:
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\n"
    text += "f 1 2/1 3//1\nf -1/-1/-1 -2 -3\nv 9 9 9\nvt 1 1\nf -1/-1 1 2 # 3\n"
    found = scanned(text)
    assert found.corners.tolist() == [
        [0, -1, -1], [1, 0, -1], [2, -1, 0],
        [2, 0, 0], [1, -1, -1], [0, -1, -1],
        [3, 1, -1], [0, -1, -1], [1, -1, -1],
    ]  # fmt: skip
    assert found.face_first.tolist() == [0, 3, 6, 9]
    assert [text[start:end] for start, end in found.face_span] == [
        "f 1 2/1 3//1",
        "f -1/-1/-1 -2 -3",
        "f -1/-1 1 2 # 3",
    ]


def test_later_vertices_may_be_meant() -> None:
    assert scanned("f 1 2 3\nv 0 0 0\nv 1 0 0\nv 0 1 0\n").corners[:, 0].tolist() == [0, 1, 2]


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for block in range(20):
        lines += [f"v {x:.3f} {y:.3f} {z:.3f}" for x, y, z in rng.random((5, 3))]
        lines += [f"vt {u:.3f} {v:.3f}" for u, v in rng.random((4, 2))]
        lines += [f"usemtl m{block}", f"f {block * 5 + 1}/1 -1/-2 -2/-1", "f 1/1 2/2 3/3 4/4"]
    text = "\n".join(lines) + "\n"
    whole = scanned(text)
    monkeypatch.setattr(obj_scan, "CHUNK", 100)
    pieces = scanned(text)
    for name in (
        "positions",
        "colours",
        "uvs",
        "normals",
        "corners",
        "face_first",
        "face_span",
        "vertex_at",
        "uv_at",
    ):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name), err_msg=name)
    assert whole.statements == pieces.statements
    assert len(whole.statements) == 20


@pytest.mark.parametrize(
    ("face", "cause"),
    [
        ("f 0 1 2", "line 4 has a corner of index 0"),
        ("f 1 2 x", "line 4 has a corner"),
        ("f 1 2 3.5", "line 4 has a corner that is no index"),
        ("f 1 2 /1", "line 4 has a corner of index 0"),
        ("f 1/1/1/1 2 3", "line 4 has a corner"),
        ("f 1 2 4", "line 4 has an index beyond the 3 vertices"),
        ("f 1 2 -4", "line 4 has an index beyond the 3 vertices"),
        ("f 1 2 99999999999999999999999", "line 4 has an index beyond"),
        ("f 1 2 -99999999999999999999999", "line 4 has an index beyond"),
    ],
)
def test_wrong_indices(face: str, cause: str) -> None:
    with pytest.raises(AssetError, match=cause):
        scanned(f"v 0 0 0\nv 1 0 0\nv 0 1 0\n{face}\nf 1 2 3\n")


def test_endless_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obj_scan, "CHUNK", 2**10)
    monkeypatch.setattr(obj_scan, "MAX_LINE", 2**12)
    with pytest.raises(AssetError, match="line 2 is longer"):
        scanned("v 0 0 0\nf " + "1 " * 4096)


def cut(points: list[tuple[float, float]]) -> list[list[int]]:
    flat = np.array([(x, y, 5.0) for x, y in points])
    corners, face, cut_short = triangulate(flat, np.arange(len(flat)), np.array([0, len(flat)]))
    assert not cut_short
    assert face.tolist() == [0] * (len(points) - 2)
    return corners.tolist()


def area(points: list[tuple[float, float]], triangle: list[int]) -> float:
    (ax, ay), (bx, by), (cx, cy) = (points[corner] for corner in triangle)
    return ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


def test_convex_polygons_are_fans() -> None:
    assert cut([(0, 0), (1, 0), (1, 1), (0, 1)]) == [[0, 1, 2], [0, 2, 3]]
    assert cut([(0, 0), (2, 0), (3, 1), (2, 2), (0, 2)]) == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_arrowheads_are_cut_at_the_notch() -> None:
    """Corner 1 is the notch: the diagonal 0–2 would run outside."""
    assert cut([(0, 0), (1, 1), (2, 0), (1, 3)]) == [[0, 1, 3], [1, 2, 3]]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("points", "total"),
    [
        ([(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)], 5.0),  # an L
        ([(0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)], 10.0),  # a U
        # A square with a square hole, joined by a bridge that is passed twice: 16 − 4.
        ([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)], 12.0),
    ],
)
def test_concave_polygons_are_covered_once(
    points: list[tuple[float, float]], total: float, turned: bool
) -> None:
    """No triangle is turned over, and together they have the polygon's area: so they do not overlap."""
    if turned:
        points = points[::-1]
    areas = [area(points, triangle) for triangle in cut(points)]
    assert sum(areas) == pytest.approx(-total if turned else total)
    assert all(value <= 0 for value in areas) if turned else all(value >= 0 for value in areas)


def test_faces_too_small_are_left_out() -> None:
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    corners, face, _ = triangulate(points, np.array([0, 1, 0, 1, 2, 0]), np.array([0, 2, 2, 5, 6]))
    assert corners.tolist() == [[2, 3, 4]]
    assert face.tolist() == [2]


def test_hopeless_polygons_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comb of many teeth needs more tests than allowed: it becomes a fan and is reported."""
    monkeypatch.setattr("meshstyle.io.obj.polygons.MAX_EAR_WORK", 10_000)
    comb = [(float(x), float(x % 2) - 10 * (x == 0)) for x in range(50)] + [(49.0, -20.0), (0.0, -20.0)]
    flat = np.array([(x, y, 0.0) for x, y in comb])
    corners, _, cut_short = triangulate(flat, np.arange(len(flat)), np.array([0, len(flat)]))
    assert cut_short
    assert len(corners) == len(flat) - 2
