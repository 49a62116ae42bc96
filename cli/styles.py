"""`meshstyle styles`: the pictures that ship with the package."""

from __future__ import annotations

from dataclasses import asdict

from .display import emit, emit_json, table
from .options import Reporting, reports


@reports
def styles(*, reporting: Reporting) -> None:
    """List the paintings and looks that ship with meshstyle."""
    from meshstyle.bundled import looks
    from meshstyle.bundled import styles as shipped

    paintings = shipped()
    if reporting.json:
        found = {"styles": [asdict(each) for each in paintings], "looks": [asdict(each) for each in looks()]}
        emit_json(found)
        return
    emit(table([(each.name, f"{each.artist}: {each.title} ({each.year})") for each in paintings]))
    emit(table([(f"--config {each.name}", each.title) for each in looks()]))
