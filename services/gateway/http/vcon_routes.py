"""Calls as vCon, the IETF's container for conversations, over REST."""

from typing import Any

from fastapi import APIRouter, Depends, Response

from callscope.vcon import to_vcon
from services.gateway.calls import Calls
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.problems import PROBLEMS

__all__ = ["build_vcon_routes"]

_MEDIA_TYPE = "application/vcon+json"


def build_vcon_routes(calls: Calls) -> APIRouter:
    """The route over `calls`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, tags=["results"], dependencies=[Depends(caller_of)]
    )
    content: dict[str, Any] = {_MEDIA_TYPE: {}}

    @routes.get(
        "/calls/{call_id}/vcon",
        summary="A call as vCon",
        response_class=Response,
        responses={200: {"content": content}},
    )
    def get_vcon(who: Who, call_id: str) -> Response:
        """Parties, dialog, transcript and analysis as draft-ietf-vcon-vcon-core has them.

        409 until the call is done. The recording is referenced, never inlined.
        """
        return Response(to_vcon(calls.record(who, call_id)), media_type=_MEDIA_TYPE)

    return routes
