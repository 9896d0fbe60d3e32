"""The HTTP server, inside a process whose signals somebody else handles."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from callscope.errors import Unavailable

__all__ = ["HttpServer"]


class HttpServer:
    """Serves an application on a port.

    Args:
        app: what to serve.
        host: address to listen on.
        port: 0 takes a free one.
        drain_seconds: how long `stop` lets running requests finish.
        tls: to speak HTTPS.

    Raises:
        Unavailable: the port is taken.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        drain_seconds: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = _bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",  # half the work of the parser in Python, where bodies are large
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to answer, on the running loop."""
        self._running = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))

    def close(self) -> None:
        """Take no more connections; those open end with the answer they wait for."""
        self._server.should_exit = True

    async def stop(self) -> None:
        """Close, and wait until the last answer is sent."""
        self.close()
        if self._running is not None:
            await self._running
        self._socket.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # asyncio turns Nagle's delay off only where the protocol is named, which
        # socket.create_server does not; answers would wait 40 ms for the client's ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise Unavailable(
            f"gateway: cannot listen on {host}:{port}: {error.strerror}",
            remedy="Free the port, or set CALLSCOPE_GATEWAY_HTTP_PORT.",
        ) from None
    return listener
