"""What the REST API answers with."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from services.gateway.call import Call, CallStatus, Lane
from services.gateway.calls import Page
from services.gateway.pages import DEFAULT_PAGE, MAX_PAGE
from services.gateway.query import CallQuery
from services.gateway.submission import Submission
from services.gateway.texts import Note

__all__ = ["CallBody", "ListParameters", "PageBody", "RetriedBody", "UriSubmission"]

_NEXT = "H0mF2mQ7mEsBmApOL3x8fZ1SCm8_DIsR"
_ID = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"


class UriSubmission(Submission):
    """A recording by URI, how to analyze it, and the sender's facts about the call."""

    uri: str = Field(
        max_length=4096,
        description="`file://` inside the gateway's allowed folders, `s3://bucket/key` in an "
        "allowed bucket, or `https://` on an allowed host. The bytes are copied.",
        examples=["s3://calls/2026/01/31/a17.wav"],
    )


class ListParameters(CallQuery):
    """Which calls to list, and which page of them."""

    page_size: int = Field(DEFAULT_PAGE, ge=1, le=MAX_PAGE, description="At most this many.")
    page_token: str | None = Field(
        None, max_length=64, description="From the page before, with the same filters."
    )


class RecordingBody(BaseModel):
    """The recording as accepted; of a text, what there is to say of one."""

    uri: str | None = Field(description="Where the gateway keeps the audio, if there is any.")
    sha256: str = Field(description="SHA-256 of the file's bytes, or of what was said.")
    duration: float | None = Field(
        description="Length in seconds; null where nobody knows.", examples=[278.4]
    )
    sample_rate: int | None = Field(
        description="Samples per second; null for a text.", examples=[8000]
    )
    channels: int | None = Field(
        description="Number of channels in the file; null for a text.", examples=[2]
    )
    codec: str | None = Field(
        description="The codec's short name; null for a text.", examples=["pcm_mulaw"]
    )
    started_at: str | None = Field(description="When the call began, as the sender said.")
    metadata: Mapping[str, str] = Field(description="The sender's facts.")


class FailureBody(BaseModel):
    """Why a call failed."""

    code: str = Field(description="The error's stable code.", examples=["unavailable"])
    message: str = Field(description="What is wrong.")
    remedy: str = Field(description="What to do about it.")
    stage: str | None = Field(description="Where it met the call.", examples=["transcribe"])


class CallBody(BaseModel):
    """A call, without its record."""

    id: str = Field(description="Its id; later calls have greater ids.", examples=[_ID])
    status: CallStatus = Field(description="Where it stands.")
    lane: Lane = Field(description="How soon it is wanted: live or backfill.")
    stage: str | None = Field(
        description="The stage at work: transcribe, diarize, dialogue, score or record.",
        examples=["transcribe"],
    )
    progress: float = Field(description="Share of the whole work done, 0 to 1.", examples=[0.42])
    recording: RecordingBody = Field(description="What was sent.")
    problem: FailureBody | None = Field(description="Present where it failed.")
    created_at: datetime = Field(description="When it was accepted.")
    updated_at: datetime = Field(description="When its status last changed.")
    external_id: str | None = Field(description="The sender's own id of the call.")
    notes: list[Note] = Field(description="What could not be read about the call.")

    @classmethod
    def of(cls, call: Call) -> Self:
        """The body that describes `call`."""
        recording = {name: getattr(call.recording, name) for name in RecordingBody.model_fields}
        return cls(
            id=call.id,
            status=call.status,
            lane=call.lane,
            stage=call.stage,
            progress=call.progress,
            recording=RecordingBody(**recording),
            problem=None if call.problem is None else FailureBody(**asdict(call.problem)),
            created_at=call.created_at,
            updated_at=call.updated_at,
            external_id=call.external_id,
            notes=list(call.notes),
        )


class RetriedBody(BaseModel):
    """How many calls are analyzed again."""

    retried: int = Field(description="Number of calls.", examples=[12])


class PageBody(BaseModel):
    """A page of calls."""

    calls: list[CallBody] = Field(description="Newest first.")
    next_page_token: str | None = Field(
        description="For the next page; null on the last.", examples=[_NEXT]
    )

    @classmethod
    def of(cls, page: Page) -> Self:
        """The body that describes `page`."""
        return cls(
            calls=[CallBody.of(call) for call in page.calls], next_page_token=page.next_token
        )
