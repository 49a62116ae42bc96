"""What a test needs of the processor."""

from __future__ import annotations

import pytest

from meshstyle.compiled.processor import multiplies_halves

needs_halves = pytest.mark.skipif(not multiplies_halves(), reason="a processor that does not multiply bf16")
