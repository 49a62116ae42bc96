"""`meshstyle styles`: the pictures that ship with the package."""

from __future__ import annotations

from dataclasses import asdict

from .display import emit, emit_json, table
from .options import Reporting, reports


@reports
def styles(*, reporting: Reporting) -> None:
    """List the paintings that ship with meshstyle."""
    from meshstyle.bundled import styles as shipped

    paintings = shipped()
    if reporting.json:
        emit_json({"styles": [asdict(painting) for painting in paintings]})
        return
    emit(table([(each.name, f"{each.artist}: {each.title} ({each.year})") for each in paintings]))
