"""Stands in for `meshstyle.cli` in a checkout, where its modules are in the folder `cli` beside the package.

An installed package does not hold this file: there `meshstyle.cli` is the folder `cli` itself (see pyproject.toml).
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "cli")]
