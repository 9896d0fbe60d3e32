"""Errors as RFC 9457 problem documents."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from callscope.errors import CallscopeError
from services.gateway.submission import invalid_input

__all__ = ["PROBLEMS", "ProblemBody", "handle_errors"]

_log = logging.getLogger(__name__)
_MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 5.0  # where the error does not know better
_RETRY_STATUSES = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class ProblemBody(BaseModel):
    """What is wrong and what to do about it (RFC 9457)."""

    type: str = Field(
        description="Names the kind of problem.", examples=["urn:callscope:problem:empty_audio"]
    )
    title: str = Field(description="The kind of problem in words.", examples=["Empty audio"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong here.", examples=["the file is empty"])
    code: str = Field(
        description="The error's stable code, the same on gRPC.", examples=["empty_audio"]
    )
    remedy: str = Field(
        description="What to do about it.",
        examples=["Check that the recorder finished writing, and upload the file again."],
    )
    details: dict[str, str] = Field({}, description="Further facts, by field or name.")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "The request was refused or failed.",
        "content": {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    }
}
"""For OpenAPI: every route answers errors so."""


def handle_errors(app: FastAPI) -> None:
    """Have the app answer every error with a problem document."""
    app.add_exception_handler(CallscopeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CallscopeError)  # noqa: S101 - registered for it
    headers = {}
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 has a 401 say how
    if error.http_status in _RETRY_STATUSES:
        headers["Retry-After"] = str(math.ceil(error.retry_after or _RETRY_SECONDS))
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:  # ours, and nobody's words
        _log.warning("failed", extra={"error": error.code, "reason": error.message})
    body = _body(error.code, error.http_status, error.message, error.remedy, error.details)
    return _answer(body, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    return await _ours(request, invalid_input(error.errors()))


async def _http(_: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    status = HTTPStatus(error.status_code)
    body = _body(
        status.phrase.lower().replace(" ", "_"),
        status,
        status.description or status.phrase,
        "GET /openapi.json lists paths and methods; /docs shows them.",
    )
    return _answer(body, error.headers)


async def _unknown(_: Request, __: Exception) -> JSONResponse:
    """The server logs the traceback; the client learns nothing of our insides."""
    error = CallscopeError("internal error")
    return _answer(_body(error.code, error.http_status, error.message, error.remedy))


def _body(
    code: str, status: int, detail: str, remedy: str, details: Mapping[str, str] | None = None
) -> ProblemBody:
    return ProblemBody(
        type=f"urn:callscope:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        code=code,
        remedy=remedy,
        details=dict(details or {}),
    )


def _answer(body: ProblemBody, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body.model_dump(), body.status, headers=headers, media_type=_MEDIA_TYPE)
