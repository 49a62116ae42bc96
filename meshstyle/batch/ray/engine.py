"""The engine of a Ray cluster: one actor for each worker.

Actors and not tasks, because a worker keeps what jobs share (weights, kernels, paintings), because each is given one
job at a time, so that no more is under way than there are workers, and because a job can be ended for sure by ending
its actor. Ray retries nothing: attempts are counted in one place, where the batch is run.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Self

from ...errors import MeshStyleError
from ..failures import lost
from ..types import FailureKind, Job, Outcome, WorkerContext
from .cluster import Need, slots
from .node import Painter
from .transfer import FileContents, Missing, Order, Returned, Sender, as_sent

_LOOK = 2.0  # seconds after which the cluster is looked at again
_PATIENCE = 60.0  # seconds that the cluster may have no node that is large enough
_FAREWELL = 5.0  # seconds that workers may take to clean up
_NEVER_READY = 3  # workers in a row that could not be started


class RayEngine:
    """Satisfies `batch.types.Engine`. Nodes that join are used; those that go take their workers with them."""

    def __init__(
        self,
        ray: Any,
        need: Need,
        workers: int | None,
        most: int,
        context: WorkerContext,
        painter: type[Painter] = Painter,
    ) -> None:
        """`workers`: how many, or None: as many as there is room for; but no more than `most`."""
        self._ray, self._need, self._context, self._painter = ray, need, context, painter
        self._asked, self._most = workers, max(most, 1)
        self._sender = Sender(context)
        self._probe = f"probe-{secrets.token_hex(8)}"
        self._slots: list[_Slot] = []
        self._failed_starts = 0
        self._looked = self._last_room = time.monotonic()
        self.workers = self._room()

    def __enter__(self) -> Self:
        if not self.workers:
            cause = f"no node of the cluster has {self._need}"
            remedy = "Ask for less with --threads, --gpus-per-job or --memory-limit."
            raise MeshStyleError("--engine ray", cause, remedy)
        (self._context.staging / self._probe).touch()
        return self

    def __exit__(self, *_: object) -> None:
        farewells = [
            slot.actor.close.remote() for slot in self._slots if slot.order is None and slot.is_ready
        ]
        if farewells:
            self._ray.wait(farewells, num_returns=len(farewells), timeout=_FAREWELL)
        for slot in list(self._slots):
            self._dismiss(slot)

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """See `batch.types.Engine`."""
        waiting, is_over = iter(jobs), False
        for slot in self._slots:
            slot.greet()  # those that have died since they were last used are found now, not by a job
        try:
            while True:
                self._hire()
                while not is_over and (free := self._free()):
                    job = next(waiting, None)
                    is_over = job is None
                    if job is not None:
                        free.begin(job, self._sender.order(job))
                if is_over and not self._busy():
                    return
                for slot in self._answered():
                    outcome = self._answer(slot)
                    if outcome is not None:
                        yield outcome
        finally:
            for slot in self._busy():
                self._dismiss(slot)

    def _room(self) -> int:
        """How many workers to have."""
        return min(self._asked or slots(self._ray, self._need), self._most)

    def _hire(self) -> None:
        """Begin actors until there are as many as there should be. Ray starts each as soon as a node has room."""
        now = time.monotonic()
        if now - self._looked > _LOOK:
            self._looked, self.workers = now, self._room()
        options = {
            "num_cpus": self._need.threads,
            "num_gpus": self._need.gpus,
            "memory": int(self._need.memory),
            "max_restarts": 0,
        }
        while len(self._slots) < self.workers:
            actor = self._ray.remote(**options)(self._painter).remote(
                self._context, self._probe, self._need.gpus > 0
            )
            self._slots.append(_Slot(actor))
            self._slots[-1].greet()

    def _free(self) -> _Slot | None:
        return next((slot for slot in self._slots if slot.is_ready and slot.order is None), None)

    def _busy(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.order is not None]

    def _answered(self) -> list[_Slot]:
        """Those that have something to say, after a while. Raises MeshStyleError where there is nobody to wait for."""
        asked = {slot.said: slot for slot in self._slots if slot.said is not None}
        done = self._wait(list(asked))
        now = time.monotonic()
        if done or any(slot.is_ready for slot in self._slots) or slots(self._ray, self._need):
            self._last_room = now
        elif now - self._last_room > _PATIENCE:
            cause = f"no node of the cluster has {self._need} any more"
            raise MeshStyleError("--engine ray", cause, "Run the same command again when there is one.")
        return [asked[said] for said in done]

    def _wait(self, said: list[Any]) -> list[Any]:
        """Those that are there, after a while."""
        if not said:
            time.sleep(_LOOK)
            return []
        try:
            done, _ = self._ray.wait(said, timeout=_LOOK)
        except SystemError as error:
            raise (
                error.__cause__ or error
            ) from None  # what a signal has raised, such as Ctrl-C, comes wrapped
        found: list[Any] = done
        return found

    def _answer(self, slot: _Slot) -> Outcome | None:
        """What became of its job; None where it goes on, or had none."""
        job, order = slot.job, slot.order
        try:
            answer = self._ray.get(slot.said)
        except self._ray.exceptions.RayError as error:
            self._dismiss(slot)
            if job is None:
                self._could_not_start(error)
                return None
            return lost(job, *_reason(error), seconds=time.monotonic() - slot.began)
        if job is None or order is None:
            slot.said = None
            self._greeted(slot, answer)
            return None
        if isinstance(answer, Missing):
            slot.send(self._sender.pack(order, answer))
            return None
        slot.end()
        returned: Returned = answer
        return self._sender.receive(job, Returned(as_sent(returned.outcome, order.job, job), returned.files))

    def _greeted(self, slot: _Slot, answer: str | MeshStyleError) -> None:
        if isinstance(answer, MeshStyleError):
            cause = f"a worker cannot use its GPU ({answer.cause})"
            remedy = "Install torch for the GPUs on every node, or leave this out."
            raise MeshStyleError("--gpus-per-job", cause, remedy) from answer
        if answer != version("meshstyle"):
            cause = f"a node has meshstyle {answer}, this machine {version('meshstyle')}"
            raise MeshStyleError("--engine ray", cause, "Install the same version on all of them.")
        self._failed_starts, slot.is_ready = 0, True

    def _could_not_start(self, error: Exception) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _NEVER_READY:
            cause = f"workers end as soon as they begin ({_essence(error)})"
            remedy = "Install the same meshstyle and Python on every node of the cluster."
            raise MeshStyleError("--engine ray", cause, remedy) from error

    def _dismiss(self, slot: _Slot) -> None:
        """End a worker, and what it is doing."""
        if slot in self._slots:
            self._slots.remove(slot)
        with contextlib.suppress(Exception):  # it has died, or the cluster has
            self._ray.kill(slot.actor)


class _Slot:
    """An actor, from this side. `said`: what it is going to say; `is_ready`: whether it has been heard of."""

    def __init__(self, actor: Any) -> None:
        self.actor, self.said = actor, None
        self.is_ready = False
        self.job: Job | None = None
        self.order: Order | None = None
        self.began = 0.0

    def greet(self) -> None:
        self.is_ready, self.said = False, self.actor.greet.remote()

    def begin(self, job: Job, order: Order) -> None:
        self.job, self.order, self.began = job, order, time.monotonic()
        self.send(None)

    def send(self, parcel: FileContents | None) -> None:
        self.said = self.actor.paint.remote(self.order, parcel)

    def end(self) -> None:
        self.job = self.order = self.said = None


def _reason(error: Exception) -> tuple[FailureKind, str]:
    """Why a worker has no answer. Ray tells most of it in prose."""
    text = str(error)
    if "OutOfMemory" in type(error).__name__ or "running low on memory" in text:
        return FailureKind.MEMORY, "its node ran out of memory"
    if "node has died" in text or "node died" in text or "node was" in text:
        return FailureKind.CRASH, "its node died"
    if getattr(error, "cause", None) is not None:
        return FailureKind.CRASH, f"its node had a problem ({_essence(error)})"
    return FailureKind.CRASH, "its process, or its node, died"


def _essence(error: Exception) -> str:
    """The last line: of a traceback, the exception."""
    return str(getattr(error, "cause", None) or error).strip().splitlines()[-1].strip()
