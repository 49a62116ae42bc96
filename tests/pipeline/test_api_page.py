"""docs/api.md is what the docstrings say now."""

from __future__ import annotations

import runpy
from pathlib import Path

import meshstyle

ROOT = Path(__file__).parents[2]


def test_the_api_page_is_up_to_date() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "api_page.py"))
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert script["page"]() == written, "run: python scripts/api_page.py"
    assert all(f"### {name}\n" in written for name in meshstyle.__all__ if name[0] not in "_P")
