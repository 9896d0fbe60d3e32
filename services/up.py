"""`callscope up`: all four services in one process, for a laptop or a first try."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from callscope.serving.logs import configure
from callscope.serving.server import Service, running
from callscope.serving.settings import ServiceSettings
from callscope.serving.tracing import exporting
from services.diarize.servicer import build as build_diarize
from services.diarize.settings import DiarizeSettings
from services.gateway.servicer import build as build_gateway
from services.gateway.settings import GatewaySettings
from services.score.servicer import build as build_score
from services.score.settings import ScoreSettings
from services.transcribe.servicer import build as build_transcribe
from services.transcribe.settings import TranscribeSettings

__all__ = ["run"]

Settings = TypeVar("Settings", bound=ServiceSettings)


def run() -> None:
    """Serve until SIGTERM or SIGINT, then drain: the gateway first, then the models.

    Raises:
        CallscopeError: a service could not start.
    """
    front = GatewaySettings.load()
    configure("callscope", front.log_level)
    with exporting("callscope", front.otlp_endpoint):
        asyncio.run(_run(front))


async def _run(front: GatewaySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console = Console(stderr=True)
    async with contextlib.AsyncExitStack() as stack:  # left in reverse: the gateway drains first

        async def start(service: Service, settings: ServiceSettings) -> str:
            up = await stack.enter_async_context(running(service, settings))
            console.print(f"{up.name:<11} gRPC {up.target}  metrics :{up.metrics_port}/metrics")
            return up.target

        targets = {
            f"{settings.service}_target": await start(service, settings)
            for service, settings in _models(front)
        }
        front = front.model_copy(update=targets)
        await start(build_gateway(front), front)
        console.print(f"\nOpen http://{front.http_host}:{front.http_port}/docs", style="bold")
        await stop.wait()
        console.print("draining; once more to stop at once")
        _stop_at_once_on_a_second_signal()


def _models(front: GatewaySettings) -> Iterator[tuple[Service, ServiceSettings]]:
    store = front.store_root()
    speech = _beside(TranscribeSettings.load(), 9465, store)
    yield build_transcribe(speech), speech
    speakers = _beside(DiarizeSettings.load(), 9466, store)
    yield build_diarize(speakers), speakers
    behavior = _beside(ScoreSettings.load(), 9467, store)
    yield build_score(behavior), behavior


def _beside(settings: Settings, metrics_port: int, store: Path) -> Settings:
    """The same settings with a metrics port of its own, and the gateway's store readable."""
    changes: dict[str, object] = {"audio_roots": (*settings.audio_roots, store)}
    if "metrics_port" not in settings.model_fields_set:
        changes["metrics_port"] = metrics_port
    return settings.model_copy(update=changes)


def _stop_at_once_on_a_second_signal() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
