"""What the processor can do, as LLVM tells. Needs llvmlite, but no compiler."""

from __future__ import annotations

from functools import lru_cache

from llvmlite import binding


@lru_cache(maxsize=1)
def features() -> str:
    """All of it, in LLVM's words."""
    flattened: str = binding.get_host_cpu_features().flatten()
    return flattened


def has(feature: str) -> bool:
    """Whether it has one of them, by LLVM's name: `avx512f`."""
    return f"+{feature}" in features().split(",")


def multiplies_bf16() -> bool:
    """Whether it multiplies pairs of bf16 and adds them to float32 in one instruction, as wide as `LANES`."""
    return has("avx512bf16")
