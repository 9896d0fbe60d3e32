"""The REST application."""

import logging
import time
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callscope import __version__
from services.gateway.access import Authenticate
from services.gateway.calls import Calls
from services.gateway.http.problems import ProblemBody, handle_errors
from services.gateway.http.routes import build_routes

__all__ = ["build_app"]

_DESCRIPTION = """\
Recordings of contact-centre calls in, call records out: who said what, how the conversation went,
and what the agent did, each judgement with its evidence.

Send a recording to `POST /v1/calls`, follow it at `/v1/calls/{id}/events`, and read
`/v1/calls/{id}/record` when it is done. Errors are problem documents (RFC 9457) with a stable
`code` and a `remedy`. gRPC offers the same (`callscope.v1.Gateway`).
"""
_log = logging.getLogger(__name__)


def build_app(calls: Calls, authenticate: Authenticate, max_audio_bytes: int) -> FastAPI:
    """The application over `calls`, for those whom `authenticate` knows."""
    app = _App(title="Callscope", version=__version__, description=_DESCRIPTION, redoc_url=None)
    app.state.authenticate = authenticate
    app.include_router(build_routes(calls, max_audio_bytes))
    handle_errors(app)
    app.add_middleware(RequestLog)
    return app


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """With the schema of problem documents, which no route returns."""
        document = super().openapi()
        schemas = document["components"]["schemas"]
        schemas.setdefault(ProblemBody.__name__, ProblemBody.model_json_schema())
        return document


class RequestLog:
    """One log line per request: method, route, status, seconds; no query, no ids."""

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
            route = scope.get("route")
            _log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": getattr(route, "path", None),
                    "status": status,
                    "seconds": round(time.perf_counter() - began, 3),
                },
            )
