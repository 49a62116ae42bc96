"""A checkout can be imported as it is, whatever is installed, and everything in it is packaged."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROGRAM = """
import meshstyle, meshstyle.assets, meshstyle.cli.main
from meshstyle.bundled import find_style
print(meshstyle.__path__[0], meshstyle.cli.main.__file__, meshstyle.assets.__path__[0], find_style("scream"), sep="\\n")
"""


def test_a_plain_checkout_is_complete() -> None:
    """Of the folders of a checkout, no other copy, editable or not, is used."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    package, command, assets, style = map(Path, done.stdout.split("\n")[:4])
    assert package == ROOT / "meshstyle"
    assert command == ROOT / "cli" / "main.py"
    assert assets == ROOT / "assets"
    assert style.parent == ROOT / "assets" / "paintings"


def test_every_package_is_in_the_wheel() -> None:
    tools = PROJECT["tool"]["setuptools"]
    shims = {"meshstyle.cli", "meshstyle.assets"}
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "meshstyle").rglob("*.py")
    } | shims
    assert set(tools["packages"]) == found
    assert tools["package-dir"] == {"meshstyle.cli": "cli", "meshstyle.assets": "assets"}


def test_every_data_file_is_in_the_wheel() -> None:
    data = PROJECT["tool"]["setuptools"]["package-data"]
    packed = {
        path
        for package, patterns in data.items()
        if package != "meshstyle.assets"
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    others = {
        path
        for path in (ROOT / "meshstyle").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert packed == others
