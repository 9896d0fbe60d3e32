"""Calls that share a model: turns, withdrawal, and errors that reach whom they concern."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from callscope.errors import Cancelled
from services.transcribe.batches import Batcher, Lane

Job = tuple[str, int]  # call, number


class Recorder:
    """Computes nothing; keeps the batches, and the first one waits for `go`."""

    def __init__(self) -> None:
        self.batches: list[list[Job]] = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, jobs: Sequence[Job]) -> list[Job]:
        self.batches.append(list(jobs))
        self.started.set()
        assert self.go.wait(10)
        return list(jobs)


def quiet(_: float) -> None:
    pass


def jobs(call: str, count: int) -> list[Job]:
    return [(call, number) for number in range(count)]


def waiting_for(lane: Lane[Job, Job], count: int) -> None:
    """Give another thread the time to put its jobs into the queue."""
    until = threading.Event()
    for _ in range(1000):
        if len(lane.waiting) == count:
            return
        until.wait(0.01)
    raise AssertionError(f"{len(lane.waiting)} jobs wait, not {count}")


def test_results_come_in_the_order_of_the_jobs() -> None:
    batcher: Batcher[Job, int] = Batcher(
        lambda batch: [number * 2 for _, number in batch], lambda _: 0, size=3, workers=2
    )
    with batcher.lane() as lane:
        assert lane.results(jobs("a", 10), quiet) == [2 * number for number in range(10)]
        assert lane.results([], quiet) == []


def test_a_short_call_shares_the_next_batch_with_a_long_one() -> None:
    compute = Recorder()
    batcher: Batcher[Job, Job] = Batcher(compute, lambda _: 0, size=4)
    with ThreadPoolExecutor(2) as pool, batcher.lane() as long, batcher.lane() as short:
        first = pool.submit(long.results, jobs("long", 12), quiet)
        assert compute.started.wait(10)
        second = pool.submit(short.results, jobs("short", 2), quiet)
        waiting_for(short, 2)
        compute.go.set()
        assert second.result(10) == jobs("short", 2)
        assert first.result(10) == jobs("long", 12)
    assert [{call for call, _ in batch} for batch in compute.batches[:3]] == [
        {"long"},
        {"long", "short"},
        {"long"},
    ]


def test_calls_keep_batches_of_their_own_where_mixing_is_off() -> None:
    compute = Recorder()
    batcher: Batcher[Job, Job] = Batcher(compute, lambda _: 0, size=4, mixed=False)
    with ThreadPoolExecutor(2) as pool, batcher.lane() as long, batcher.lane() as short:
        first = pool.submit(long.results, jobs("long", 12), quiet)
        assert compute.started.wait(10)
        second = pool.submit(short.results, jobs("short", 2), quiet)
        waiting_for(short, 2)
        compute.go.set()
        first.result(10)
        second.result(10)
    assert all(len({call for call, _ in batch}) == 1 for batch in compute.batches)
    assert [batch[0][0] for batch in compute.batches] == ["long", "long", "short", "long"]


def test_only_what_is_decoded_alike_shares_a_batch() -> None:
    compute = Recorder()
    compute.go.set()
    batcher: Batcher[Job, Job] = Batcher(compute, lambda job: job[1] % 2, size=8)
    with batcher.lane() as lane:
        lane.results(jobs("a", 6), quiet)
    assert all(len({number % 2 for _, number in batch}) == 1 for batch in compute.batches)


def test_a_cancelled_call_frees_its_places() -> None:
    compute = Recorder()
    batcher: Batcher[Job, Job] = Batcher(compute, lambda _: 0, size=2)

    def gone(_: float) -> None:
        if compute.started.is_set():
            raise Cancelled("the caller went away")

    with pytest.raises(Cancelled), batcher.lane() as lane:
        lane.results(jobs("gone", 100), gone)
    compute.go.set()
    with batcher.lane() as lane:
        assert lane.results(jobs("next", 2), quiet) == jobs("next", 2)
    assert sum(len(batch) for batch in compute.batches if batch[0][0] == "gone") == 2


def test_an_error_reaches_every_call_of_its_batch_and_no_other() -> None:
    def compute(batch: Sequence[Job]) -> list[Job]:
        if any(call == "bad" for call, _ in batch):
            raise MemoryError("no room")
        return list(batch)

    batcher: Batcher[Job, Job] = Batcher(compute, lambda _: 0, size=4)
    with pytest.raises(MemoryError), batcher.lane() as lane:
        lane.results(jobs("bad", 1), quiet)
    with batcher.lane() as lane:
        assert lane.results(jobs("good", 3), quiet) == jobs("good", 3)


def test_one_call_keeps_all_workers_busy() -> None:
    """Five clips on two workers are three and two, not five and none."""
    compute = Recorder()
    compute.go.set()
    batcher: Batcher[Job, Job] = Batcher(compute, lambda _: 0, size=8, workers=2)
    with batcher.lane() as lane:
        lane.results(jobs("a", 5), quiet)
    assert max(len(batch) for batch in compute.batches) == 3
