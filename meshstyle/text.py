"""Numbers as people say them, and texts as they may be shown."""

from __future__ import annotations

MESSAGE = 290  # characters of an error, so that a line with a word before it has no more than 300
_LEAST_SUBJECT, _LEAST_CAUSE = 80, 100  # characters that are left of them


def duration(seconds: float) -> str:
    """`8 s`, `1 min 05 s`, `2 h 03 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


def rate(an_hour: float) -> str:
    """`about 25 a minute`, `about 12 an hour`, `about 3 a day`: the first in which it is a whole number above 1."""
    for number, unit in ((an_hour / 3600, "a second"), (an_hour / 60, "a minute"), (an_hour, "an hour")):
        if number >= 1.5:
            return f"about {number:.0f} {unit}"
    return f"about {an_hour:.0f} an hour" if an_hour >= 1 else f"about {max(an_hour * 24, 1):.0f} a day"


def counted(number: int, one: str, several: str = "") -> str:
    """`1 model`, `3 models`."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def escaped(text: str) -> str:
    """Text from a file as it may be shown: one line, in which control characters, marks that turn the direction of
    writing, and halves of characters stand as escapes (`\\x1b`, `\\u202e`, `\\udcff`)."""
    line = text if text.isprintable() else " ".join(text.splitlines())
    return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def shortened(text: str, most: int, keep_end: bool = False) -> str:
    """Shorten a text to at most so many characters. What is left out is the end, or the middle where the end tells
    most (of paths)."""
    if len(text) <= most:
        return text
    if not keep_end:
        return f"{text[: most - 1]}…"
    head = (most - 1) // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def message(subject: str, cause: str, remedy: str) -> str:
    """What an error says: `SUBJECT: CAUSE. REMEDY`, escaped, of at most MESSAGE characters.

    Where that is too little, the subject's middle goes first, then the end of the cause, then that of the remedy.
    """
    parts = [escaped(subject), escaped(cause), escaped(remedy)]
    spare = MESSAGE - 4  # the signs between them
    for place, least in enumerate((_LEAST_SUBJECT, _LEAST_CAUSE, 0)):
        others = sum(map(len, parts)) - len(parts[place])
        parts[place] = shortened(parts[place], max(spare - others, least, 1), keep_end=place == 0)
    return "{}: {}. {}".format(*parts)
