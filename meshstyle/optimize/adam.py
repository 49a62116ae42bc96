"""Adam, for unknowns of which each step sees only some."""

from __future__ import annotations

import torch

from ..kernels.program import Program
from ..kernels.texel_arguments import StepArguments
from ..kernels.thread_pool import address, ranges, share_out, suits


class Adam:
    """Adam (Kingma & Ba 2015) that touches only the rows a step has a gradient for.

    A texel that this view does not see keeps its moments and its place, instead of coasting on stale momentum;
    bias is corrected by each row's own number of steps (in the order of computation of the paper's section 2).
    """

    def __init__(
        self, values: torch.Tensor, betas: tuple[float, float], program: Program | None = None
    ) -> None:
        """`values`: (N, 3), changed in place. `program`: compiled kernels, used for float32 on the CPU."""
        self._values, self._betas = values, betas
        self._program = program if suits(values) else None
        self._mean = torch.zeros_like(values)
        self._square = torch.zeros_like(values)
        self._count = torch.zeros(len(values), dtype=torch.int32, device=values.device)
        self._steps, self._corrections = 0, values.new_empty(0, 1)

    @torch.no_grad()
    def step(self, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """One step on the given rows, values kept in 0..1."""
        self._prepare_corrections()
        if self._program is not None:
            self._run(self._program, rows, gradient, rate)
            return
        b1, b2 = self._betas
        mean = self._mean.index_select(0, rows).lerp_(gradient, 1 - b1)
        square = self._square.index_select(0, rows).mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        count = self._count.index_select(0, rows)
        change = (mean / square.sqrt().add_(1e-8)).mul_(self._corrections.index_select(0, count))
        values = self._values.index_select(0, rows).sub_(change, alpha=rate).clamp_(0, 1)
        self._values.index_copy_(0, rows, values)
        self._mean.index_copy_(0, rows, mean)
        self._square.index_copy_(0, rows, square)
        self._count.index_copy_(0, rows, count + 1)

    def _prepare_corrections(self) -> None:
        """A table of √(1 − β₂ⁿ) / (1 − β₁ⁿ) for a row's n-th step, (n, 1): no row has made more than all steps."""
        self._steps += 1
        if self._steps > len(self._corrections):
            b1, b2 = self._betas
            step = self._values.new_ones(2 * self._steps + 63, 1).cumsum(0)
            self._corrections = torch.sqrt(1 - b2**step) / (1 - b1**step)

    def _run(self, program: Program, rows: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        """The same, compiled."""
        b1, b2 = self._betas
        factors = torch.tensor([rate, 1 - b1, 1 - b2])
        tables = (gradient, self._values, self._mean, self._square, self._count, self._corrections, factors)
        places = [address(table) for table in (rows, *tables)]
        share_out(lambda part: program.step(StepArguments(*part, *places)), ranges(len(rows)))
