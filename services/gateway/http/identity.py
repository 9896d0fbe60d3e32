"""Who sends a request: the dependency that every route under /v1 has."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.gateway.access import Authenticate, Caller

__all__ = ["Who", "caller_of"]

_BEARER = HTTPBearer(
    scheme_name="ApiKey",
    description="A key that `callscope keys create` made. A gateway that only its own machine can "
    "reach may run without keys.",
    auto_error=False,
)


async def caller_of(
    request: Request,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],  # for OpenAPI
) -> Caller:
    """Who sends the request; raises `Unauthenticated`."""
    authenticate: Authenticate = request.app.state.authenticate
    return await authenticate(request.headers.get("authorization"))


Who = Annotated[Caller, Depends(caller_of)]
"""The caller, as a route's first argument."""
