"""Numbers as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """`8 s`, `1 min 05 s`, `2 h 03 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


def counted(number: int, one: str, several: str = "") -> str:
    """`1 model`, `3 models`."""
    return f"{number} {one if number == 1 else several or one + 's'}"
