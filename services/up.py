"""`callscope up`: all four services in one process, for a laptop or a first try."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from callscope.serving.logs import configure
from callscope.serving.server import Listening, Service, listening
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

        async def open_ports(service: Service, settings: ServiceSettings) -> Listening:
            return await stack.enter_async_context(listening(service, settings))

        models = {
            settings.service: await open_ports(service, settings)
            for service, settings in _models(front)
        }
        targets = {f"{name}_target": each.where.target for name, each in models.items()}
        front = front.model_copy(update=targets)
        # Its settings are tried and its probes answer before models load; it is ready after them.
        gateway = await open_ports(build_gateway(front), front)
        for each in (*models.values(), gateway):
            await each.warm_up()
            where = each.where
            console.print(
                f"{where.name:<11} gRPC {where.target}  metrics :{where.metrics_port}/metrics"
            )
        scheme = "http" if front.tls_cert is None else "https"
        console.print(f"\nOpen {scheme}://{front.http_host}:{front.http_port}/docs", style="bold")
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
    """The same settings with a metrics port of its own, and the gateway's store readable.

    Once the gateway has drained nobody waits for what they compute.
    """
    changes: dict[str, object] = {
        "audio_roots": (*settings.audio_roots, store),
        "drain_seconds": 0.0,
    }
    if "metrics_port" not in settings.model_fields_set:
        changes["metrics_port"] = metrics_port
    return settings.model_copy(update=changes)


def _stop_at_once_on_a_second_signal() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
