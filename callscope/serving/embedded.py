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
    thread = threading.Thread(target=loop.run_forever, name="services")
    thread.start()

    async def start(stack: contextlib.AsyncExitStack) -> tuple[Running, ...]:
        ups = (stack.enter_async_context(running(*each)) for each in services)
        return tuple([await up for up in ups])

    stack = contextlib.AsyncExitStack()
    try:
        yield asyncio.run_coroutine_threadsafe(start(stack), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
