"""Webhook receivers: real HTTP servers that note what they get and answer as a test needs."""

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["Receiver", "receiving"]


@dataclass
class Receiver:
    """What came, and what to answer: `statuses` in turn, then 204; `delay` seconds before each."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    trickle: bool = False  # the status line a byte at a time, for ever
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        self.got.append(({name.lower(): text for name, text in request.headers.items()}, body))
        time.sleep(self.delay)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if self.trickle:
                for byte in b"HTTP/1.1 200 " + b"O" * 200:
                    request.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            request.send_response(self.statuses.pop(0) if self.statuses else 204)
            for name, text in self.headers.items():
                request.send_header(name, text)
            request.send_header("content-length", "0")
            request.end_headers()


@contextlib.contextmanager
def receiving(port: int = 0, certificate: Path | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Clients that go away are what some tests are about."""

    server = Server(("127.0.0.1", port), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    receiver.url = f"{scheme}://localhost:{server.server_address[1]}/hook?team=qa"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
