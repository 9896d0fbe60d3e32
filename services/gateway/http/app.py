"""The REST application."""

import logging
import time
from http import HTTPMethod
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callscope import __version__
from services.gateway import metrics
from services.gateway.access import Authenticate
from services.gateway.calls import Calls
from services.gateway.desks import Desks
from services.gateway.http import deadletters
from services.gateway.http.audit_routes import build_audit_routes
from services.gateway.http.document import complete
from services.gateway.http.export_routes import build_export_routes
from services.gateway.http.inbound_routes import build_inbound_routes
from services.gateway.http.problems import handle_errors
from services.gateway.http.retention_routes import build_retention_routes
from services.gateway.http.routes import build_routes
from services.gateway.http.vcon_routes import build_vcon_routes
from services.gateway.http.versions import build_version_routes
from services.gateway.http.webhook_routes import build_webhook_routes

__all__ = ["build_app"]

_DESCRIPTION = """\
Recordings of contact-centre calls in, call records out: who said what, how the conversation went,
and what the agent did, each judgement with its evidence.

Send a recording to `POST /v1/calls`, follow it at `/v1/calls/{id}/events`, and read
`/v1/calls/{id}/record` when it is done. Errors are problem documents (RFC 9457) with a stable
`code` and a `remedy`. gRPC offers the same (`callscope.v1.Gateway`).
"""
_log = logging.getLogger(__name__)
_METHODS = frozenset(HTTPMethod)


def build_app(
    calls: Calls, desks: Desks, authenticate: Authenticate, max_audio_bytes: int
) -> FastAPI:
    """The application over `calls` and `desks`, for those whom `authenticate` knows."""
    app = _App(
        title="Callscope",
        version=__version__,
        description=_DESCRIPTION,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.authenticate = authenticate
    for router in (
        build_routes(calls, max_audio_bytes),
        build_version_routes(calls),
        *build_inbound_routes(desks.inbound),
        build_webhook_routes(desks.webhooks),
        build_export_routes(desks.exports),
        build_vcon_routes(calls),
        build_retention_routes(desks.retention),
        build_audit_routes(desks.audit),
        deadletters.build_routes(calls),
    ):
        app.include_router(router)
    handle_errors(app)
    app.add_middleware(RequestLog)
    return app


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """With what no route says: problems, and examples."""
        return complete(super().openapi())


class RequestLog:
    """A log line and metrics per request: method, route, status, seconds; no query, no ids."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", None)
            seconds = time.perf_counter() - began
            _count(scope["method"], route, status, seconds)
            _log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "seconds": round(seconds, 3),
                },
            )


def _count(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count a request; what a sender may make up is no label."""
    labels = (method if method in _METHODS else "other", route or "none")
    metrics.HTTP_REQUESTS.labels(*labels, str(status)).inc()
    metrics.HTTP_SECONDS.labels(*labels).observe(seconds)
