"""A call as the gateway knows it: where it stands, and what was asked for."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from callscope.errors import AudioNotFound, CallNotFound, CallscopeError
from callscope.pipeline import AnalyzeOptions
from callscope.types import Recording
from services.gateway.texts import Note

__all__ = [
    "Call",
    "CallStatus",
    "Lane",
    "Problem",
    "arrived_at",
    "checked_id",
    "new_id",
    "no_recording",
]


class CallStatus(StrEnum):
    """Where a call stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # because it was deleted

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to the call by itself."""
        return self not in (CallStatus.QUEUED, CallStatus.RUNNING)


class Lane(StrEnum):
    """How soon a call is wanted: those of the backfill never keep a live one waiting."""

    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a call failed, in the error model all doors share."""

    code: str
    message: str
    remedy: str
    stage: str | None = None  # where it met the call

    @classmethod
    def of(cls, error: CallscopeError, stage: str | None = None) -> Self:
        """The problem that `error` reports."""
        return cls(error.code, error.message, error.remedy, stage)


@dataclass(frozen=True, slots=True)
class Call:
    """A call without its record. `stage` and `progress` are known where it is being analyzed.

    `run` is the number of the analysis it is in, or was in last: a retry begins another.
    `external_id` is the sender's own; `notes` say what could not be read about the call.
    """

    id: str
    tenant: str
    lane: Lane
    status: CallStatus
    run: int
    recording: Recording
    options: AnalyzeOptions
    idempotency_key: str | None
    problem: Problem | None
    created_at: datetime
    updated_at: datetime
    external_id: str | None = None
    notes: tuple[Note, ...] = ()
    stage: str | None = None
    progress: float = 0.0  # share of the whole work, 0 to 1


def no_recording(call: Call) -> AudioNotFound:
    """The error for asking to hear a call that cannot be heard."""
    if call.recording.is_text:
        return AudioNotFound(
            f"call {call.id} was sent as text: there is no recording of it",
            remedy="Transcript and record are there.",
        )
    return AudioNotFound(
        f"the audio of call {call.id} has been erased",
        remedy="Transcript and record are still there.",
    )


def new_id() -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): later ids sort after earlier ones."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64
    return str(UUID(int=value | 0b10 << 62 | secrets.randbits(62)))


def arrived_at(call_id: str) -> datetime:
    """When the call's recording began to arrive: its id begins with the time."""
    return datetime.fromtimestamp((UUID(call_id).int >> 80) / 1000, UTC)


def checked_id(text: str) -> str:
    """The canonical form of an id from outside.

    Raises:
        CallNotFound: it is no id at all.
    """
    try:
        return str(UUID(text))
    except ValueError:
        raise CallNotFound(f"there is no call {text[:64]!r}") from None
