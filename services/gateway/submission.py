"""What a sender says about a recording, checked by the same rules at every door."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from callscope.errors import InvalidInput
from callscope.pipeline import AnalyzeOptions, DiarizeOptions, RubricSource, TranscribeOptions
from services.gateway.call import Lane
from services.gateway.texts import ExternalId, Fact, FileName, Name, Note

__all__ = [
    "MAX_FACTS",
    "Checked",
    "Fact",
    "IdempotencyKey",
    "Name",
    "Submission",
    "Time",
    "checked_key",
    "instant",
    "invalid_input",
]

MAX_FACTS = 64
"""Facts of the sender's that a call keeps."""

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")

IdempotencyKey = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
]
_KEY = TypeAdapter(IdempotencyKey)
_OF_AUDIO = ("agent_channel", "hotwords", "min_speakers", "max_speakers", "transcribe_model")


def _time(text: str) -> str:
    if not _RFC_3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time with its offset, such as 2026-01-31T09:30:00+01:00")
    instant(text)
    return text


Time = Annotated[str, AfterValidator(_time)]
"""A time as the sender wrote it, RFC 3339."""


def instant(text: str) -> datetime:
    """The instant that an RFC 3339 time names, in UTC; `ValueError` where it names none."""
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("before the year 1 or after the year 9999 in UTC") from None


def _json_object(value: Any) -> Any:
    """A form field carries an object as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('not a JSON object such as {"queue": "billing"}') from None


def _json_list(value: Any) -> Any:
    """A form field carries an array as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("not a JSON array") from None


def _comma_separated(value: Any) -> Any:
    """A form field carries a list as one text."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


class Checked(BaseModel):
    """Something that a door received, read by the same rules at each."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    remedy: ClassVar[str | None] = None
    """What to do where it cannot be right; None for what errors of input say."""

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Check what a door received.

        Raises:
            InvalidInput: naming each field that cannot be right, and why.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)
            raise invalid_input(found, cls.remedy) from None


class Submission(Checked):
    """How to analyze a recording, and the sender's facts about the call."""

    rubric: Name | None = Field(
        None, description="Name of the rubric; the gateway's default where absent."
    )
    rubric_yaml: Annotated[str, StringConstraints(max_length=256 << 10)] | None = Field(
        None, description="A rubric's YAML text, instead of a name."
    )
    agent_channel: int | None = Field(
        None, ge=0, le=255, description="The agent's channel, from 0; inferred where absent."
    )
    language: str | None = Field(
        None, pattern="^[a-z]{2,3}$", description="ISO 639-1 code; detected where absent."
    )
    hotwords: Annotated[tuple[Name, ...], BeforeValidator(_comma_separated)] = Field(
        (), max_length=200, description="Words and names to expect; in forms, comma-separated."
    )
    min_speakers: int | None = Field(
        None, ge=1, le=20, description="Fewest speakers on a channel that several share."
    )
    max_speakers: int | None = Field(
        None, ge=1, le=20, description="Most speakers on a channel that several share."
    )
    transcribe_model: Name | None = Field(
        None, description="Name of the transcription model; the service's default where absent."
    )
    lane: Lane = Field(
        Lane.LIVE,
        description="`backfill` for recordings that nobody waits for: they never keep a live one "
        "waiting.",
    )
    metadata: Annotated[dict[Name, Fact], BeforeValidator(_json_object)] = Field(
        {},
        max_length=MAX_FACTS,
        description="The sender's facts as text: agent, customer, queue, direction and others; "
        "in forms, a JSON object.",
        examples=[{"agent": "a-17", "queue": "billing", "direction": "inbound"}],
    )
    started_at: Time | None = Field(
        None,
        description="When the call began, RFC 3339.",
        examples=["2026-01-31T09:30:00+01:00"],
    )
    external_id: ExternalId | None = Field(
        None,
        description="The sender's own id of the call. The same id with the same recording is the "
        "same call, with another recording a conflict.",
        examples=["pbx-20260131-00417"],
    )
    file_name: FileName | None = Field(
        None,
        description="The recording's name as its sender has it, folders included; what the "
        "gateway's pattern finds there become facts. In forms, that of the part by default.",
        examples=["billing/a-17_20260131T093000Z.wav"],
    )
    notes: Annotated[tuple[Note, ...], BeforeValidator(_json_list)] = Field(
        (),
        max_length=32,
        description="What the sender could not read about the call; kept with it. In forms, a "
        "JSON array.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.rubric is not None and self.rubric_yaml is not None:
            raise ValueError("give rubric or rubric_yaml, not both")
        if (self.min_speakers or 0) > (self.max_speakers or 20):
            raise ValueError("min_speakers is more than max_speakers")
        return self

    def with_facts(self, metadata: Mapping[str, str], **fields: str | None) -> Self:
        """This, and what else is known where it says nothing.

        Raises:
            InvalidInput: what else is known is no fact.
        """
        own = {name: getattr(self, name) for name in self.model_fields_set}
        new = {name: value for name, value in fields.items() if value is not None}
        known = {name: value for name, value in own.items() if value is not None}
        return self.read({**new, **known, "metadata": {**metadata, **self.metadata}})

    def refuse_audio_options(self) -> None:
        """Refuse for a text what can be asked of audio only.

        Raises:
            InvalidInput: naming it.
        """
        for name in _OF_AUDIO:
            if getattr(self, name) not in (None, ()):
                raise InvalidInput(
                    f"{name}: the conversation is sent as text, and nothing is listened to",
                    remedy=f"Leave {name} out; participants have roles.",
                )

    def options(self, default_rubric: str) -> AnalyzeOptions:
        """What the stages are asked to do."""
        named = None if self.rubric_yaml is not None else self.rubric or default_rubric
        return AnalyzeOptions(
            rubric=RubricSource(name=named, yaml=self.rubric_yaml),
            agent_channel=self.agent_channel,
            transcribe=TranscribeOptions(self.language, self.hotwords, self.transcribe_model),
            diarize=DiarizeOptions(self.min_speakers, self.max_speakers),
        )


def checked_key(key: str | None) -> str | None:
    """The idempotency key, checked.

    Raises:
        InvalidInput: empty, too long, or with other than printable ASCII characters.
    """
    try:
        return None if key is None else _KEY.validate_python(key)
    except ValidationError:
        raise InvalidInput(
            "idempotency key: not 1 to 255 printable ASCII characters without spaces"
        ) from None


def invalid_input(problems: Any, remedy: str | None = None) -> InvalidInput:
    """The error for what pydantic found wrong, without repeating what was sent."""
    found = {_place(each["loc"]): str(each["msg"]) for each in problems}
    message = "; ".join(f"{place}: {reason}" for place, reason in found.items())
    return InvalidInput(message, remedy=remedy, details=found)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "request"
