"""`meshstyle styles`: the pictures that ship with the package."""

from __future__ import annotations

from .display import emit, emit_json, table
from .options import Reporting, reports


@reports
def styles(*, reporting: Reporting) -> None:
    """List the paintings that can be called by name."""
    from meshstyle.shipped import styles as shipped

    paintings = shipped()
    if reporting.json:
        emit_json({"styles": [painting.to_dict() for painting in paintings]})
        return
    emit(table([(painting.name, painting.title) for painting in paintings]))
