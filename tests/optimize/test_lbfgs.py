"""L-BFGS: known minima, bounds, the Wolfe conditions, and the way down for any problem."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.optimize
import torch

from meshstyle.config.model import Scale
from meshstyle.optimize.lbfgs import ARMIJO, CURVATURE, LBFGS, Evaluated, dot
from meshstyle.optimize.loop import Clock, Gradient, Terms, descend, in_rounds, whole
from meshstyle.progress import ignore


def function(values: torch.Tensor, of: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Evaluated]:
    def evaluate() -> Evaluated:
        leaf = values.clone().requires_grad_(True)
        value = of(leaf)
        value.backward()
        assert leaf.grad is not None
        return Evaluated(float(value.detach()), leaf.grad)

    return evaluate


def quadratic(size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A positive definite matrix with eigenvalues over four decades, and a vector."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(size, size, generator=generator, dtype=torch.float64)
    a = a @ a.T / size + torch.diag(torch.logspace(-3, 1, size, dtype=torch.float64))
    return a, 3 * torch.randn(size, generator=generator, dtype=torch.float64)


def test_rosenbrocks_valley() -> None:
    """Minimum at (1, 1); the third component is pushed against its bound at 0."""
    values = torch.tensor([[0.1, 0.9, 0.5]], dtype=torch.float64)
    lbfgs = LBFGS(
        values,
        function(
            values,
            lambda x: (1 - x[0, 0]) ** 2 + 100 * (x[0, 1] - x[0, 0] ** 2) ** 2 + (x[0, 2] + 0.3) ** 2,
        ),
    )
    for _ in range(40):
        lbfgs.step()
    assert torch.allclose(values, torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64), atol=1e-4)
    assert lbfgs.converged


def test_a_quadratic_in_the_box_ends_where_the_conditions_of_karush_kuhn_and_tucker_hold() -> None:
    a, b = quadratic(90, 0)
    values = torch.full((30, 3), 0.5, dtype=torch.float64)
    lbfgs = LBFGS(values, function(values, lambda x: x.flatten() @ (a @ x.flatten()) / 2 - b @ x.flatten()))
    seen = [lbfgs.step().value for _ in range(150)]
    x = values.flatten()
    slope = a @ x - b
    assert bool(((x > 0) & (x < 1)).any())
    assert bool((x == 0).any())
    assert float(slope[(x > 0) & (x < 1)].abs().max()) < 1e-4
    assert float(slope[x == 0].min()) >= 0
    assert float(slope[x == 1].max()) <= 0
    assert all(later <= earlier for earlier, later in itertools.pairwise(seen))


def test_it_needs_no_more_evaluations_than_a_well_known_one() -> None:
    """SciPy's L-BFGS-B on a quadratic with eigenvalues over four decades, a minimum inside the box."""
    q, _ = torch.linalg.qr(
        torch.randn(90, 90, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    )
    a = q @ torch.diag(torch.logspace(-1, 3, 90, dtype=torch.float64)) @ q.T
    values = 0.45 + 0.15 * torch.rand(30, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start = values.flatten().numpy().copy()
    lbfgs = LBFGS(
        values, function(values, lambda x: (x.flatten() - 0.5) @ a @ (x.flatten() - 0.5)), history=10
    )
    while lbfgs.step().value > 1e-4:
        assert lbfgs.evaluations < 500
    theirs: list[float] = []

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        off = a.numpy() @ (x - 0.5)
        theirs.append(float((x - 0.5) @ off))
        return theirs[-1], 2 * off

    options = {"maxcor": 10, "ftol": 0.0, "gtol": 1e-9}
    scipy.optimize.minimize(
        evaluate, start, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * 90, options=options
    )
    reached = next(number for number, value in enumerate(theirs, 1) if value <= 1e-4)
    assert lbfgs.evaluations <= 1.3 * reached


def test_steps_meet_the_strong_wolfe_conditions() -> None:
    """On a function far from a quadratic, away from the bounds."""
    values = torch.full((4, 3), 0.45, dtype=torch.float64)
    values[0, 0] = 0.52
    weights = torch.arange(1, 13, dtype=torch.float64).view(4, 3)
    lbfgs = LBFGS(
        values, function(values, lambda x: (weights * ((x - 0.5) ** 4 + 0.01 * (x - 0.5) ** 2)).sum())
    )
    for _ in range(6):
        before, start = lbfgs.step(), values.clone()
        after = lbfgs.step()
        if lbfgs.converged:
            break
        s = values - start
        assert after.value <= before.value + ARMIJO * dot(before.gradient, s) + 1e-15
        assert abs(dot(after.gradient, s)) <= CURVATURE * abs(dot(before.gradient, s)) + 1e-15


def test_an_interrupted_step_leaves_the_point_it_began_at() -> None:
    values = torch.full((2, 3), 0.3)
    armed = False
    evaluate = function(values, lambda x: ((x - 0.7) ** 2).sum())

    def interrupted() -> Evaluated:
        if armed:
            raise KeyboardInterrupt
        return evaluate()

    lbfgs = LBFGS(values, interrupted)
    lbfgs.step()
    before, armed = values.clone(), True
    with pytest.raises(KeyboardInterrupt):
        lbfgs.step()
    assert torch.equal(values, before)


def test_a_value_that_is_no_number_is_stepped_back_from() -> None:
    """√x has no value below 0; the box ends at 0, so let it end at 0.2."""
    values = torch.full((1, 3), 0.9, dtype=torch.float64)
    lbfgs = LBFGS(values, function(values, lambda x: (-torch.log(x - 0.2) + 3 * x).sum()))
    for _ in range(30):
        lbfgs.step()
    assert torch.allclose(values, torch.full_like(values, 0.2 + 1 / 3), atol=1e-5)


class Halves:
    """½‖x − t‖² in two parts, each of which reads half the rows."""

    parts, even = 2, 2

    def __init__(self) -> None:
        self.values = torch.full((4, 3), 0.9)
        self.target = torch.linspace(0.1, 0.6, 12).view(4, 3)

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        return in_rounds(self.parts, self.even, scale, shuffle)

    def gradient(self, part: int) -> Gradient:
        rows = torch.tensor([[0, 1], [2, 3]][part])
        off = self.values[rows] - self.target[rows]
        return Gradient(rows, off, Terms(float((off**2).sum()) / 2, 0.0, 0.0, 1.0))


def test_the_whole_is_the_mean_of_the_parts() -> None:
    problem = Halves()
    found = whole(problem)
    off = problem.values - problem.target
    assert found.value == pytest.approx(float((off**2).sum()) / 4)
    assert torch.allclose(found.gradient, off / 2)


@pytest.mark.parametrize(("optimizer", "steps", "near"), [("adam", 200, 5e-2), ("lbfgs", 12, 1e-5)])
def test_either_way_down_ends_at_the_minimum(optimizer: str, steps: int, near: float) -> None:
    problem, scale = Halves(), Scale(256, steps)
    terms = descend(problem, scale, optimizer, np.random.default_rng(0), Clock([scale], ignore))
    assert terms is not None
    assert torch.allclose(problem.values, problem.target, atol=near)
