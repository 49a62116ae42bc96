"""The pages' markup: Jinja2 templates beside the modules that fill them, and texts that cannot become markup."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from ...text import escaped

_ROOT = __name__.partition(".")[0]


def text(value: object) -> Markup:
    """Any text as HTML, also between quotes; control characters and marks of direction as escapes. Markup stays."""
    return Markup(value) if hasattr(value, "__html__") else escape(escaped(str(value)))


def macros(template: str) -> Any:
    """The macros of a template, which return markup; `template` is its path inside the package meshstyle."""
    return _environment().get_template(template).module


@functools.cache
def _environment() -> Environment:
    """Every expression goes through `text`; names that are not there are errors."""
    return Environment(
        loader=FunctionLoader(lambda name: files(_ROOT).joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        finalize=text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
