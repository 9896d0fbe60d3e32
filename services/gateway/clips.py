"""Which seconds of a call somebody wants to hear, and of whom."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from callscope.clip import MAX_SECONDS, ClipFormat, Section
from callscope.errors import InvalidInput, NotFound, Overloaded
from callscope.types import CallRecord, Evidence, Role
from services.gateway.query import Id
from services.gateway.submission import Checked

__all__ = ["Booths", "ClipRequest", "StoredFile", "Voice"]

Second = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Booths:
    """Places in which clips are cut: decoding takes a core, and calls want some too.

    Args:
        places: clips at a time; eight times as many may wait.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._room = threading.BoundedSemaphore(places * 9)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and have it for the block.

        Raises:
            Overloaded: too many wait already.
        """
        if not self._room.acquire(blocking=False):
            raise Overloaded(
                "too many clips are asked for at once",
                remedy="Ask again in a moment, or raise CALLSCOPE_GATEWAY_CLIP_CONCURRENT.",
                retry_after=1,
            )
        try:
            with self._places:
                yield
        finally:
            self._room.release()


class Voice(StrEnum):
    """Whom to hear."""

    BOTH = "both"
    AGENT = "agent"
    CUSTOMER = "customer"


class ClipRequest(Checked):
    """Seconds from the start, or the evidence of a judgement."""

    start: Second | None = Field(
        None, description="Seconds from the start of the recording.", examples=[12.5]
    )
    end: Second | None = Field(
        None,
        description=f"Seconds from the start; at most {MAX_SECONDS:g} after `start`, context "
        "included.",
        examples=[18.0],
    )
    behavior: Id | None = Field(
        None, description="Instead: hear the evidence of that behavior.", examples=["rapport"]
    )
    disclosure: Id | None = Field(
        None, description="Instead: hear the evidence of that disclosure.", examples=["recording"]
    )
    evidence: int = Field(0, ge=0, le=10_000, description="Which evidence of it, from 0.")
    context: float = Field(
        1.0, ge=0, le=20, allow_inf_nan=False, description="Seconds to hear before and after."
    )
    voice: Voice = Field(Voice.BOTH, description="Whom to hear; one only where channels are apart.")
    format: ClipFormat = Field(
        ClipFormat.WAV, description="`wav` for any player, `opus` (in Ogg) for a small file."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("give start and end together")
        given = [self.start is not None, self.behavior is not None, self.disclosure is not None]
        if sum(given) != 1:
            raise ValueError("give start and end, or behavior, or disclosure")
        return self

    @property
    def needs_record(self) -> bool:
        """Whether the seconds or the voice are found in the call's record only."""
        return self.start is None or self.voice is not Voice.BOTH

    def section(self, record: CallRecord | None) -> Section:
        """What to cut out; a piece of evidence too long to hear whole is heard from its start.

        Raises:
            InvalidInput: the seconds cannot be heard, or the voices are on one channel.
            NotFound: no such judgement, or no such evidence of it.
        """
        if self.start is not None and self.end is not None:
            start, end = self.start - self.context, self.end + self.context
        else:
            assert record is not None  # noqa: S101 - as `needs_record` says
            found = self._evidence(record)
            assert found.start is not None  # noqa: S101 - who has audio has times
            assert found.end is not None  # noqa: S101
            start, end = found.start - self.context, found.end + self.context
            end = min(end, max(0.0, start) + MAX_SECONDS)
        channel = None
        if self.voice is not Voice.BOTH:
            assert record is not None  # noqa: S101 - as `needs_record` says
            channel = _channel(record, Role(self.voice))
        return Section(max(0.0, start), end, channel)

    def _evidence(self, record: CallRecord) -> Evidence:
        judged = {each.behavior: each.evidence for each in record.behaviors}
        checked = {each.disclosure: each.evidence for each in record.disclosures}
        name = self.behavior or self.disclosure or ""
        evidence = (judged if self.behavior is not None else checked).get(name)
        if evidence is None:
            raise NotFound(
                f"the record says nothing of {name}",
                remedy="GET /v1/calls/{call_id}/record lists what was judged.",
            )
        if self.evidence >= len(evidence):
            raise NotFound(
                f"evidence: {name} has {len(evidence)} pieces, counted from 0",
                remedy="GET /v1/calls/{call_id}/record shows them.",
            )
        return evidence[self.evidence]


def _channel(record: CallRecord, role: Role) -> int:
    """The channel that only this role speaks on."""
    of_role = {each.channel for each in record.participants if each.role is role}
    others = {each.channel for each in record.participants if each.role is not role}
    if len(of_role) != 1 or None in of_role or of_role & others:
        raise InvalidInput(
            f"voice: the {role} has no channel alone", remedy="Leave the voice out to hear both."
        )
    (channel,) = of_role
    assert channel is not None  # noqa: S101 - just looked at
    return channel


class StoredFile(io.RawIOBase):
    """A stored recording as a file that can be read anywhere.

    Args:
        read: gives bytes from a place on, so many.
        size: of the recording, in bytes.
    """

    def __init__(self, read: Callable[[int, int], Iterator[bytes]], size: int) -> None:
        self._read = read
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere, as files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or what of it there are bytes for."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        filled = 0
        for block in self._read(self._at, wanted) if wanted else ():
            view[filled : filled + len(block)] = block
            filled += len(block)
        self._at += filled
        return filled
