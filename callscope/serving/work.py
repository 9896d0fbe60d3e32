"""Long, blocking work behind a streaming RPC: places, progress, cancellation, deadlines."""

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import grpc

from callscope.errors import CallscopeError, Cancelled, DeadlineExceeded, Overloaded
from callscope.serving import metrics, tracing

__all__ = ["Context", "Work"]

T = TypeVar("T")

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_HEARTBEAT = 1.0  # seconds; a client sees that we live, and can cancel at each


class Work:
    """A stage's places: some requests are computed, some wait, the rest are turned away.

    Args:
        stage: the label in metrics and messages.
        max_concurrent: requests computed at the same time, each on a thread of its own.
        max_queue: requests that may wait for a place, in order of arrival.
    """

    def __init__(self, stage: str, max_concurrent: int, max_queue: int) -> None:
        self._stage = stage
        self._places = asyncio.Semaphore(max_concurrent)
        self._room = max_concurrent + max_queue
        self._present = 0
        self._mean_seconds = 0.0
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix=stage)

    async def stream(
        self, context: Context, work: Callable[[Callable[[float], None]], T]
    ) -> AsyncGenerator[float | T, None]:
        """Yield the share done, again every second at least, and `work`'s result at the end.

        `work` runs on a thread and is handed a progress function, which raises `Cancelled` when
        the client has gone and `DeadlineExceeded` when its deadline has passed: the work stops
        there. The place is free again only when the thread has returned.

        Raises:
            Overloaded: every place is taken and the queue is full.
            CallscopeError: whatever `work` raises.
        """
        async with self._enter():
            began = time.perf_counter()
            with tracing.part("wait for a place"):
                async with contextlib.aclosing(self._wait_for_place()) as waits:
                    async for _ in waits:
                        yield 0.0
            metrics.WAIT_SECONDS.labels(self._stage).observe(time.perf_counter() - began)
            try:
                async with contextlib.aclosing(self._run(context, work)) as events:
                    async for event in events:
                        yield event
            finally:
                self._places.release()

    @contextlib.asynccontextmanager
    async def _enter(self) -> AsyncIterator[None]:
        if self._present >= self._room:
            raise Overloaded(
                f"{self._stage}: {self._present} calls are running or waiting, the limit",
                retry_after=max(1.0, self._mean_seconds),
            )
        self._present += 1
        try:
            yield
        finally:
            self._present -= 1

    async def _wait_for_place(self) -> AsyncGenerator[None, None]:
        place = asyncio.ensure_future(self._places.acquire())
        try:
            with metrics.WAITING.labels(self._stage).track_inprogress():
                while not (await asyncio.wait([place], timeout=_HEARTBEAT))[0]:
                    yield
        except BaseException:
            if not place.cancel() and not place.cancelled():  # it was granted at this very moment
                self._places.release()
            raise

    async def _run(
        self, context: Context, work: Callable[[Callable[[float], None]], T]
    ) -> AsyncGenerator[float | T, None]:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[float | None] = asyncio.Queue()
        job = _Job(
            self._stage,
            context,
            lambda done: loop.call_soon_threadsafe(lambda: events.put_nowait(done)),
        )
        surroundings = contextvars.copy_context()  # the call's id, for the thread's log lines
        future = loop.run_in_executor(self._threads, surroundings.run, work, job.report)
        future.add_done_callback(lambda _: events.put_nowait(None))
        began = time.perf_counter()
        done = 0.0
        try:
            with metrics.INFLIGHT.labels(self._stage).track_inprogress(), tracing.part("compute"):
                while True:
                    with contextlib.suppress(TimeoutError):
                        event = await asyncio.wait_for(events.get(), _HEARTBEAT)
                        if event is None:
                            break
                        done = event
                    yield done
                result = await future
            seconds = time.perf_counter() - began
            metrics.STAGE_SECONDS.labels(self._stage).observe(seconds)
            self._mean_seconds += (seconds - self._mean_seconds) / 8  # a moving average
            yield result
        except CallscopeError as error:
            metrics.STAGE_FAILURES.labels(self._stage, error.code).inc()
            raise
        finally:
            job.stop()
            if not future.done():
                metrics.STAGE_FAILURES.labels(self._stage, Cancelled.code).inc()
                await asyncio.wait([future])
                future.exception()  # seen: it is Cancelled, or came too late to matter


class _Job:
    """The thread's side of a request: reports progress, learns that it should stop."""

    def __init__(self, stage: str, context: Context, send: Callable[[float], object]) -> None:
        remaining = context.time_remaining()
        self._deadline = None if remaining is None else time.monotonic() + remaining
        self._stage = stage
        self._send = send
        self._stopped = threading.Event()
        self._done = 0.0
        gone: Any = lambda _: self._stopped.set()  # noqa: E731 - typed for the stubs
        context.add_done_callback(gone)

    def stop(self) -> None:
        self._stopped.set()

    def report(self, done: float) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise DeadlineExceeded(f"{self._stage}: the deadline passed at {self._done:.0%}")
        if self._stopped.is_set():
            raise Cancelled(f"{self._stage}: the caller went away at {self._done:.0%}")
        self._done = max(self._done, min(done, 1.0))
        self._send(self._done)
