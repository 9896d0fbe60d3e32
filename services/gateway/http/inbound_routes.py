"""The inbound bucket's door, and what became of what arrived there."""

import asyncio
import hmac
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, Field

from callscope.errors import NotFound, Unauthenticated
from services.gateway.http.answers import FailureBody
from services.gateway.http.body import Body
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.paging import PageSize, PageToken
from services.gateway.http.problems import PROBLEMS
from services.gateway.inbound.arrivals import Arrival, ArrivalState
from services.gateway.inbound.desk import InboundDesk
from services.gateway.pages import DEFAULT_PAGE

__all__ = ["build_inbound_routes"]

_MAX_EVENTS = 1 << 20  # bytes of a notification
_ID = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"
_NOTIFICATION = {
    "Records": [
        {
            "eventName": "s3:ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "inbox"},
                "object": {"key": "billing%2Fa-17.wav", "eTag": "9b2cf535f27731c9", "size": 417},
            },
        }
    ]
}


class ArrivalBody(BaseModel):
    """An object of the inbound bucket, and what became of it."""

    id: str = Field(description="Its id; later ones have greater ids.", examples=[_ID])
    bucket: str = Field(description="The bucket.", examples=["inbox"])
    name: str = Field(description="The object's name.", examples=["billing/a-17.wav"])
    version: str = Field(description="The object's ETag.")
    state: ArrivalState = Field(description="What became of it.")
    call_id: str | None = Field(description="The call it became.")
    problem: FailureBody | None = Field(description="Why it was refused, or must wait.")
    attempts: int = Field(description="How often it was tried.", examples=[1])
    created_at: datetime = Field(description="When it was seen.")
    updated_at: datetime = Field(description="When this last changed.")

    @classmethod
    def of(cls, arrival: Arrival) -> Self:
        """The body that describes `arrival`."""
        return cls.model_validate(asdict(arrival))


class ArrivalsBody(BaseModel):
    """A page of arrivals."""

    arrivals: list[ArrivalBody] = Field(description="Newest first.")
    next_page_token: str | None = Field(description="For the next page; null on the last.")


def build_inbound_routes(desk: InboundDesk) -> tuple[APIRouter, APIRouter]:
    """The route for the bucket, which has a token of its own, and those for tenants."""
    door = APIRouter(prefix="/v1", responses=PROBLEMS, tags=["inbound"])
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, tags=["inbound"], dependencies=[Depends(caller_of)]
    )

    @door.post(
        "/bucket-events",
        status_code=204,
        summary="Tell of new objects",
        openapi_extra={
            "requestBody": {"content": {"application/json": {"example": _NOTIFICATION}}}
        },
    )
    async def bucket_events(
        request: Request,
        authorization: Annotated[
            str | None, Header(description="Bearer, and the inbound token.")
        ] = None,
    ) -> None:
        """For the notifications of MinIO and others: what they name is taken in, once."""
        if desk.collector is None:
            raise NotFound(
                "this gateway has no inbound bucket", remedy="Set CALLSCOPE_GATEWAY_INBOUND_BUCKET."
            )
        sent = (authorization or "").removeprefix("Bearer ").encode()
        if desk.token is None or not hmac.compare_digest(sent, desk.token.encode()):
            raise Unauthenticated(
                "the bucket's notification does not carry the inbound token",
                remedy="Give the bucket's webhook the auth token CALLSCOPE_GATEWAY_INBOUND_TOKEN.",
            )
        await asyncio.to_thread(desk.collector.notified, await Body(request).json(_MAX_EVENTS))

    @routes.get("/arrivals", response_model=ArrivalsBody, summary="List arrivals")
    def list_arrivals(
        who: Who,
        page_size: PageSize = DEFAULT_PAGE,
        page_token: PageToken = None,
        state: Annotated[
            ArrivalState | None, Query(description="Only those in this state.")
        ] = None,
    ) -> ArrivalsBody:
        """What arrived in the inbound bucket and what became of it, newest first."""
        arrivals, token = desk.page(who, page_size, page_token, state)
        return ArrivalsBody(
            arrivals=[ArrivalBody.of(each) for each in arrivals], next_page_token=token
        )

    @routes.post(
        "/arrivals/{arrival_id}/retry",
        response_model=ArrivalBody,
        status_code=202,
        summary="Take in again what was refused",
    )
    def retry_arrival(who: Who, arrival_id: str) -> ArrivalBody:
        """Tries a refused object once more, after what was wrong has been put right."""
        return ArrivalBody.of(desk.retry(who, arrival_id))

    return door, routes
