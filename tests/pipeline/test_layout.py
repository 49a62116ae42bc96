"""The rooms of ARCHITECTURE.md: modules import downwards only, and never in a circle, inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# From the lowest to the highest. Modules of one line may import each other, and what stands in lines before.
ROOMS = (
    "text errors progress srgb strength",
    "system",
    "kernels",
    "config",
    "io",
    "texture",
    "views",
    "style",
    "optimize",
    "bake",
    "bundled provenance recorded_settings run_file output_path figures viewing",
    "saved_look requested_styles",
    "seen_report results prepare prefetch",
    "preview",
    "measure evaluation info doctor relief",
    "stylize_model stylize_flat_image",
    "batch video",
    "style_grid",
    "cli",
)
PUBLIC = (
    "meshstyle",
    "meshstyle.__main__",
    "meshstyle.assets",
)  # the face of the package and its data: see them last

Graph = dict[str, set[str]]


@lru_cache(maxsize=1)
def sources() -> dict[str, Path]:
    """Every module of the package by its dotted name; `cli/` and `assets/` lie beside it in a checkout."""
    found = {}
    for folder, name in (
        (ROOT / "meshstyle", "meshstyle"),
        *((ROOT / n, f"meshstyle.{n}") for n in ("cli", "assets")),
    ):
        for path in folder.rglob("*.py"):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if name != "meshstyle" or module not in (
                "meshstyle.cli",
                "meshstyle.assets",
            ):  # shims for the checkout
                found[module] = path
    return found


def imported(module: str, path: Path) -> Iterator[str]:
    """The modules of the package that a module imports anywhere: at its top, for type checkers, inside functions."""
    here = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{whole}.{alias.name}" for alias in node.names]
        for name in names:
            while name and name not in sources():
                name = name.rpartition(".")[0]
            if name and name != module:
                yield name


@lru_cache(maxsize=1)
def imports() -> Graph:
    return {module: set(imported(module, path)) for module, path in sources().items()}


def circles(graph: Graph) -> list[list[str]]:
    """Sets of nodes from each of which all others of the set can be reached."""
    reached = {node: reachable(graph, node) for node in graph}
    together = {
        tuple(sorted(n for n in reached[node] if node in reached[n]))
        for node in graph
        if node in reached[node]
    }
    return [list(circle) for circle in sorted(together)]


def reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph.get(node, ())
    return seen


def package(module: str) -> str:
    is_package = sources()[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def test_no_file_imports_itself_through_others() -> None:
    assert circles(imports()) == []


def test_no_package_imports_itself_through_others() -> None:
    """A package and those inside it count as one."""
    graph: Graph = {}
    for module, targets in imports().items():
        for target in targets:
            one, other = package(module), package(target)
            if not f"{one}.".startswith(f"{other}.") and not f"{other}.".startswith(f"{one}."):
                graph.setdefault(one, set()).add(other)
    assert circles(graph) == []


def test_every_module_has_a_room() -> None:
    known = {room for line in ROOMS for room in line.split()}
    assert {m.split(".")[1] for m in sources() if m not in PUBLIC} <= known


@pytest.mark.parametrize("line", ROOMS)
def test_lower_rooms_do_not_import_upper_ones(line: str) -> None:
    height = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
    upwards = [
        f"{module} -> {target}"
        for module, targets in imports().items()
        if module not in PUBLIC and module.split(".")[1] in line.split()
        for target in targets
        if target not in PUBLIC and height[target.split(".")[1]] > height[module.split(".")[1]]
    ]
    assert upwards == []


def test_no_test_imports_another_test() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("test_"), path
            elif isinstance(node, ast.Import):
                assert not any(alias.name.startswith("test_") for alias in node.names), path
