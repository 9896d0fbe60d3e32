"""`callscope up`: all four services in one process, for a laptop or a first try."""

import asyncio
import contextlib
import signal

from rich.console import Console

from callscope.serving.logs import configure
from callscope.serving.server import Service, running
from callscope.serving.settings import ServiceSettings
from services.diarize import servicer as diarize
from services.diarize.settings import DiarizeSettings
from services.gateway import servicer as gateway
from services.gateway.settings import GatewaySettings
from services.score import servicer as score
from services.score.settings import ScoreSettings
from services.transcribe import servicer as transcribe
from services.transcribe.settings import TranscribeSettings

__all__ = ["run"]


def run() -> None:
    """Serve until SIGTERM or SIGINT, then drain: the gateway first, then the models.

    Raises:
        CallscopeError: a service could not start.
    """
    front = GatewaySettings.load()
    configure("callscope", front.log_level)
    asyncio.run(_run(front))


async def _run(front: GatewaySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console = Console(stderr=True)
    async with contextlib.AsyncExitStack() as stack:
        for service, settings in _services(front):
            up = await stack.enter_async_context(running(service, settings))
            console.print(f"{up.name:<11} gRPC {up.target}  metrics :{up.metrics_port}/metrics")
        console.print(f"\nOpen http://{front.http_host}:{front.http_port}/docs", style="bold")
        await stop.wait()
        console.print("draining; again to stop at once")
        _stop_at_once_on_a_second_signal()


def _services(front: GatewaySettings) -> tuple[tuple[Service, ServiceSettings], ...]:
    """The models before the gateway, so that they outlive it; each finds the others by settings."""
    roots = (front.store_root(),)
    speech = TranscribeSettings.load(metrics_port=9465, audio_roots=roots)
    speakers = DiarizeSettings.load(metrics_port=9466, audio_roots=roots)
    behavior = ScoreSettings.load(metrics_port=9467)
    return (
        (transcribe.build(speech), speech),
        (diarize.build(speakers), speakers),
        (score.build(behavior), behavior),
        (gateway.build(front), front),
    )


def _stop_at_once_on_a_second_signal() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
