"""The scripts of examples/ run as they are, on presets that take no time."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from helpers.little_work import shrink_presets

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shrink_presets(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    runpy.run_path(str(script), run_name="__main__")
    assert list((tmp_path / "out").iterdir())
    assert capsys.readouterr().out
