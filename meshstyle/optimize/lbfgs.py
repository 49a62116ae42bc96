"""L-BFGS, for unknowns of which every step sees all.

The inverse Hessian is that of Nocedal & Wright, Numerical Optimization (2006), algorithm 7.4; the line search meets
the strong Wolfe conditions (algorithms 3.5 and 3.6). Colours stay in 0..1: components that sit at a bound and push
against it take no part in the direction (Bertsekas 1982, two-metric projection), and the search follows the path
that is bent into the box.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

HISTORY = 20  # pairs of steps and gradient changes kept
_HISTORY_BYTES = 2**30  # at most, for all pairs of a large problem
_LEAST_HISTORY = 4
ARMIJO, CURVATURE = 1e-4, 0.9  # c₁ and c₂ of the Wolfe conditions
_TRIALS = 12  # evaluations of one line search
FIRST_CHANGE = 0.02  # see `LBFGS`
_NOTHING = 1e-9  # of the value: a first-order change too small for single precision to show
_CURVED = 1e-10  # yᵀs / ‖y‖² below which a pair says nothing about curvature

Colours = Float[torch.Tensor, "N 3"]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The objective at one point: its value, its gradient, and whatever else the caller wants back."""

    value: float
    gradient: Colours
    about: Any = None


@dataclass(frozen=True, eq=False)
class _Trial:
    """A point on the search path: the step length, what was found there, and the path's slope."""

    length: float
    found: Evaluated
    slope: float


class LBFGS:
    """Minimises a smooth function of colours 0..1, changing them in place.

    Attributes:
        evaluations: how often the function has been asked.
        converged: no step could make it smaller any more.
    """

    def __init__(
        self,
        values: Colours,
        evaluate: Callable[[], Evaluated],
        history: int | None = None,
        first_change: float = FIRST_CHANGE,
    ) -> None:
        """`evaluate`: the function at what `values` holds when it is called; `first_change`: root mean square change of
        the very first trial, sRGB: less where the values are nearly good."""
        self._values, self._evaluate, self._first_change = values, evaluate, first_change
        most = max(_LEAST_HISTORY, min(HISTORY, _HISTORY_BYTES // max(2 * values.nbytes, 1)))
        self._pairs: deque[tuple[torch.Tensor, torch.Tensor, float]] = deque(maxlen=history or most)
        self._here: Evaluated | None = None
        self.evaluations, self.converged = 0, False

    @torch.no_grad()
    def step(self) -> Evaluated:
        """One iteration; what was found at the point it ends at. Where it stops early it ends at the best point."""
        if self._here is None:
            self._here = self._ask()
        before, start = self._here, self._values.clone()
        try:
            reached = self._search(start, before, self._direction(before.gradient))
            if reached is None and self._pairs:
                self._pairs.clear()  # what was learnt misleads here: begin anew along the gradient
                reached = self._search(start, before, self._direction(before.gradient))
        except BaseException:
            self._values.copy_(start)
            raise
        if reached is None:
            self._values.copy_(start)
            self.converged = True
            return before
        self._here = reached.found
        self._remember(self._values - start, reached.found.gradient - before.gradient)
        return reached.found

    def _ask(self) -> Evaluated:
        self.evaluations += 1
        with torch.enable_grad():
            return self._evaluate()

    def _direction(self, gradient: Colours) -> Colours:
        """−H·g on the components that are free to move (algorithm 7.4)."""
        free = ~(((self._values <= 0) & (gradient > 0)) | ((self._values >= 1) & (gradient < 0)))
        q = gradient * free
        if not self._pairs:
            size = float(q.square().mean(dtype=torch.float64)) ** 0.5
            return q * (-self._first_change / max(size, 1e-30))
        shares = []
        for s, y, inverse in reversed(self._pairs):
            share = inverse * dot(s, q)
            q.sub_(y, alpha=share)
            shares.append(share)
        s, y, inverse = self._pairs[-1]
        q.mul_(1 / (inverse * dot(y, y)))
        for (s, y, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            q.add_(s, alpha=share - inverse * dot(y, q))
        return q.neg_().mul_(free)

    def _remember(self, s: Colours, y: Colours) -> None:
        curvature = dot(y, s)
        if curvature > _CURVED * dot(y, y):
            self._pairs.append((s, y, 1 / curvature))

    def _try(self, start: Colours, direction: Colours, length: float) -> _Trial:
        reached = start.add(direction, alpha=length)
        self._values.copy_(reached.clamp(0, 1))
        found = self._ask()
        # Where the path has been bent into the box, its derivative is 0.
        slope = dot(found.gradient, direction * (self._values == reached))
        return _Trial(length, found, slope)

    def _search(self, start: Colours, before: Evaluated, direction: Colours) -> _Trial | None:
        """A step that meets the strong Wolfe conditions (algorithm 3.5), or the best that lowers the function.

        Leaves `values` there. None where nothing lowered it.
        """
        origin = _Trial(0.0, before, dot(before.gradient, direction))
        if not origin.slope < -_NOTHING * abs(before.value):
            return None
        best: _Trial | None = None
        low, high, length = origin, None, 1.0
        for _ in range(_TRIALS):
            trial = self._try(start, direction, length)
            if _falls_enough(trial, origin) and (best is None or trial.found.value < best.found.value):
                best = trial
            if not _falls_enough(trial, origin) or (low.length > 0 and trial.found.value >= low.found.value):
                high = trial
            elif abs(trial.slope) <= CURVATURE * abs(origin.slope):
                return trial
            else:
                ahead = 1.0 if high is None else high.length - low.length
                if trial.slope * ahead >= 0:
                    high = low
                low = trial
            length = _between(low, high) if high is not None else 2.5 * length
        if best is not None:
            self._values.copy_(start.add(direction, alpha=best.length).clamp_(0, 1))
        return best


def _falls_enough(trial: _Trial, origin: _Trial) -> bool:
    """Armijo's condition (3.6a). False for values that are not finite."""
    return trial.found.value <= origin.found.value + ARMIJO * trial.length * origin.slope


def _between(low: _Trial, high: _Trial) -> float:
    """Minimum of the cubic through two trials and their slopes (3.59), kept off the interval's ends."""
    span = high.length - low.length
    d1 = low.slope + high.slope - 3 * (low.found.value - high.found.value) / (low.length - high.length)
    inside = d1 * d1 - low.slope * high.slope
    place = 0.5
    if inside >= 0:
        d2 = inside**0.5 * (1 if span > 0 else -1)
        divisor = high.slope - low.slope + 2 * d2
        if divisor:
            place = 1 - (high.slope + d2 - d1) / divisor
    place = min(max(place, 0.1), 0.9) if math.isfinite(place) else 0.5
    return low.length + place * span


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    """Inner product, summed in double precision."""
    return float((a * b).sum(dtype=torch.float64))
