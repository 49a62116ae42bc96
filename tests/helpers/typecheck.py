"""What checks the types of arguments while tests run."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

# PEP 484, and so mypy: where a float is asked for, an int will do.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
