"""The way down, whatever the unknown is: a texture, many views or one picture.

A problem is a table of colours and an objective made of parts, each of which reads some rows of the table: a view
reads the texels it sees. Adam takes one part a step, in shuffled rounds; L-BFGS takes them all, one after the
other, so that memory is that of one part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64

from ..config.model import Scale
from ..kernels.program import Program
from ..progress import ProgressCallback
from .adam import Adam
from .clock import Clock
from .lbfgs import FIRST_CHANGE, LBFGS, Evaluated

BETAS = (0.5, 0.99)  # shorter memory than usual: each step sees another part
_LAST = 0.03  # of the learning rate, at the end of a scale: the paint comes to rest


@dataclass(frozen=True)
class Terms:
    """The objective and its unweighted terms, NaN for those that have no weight. `structure` is the correlation
    (1: as the original)."""

    total: float
    style: float
    content: float
    structure: float
    consistency: float = 0.0


@dataclass(frozen=True, eq=False)
class Gradient:
    """The objective's gradient in some rows of the table, and its terms there.

    `freedom`: how much of a step each row may take, 0..1; None: all of it.
    """

    rows: Int64[torch.Tensor, "R"]
    gradient: Float[torch.Tensor, "R 3"]
    terms: Terms
    freedom: Float[torch.Tensor, "R 1"] | None = None


@runtime_checkable
class Problem(Protocol):
    """Something to be solved at one scale.

    Attributes:
        values: the unknown colours, sRGB 0..1; changed in place.
        parts: how many there are.
        even: how many of them, from the first, are evenly spaced cameras; each round visits those first.
    """

    values: Float[torch.Tensor, "N 3"]
    parts: int
    even: int

    def gradient(self, part: int) -> Gradient:
        """Return the gradient of one part of the objective (a view, or all of it)."""
        ...

    def order(self, scale: Scale, shuffle: np.random.Generator) -> Iterator[tuple[int, float]]:
        """Which part each step of Adam takes, and its learning rate."""
        ...


def known(term: float) -> float | None:
    """A term for those who cannot take NaN."""
    return None if math.isnan(term) else term


P = TypeVar("P", bound=Problem)


@dataclass(frozen=True)
class Schedule:
    """How all scales are optimized: the choices that hold for the whole of it. `first_change`: see `lbfgs.LBFGS`."""

    scales: Sequence[Scale]
    optimizer: str
    shuffle: np.random.Generator
    progress: ProgressCallback
    program: Program | None = None
    first_change: float = FIRST_CHANGE


def run_coarse_to_fine(
    way: Schedule,
    begin: Callable[[Scale], P],
    settle: Callable[[P, bool], None],
    clock: Clock | None = None,
) -> tuple[Terms | None, bool]:
    """Coarse to fine, each scale solved in turn; KeyboardInterrupt ends it early, once there is anything.

    Args:
        begin: makes a scale's problem, from what the one before came to.
        settle: is given a scale's problem when it is solved or left, and whether it is the last.
        clock: of a longer way, of which this one is the beginning.

    Returns: the terms at the end, None without a step; and whether it was interrupted.
    """
    clock = clock or Clock(way.scales, way.progress)
    terms: Terms | None = None
    for number, scale in enumerate(way.scales, 1):
        try:
            problem = begin(scale)
        except KeyboardInterrupt:
            if number == 1:
                raise
            return terms, True
        interrupted = False
        try:
            found = descend(problem, scale, way.optimizer, way.shuffle, clock, way.program, way.first_change)
            terms = _latest(terms, found)
        except KeyboardInterrupt:
            interrupted = True
        settle(problem, interrupted or number == len(way.scales))
        del problem  # the next scale's needs the room
        if interrupted:
            return terms, True
    return terms, False


def _latest(before: Terms | None, now: Terms | None) -> Terms | None:
    """Take the later one's terms of two scales, with the earlier one's content where that was the last to look at
    it."""
    if before is None or now is None or not math.isnan(now.content):
        return now or before
    return replace(now, content=before.content)


def descend(
    problem: Problem,
    scale: Scale,
    optimizer: str,
    shuffle: np.random.Generator,
    clock: Clock,
    program: Program | None = None,
    first_change: float = FIRST_CHANGE,
) -> Terms | None:
    """All steps of one scale with `adam` or `lbfgs`. The terms at its end; None without a step."""
    if optimizer == "lbfgs":
        return _all_parts_a_step(problem, scale, clock, first_change)
    return _one_part_a_step(problem, scale, shuffle, clock, Adam(problem.values, BETAS, program))


def _all_parts_a_step(problem: Problem, scale: Scale, clock: Clock, first_change: float) -> Terms | None:
    """L-BFGS (see `lbfgs`) on the mean over all parts."""
    lbfgs = LBFGS(problem.values, lambda: whole(problem), first_change=first_change)
    terms: Terms | None = None
    for _ in range(scale.steps):
        if not lbfgs.converged:
            reached = lbfgs.step()
            terms = reached.about
        _tick(clock, scale, terms)
    return terms


def whole(problem: Problem) -> Evaluated:
    """The mean of all parts, one after the other; `about` holds its terms."""
    gradient = torch.zeros_like(problem.values)
    found: list[Terms] = []
    for part in range(problem.parts):
        slope = problem.gradient(part)
        gradient.index_add_(0, slope.rows, slope.gradient, alpha=1 / problem.parts)
        found.append(slope.terms)
    terms = mean_terms(found)
    return Evaluated(terms.total, gradient, terms)


def _one_part_a_step(
    problem: Problem, scale: Scale, shuffle: np.random.Generator, clock: Clock, adam: Adam
) -> Terms | None:
    """Adam (see `adam`). The terms are means over the last round of parts."""
    history: list[Terms] = []
    for part, rate in problem.order(scale, shuffle):
        gradient = problem.gradient(part)
        before = None if gradient.freedom is None else problem.values[gradient.rows]
        adam.step(gradient.rows, gradient.gradient, rate)
        if before is not None and gradient.freedom is not None:
            moved = torch.lerp(before, problem.values[gradient.rows], gradient.freedom)
            problem.values.index_copy_(0, gradient.rows, moved)
        history.append(gradient.terms)
        _tick(clock, scale, gradient.terms)
    return mean_terms(history[-problem.parts :]) if history else None


def _tick(clock: Clock, scale: Scale, terms: Terms | None) -> None:
    """Tell of a step."""
    if terms is None:
        clock.tick(scale, 0.0)
        return
    style, content, structure = terms.style, known(terms.content), known(terms.structure)
    clock.tick(scale, terms.total, style=style, content=content, structure=structure)


def in_rounds(
    parts: int, even: int, scale: Scale, shuffle: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """`Problem.order` of parts that are all there: shuffled rounds, at a rate that falls."""
    order: list[int] = []
    for step in range(scale.steps):
        order = order or shuffled_round(parts, even, shuffle)
        yield order.pop(), learning_rate(scale.size, step, scale.steps)


def shuffled_round(parts: int, even: int, shuffle: np.random.Generator) -> list[int]:
    """All parts once, shuffled, to be taken from the end: the even cameras come before those for crevices, so that
    a run of few steps has looked from all sides."""
    order = shuffle.permutation(parts)
    return order[np.argsort(order < even, kind="stable")].tolist()


def learning_rate(size: int, step: int, steps: int) -> float:
    """Falls linearly to `_LAST` over a scale; larger where views are small and colours still have far to go, and small
    where only the finest detail is left: large steps would leave it as coloured noise."""
    first = 0.08 if size <= 128 else 0.05 if size <= 512 else 0.03
    return first * (1 - (1 - _LAST) * step / max(steps, 1))


def mean_terms(history: Sequence[Terms]) -> Terms:
    return Terms(*np.mean([astuple(terms) for terms in history], axis=0).tolist())
