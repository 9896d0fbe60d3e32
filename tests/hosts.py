"""Hosts that speak HTTPS, with a certificate of a test's own authority."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trustme

__all__ = ["https_host"]


@contextmanager
def https_host(
    handler: Callable[..., BaseHTTPRequestHandler], authority: trustme.CA
) -> Iterator[str]:
    """Serve as the handler says; gives `localhost:port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
