"""The compiled steps on rows of texels, against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshstyle.config.model import Settings
from meshstyle.kernels.load import load_kernels
from meshstyle.kernels.program import Program
from meshstyle.kernels.thread_pool import ranges
from meshstyle.optimize.adam import Adam
from meshstyle.optimize.total_variation import Smoothness
from meshstyle.style.network import own_kernels

ROWS = [2, 1000, 40_000]  # fewer than a vector's lanes, one part, several parts


@pytest.fixture(scope="module")
def program() -> Program:
    found = load_kernels().program
    assert found is not None
    return found


def painted(rows: int, program: Program | None) -> torch.Tensor:
    """Colours after eight steps, each of which sees another half of the rows, one of them without a gradient."""
    generator = torch.Generator().manual_seed(rows)
    values = torch.rand(rows, 3, generator=generator)
    adam = Adam(values, (0.5, 0.99), program)
    for number in range(8):
        seen = torch.randperm(rows, generator=generator)[: rows // 2].sort().values
        gradient = torch.randn(len(seen), 3, generator=generator) * 10.0 ** (number % 4 - 2)
        gradient[number % len(seen)] = 0
        adam.step(seen, gradient, 0.05)
    return values


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.usefixtures("threads")
def test_adam_is_torchs(program: Program, rows: int) -> None:
    ours, theirs = painted(rows, program), painted(rows, None)
    assert torch.allclose(ours, theirs, atol=2e-6)
    assert float(ours.min()) >= 0
    assert float(ours.max()) <= 1


@pytest.mark.parametrize("rows", ROWS)
def test_smoothness_is_torchs_for_any_number_of_threads(program: Program, rows: int, threads: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    neighbours = torch.randint(0, rows, (rows, 4), generator=generator)
    alone = torch.rand(rows, 4, generator=generator) < 0.2
    neighbours = torch.where(alone, torch.arange(rows)[:, None], neighbours).numpy()
    paint = torch.rand(rows, 3, generator=generator)
    seen = torch.randperm(rows, generator=generator)[: max(rows // 2, 1)].sort().values
    value, gradient = Smoothness(neighbours, 2.0, colour=5.0, program=program)(paint, seen)
    exact, wanted = Smoothness(neighbours, 2.0, colour=5.0)(paint.double(), seen)
    assert float(value) == pytest.approx(float(exact), rel=1e-5)
    assert torch.allclose(gradient.double(), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    torch.set_num_threads(3 - threads)
    again, same = Smoothness(neighbours, 2.0, colour=5.0, program=program)(paint, seen)
    assert float(again) == float(value)
    assert torch.equal(same, gradient)


def test_what_compiled_code_cannot_take_is_left_to_torch(program: Program) -> None:
    """Double precision, and columns that do not lie side by side."""
    smooth = Smoothness(np.array([[1, 0, 0, 0], [0, 1, 1, 1]]), program=program)
    paint = torch.tensor([[0.5, 0.2, 0.1], [0.3, 0.1, 0.4]], dtype=torch.float64)
    value, gradient = smooth(paint, torch.arange(2))
    assert gradient.dtype == torch.float64
    assert float(value) == pytest.approx(0.04 + 0.01 + 0.09, rel=1e-12)
    turned = paint.float().T.contiguous().T
    assert torch.allclose(smooth(turned, torch.arange(2))[1], gradient.float())
    values = turned.clone(memory_format=torch.preserve_format)
    assert not values.is_contiguous()
    Adam(values, (0.5, 0.99), program).step(torch.tensor([1]), torch.tensor([[1.0, -1, 0]]), 0.1)
    assert torch.allclose(values, torch.tensor([[0.5, 0.2, 0.1], [0.2, 0.2, 0.4]]))


def test_parts_of_a_table_cover_it() -> None:
    for rows in (0, 1, 1 << 14, (1 << 14) + 1, 100_000):
        parts = ranges(rows)
        assert [first for first, _ in parts] == [0, *(end for _, end in parts)][: len(parts)]
        assert sum(end - first for first, end in parts) == rows


def test_a_run_by_torch_alone_uses_none() -> None:
    cpu = torch.device("cpu")
    assert own_kernels(Settings(), cpu) is load_kernels().program
    assert own_kernels(Settings(convolution="torch"), cpu) is None
    assert own_kernels(Settings(precision="bf16"), cpu) is None
    assert own_kernels(Settings(), torch.device("meta")) is None
