"""Stands in for `meshstyle.assets` in a checkout, where its files are in the folder `assets` beside the package.

An installed package does not hold this file: there `meshstyle.assets` is the folder `assets` itself (see
pyproject.toml).
"""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[2] / "assets")]
