"""Write docs/api.md, the reference of the public API, from signatures and docstrings.

python scripts/api_page.py [OUTPUT]
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import meshstyle

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
_LIST = re.compile(r"(Args|Attributes|Raises|Returns)\b([^:\n]*):$")
_ITEM = re.compile(r"    (\*{0,2}\w[\w, ]*): (.*)")
_WIDTH = 110  # characters of a signature on one line


def main() -> None:
    """Write the page."""
    Path(sys.argv[1] if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page as Markdown."""
    values = {name: getattr(meshstyle, name) for name in meshstyle.__all__ if name != "__version__"}
    functions = {name: value for name, value in values.items() if inspect.isfunction(value)}
    errors = {name: value for name, value in values.items() if _is_error(value)}
    classes = {
        name: value for name, value in values.items() if inspect.isclass(value) and not _is_error(value)
    }
    lines = [
        "# Python API",
        "",
        "Everything here is in `meshstyle` itself. Made by `python scripts/api_page.py` from the docstrings.",
    ]
    for title, group in (("Functions", functions), ("Settings and results", classes), ("Errors", errors)):
        lines += ["", f"## {title}"]
        for name, value in group.items():
            lines += ["", f"### {name}", "", *_signature(name, value), *_text(inspect.getdoc(value) or "")]
    lines += [
        "",
        "## Other names",
        "",
        "- `ProgressCallback`: a function that takes a `Progress`.",
        "- `__version__`: the version as text.",
        "",
    ]
    return "\n".join(lines)


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def _signature(name: str, value: object) -> Iterator[str]:
    """A code block; parameters below each other where one line is too short."""
    if not callable(value):
        return
    signature = inspect.signature(value)
    text = _plain(f"{name}{signature}")
    if len(text) > _WIDTH:
        result = f" -> {signature.return_annotation}" if inspect.isfunction(value) else ""
        text = f"{name}(\n" + "".join(f"    {line}\n" for line in _parameters(signature)) + f"){result}"
    yield from ("```python", text, "```", "")


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    kind = None
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and kind is not parameter.KEYWORD_ONLY:
            yield "*,"
        kind = parameter.kind
        yield f"{_plain(str(parameter))},"


def _plain(text: str) -> str:
    """Without addresses, and annotations without quotes."""
    return re.sub(r"<function (\w+) at 0x\w+>", r"\1", text).replace("'", "")


def _text(docstring: str) -> Iterator[str]:
    """A docstring as Markdown: its lists of arguments and attributes become bullets, examples stay code."""
    in_list = False
    for line in docstring.splitlines():
        if heading := _LIST.match(line):
            in_list = True
            yield from (f"**{heading[1]}{heading[2]}**", "")
        elif in_list and (item := _ITEM.match(line)):
            yield f"- `{item[1]}`: {item[2]}"
        elif in_list and line.startswith("    "):
            yield f"  {line.strip()}"
        else:
            in_list = in_list and not line
            yield line


if __name__ == "__main__":
    main()
