"""What a test needs of the processor."""

from __future__ import annotations

import pytest

from meshstyle.kernels.cpu_features import multiplies_bf16
from meshstyle.kernels.tile_registers import configuration

needs_bf16 = pytest.mark.skipif(not multiplies_bf16(), reason="a processor that does not multiply bf16")
needs_tiles = pytest.mark.skipif(configuration() is None, reason="a processor or system without AMX")
