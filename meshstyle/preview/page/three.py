"""three.js with its glTF loader, as the installed trimesh carries it for its notebook viewer."""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache

_TEMPLATE = "templates/viewer.zip"
_START = re.compile(r"\binit\(\);?\s*$")


@cache
def library() -> str:
    """JavaScript that defines `THREE` with `THREE.GLTFLoader`, and starts nothing."""
    from trimesh import resources  # which takes a third of a second to load

    with zipfile.ZipFile(io.BytesIO(resources.get_bytes(_TEMPLATE))) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".html.template"))
        page = archive.read(name).decode("utf-8")
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    script, starts = _START.subn("", "\n".join(scripts))
    if not starts or "THREE.GLTFLoader" not in script:
        raise RuntimeError("the three.js viewer in trimesh's resources is not what this was written for")
    return script
