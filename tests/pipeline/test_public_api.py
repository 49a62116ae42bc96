"""What `import meshstyle` offers, and what it does not cost."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import meshstyle

ROOT = Path(__file__).parents[2]


def test_the_public_names_are_these() -> None:
    assert meshstyle.__all__ == [
        "AssetError",
        "BatchOptions",
        "BatchPlan",
        "BatchResult",
        "Evaluation",
        "Grid",
        "InputError",
        "ManifestError",
        "MeshStyleError",
        "ModelInfo",
        "OutputError",
        "PictureError",
        "PictureResult",
        "PictureSettings",
        "Progress",
        "ProgressCallback",
        "Result",
        "RunFile",
        "Settings",
        "TurntableResult",
        "TurntableSettings",
        "UsageError",
        "VideoResult",
        "VideoSettings",
        "WeightsError",
        "__version__",
        "describe",
        "evaluate",
        "make_grid",
        "plan_batch",
        "read_picture_run_file",
        "read_run_file",
        "read_video_run_file",
        "run_batch",
        "styles",
        "stylize",
        "stylize_image",
        "stylize_video",
        "turntable",
    ]


def test_every_public_name_is_there_and_documented() -> None:
    for name in meshstyle.__all__:
        value = getattr(meshstyle, name)
        assert name in dir(meshstyle)
        if name not in ("__version__", "ProgressCallback"):
            assert value.__doc__, name
            assert value.__module__.startswith("meshstyle."), name


def test_type_checkers_see_the_same_names() -> None:
    """Names are loaded when first used; what type checkers read is a list of imports of its own."""
    tree = ast.parse(Path(meshstyle.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(meshstyle.__all__)
    for name, module in seen.items():
        assert getattr(importlib.import_module(f"meshstyle.{module}"), name) is getattr(meshstyle, name)


def test_a_process_that_goes_ahead_is_no_matter_of_the_callers() -> None:
    """The command starts one; `stylize` has no argument of it."""
    assert list(inspect.signature(meshstyle.stylize).parameters) == [
        *("model", "style", "output", "settings", "progress", "partial", "preview", "overwrite", "overrides")
    ]


def test_version_is_the_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert meshstyle.__version__ == project["project"]["version"]


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        meshstyle.nonsense  # noqa: B018


@pytest.mark.parametrize("command", ["stylize", "image", "video", "batch"])
def test_asking_for_help_loads_no_heavy_library(command: str) -> None:
    """torch alone takes seconds. A fresh interpreter, since this one has everything loaded."""
    program = (
        f"import sys; from meshstyle.cli.main import main; code = main(['{command}', '--help']);"
        "print(code, [n for n in ('torch', 'numpy', 'numba', 'scipy', 'trimesh', 'PIL') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.splitlines()[-1] == "0 []"


def test_no_module_takes_the_name_of_a_public_function() -> None:
    """Importing a submodule sets the package's attribute of that name: the function would be gone."""
    folder = Path(meshstyle.__file__).parent
    assert not [
        name for name in meshstyle.__all__ if (folder / f"{name}.py").exists() or (folder / name).is_dir()
    ]
