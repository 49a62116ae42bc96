"""The report of a batch as a page: a table that sorts and filters. It needs no network, only the pictures beside it.

Here is what the page says; `report.html.jinja` is how it is marked up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ...preview.page.html import document, own_file
from ...preview.page.templates import macros
from ...text import counted, duration

Asset = Mapping[str, Any]
_TEMPLATE = "batch/report/report.html.jinja"
_STATES = ("done", "failed", "running", "waiting", "skipped")
_STATE_SENTENCES = {
    "running": "Still at work after {}",
    "watching": "Watching for new and changed files; the latest took {}",
    "done": "Ended after {}",
    "stopped": "Stopped after {}: the same command goes on",
}
_IMAGE_SOURCES = "'self' file: data:"  # the page's own folder

# Heading, what rows are sorted by (None: they are not; "": unknown, always last), what is shown.
_COLUMNS: tuple[tuple[str, Callable[[Asset], Any] | None, Callable[[Asset], str]], ...] = (
    ("Before, after", None, lambda asset: _pictures(asset)),
    ("Asset", lambda asset: asset["model"].casefold(), lambda asset: _name(asset)),
    ("State", lambda asset: _STATES.index(asset["state"]), lambda asset: _state(asset)),
    ("Style loss", lambda asset: _figure(asset, "style_loss"), lambda asset: _number(asset, "style_loss", "{:.3f}")),
    ("Structure", lambda asset: _figure(asset, "structure"), lambda asset: _number(asset, "structure", "{:.2f}")),
    ("Coverage", lambda asset: _figure(asset, "coverage"), lambda asset: _number(asset, "coverage", "{:.1%}")),
    ("Views", lambda asset: _figure(asset, "views"), lambda asset: _number(asset, "views", "{:.0f}")),
    ("Time", lambda asset: "" if asset["seconds"] is None else asset["seconds"], lambda asset: _time(asset)),
    ("Texture", lambda asset: _texels(asset) or "", lambda asset: _texture(asset)),
    ("Notes", lambda asset: len(asset["warnings"]) + len(asset["notes"]), lambda asset: _notes(asset)),
)  # fmt: skip


def build_page(report: Mapping[str, Any]) -> str:
    """HTML of what `report.tell` told."""
    counts = {state: report["counts"][state] for state in _STATES if report["counts"][state]}
    controls = {"states": counts, "shown": counted(len(report["assets"]), "asset")}
    columns = [(heading, key) for heading, key, _ in _COLUMNS]
    rows = [_row(asset) for asset in report["assets"]]
    live = report["state"] in ("running", "watching")
    body = macros(_TEMPLATE).body(_header(report), controls, columns, rows, live)
    script, style = own_file("report.js", __package__), own_file("report.css", __package__)
    title = f"{_title(report)}: {_summary(report)}"
    return document(title, body, [script], style=style, images=_IMAGE_SOURCES)


def _link(path: str) -> str:
    """A path below OUT as the address of a link."""
    return quote(os.fsencode(path))


def _title(report: Mapping[str, Any]) -> str:
    return PurePath(report["source"]).name or report["source"]


def _header(report: Mapping[str, Any]) -> dict[str, Any]:
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report["written"]))
    state = _STATE_SENTENCES[report["state"]].format(duration(report["seconds"]))
    settings = [(name.replace("_", "-"), _setting(value)) for name, value in report["settings"].items()]
    return {
        "title": _title(report),
        "summary": _summary(report),
        "state": f"{state} ({written})",
        "styles": [
            (PurePath(style["name"]).stem, _link(style["picture"]) if style["picture"] else "")
            for style in report["styles"]
        ],
        "notes": report["notes"],
        "settings": [("version", report["meshstyle"]), *settings],
    }


def _summary(report: Mapping[str, Any]) -> str:
    counts = report["counts"]
    parts = [f"{counts['done']} of {sum(counts[state] for state in _STATES if state != 'skipped')} done"]
    if counts["earlier"]:
        parts[0] += f" ({counts['earlier']} by earlier runs)"
    parts += [f"{counts[state]} {state}" for state in _STATES[1:] if counts[state]]
    return ", ".join(parts)


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "default" if value is None else str(value)


def _row(asset: Asset) -> dict[str, Any]:
    cells = [
        {"heading": heading, "key": None if key is None else key(asset), "shown": show(asset)}
        for heading, key, show in _COLUMNS
    ]
    return {"state": asset["state"], "cells": cells}


def _pictures(asset: Asset) -> str:
    pictures, shown = asset["pictures"], []
    if "before" in pictures:
        shown.append(_picture(asset, "before", pictures["before"]))
        if "after" in pictures:
            shown.append(_picture(asset, "after", pictures.get("turntable", pictures["after"])))
    markup: str = macros(_TEMPLATE).pair(shown)
    return markup


def _picture(asset: Asset, moment: str, target: str) -> dict[str, Any]:
    """A picture that leads to its file, or to the turntable, which it shows while it is pointed at."""
    turns = target.endswith(".turntable.webp")
    return {
        "source": _link(asset["pictures"][moment]),
        "target": _link(target),
        "turns": turns,
        "alternative": f"{asset['model']} {moment}" + (", with a turntable" if turns else ""),
    }


def _name(asset: Asset) -> str:
    more = [PurePath(asset["style"]).stem] if asset["style"] else []
    more += [f"set {asset['set']}"] if asset["set"] else []
    target = _link(asset["output"]) if asset["state"] == "done" else ""
    markup: str = macros(_TEMPLATE).name(asset["model"], target, ", ".join(more))
    return markup


def _state(asset: Asset) -> str:
    more = "by an earlier run" if asset["earlier"] else ""
    more = counted(asset["attempts"], "attempt") if asset["attempts"] > 1 else more
    markup: str = macros(_TEMPLATE).state(asset["state"], more)
    return markup


def _figure(asset: Asset, name: str) -> Any:
    value = asset["figures"].get(name)
    return "" if value is None else value


def _number(asset: Asset, name: str, form: str) -> str:
    value = _figure(asset, name)
    return "" if value == "" else form.format(value)


def _time(asset: Asset) -> str:
    return "" if asset["seconds"] is None else duration(asset["seconds"])


def _texels(asset: Asset) -> int:
    return sum(image["size"][0] * image["size"][1] for image in asset["images"])


def _texture(asset: Asset) -> str:
    sizes = dict.fromkeys(f"{image['size'][1]} × {image['size'][0]}" for image in asset["images"])
    made = dict.fromkeys("new UVs" if image["unwrapped"] else "own UVs" for image in asset["images"])
    reasons = " ".join(dict.fromkeys(image["reason"] for image in asset["images"]))
    several = f"{len(asset['images'])} images, " if len(asset["images"]) > 1 else ""
    markup: str = macros(_TEMPLATE).texture(several + ", ".join(sizes), ", ".join(made), reasons)
    return markup


def _notes(asset: Asset) -> str:
    """What went wrong, notes and warnings, and the settings in which it differs from others."""
    failure = asset["failure"]
    if failure is not None:
        about = "" if failure["subject"] == asset["source"] else f"{PurePath(failure['subject']).name}: "
        failure = {**failure, "cause": about + failure["cause"]}
    own = ", ".join(
        f"{name.replace('_', '-')} {_setting(value)}" for name, value in asset["settings"].items()
    )
    markup: str = macros(_TEMPLATE).notes(failure, [*asset["notes"], *asset["warnings"]], own)
    return markup
