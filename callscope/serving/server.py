"""A gRPC process: health that tells the truth, reflection, probes, and a graceful end."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from callscope.errors import Unavailable
from callscope.serving.channel import MESSAGE_OPTIONS
from callscope.serving.gpu import watch_gpus
from callscope.serving.interceptors import CallInterceptor
from callscope.serving.logs import configure
from callscope.serving.metrics import publish_models
from callscope.serving.probes import ProbeServer
from callscope.serving.settings import ServiceSettings
from callscope.serving.tls import server_credentials
from callscope.serving.tracing import exporting
from callscope.types import ModelInfo

__all__ = ["Running", "Service", "Starting", "running", "serve"]

_log = logging.getLogger(__name__)
# A client asks for a service's addresses again only when a connection ends: without an end it
# would never find instances started later. Calls on an ended connection go on as long as they take.
_CONNECTION_AGE_MS = 300_000
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True, slots=True)
class Service:
    """What a process serves.

    Attributes:
        name: transcribe, diarize, score or gateway.
        grpc_services: full names, for health and reflection.
        register: adds the servicers to a server.
        warm_up: blocking; loads what is needed and runs one inference. The service is
            NOT_SERVING until it returns; what it raises ends the process.
        models: what was loaded, known after `warm_up`.
        lifespan: entered before the port opens and left after the drain.
        drain: called when the drain begins, to end what would last longer.
    """

    name: str
    grpc_services: tuple[str, ...]
    register: Callable[[grpc.aio.Server], None]
    warm_up: Callable[[], None] = field(default=lambda: None)
    models: Callable[[], tuple[ModelInfo, ...]] = field(default=lambda: ())
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = field(
        default=contextlib.nullcontext
    )
    drain: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True, slots=True)
class Running:
    """A service that is up: where it listens."""

    name: str
    target: str
    metrics_port: int


def serve(service: Service, settings: ServiceSettings) -> None:
    """Run until SIGTERM or SIGINT, then drain.

    Raises:
        CallscopeError: it could not start: a port is taken, a model is missing or damaged.
    """
    configure(service.name, settings.log_level)
    with exporting(service.name, settings.otlp_endpoint):
        asyncio.run(_serve(service, settings))


async def _serve(service: Service, settings: ServiceSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(service, settings) as where:
        _log.info("ready", extra={"target": where.target, "metrics_port": where.metrics_port})
        await stop.wait()
        _log.info("draining", extra={"seconds": settings.drain_seconds})


class Starting:
    """A service on its way up: its probes answer, then its ports are open, then it is warm.

    Attributes:
        where: where it listens, once its ports are open.
    """

    where: Running

    def __init__(self, service: Service, settings: ServiceSettings) -> None:
        self._service, self._settings = service, settings
        self._ready = asyncio.Event()
        self._checks: Any = health.aio.HealthServicer()  # type: ignore[attr-defined] # stubs lack it

    def probe(self, stack: contextlib.AsyncExitStack) -> None:
        """Answer probes, until `stack` is left, and say which settings look misspelled."""
        for name, meant in self._settings.misspelled().items():
            _log.warning("no such setting", extra={"variable": name, "meant": meant})
        self._probes = _bind_probes(self._settings, self._ready.is_set)
        self._probes.start()
        stack.push_async_callback(asyncio.to_thread, self._probes.stop)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open the ports; `stack` drains and closes them."""
        service, settings = self._service, self._settings
        await stack.enter_async_context(service.lifespan())

        server = grpc.aio.server(
            interceptors=(CallInterceptor(),),
            # Without this a second process on the same port would silently take half the calls.
            options=(
                *MESSAGE_OPTIONS,
                ("grpc.so_reuseport", 0),
                ("grpc.max_connection_age_ms", _CONNECTION_AGE_MS),
            ),
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._checks, server)
        service.register(server)
        reflection.enable_server_reflection(
            (*service.grpc_services, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        port = _bind(server, settings)
        await self._announce(_NOT_SERVING)
        await server.start()
        stack.push_async_callback(server.stop, settings.drain_seconds)
        stack.push_async_callback(self._leave)
        self.where = Running(service.name, f"{settings.host}:{port}", self._probes.port)

    async def warm_up(self) -> None:
        """Load what is needed, then be ready.

        Raises:
            CallscopeError: a model is missing or damaged.
        """
        await asyncio.to_thread(self._service.warm_up)
        publish_models(self._service.models())
        if self._settings.device != "cpu":
            watch_gpus()
        await self._announce(_SERVING)
        self._ready.set()

    async def _leave(self) -> None:
        """Send new requests elsewhere."""
        self._ready.clear()
        self._service.drain()
        await self._checks.enter_graceful_shutdown()

    async def _announce(
        self, status: "health_pb2.HealthCheckResponse.ServingStatus.ValueType"
    ) -> None:
        for name in ("", *self._service.grpc_services):
            await self._checks.set(name, status)


@contextlib.asynccontextmanager
async def running(service: Service, settings: ServiceSettings) -> AsyncIterator[Running]:
    """Start the service, hand over where it listens once it is ready, drain it at the end.

    Raises:
        CallscopeError: it could not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        starting = Starting(service, settings)
        starting.probe(stack)
        await starting.open(stack)
        await starting.warm_up()
        yield starting.where


def _bind(server: grpc.aio.Server, settings: ServiceSettings) -> int:
    address = f"{settings.host}:{settings.port}"
    credentials = server_credentials(settings)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError:
        port = 0
    if port == 0:
        raise Unavailable(
            f"{settings.service}: cannot listen on {address}",
            remedy=f"Free the port, or set CALLSCOPE_{settings.service.upper()}_PORT.",
        )
    return port


def _bind_probes(settings: ServiceSettings, ready: Callable[[], bool]) -> ProbeServer:
    try:
        return ProbeServer(settings.host, settings.metrics_port, ready)
    except OSError as error:
        raise Unavailable(
            f"{settings.service}: cannot listen on {settings.host}:{settings.metrics_port}"
            f" for metrics: {error.strerror}",
            remedy=f"Free the port, or set CALLSCOPE_{settings.service.upper()}_METRICS_PORT.",
        ) from None
