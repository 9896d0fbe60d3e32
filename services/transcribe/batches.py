"""Clips of several calls, decoded in the same batches by one model.

Calls take turns: of each batch, every waiting call gets the same share of the places, so that a
short call does not wait behind a long one. What a clip yields does not depend on the others in
its batch (`Recognizer.hear` says how that is kept), so a call's result never depends on traffic.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Batcher", "Lane"]

J = TypeVar("J")  # a job: what is to be computed of one clip
R = TypeVar("R")  # its result

_HEARTBEAT = 0.5  # seconds between two looks whether the call is still wanted


class Batcher(Generic[J, R]):
    """One model's queue.

    Args:
        compute: the results of a batch of jobs, in their order; called from several threads.
        alike: jobs may share a batch if this is equal.
        size: jobs in a batch at most.
        workers: batches computed at the same time.
        mixed: whether jobs of several calls may share a batch.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[J]], Sequence[R]],
        alike: Callable[[J], object],
        *,
        size: int,
        workers: int = 1,
        mixed: bool = True,
    ) -> None:
        self._compute = compute
        self._alike = alike
        self._size = size
        self._workers = workers
        self._mixed = mixed
        self._turn = threading.Lock()
        self._lanes: deque[Lane[J, R]] = deque()  # those that wait, the next one first
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="batch")

    @contextlib.contextmanager
    def lane(self) -> Iterator["Lane[J, R]"]:
        """A call's place in the queue; what still waits at the end is never computed."""
        lane = Lane(self)
        try:
            yield lane
        finally:
            with self._turn:
                lane.waiting.clear()

    def add(self, lane: "Lane[J, R]", jobs: Sequence[tuple[int, J]]) -> None:
        """Let a lane's jobs wait for their turn; their results go to `lane.done`."""
        with self._turn:
            lane.waiting.extend(jobs)
            if lane not in self._lanes:
                self._lanes.append(lane)
        for _ in jobs:  # as many as batches could be; those that find nothing return at once
            self._threads.submit(self._step)

    def _step(self) -> None:
        batch = self._next_batch()
        if not batch:
            return
        try:
            results = self._compute([job for _, _, job in batch])
        except Exception as error:
            for lane, _, _ in batch:
                lane.done.put(error)
            return
        for (lane, number, _), result in zip(batch, results, strict=True):
            lane.done.put((number, result))

    def _next_batch(self) -> "list[tuple[Lane[J, R], int, J]]":
        """Jobs by turns of the lanes; the lane whose turn it is decides which kind."""
        batch: list[tuple[Lane[J, R], int, J]] = []
        with self._turn:
            self._lanes = deque(lane for lane in self._lanes if lane.waiting)
            if not self._lanes:
                return batch
            kind = self._alike(self._lanes[0].waiting[0][1])
            turns = deque(self._lanes) if self._mixed else deque([self._lanes[0]])
            places = min(self._size, -(-sum(len(each.waiting) for each in turns) // self._workers))
            while turns and len(batch) < places:
                lane = turns.popleft()
                if lane.waiting and self._alike(lane.waiting[0][1]) == kind:
                    batch.append((lane, *lane.waiting.popleft()))
                    turns.append(lane)
            self._lanes.rotate(-1)
        return batch


class Lane(Generic[J, R]):
    """A call's jobs that wait, and its results as they come."""

    def __init__(self, batcher: Batcher[J, R]) -> None:
        self._batcher = batcher
        self.waiting: deque[tuple[int, J]] = deque()
        self.done: SimpleQueue[tuple[int, R] | Exception] = SimpleQueue()

    def results(self, jobs: Sequence[J], progress: Callable[[float], None]) -> list[R]:
        """Each job's result, in the order of the jobs.

        `progress` is told the share done twice a second or more often. What it raises withdraws
        the jobs that still wait.

        Raises:
            Exception: whatever the computation of one of them raises.
        """
        found: dict[int, R] = {}
        self._batcher.add(self, list(enumerate(jobs)))
        while len(found) < len(jobs):
            progress(len(found) / len(jobs))
            with contextlib.suppress(Empty):
                done = self.done.get(timeout=_HEARTBEAT)
                if isinstance(done, Exception):
                    raise done
                number, result = done
                found[number] = result
        return [found[number] for number in range(len(jobs))]
