"""Services inside another process: the same servers, on a thread of their own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence

from callscope.serving.server import Running, Service, running
from callscope.serving.settings import ServiceSettings

__all__ = ["embedded"]


@contextlib.contextmanager
def embedded(
    services: Sequence[tuple[Service, ServiceSettings]],
) -> Iterator[tuple[Running, ...]]:
    """Run `services` on one event loop in a background thread until the block is left.

    Raises:
        CallscopeError: one could not start; those already up are stopped.
    """
    loop = asyncio.new_event_loop()
    stack = contextlib.AsyncExitStack()

    async def start() -> tuple[Running, ...]:
        return tuple([await stack.enter_async_context(running(*each)) for each in services])

    async def stop() -> None:
        starting.cancel()  # it goes on in the background where the caller was interrupted
        await asyncio.wait({starting})
        await stack.aclose()
        # Requests that were cut off wait for their threads to notice.
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)

    starting = loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever, name="services")
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(asyncio.wait_for(starting, None), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
