"""`meshstyle doctor`: what this machine has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshstyle.text import counted

from .display import emit, emit_json, table
from .interrupt import interruptible
from .options import Reporting, reports

if TYPE_CHECKING:
    from meshstyle.doctor import Check, Diagnosis
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"  # torch's own, without CUDA


@reports
def doctor(*, reporting: Reporting) -> None:
    """Show what this machine has.

    Torch, devices, weights, extras, and what can draw pictures, each tried.
    """
    with interruptible(keep_partial=False):
        from meshstyle.doctor import diagnose

        diagnosis = diagnose()
    if reporting.json:
        emit_json(diagnosis.to_dict())
        return
    emit(table(list(_rows(diagnosis))))


def _rows(found: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "meshstyle", found.meshstyle
    yield "python", found.python
    quota = "" if found.quota is None else f", of which {found.quota:g} are granted"
    yield "system", f"{found.system}, {found.cores} cores{quota}"
    yield "torch", _shown(found.torch)
    if found.installed:
        yield "installation", _installation(found)
    yield "device", f"{found.device}, {counted(found.threads, 'thread')}"
    yield "weights", _shown(found.weights)
    yield "paintings", _shown(found.paintings)
    for name, check in found.renderers.items():
        chosen = ", the automatic choice" if name == found.renderer else ""
        yield f"renderer {name}", f"{_shown(check)}{chosen}"
    for name, check in found.extras.items():
        hint = "" if check.works else f" (pip install 'meshstyle[{name}]')"
        yield f"extra {name}", f"{_shown(check)}{hint}"


def _installation(found: Diagnosis) -> str:
    size = f"torch and what it brings take {found.installed / 1e9:.1f} GB"
    if not found.spare:
        return size
    return (
        f"{size}, of which {found.spare / 1e9:.1f} GB are for CUDA, which is not here; a new environment goes without "
        f"them with: pip install . --extra-index-url {CPU_WHEELS}"
    )


def _shown(check: Check) -> str:
    return f"{'ok' if check.works else 'no'}: {check.detail}"
