"""The report of a batch: what it tells, that nothing people wrote becomes markup, and that links lead to files."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from helpers.browser import Browser
from PIL import Image

from meshstyle.batch.report import live
from meshstyle.batch.report.images import RenderOutcome, RenderRequest, stills_of, style_of, turntable_of
from meshstyle.batch.report.live import LiveReport, ReportOptions
from meshstyle.batch.report.page import build_page
from meshstyle.batch.report.render import draw
from meshstyle.batch.report.render_pool import RenderPool
from meshstyle.batch.report.report import Moment, Subject, tell
from meshstyle.batch.types import (
    BatchProgress,
    Failure,
    FailureKind,
    FileHash,
    Job,
    JobState,
    Outcome,
    PaintedImage,
    WorkerContext,
    ignore,
)
from meshstyle.bundled import find_style
from meshstyle.config.model import Settings

MODELS = Path(__file__).parents[2] / "assets" / "models"
ODD = ('a <b> & "c" #1 100%.glb', "ünïcödé/模型 10.glb", "mod:el?x=1.glb")
NAMES = ("plain.glb", *ODD, "broken.glb", "last.glb")
STYLE = find_style("starry-night")
FAILURE = Failure(
    FailureKind.INPUT, "/in/broken.glb", "the <JSON> is cut off", "Export it again.", "Trace <x>"
)


def jobs(folder: Path) -> tuple[Job, ...]:
    sizes = [None, 128, None, None, None, None]
    return tuple(
        Job(name, name, folder / name, "starry-night", STYLE, name, Settings(texture_size=size), name)
        for name, size in zip(NAMES, sizes, strict=True)
    )


def done(name: str, number: int, **more: Any) -> Outcome:
    return Outcome(
        name,
        name,
        JobState.DONE,
        seconds=[200.0, 9.0, 1000.0, 30.0][number],
        files=(FileHash(name, f"{number}"),),
        sources=(FileHash(name, "0"),),
        figures={"style_loss": [0.2, 0.1, 0.30000001, 0.04][number], "views": 14.0},
        images=(PaintedImage("paint", (512, 1024), number == 1, "Its UVs <overlap>."),),
        **more,
    )


def outcomes() -> dict[str, Outcome]:
    """Four done, one failed, one not yet."""
    found = [done(name, number) for number, name in enumerate(NAMES[:4])]
    found[0] = done(NAMES[0], 0, earlier=True)
    found[1] = done(NAMES[1], 1, warnings=("Normals are <i>odd</i>.",), attempts=2)
    found.append(Outcome("broken.glb", "broken.glb", JobState.FAILED, 0.1, failure=FAILURE))
    return {outcome.job: outcome for outcome in found}


def subject(out: Path) -> Subject:
    return Subject(
        Path("/in"), out, jobs(Path("/in")), {"old.glb": "It was painted by <meshstyle>."}, {}, ("A note.",)
    )


def report(out: Path, **more: Any) -> dict[str, Any]:
    found, told = outcomes(), jobs(Path("/in"))
    pictures = [
        name
        for job in told[:4]
        for render_request in (stills_of(job, found[job.id], out), turntable_of(job, found[job.id], out))
        for name in render_request.names.values()
    ]
    moment = Moment(
        "running", 1e9, 1e9 + 60, 60.0, found, frozenset({"last.glb"}), frozenset(pictures), **more
    )
    return tell(subject(out), moment)


def test_it_tells_of_every_asset(tmp_path: Path) -> None:
    told = report(tmp_path)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["counts"] == {"done": 4, "failed": 1, "running": 1, "waiting": 0, "skipped": 1, "earlier": 1}
    by_model = {asset["model"]: asset for asset in told["assets"]}
    assert len({tuple(asset) for asset in told["assets"]}) == 1  # all have all keys
    assert by_model["broken.glb"]["failure"]["remedy"] == "Export it again."
    assert by_model["old.glb"]["notes"] == ["It was painted by <meshstyle>."]
    assert set(by_model["plain.glb"]["pictures"]) == {"before", "after", "turntable"}
    assert by_model["last.glb"]["state"] == "running"


def test_settings_are_told_once_where_all_have_them(tmp_path: Path) -> None:
    told = report(tmp_path)
    assert told["settings"]["preset"] == "standard"
    assert "texture_size" not in told["settings"]
    assert told["assets"][1]["settings"] == {"texture_size": 128}


class Page(HTMLParser):
    """Elements, text and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [
            value or "" for name, value in attributes if name in ("href", "src", "data-turntable")
        ]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_holds_what_people_wrote_as_text(tmp_path: Path) -> None:
    page = Page(build_page(report(tmp_path)))
    assert not {"b", "i", "json", "x", "meshstyle", "overlap"} & set(page.elements)
    for text in (NAMES[1], "Normals are <i>odd</i>.", "the <JSON> is cut off", "Trace <x>", "A note."):
        assert text in page.words


def test_links_lead_to_files_below_out(tmp_path: Path) -> None:
    told = report(tmp_path)
    addresses = set(Page(build_page(told)).addresses)
    assert all(not re.search(r"[:?#\s\"]|^/", address) for address in addresses)
    wanted = {name for asset in told["assets"] for name in asset["pictures"].values()} | set(NAMES[:4])
    assert {unquote(address) for address in addresses} == wanted


def test_a_name_of_the_pictures_tells_the_files(tmp_path: Path) -> None:
    job, outcome = jobs(tmp_path)[0], done("plain.glb", 0)
    changed = done("plain.glb", 1)
    names = [stills_of(job, one, tmp_path).names["after"] for one in (outcome, outcome, changed)]
    assert names[0] == names[1] != names[2]
    long = Outcome("x" * 250 + ".glb", "key", JobState.DONE)
    assert len(stills_of(job, long, tmp_path).names["before"]) < 120


def test_stills_show_before_and_after(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    names = {"before": "files/a.0123.before.webp", "after": "files/a.0123.after.webp"}
    (out / "files").mkdir()
    old = [
        out / "files" / name for name in ("a.9999.after.webp", "a.9999.turntable.webp", "b.a.9999.after.webp")
    ]
    for path in old:
        path.touch()
    fox, barrel = MODELS / "fox" / "Fox.glb", MODELS / "barrel" / "barrel.glb"
    drawn = draw(RenderRequest("a", "stills", out, fox, barrel, names), WorkerContext(tmp_path))
    assert drawn.problem == ""
    before, after = (np.asarray(Image.open(out / name).convert("RGB"), float) for name in names.values())
    assert before.shape == after.shape == (256, 512, 3)
    assert np.abs(before - after).mean() > 5
    assert [path.exists() for path in old] == [False, True, True]  # only what it stands for is replaced
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.glb").write_bytes(b"glTF")
    render_request = RenderRequest(
        "a", "stills", tmp_path, tmp_path / "broken.glb", None, {"before": "before.webp"}
    )
    assert draw(render_request, WorkerContext(tmp_path)).problem
    assert not (tmp_path / "before.webp").exists()


class Pretender:
    """An artist that only says what happened: turntables fail."""

    def __init__(self, _: WorkerContext, drawn: Any) -> None:
        self.drawn, self.left, self.hurried = drawn, 0, False

    def ask(self, render_request: RenderRequest) -> None:
        if render_request.kind == "turntable":
            self.drawn(RenderOutcome(render_request, "it fell over"))
        else:
            for name in render_request.names.values():
                (render_request.out / name).parent.mkdir(parents=True, exist_ok=True)
                (render_request.out / name).touch()
            self.drawn(RenderOutcome(render_request))

    def hurry(self) -> None:
        self.hurried = True

    def close(self) -> None:
        self.left = 0


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(live, "RenderPool", Pretender)
    monkeypatch.setattr(live, "INTERVAL", 0.01)
    folder = tmp_path / ".meshstyle" / "staging"
    folder.mkdir(parents=True)
    return folder


def test_it_is_written_while_the_batch_runs_and_at_its_end(tmp_path: Path, staging: Path) -> None:
    data = tmp_path / "report.json"
    with LiveReport(subject(tmp_path), {}, WorkerContext(staging), ReportOptions(turntables=True)) as live:
        tell_it = live.watching(ignore)
        for outcome in outcomes().values():
            tell_it(BatchProgress("run", finished=outcome, running=("last.glb",)))
        deadline = time.monotonic() + 10
        while not (data.exists() and json.loads(data.read_text())["counts"]["done"] == 4):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert json.loads(data.read_text())["state"] == "running"
        live.finish(ignore)
        assert live._render_pool.hurried
    told = json.loads(data.read_text())
    assert (told["state"], told["counts"]["running"], live.notes) == ("done", 0, ())
    assert told["styles"][0]["picture"].startswith("report.files/")
    assert told["assets"][0]["warnings"] == ["There is no turntable of it (it fell over)."]
    assert told["assets"][0]["state"] == "done"
    assert not list(staging.iterdir())


def test_a_batch_that_is_stopped_says_so(tmp_path: Path, staging: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        LiveReport(subject(tmp_path), {}, WorkerContext(staging)),
    ):
        raise KeyboardInterrupt
    assert json.loads((tmp_path / "report.json").read_text())["state"] == "stopped"


def test_a_report_that_cannot_be_written_is_a_note(tmp_path: Path, staging: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with LiveReport(subject(tmp_path), {}, WorkerContext(staging)) as live:
        pass
    (note,) = live.notes
    assert "report was not written" in note
    assert not list(staging.iterdir())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on the disk, with pictures of plain colours."""
    out = tmp_path_factory.mktemp("out")
    told = report(out)
    for asset in told["assets"]:
        for name in asset["pictures"].values():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 4), "red" if "turntable" in name else "blue").save(out / name)
    told["state"] = "done"
    (out / "report.html").write_text(build_page(told), encoding="utf-8")
    return out / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


READY = "document.readyState === 'complete' && document.getElementById('controls')?.hidden === false"
MODEL_COLUMN = """Array.from(document.querySelectorAll('main tbody tr:not([hidden]) td:nth-child(2)'))
    .map(cell => cell.firstChild.textContent)"""


def test_a_browser_sorts_and_filters_it_offline(page: Path, browser: Browser) -> None:
    tab = browser.open(page, 1600, 1200)
    tab.wait(READY)

    def press(heading: str) -> list[str]:
        tab.run(
            f"Array.from(document.querySelectorAll('th button')).find(one => one.textContent === '{heading}').click()"
        )
        return tab.run(MODEL_COLUMN)

    plain, odd, chinese, colon, broken, last = NAMES
    unknown = [broken, last, "old.glb"]
    assert press("Style loss") == [
        colon,
        odd,
        plain,
        chinese,
        *unknown,
    ]  # as numbers; what is unknown comes last
    assert press("Style loss") == [chinese, plain, odd, colon, *unknown]
    assert press("Time") == [broken, odd, colon, plain, chinese, last, "old.glb"]
    assert tab.run("document.querySelector('th[aria-sort]').textContent") == "Time"
    tab.run("text.value = 'glb plain'; text.dispatchEvent(new Event('input'))")
    assert tab.run(MODEL_COLUMN) == [plain]
    tab.run("text.value = ''; state.value = 'failed'; state.dispatchEvent(new Event('input'))")
    assert tab.run(MODEL_COLUMN) == [broken]
    assert tab.run("document.getElementById('shown').textContent") == "1 of 7 assets"
    tab.run("state.value = ''; state.dispatchEvent(new Event('input'))")
    turns = "document.querySelector('.turns')"
    tab.run(f"{turns}.focus()")
    tab.wait(f"{turns}.querySelector('img').src.endsWith('.turntable.webp')")
    tab.wait("Array.from(document.images).every(one => one.complete && one.naturalWidth === 8)")
    assert tab.complaints() == []
    requests = tab.requests()
    assert len(requests) >= 9
    assert all(address.startswith(page.parent.as_uri()) for address in requests)
    tab.close()


@pytest.mark.parametrize("width", [400, 1100, 1420, 1800])
def test_it_fits_windows_of_any_width(page: Path, browser: Browser, width: int) -> None:
    tab = browser.open(page, width, 800)
    tab.wait(READY)
    assert tab.run("document.documentElement.scrollWidth") <= width
    tab.close()


def test_choices_are_kept_over_a_reload(page: Path, browser: Browser, tmp_path: Path) -> None:
    shutil.copytree(page.parent, tmp_path / "out")
    tab = browser.open(tmp_path / "out" / "report.html", 800, 800)
    tab.wait(READY)
    tab.run("text.value = 'glb'; text.dispatchEvent(new Event('input'))")
    tab.run("document.querySelectorAll('th button')[0].click()")
    before = tab.run(MODEL_COLUMN)
    tab.run("window.old = true; location.reload()")
    tab.wait(f"window.old === undefined && {READY}")
    assert tab.run(MODEL_COLUMN) == before
    assert tab.run("text.value") == "glb"
    tab.close()


def test_an_artist_draws_beside_and_stops_when_it_is_left(tmp_path: Path) -> None:
    """In a process of its own, which is ended in the midst of its work."""
    staging = tmp_path / ".meshstyle" / "staging"
    staging.mkdir(parents=True)
    told: list[RenderOutcome] = []
    turn = {"turntable": "turntable.webp"}
    fox = MODELS / "fox" / "Fox.glb"
    with closing(RenderPool(WorkerContext(staging), told.append)) as artist:
        artist.ask(style_of("starry-night", STYLE, tmp_path))
        deadline = time.monotonic() + 60
        while artist.left:
            assert time.monotonic() < deadline
            artist.wait(1.0)
        for _ in range(20):
            artist.ask(RenderRequest("fox", "turntable", tmp_path, fox, fox, turn))
        assert artist.left == 20
    (drawn,) = told
    assert (drawn.problem, drawn.render_request.missing) == ("", False)
    assert not (tmp_path / "turntable.webp").exists()


def test_what_is_left_at_the_end_is_drawn_on_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = tmp_path / ".meshstyle" / "staging"
    staging.mkdir(parents=True)
    monkeypatch.setattr("meshstyle.batch.report.render_pool.usable_threads", lambda: 2)
    told: list[RenderOutcome] = []
    with closing(RenderPool(WorkerContext(staging), told.append)) as artist:
        artist.hurry()
        assert not artist._teams  # there is nothing to draw
        for number in range(3):
            artist.ask(style_of("starry-night", STYLE, tmp_path / str(number)))
        assert len(artist._teams) == 1
        artist.hurry()
        assert len(artist._teams) == 2
        deadline = time.monotonic() + 60
        while artist.left:
            assert time.monotonic() < deadline
            artist.wait(1.0)
    assert [drawn.problem for drawn in told] == [""] * 3
    assert sorted(drawn.render_request.out.name for drawn in told) == ["0", "1", "2"]
