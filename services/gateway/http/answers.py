"""What the REST API answers with."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from services.gateway.call import Call, CallStatus, Lane
from services.gateway.calls import Page
from services.gateway.submission import Submission

__all__ = ["CallBody", "PageBody", "UriSubmission"]

_ID = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"


class UriSubmission(Submission):
    """A recording by URI, how to analyze it, and the sender's facts about the call."""

    uri: str = Field(
        max_length=4096,
        description="`file://` inside the gateway's allowed folders, or `s3://bucket/key` in an "
        "allowed bucket. The bytes are copied.",
        examples=["s3://calls/2026/01/31/a17.wav"],
    )


class RecordingBody(BaseModel):
    """The recording as accepted."""

    uri: str | None = Field(description="Where the gateway keeps the audio.")
    sha256: str = Field(description="SHA-256 of the file's bytes, hexadecimal.")
    duration: float = Field(description="Length in seconds.", examples=[278.4])
    sample_rate: int = Field(description="Samples per second.", examples=[8000])
    channels: int = Field(description="Number of channels in the file.", examples=[2])
    codec: str = Field(description="The codec's short name.", examples=["pcm_mulaw"])
    started_at: str | None = Field(description="When the call began, as the sender said.")
    metadata: Mapping[str, str] = Field(description="The sender's facts.")


class FailureBody(BaseModel):
    """Why a call failed."""

    code: str = Field(description="The error's stable code.", examples=["unavailable"])
    message: str = Field(description="What is wrong.")
    remedy: str = Field(description="What to do about it.")


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
        )


class PageBody(BaseModel):
    """A page of calls."""

    calls: list[CallBody] = Field(description="Newest first.")
    next_page_token: str | None = Field(
        description="For the next page; null on the last.", examples=[_ID]
    )

    @classmethod
    def of(cls, page: Page) -> Self:
        """The body that describes `page`."""
        return cls(
            calls=[CallBody.of(call) for call in page.calls], next_page_token=page.next_token
        )
