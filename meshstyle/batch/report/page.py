"""The report of a batch as a page: a table that sorts and filters. It needs no network, only the pictures beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from ...preview.page.html import document, own_file, table, text
from ...text import counted, duration

Asset = Mapping[str, Any]
_STATES = ("done", "failed", "running", "waiting", "skipped")
_BESIDE = "'self' file: data:"  # where pictures may come from: the page's own place
_SHOWN = 128  # pixels of a view's side on the page; files have twice as many

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
    live = " data-live" if report["state"] in ("running", "watching") else ""
    body = f"{_header(report)}<main{live}>{_controls(report)}{_table(report['assets'])}</main>"
    script, style = own_file("report.js", __package__), own_file("report.css", __package__)
    return document(f"{_title(report)}: {_summary(report)}", body, [script], style=style, images=_BESIDE)


def link(path: str) -> str:
    """A path below OUT as the address of a link, for HTML."""
    return text(quote(os.fsencode(path)))


def _title(report: Mapping[str, Any]) -> str:
    return PurePath(report["source"]).name or report["source"]


def _header(report: Mapping[str, Any]) -> str:
    styles = "".join(_style(style) for style in report["styles"])
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report["written"]))
    words = {
        "running": "Still at work after {}",
        "watching": "Watching for new and changed files; the latest took {}",
        "done": "Ended after {}",
        "stopped": "Stopped after {}: the same command goes on",
    }
    told = f"{words[report['state']].format(duration(report['seconds']))} ({at})"
    notes = "".join(f"<li>{text(note)}</li>" for note in report["notes"])
    settings = [(name.replace("_", "-"), _shown(value)) for name, value in report["settings"].items()]
    more = table("Settings", [("version", report["meshstyle"]), *settings])
    return (
        f'<header><div class="styles">{styles}</div><div><h1>{text(_title(report))}</h1>'
        f"<p><strong>{text(_summary(report))}</strong></p><p>{text(told)}.</p>"
        f"{f'<ul>{notes}</ul>' if notes else ''}"
        f"<details><summary>Settings</summary>{more}</details></div></header>"
    )


def _summary(report: Mapping[str, Any]) -> str:
    counts = report["counts"]
    parts = [f"{counts['done']} of {sum(counts[state] for state in _STATES if state != 'skipped')} done"]
    if counts["earlier"]:
        parts[0] += f" ({counts['earlier']} by earlier runs)"
    parts += [f"{counts[state]} {state}" for state in _STATES[1:] if counts[state]]
    return ", ".join(parts)


def _style(style: Mapping[str, Any]) -> str:
    name = PurePath(style["name"]).stem
    shown = f'<img src="{link(style["picture"])}" alt="">' if style["picture"] else ""
    return f"<figure>{shown}<figcaption>{text(name)}</figcaption></figure>"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "default" if value is None else str(value)


def _controls(report: Mapping[str, Any]) -> str:
    """Make the controls, which the script shows; without one they would do nothing."""
    counts = {state: report["counts"][state] for state in _STATES if report["counts"][state]}
    options = "".join(
        f'<option value="{state}">{state} ({count})</option>' for state, count in counts.items()
    )
    total = len(report["assets"])
    return (
        '<form id="controls" hidden><label>Find <input id="text" type="search"></label>'
        f'<label>State <select id="state"><option value="">all ({total})</option>{options}</select></label>'
        f'<output id="shown" aria-live="polite">{counted(total, "asset")}</output></form>'
    )


def _table(assets: Sequence[Asset]) -> str:
    heads = "".join(
        f'<th scope="col">{text(heading)}</th>'
        if key is None
        else f'<th scope="col" data-column="{number}"><button type="button">{text(heading)}</button></th>'
        for number, (heading, key, _) in enumerate(_COLUMNS)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_row, assets))}</tbody></table>\n"


def _row(asset: Asset) -> str:
    cells = []
    for heading, key, show in _COLUMNS:
        value = "" if key is None else f' data-value="{text(key(asset))}"'
        cells.append(f'<td data-label="{text(heading)}"{value}>{show(asset)}</td>')
    return f'<tr class="{asset["state"]}" data-state="{asset["state"]}">{"".join(cells)}</tr>\n'


def _pictures(asset: Asset) -> str:
    pictures = asset["pictures"]
    if "before" not in pictures:
        return '<div class="pair"><span class="blank"></span></div>'
    shown = [_picture(asset, "before", pictures["before"])]
    if "after" in pictures:
        shown.append(_picture(asset, "after", pictures.get("turntable", pictures["after"])))
    return f'<div class="pair">{"".join(shown)}</div>'


def _picture(asset: Asset, moment: str, target: str) -> str:
    """A picture that leads to its file, or to the turntable, which it shows while it is pointed at."""
    turns = target.endswith(".turntable.webp")
    alternative = f"{asset['model']} {moment}" + (", with a turntable" if turns else "")
    more = f' class="turns" data-turntable="{link(target)}"' if turns else ""
    return (
        f'<a href="{link(target)}"{more}><img src="{link(asset["pictures"][moment])}" loading="lazy" '
        f'width="{2 * _SHOWN}" height="{_SHOWN}" alt="{text(alternative)}"></a>'
    )


def _name(asset: Asset) -> str:
    done = asset["state"] == "done"
    name = f'<a href="{link(asset["output"])}">{text(asset["model"])}</a>' if done else text(asset["model"])
    more = [PurePath(asset["style"]).stem] if asset["style"] else []
    more += [f"set {asset['set']}"] if asset["set"] else []
    return f"{name}<small>{text(', '.join(more))}</small>"


def _state(asset: Asset) -> str:
    more = "by an earlier run" if asset["earlier"] else ""
    more = counted(asset["attempts"], "attempt") if asset["attempts"] > 1 else more
    return f'<span class="state">{asset["state"]}</span><small>{more}</small>'


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
    return f'<span title="{text(reasons)}">{several}{", ".join(sizes)}<small>{", ".join(made)}</small></span>'


def _notes(asset: Asset) -> str:
    told = [*asset["notes"], *asset["warnings"]]
    lines = "".join(f"<li>{text(line)}</li>" for line in told)
    listed = f"<ul>{lines}</ul>" if len(told) <= 3 else (
        f"<details><summary>{len(told)} notes</summary><ul>{lines}</ul></details>"
    )  # fmt: skip
    return _failure(asset) + (listed if told else "") + _own_settings(asset)


def _failure(asset: Asset) -> str:
    failure = asset["failure"]
    if failure is None:
        return ""
    about = "" if failure["subject"] == asset["source"] else f"{PurePath(failure['subject']).name}: "
    detail = f"<details><summary>Traceback</summary><pre>{text(failure['detail'])}</pre></details>"
    return (
        f"<p><strong>{text(about + failure['cause'])}.</strong> {text(failure['remedy'])}</p>"
        f"{detail if failure['detail'] else ''}"
    )


def _own_settings(asset: Asset) -> str:
    """Those in which it differs from others."""
    told = ", ".join(f"{name.replace('_', '-')} {_shown(value)}" for name, value in asset["settings"].items())
    return f'<small class="own">{text(told)}</small>' if told else ""
