"""The paths about versions of records, and new ones."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, Field

from callscope.diff import RecordDiff
from callscope.record import SCHEMA_ID, json_schema
from callscope.types import OverallScore, Provenance, Review
from services.gateway.calls import Calls
from services.gateway.http.answers import FailureBody
from services.gateway.http.identity import Who, caller_of
from services.gateway.http.problems import PROBLEMS
from services.gateway.ledger import Version
from services.gateway.query import CallQuery
from services.gateway.rescoring.order import Order, Rescoring, RescoringStatus

__all__ = ["build_version_routes"]

_RECORD_SCHEMA = json.dumps(json_schema())
_Number = Annotated[int, Field(ge=1, le=1 << 30)]
_ID = "01980a4e-9c1d-7d2a-8f10-5b7c9e21aa04"


class VersionBody(BaseModel):
    """A version of a call's record, without its content."""

    version: int = Field(description="Counted from 1.", examples=[2])
    created_at: datetime = Field(description="When it was made.")
    overall: OverallScore = Field(description="The overall score.")
    review: Review = Field(description="Whether a person should look at the call, and why.")
    provenance: Provenance = Field(description="What made it.")

    @classmethod
    def of(cls, version: Version) -> Self:
        """The body that describes `version`."""
        record = version.record
        return cls(
            version=version.number,
            created_at=version.created_at,
            overall=record.overall,
            review=record.review,
            provenance=record.provenance,
        )


class VersionsBody(BaseModel):
    """The versions of a call's record."""

    versions: list[VersionBody] = Field(description="Oldest first.")


class FailedCallBody(BaseModel):
    """A call that could not be judged again; its records are as they were."""

    call_id: str = Field(description="The call's id.")
    problem: FailureBody = Field(description="Why.")


class RescoringBody(BaseModel):
    """An order to judge calls again, and how far it is."""

    id: str = Field(description="Its id.", examples=[_ID])
    order: Order = Field(description="What was asked for.")
    status: RescoringStatus = Field(description="Whether there is work left.")
    calls: int = Field(description="How many calls it was for.", examples=[417])
    done: int = Field(description="How many were judged again.", examples=[230])
    failed: int = Field(description="How many were given up.", examples=[0])
    failures: list[FailedCallBody] = Field(description="The first few that were given up.")
    created_at: datetime = Field(description="When it was asked for.")

    @classmethod
    def of(cls, rescoring: Rescoring) -> Self:
        """The body that describes `rescoring`."""
        fields = {name: getattr(rescoring, name) for name in cls.model_fields}
        failures = [
            FailedCallBody(call_id=each.call_id, problem=FailureBody(**asdict(each.problem)))
            for each in rescoring.failures
        ]
        return cls(**{**fields, "failures": failures})


class BulkOrder(Order):
    """By what to judge which calls again, and from what."""

    calls: CallQuery = Field(
        CallQuery.model_validate({}),
        description="The filters of `GET /v1/calls`; all finished calls where absent.",
        examples=[{"queue": "billing", "since": "2026-01-01T00:00:00Z"}],
    )


def build_version_routes(calls: Calls) -> APIRouter:
    """The routes over `calls`."""
    routes = APIRouter(
        prefix="/v1", responses=PROBLEMS, dependencies=[Depends(caller_of)], tags=["versions"]
    )

    @routes.get(
        "/schemas/record",
        summary="The JSON Schema of records",
        response_class=Response,
        responses={
            200: {
                "description": "The schema.",
                "content": {"application/schema+json": {"example": {"$id": SCHEMA_ID}}},
            }
        },
    )
    def record_schema(_: Who) -> Response:
        """The JSON Schema (2020-12) that every call record satisfies."""
        return Response(_RECORD_SCHEMA, media_type="application/schema+json")

    @routes.get("/calls/{call_id}/records", summary="The versions of a record")
    def list_records(who: Who, call_id: str) -> VersionsBody:
        """The versions of a call's record, oldest first; 409 until it is done."""
        return VersionsBody(
            versions=[VersionBody.of(each) for each in calls.versions(who, call_id)]
        )

    @routes.get("/calls/{call_id}/diff", summary="What changed between versions, and why")
    def diff_records(
        who: Who,
        call_id: str,
        before: Annotated[
            int | None,
            Query(ge=1, le=1 << 30, description="The older; the one before `after` if absent."),
        ] = None,
        after: Annotated[
            int | None, Query(ge=1, le=1 << 30, description="The newer; the newest if absent.")
        ] = None,
    ) -> RecordDiff:
        """The judgements that differ, from what to what, the evidence gained and lost, and why."""
        return calls.diff(who, call_id, before, after)

    @routes.post("/calls/{call_id}/rescore", status_code=202, summary="Judge a call again")
    def rescore_call(who: Who, call_id: str, order: Annotated[Order, Body()]) -> RescoringBody:
        """By another rubric, or from the audio once more, as a new version of its record.

        Older versions stay. Nothing is added where the new record is the newest one again.
        """
        return RescoringBody.of(calls.rescore(who, call_id, order))

    @routes.post("/rescorings", status_code=202, summary="Judge many calls again")
    def rescore_calls(who: Who, order: Annotated[BulkOrder, Body()]) -> RescoringBody:
        """All finished calls that pass the filters, behind all other work.

        The order is durable: it goes on where it was after a restart, on any gateway.
        """
        return RescoringBody.of(calls.rescore_all(who, order.calls, _without_calls(order)))

    @routes.get("/rescorings/{rescoring_id}", summary="How far a rescoring is")
    def get_rescoring(who: Who, rescoring_id: str) -> RescoringBody:
        """The order, and how many of its calls are done."""
        return RescoringBody.of(calls.rescoring(who, rescoring_id))

    @routes.delete("/rescorings/{rescoring_id}", summary="Call a rescoring off")
    def cancel_rescoring(who: Who, rescoring_id: str) -> RescoringBody:
        """Judges no further call of it; the records that were made stay."""
        return RescoringBody.of(calls.cancel_rescoring(who, rescoring_id))

    return routes


def _without_calls(order: BulkOrder) -> Order:
    return Order.model_validate({name: getattr(order, name) for name in Order.model_fields})
