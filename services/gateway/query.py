"""Which calls are asked for: the filters of a list, checked at one place for every door."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    model_validator,
)

from callscope.errors import InvalidInput
from callscope.types import DisclosureStatus, Outcome
from services.gateway.call import CallStatus
from services.gateway.pages import checked_limit
from services.gateway.submission import Checked, Fact, Time, instant
from services.gateway.words import Wanted, wanted

__all__ = ["CallQuery", "PageQuery"]

_REMEDY = "GET /openapi.json describes every filter; docs/api.md shows examples."
_START_AGAIN = "Start at the first page, and keep the filters while you turn pages."
_DIGEST = 8  # bytes of a token that bind it to its filters

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


Instant = Annotated[Time, AfterValidator(lambda text: instant(text).isoformat())]


class CallQuery(Checked):
    """Filters that a call passes all of; none of them lets every call pass."""

    remedy: ClassVar[str | None] = _REMEDY

    status: CallStatus | None = Field(None, description="Where the call stands.")
    agent: Fact | None = Field(
        None, description="The agent, as in the call's metadata.", examples=["a-17"]
    )
    queue: Fact | None = Field(
        None, description="The queue, as in the call's metadata.", examples=["billing"]
    )
    direction: Fact | None = Field(
        None, description="The direction, as in the call's metadata.", examples=["inbound"]
    )
    since: Instant | None = Field(
        None,
        description="Calls that began then or later, RFC 3339; a call without its own time began "
        "when it was accepted.",
        examples=["2026-01-31T00:00:00+01:00"],
    )
    until: Instant | None = Field(
        None,
        description="Calls that began before, RFC 3339.",
        examples=["2026-02-01T00:00:00+01:00"],
    )
    rubric: Id | None = Field(None, description="The rubric that judged.", examples=["general"])
    behavior: Id | None = Field(
        None, description="A behavior that the rubric judged.", examples=["empathy_opening"]
    )
    outcome: Outcome | None = Field(None, description="What became of that behavior.")
    min_score: Score | None = Field(None, description="The behavior's score, at least.")
    max_score: Score | None = Field(None, description="The behavior's score, at most.")
    disclosure: Id | None = Field(
        None, description="A disclosure that the rubric checked.", examples=["mini_miranda"]
    )
    disclosure_status: DisclosureStatus | None = Field(
        None, description="What became of that disclosure."
    )
    on_time: bool | None = Field(
        None, description="Whether that disclosure came before its deadline."
    )
    review_needed: bool | None = Field(
        None, description="Whether a person should look at the call."
    )
    min_overall: Score | None = Field(None, description="The overall score, at least.")
    max_overall: Score | None = Field(None, description="The overall score, at most.")
    text: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        None,
        description="Words that all occur in the call, in any case; in double quotes a phrase of "
        "one speaker.",
        examples=['refund "thank you"'],
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.behavior is None:
            self._needs("behavior", "outcome", "min_score", "max_score")
        if self.disclosure is None:
            self._needs("disclosure", "disclosure_status", "on_time")
        for low, high in (("min_score", "max_score"), ("min_overall", "max_overall")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ValueError(f"{low} is more than {high}")
        if self.since and self.until and instant(self.since) >= instant(self.until):
            raise ValueError("since is not before until")
        return self

    def _needs(self, needed: str, *names: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} needs {needed}: name one")

    @property
    def wanted(self) -> Wanted | None:
        """What `text` looks for.

        Raises:
            InvalidInput: there is no word in it, or too many.
        """
        return None if self.text is None else wanted(self.text)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A page of the calls that `query` lets pass: those older than the call `before`."""

    query: CallQuery
    size: int
    before: str | None = None

    @classmethod
    def read(cls, query: CallQuery, size: int | None, token: str | None) -> Self:
        """The page after the one that gave `token`.

        Raises:
            InvalidInput: a size out of range, or a token that no page of this list gave.
        """
        return cls(query, checked_limit(size), None if token is None else _call_of(token, query))

    def token_after(self, call_id: str) -> str:
        """The token of the page that goes on after that call: opaque, and of these filters only."""
        content = _digest(self.query) + UUID(call_id).bytes
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _call_of(token: str, query: CallQuery) -> str:
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        content = b""
    if len(content) != _DIGEST + 16:
        raise InvalidInput("page_token: not one that this list gave", remedy=_START_AGAIN)
    if content[:_DIGEST] != _digest(query):
        raise InvalidInput(
            "page_token: it belongs to a list with other filters", remedy=_START_AGAIN
        )
    return str(UUID(bytes=content[_DIGEST:]))


def _digest(query: CallQuery) -> bytes:
    filters = set(CallQuery.model_fields)  # a door may have asked for more with them
    content = query.model_dump_json(include=filters, exclude_none=True).encode()
    return hashlib.sha256(content).digest()[:_DIGEST]
