"""Single-threaded workers: batches of a call side by side, not one operation on many threads.

The models' operations are small: one of them on two threads is no faster than on one, while two
batches on a thread each take half the time. It also makes results independent of the number of
threads, since no sum is ever split among them.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

import torch

from callscope.pipeline import Progress

__all__ = ["Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_BEAT = 0.5  # seconds


class Workers:
    """A pool that all calls share; each call has a few batches in it at a time, so none waits long.

    Args:
        threads: number of workers, each computing on one thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        ready = threading.Barrier(threads + 1)
        before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(threads, "batch", initializer=_be_single, initargs=(ready,))
        for _ in range(threads):
            self._pool.submit(int)
        ready.wait()
        # The setting is a thread's own once it was read there, but also the default of threads to
        # come: those are somebody else's.
        torch.set_num_threads(before)

    def map(
        self, work: Callable[[Item], Result], items: Sequence[Item], progress: Progress
    ) -> Iterator[Result]:
        """Results in the order of `items`.

        `progress` is called with the share done, every half a second at least. What it or `work`
        raises passes through; what waits is dropped then.
        """
        submitted = (self._pool.submit(_infer, work, item) for item in items)
        running = deque(islice(submitted, self.threads + 1))
        try:
            for done in range(len(items)):
                result = _await(running[0], partial(progress, done / len(items)))
                running.popleft()
                running.extend(islice(submitted, 1))
                yield result
        finally:
            for future in running:
                future.cancel()


def _be_single(ready: threading.Barrier) -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # reading makes it this thread's own
    ready.wait()


def _infer(work: Callable[[Item], Result], item: Item) -> Result:
    with torch.inference_mode():
        return work(item)


def _await(future: Future[Result], beat: Callable[[], None]) -> Result:
    while True:
        beat()
        try:
            return future.result(timeout=_BEAT)
        except TimeoutError:
            if future.done():  # the work itself timed out, not the wait
                raise
