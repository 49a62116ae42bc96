"""Khronos' glTF validator (npm `gltf-validator`), installed on first use."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "validator"
ERROR, WARNING = 0, 1


@functools.cache
def _install() -> None:
    if not (FOLDER / "node_modules" / "gltf-validator").is_dir():
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"]
        subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=300)


def validate(path: Path) -> dict[str, Any]:
    """The validator's report on a .gltf or .glb file."""
    _install()
    command = ["node", str(FOLDER / "validate.js"), str(path)]
    result = subprocess.run(command, check=True, capture_output=True, timeout=120)
    return json.loads(result.stdout)


def problems(path: Path) -> Counter[tuple[str, str]]:
    """Errors and warnings: (code, message with its numbers taken out) and how often."""
    messages = validate(path)["issues"]["messages"]
    return Counter(
        (item["code"], re.sub(r"\d+", "#", item["message"]))
        for item in messages
        if item["severity"] in (ERROR, WARNING)
    )


@functools.cache
def _problems_of_input(path: Path, _: int) -> Counter[tuple[str, str]]:
    return problems(path)


def assert_no_new_problems(before: Path, after: Path) -> None:
    """No error or warning that the input did not have (or not as often)."""
    new = problems(after)
    if new:
        new -= _problems_of_input(before, before.stat().st_mtime_ns)
    assert not new, f"{after.name} has new problems: {dict(new)}"
