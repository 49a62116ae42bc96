"""The frame of a self-contained page: nothing in it is fetched, and no text becomes markup."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...text import escaped


def text(value: object) -> str:
    """Any text as HTML, also between quotes; control characters and marks of direction as escapes."""
    return html.escape(escaped(str(value)))


def json_block(name: str, value: Mapping[str, Any]) -> str:
    """Data for scripts. No `<` is left in it that could end the block."""
    dumped = json.dumps(value, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{dumped}</script>'


def binary_block(name: str, data: bytes) -> str:
    """Bytes for scripts, in base64."""
    return f'<script type="text/plain" id="{name}">{base64.b64encode(data).decode("ascii")}</script>'


def picture(pixels: UInt8[np.ndarray, "H W C"], alternative: str, kind: str = "png") -> str:
    """An image element that holds its picture, sRGB; `kind` is png or jpeg."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=90)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    source = f"data:image/{kind};base64,{data}"
    return f'<img src="{source}" width="{width}" height="{height}" alt="{text(alternative)}">'


def table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A heading and two columns, or nothing where there are no rows."""
    if not rows:
        return ""
    lines = "".join(f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in rows)
    return f"<h2>{text(title)}</h2><table>{lines}</table>"


def own_file(name: str, package: str = __package__) -> str:
    """One of the style sheets and scripts that lie beside this module, or in another package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def document(
    title: str,
    body: str,
    scripts: Sequence[str] = (),
    refresh: int | None = None,
    style: str | None = None,
    images: str = "data: blob:",
) -> str:
    """A whole page.

    Args:
        body: markup; what people wrote in it went through `text`.
        scripts: run in order after the body. No other script can run, nor anything be fetched: the page's own policy
            forbids it.
        refresh: seconds after which browsers read the file again; None: never.
        style: a style sheet; None: that of the pages about one model.
        images: where pictures may come from, in the words of that policy.
    """
    blocks = [_script(script) for script in scripts]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src {images}; "
        "connect-src data: blob:"
    )
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">'
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{again}<title>{text(title)}</title><style>{style or own_file('page.css')}</style></head>\n"
        f"<body>{body}\n{''.join(blocks)}</body></html>\n"
    )


def _script(script: str) -> str:
    if "</script" in script.lower():
        raise ValueError("a script that would end its own element")
    return f"<script>{script}</script>\n"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
