"""The frame of a self-contained page: nothing in it is fetched, and no text becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup
from PIL import Image

from .templates import macros

TEMPLATE = "preview/page/page.html.jinja"


def json_block(name: str, value: Mapping[str, Any]) -> Markup:
    """Data for scripts. No `<` is left in it that could end the block."""
    dumped = json.dumps(value, allow_nan=False).replace("<", "\\u003c")
    return Markup(macros(TEMPLATE).block("application/json", name, Markup(dumped)))


def binary_block(name: str, data: bytes) -> Markup:
    """Bytes for scripts, in base64."""
    content = Markup(base64.b64encode(data).decode("ascii"))
    return Markup(macros(TEMPLATE).block("text/plain", name, content))


def picture(pixels: UInt8[np.ndarray, "H W C"], alternative: str, kind: str = "png") -> Markup:
    """An image element that holds its picture, sRGB; `kind` is png or jpeg."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=90)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    source = Markup(f"data:image/{kind};base64,{data}")
    return Markup(macros(TEMPLATE).picture(source, width, height, alternative))


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
        body: markup.
        scripts: run in order after the body. No other script can run, nor anything be fetched: the page's own policy
            forbids it.
        refresh: seconds after which browsers read the file again; None: never.
        style: a style sheet; None: that of the pages about one model.
        images: where pictures may come from, in the words of that policy.

    Raises ValueError for a script that would end its own element.
    """
    if any("</script" in script.lower() for script in scripts):
        raise ValueError("a script that would end its own element")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src {images}; "
        "connect-src data: blob:"
    )
    sheet = Markup(style or own_file("page.css"))
    page: str = macros(TEMPLATE).document(
        title, Markup(body), [Markup(script) for script in scripts], Markup(policy), refresh, sheet
    )
    return str(page)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
