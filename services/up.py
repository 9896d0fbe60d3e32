"""`callscope up`: all four services in one process, for a laptop or a first try."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from callscope.serving.logs import configure
from callscope.serving.server import Running, Service, Starting
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
        models = [Starting(*each) for each in _models(front)]
        for model in models:
            model.probe(stack)
            await model.open(stack)
        targets = {f"{model.where.name}_target": model.where.target for model in models}
        front = front.model_copy(update=targets)
        gateway = Starting(build_gateway(front), front)
        gateway.probe(stack)  # before models load, which takes a while; calls come in after them
        for model in models:
            if not await _unless(stop, model.warm_up()):
                return
            _show(model.where, console)
        await gateway.open(stack)
        await gateway.warm_up()
        _show(gateway.where, console)
        scheme = "http" if front.tls_cert is None else "https"
        console.print(f"\nOpen {scheme}://{front.http_host}:{front.http_port}/docs", style="bold")
        await stop.wait()
        console.print("draining; once more to stop at once")
        _stop_at_once_on_a_second_signal()


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work was done before somebody said stop; raises what it raises."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not working.done():
        working.cancel()
        return False
    await working
    return True


def _show(where: Running, console: Console) -> None:
    console.print(f"{where.name:<11} gRPC {where.target}  metrics :{where.metrics_port}/metrics")


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

    Once the gateway has drained it waits for nothing that they compute.
    """
    unless_set = {"metrics_port": metrics_port, "drain_seconds": 0.0}
    changes = {name: unless_set[name] for name in unless_set.keys() - settings.model_fields_set}
    return settings.model_copy(update={"audio_roots": (*settings.audio_roots, store), **changes})


def _stop_at_once_on_a_second_signal() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
