"""Work that threads share."""

from __future__ import annotations

import itertools
import signal
import threading
import time

import pytest
import torch

from meshstyle.kernels.thread_pool import ranges, share_out


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_everything_is_done_once(count: int, threads: int) -> None:
    done: list[int] = []
    share_out(done.append, range(count))
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("number", [0, 7, 19])
def test_what_goes_wrong_is_raised_when_nobody_works_any_more(number: int, threads: int) -> None:
    """Whoever does it, this thread or another."""
    busy = [0]
    lock = threading.Lock()

    def work(item: int) -> None:
        with lock:
            busy[0] += 1
        try:
            if item == number:
                raise ValueError(item)
        finally:
            with lock:
                busy[0] -= 1

    for _ in range(20):
        with pytest.raises(ValueError, match=str(number)):
            share_out(work, range(20))
        assert busy == [0]
    done: list[int] = []
    share_out(done.append, range(20))  # helpers go on
    assert sorted(done) == list(range(20))


def test_an_interrupt_waits_for_helpers() -> None:
    """What they work on would be gone."""
    before, started, done = torch.get_num_threads(), threading.Event(), threading.Event()
    main = threading.main_thread().ident
    assert main is not None

    def work(item: int) -> None:
        if threading.get_ident() == main:
            assert started.wait(10)
            return
        started.set()
        time.sleep(0.1)
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.3)
        done.set()

    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            share_out(work, range(2))
        assert done.is_set()
    finally:
        torch.set_num_threads(before)


def test_several_callers_share_helpers(threads: int) -> None:
    found: list[list[int]] = [[] for _ in range(6)]

    def call(number: int) -> None:
        for _ in range(50):
            share_out(found[number].append, range(10))

    callers = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(one) == sorted(list(range(10)) * 50) for one in found)


def test_parts_of_a_table_are_all_of_it() -> None:
    assert ranges(0) == []
    parts = ranges(100_000)
    assert parts[0][0] == 0
    assert parts[-1][1] == 100_000
    assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))
