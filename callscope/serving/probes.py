"""The HTTP side door of every service: /metrics, /healthz and /readyz."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["ProbeServer"]


class ProbeServer:
    """Answers probes on a thread of its own, so that long inference never delays them.

    /healthz is 200 while the process lives; /readyz is 200 while `ready()` says so, else 503.
    """

    def __init__(self, host: str, port: int, ready: Callable[[], bool]) -> None:
        metrics = make_wsgi_app()

        def app(environ: "WSGIEnvironment", respond: "StartResponse") -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path == "/metrics":
                answer: Iterable[bytes] = metrics(environ, respond)
                return answer
            found, text = {
                "/healthz": (True, "ok"),
                "/readyz": (ready(), "ready" if ready() else "not ready"),
            }.get(path, (None, "paths: /metrics /healthz /readyz"))
            status = {True: "200 OK", False: "503 Service Unavailable", None: "404 Not Found"}
            respond(status[found], [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{text}\n".encode()]

        self._server = make_server(host, port, app, _Server, _Quiet)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="probes", daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # WSGIServer looks the host's name up in the DNS, which can take seconds; nobody needs it.
        self.socket.setsockopt(1, 2, 1)  # SOL_SOCKET, SO_REUSEADDR
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Probes come every few seconds; they are not news."""
