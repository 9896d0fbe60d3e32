"""The audit trail over REST."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from services.gateway.audit import AuditDesk, Entry
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.paging import PageSize, PageToken
from services.gateway.http.problems import PROBLEMS
from services.gateway.pages import DEFAULT_PAGE

__all__ = ["build_audit_routes"]

_ID = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"


class EntryBody(BaseModel):
    """Something that was done; never any content."""

    id: str = Field(description="Its id; later ones have greater ids.")
    at: datetime = Field(description="When it was done.")
    actor: str = Field(
        description="Who did it: a key, `operator` where none is needed, or a part of the gateway.",
        examples=["key 4f1c9a02b7de"],
    )
    action: str = Field(description="What was done.", examples=["delete_call"])
    subject: str = Field(description="The id of what it was done to.", examples=[_ID])

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The body that describes `entry`."""
        fields = asdict(entry)
        return cls(**{name: fields[name] for name in cls.model_fields})


class EntriesBody(BaseModel):
    """A page of the trail."""

    entries: list[EntryBody] = Field(description="Latest first.")
    next_page_token: str | None = Field(description="For the next page; null on the last.")


def build_audit_routes(desk: AuditDesk) -> APIRouter:
    """The routes over `desk`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, tags=["audit"], dependencies=[Depends(caller_of)]
    )

    @routes.get("/audit", response_model=EntriesBody, summary="Who did what")
    def list_audit(
        who: Who,
        page_size: PageSize = DEFAULT_PAGE,
        page_token: PageToken = None,
        subject: Annotated[
            str | None, Query(max_length=64, description="Only what was done to that id.")
        ] = None,
    ) -> EntriesBody:
        """Deletes, retries, erasures, and changes to keys, webhooks and retention; for admins."""
        found, token = desk.page(who, page_size, page_token, subject)
        return EntriesBody(entries=[EntryBody.of(each) for each in found], next_page_token=token)

    return routes
