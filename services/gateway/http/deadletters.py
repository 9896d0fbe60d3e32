"""The paths of calls that were given up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.gateway.calls import Calls
from services.gateway.http.answers import CallBody, PageBody, RetriedBody
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.paging import PageSize, PageToken
from services.gateway.http.problems import PROBLEMS
from services.gateway.pages import DEFAULT_PAGE

__all__ = ["build_routes"]

_Code = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern="^[a-z_]+$",
        description="Only calls with that problem.",
        examples=["unavailable"],
    ),
]


def build_routes(calls: Calls) -> APIRouter:
    """The routes over `calls`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, dependencies=[Depends(caller_of)], tags=["dead letters"]
    )

    @routes.get("/deadletters", response_model=PageBody, summary="List calls that were given up")
    def list_dead_letters(
        who: Who,
        page_size: PageSize = DEFAULT_PAGE,
        page_token: PageToken = None,
        code: _Code = None,
    ) -> PageBody:
        """Failed calls, newest first, each with its problem and the stage it met."""
        return PageBody.of(calls.failed(who, page_size, page_token, code))

    @routes.post(
        "/deadletters/retry",
        status_code=202,
        response_model=RetriedBody,
        summary="Analyze all of them again",
    )
    def retry_dead_letters(who: Who, code: _Code = None) -> RetriedBody:
        """Every failed call, or those with one problem; stages that had succeeded are kept."""
        return RetriedBody(retried=calls.retry_all(who, code))

    @routes.post(
        "/calls/{call_id}/retry",
        status_code=202,
        response_model=CallBody,
        summary="Analyze a failed call again",
    )
    def retry_call(who: Who, call_id: str) -> CallBody:
        """The call goes on at the stage that failed; 409 where none did."""
        return CallBody.of(calls.retry(who, call_id))

    return routes
