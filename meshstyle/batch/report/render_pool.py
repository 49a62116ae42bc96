"""Has the pictures of a report drawn in processes of its own, beside the painting and after it.

The painting neither waits for them nor suffers from them: by the time an asset is drawn, it is in place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from ...errors import MeshStyleError
from ...system.threads import usable_threads
from ..types import WorkerContext
from ..worker_pool import Lost, Processes
from .images import RenderOutcome, RenderRequest

TIME_LIMIT = 600.0  # seconds that one drawing may take
_CORES = 4  # to which there is one process that draws: drawing takes a small part of the time of painting


class RenderPool:
    """Draws in the order of asking, until it is closed. Its processes begin when there is something to draw."""

    def __init__(self, context: WorkerContext, drawn: Callable[[RenderOutcome], None]) -> None:
        """`drawn`: is told of every drawing, in a thread of the artist's own."""
        self._context, self._drawn = context, drawn
        self._orders: SimpleQueue[RenderRequest | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._teams: list[Processes] = []
        self._left = 0
        self._changed = threading.Condition()
        self._stopped = False

    def close(self) -> None:
        """End at once; what was not drawn is not drawn any more."""
        self._stopped = True
        for _thread in self._threads:
            self._orders.put(None)
        for team in self._teams:
            team.interrupt()
        for thread in self._threads:
            thread.join()

    @property
    def left(self) -> int:
        """How many drawings there are still to be done."""
        return self._left

    def ask(self, render_request: RenderRequest) -> None:
        """Queue something to draw."""
        with self._changed:
            self._left += 1
            while len(self._threads) < max(1, usable_threads() // _CORES):
                self._begin()
        self._orders.put(render_request)

    def hurry(self) -> None:
        """Nothing else is going on any more: draw on all cores."""
        with self._changed:
            while self._threads and len(self._threads) < min(usable_threads(), self._left):
                self._begin()

    def wait(self, seconds: float) -> None:
        """Until something was drawn, or so long."""
        with self._changed:
            if self._left:
                self._changed.wait(seconds)

    def _begin(self) -> None:
        team = Processes(1, self._context)
        thread = threading.Thread(target=self._work, args=(team,), daemon=True)
        self._teams.append(team)
        self._threads.append(thread)
        thread.start()

    def _work(self, team: Processes) -> None:
        with team:
            try:
                for ended in team.each(_draw, self._taken(), TIME_LIMIT):
                    if self._stopped:
                        return
                    lost = isinstance(ended.answer, Lost)
                    self._end(RenderOutcome(ended.item, ended.answer.cause) if lost else ended.answer)
            except MeshStyleError as error:  # no process can be had: nothing will be drawn
                for render_request in self._taken():
                    self._end(RenderOutcome(render_request, error.cause))

    def _end(self, drawn: RenderOutcome) -> None:
        self._drawn(drawn)
        with self._changed:
            self._left -= 1
            self._changed.notify_all()

    def _taken(self) -> Iterator[RenderRequest]:
        while (render_request := self._orders.get()) is not None and not self._stopped:
            yield render_request


def _draw(render_request: RenderRequest, context: WorkerContext) -> RenderOutcome:
    from .render import draw  # loads numpy, which the process that plans does without

    return draw(render_request, context)
