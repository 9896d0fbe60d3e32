"""What is known of a call besides its recording, gathered from wherever its sender put it.

A fact may be said in the request, in the object's metadata, in a sidecar file, in a table of call
details and in the file's name. Each source is read on its own; where several name the same fact,
the one that stands first in `Source` wins. What a source says and cannot be read becomes a `Note`
on the call: it is neither guessed nor silently dropped, and it never costs the recording.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from callscope.errors import InvalidInput
from services.gateway.submission import MAX_FACTS, Submission
from services.gateway.texts import Note

__all__ = [
    "MAX_SIDECAR",
    "Clock",
    "FactReader",
    "NamePattern",
    "Said",
    "Source",
    "combine",
    "is_sidecar",
    "said_by_object",
    "said_by_sidecar",
    "sidecar_names",
]

MAX_SIDECAR = 256 << 10
"""Bytes of a sidecar; what is larger is no description of a call."""

_SIDECAR = ".json"
_MAX_NOTES = 32
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PLAIN_FIELDS = ("started_at", "agent_channel", "language", "rubric", "external_id")


class Source(StrEnum):
    """Where facts come from, the strongest first."""

    REQUEST = "request"
    OBJECT = "object"
    SIDECAR = "sidecar"
    DETAILS = "details"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says: `facts` as they stand there, `notes` where it could not be read."""

    source: Source
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @classmethod
    def unreadable(cls, source: Source, reason: str) -> Self:
        """A source of which nothing can be used."""
        return cls(source, {}, (Note(source=source, reason=reason),))


@dataclass(frozen=True, slots=True)
class Clock:
    """How a source writes times.

    ISO 8601 is always read. `form` is one more way to write them (`datetime.strptime`), and `zone`
    is where clocks stood that name no offset; without it such a time is not read.
    """

    form: str | None = None
    zone: ZoneInfo | None = None

    def read(self, text: str) -> str:
        """The time as RFC 3339.

        Raises:
            ValueError: no time, or not known on which clock.
        """
        moment = self._moment(text.strip())
        if moment.tzinfo is None:
            if self.zone is None:
                raise ValueError("a time without an offset, and no time zone is set")
            moment = moment.replace(tzinfo=self.zone)
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                raise ValueError("a time that the change of clocks skips or repeats")
        return moment.isoformat()

    def _moment(self, text: str) -> datetime:
        # A date alone would be read as midnight.
        if len(text) >= len("20260131T0930") and not text.isdecimal():
            try:
                return datetime.fromisoformat(text.upper())
            except ValueError:
                pass
        if self.form is None:
            raise ValueError("no ISO 8601 time")
        try:
            return datetime.strptime(text, self.form)
        except ValueError:
            raise ValueError(f"neither an ISO 8601 time nor one written as {self.form}") from None


class NamePattern:
    r"""Facts in file names, by the named groups of a regular expression.

    Args:
        pattern: what the whole name matches, folders included, such as
            `(.*/)?(?P<agent>[^_]+)_(?P<queue>[^_]+)_(?P<started_at>[0-9TZ]+)\.wav`.

    Raises:
        InvalidInput: no regular expression, or one without named groups.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise InvalidInput(f"the file-name pattern is no regular expression: {error}") from None
        if not self._pattern.groupindex:
            raise InvalidInput(
                "the file-name pattern names no group",
                remedy="Write (?P<agent>...) where the agent's name stands.",
            )

    def read(self, name: str) -> Said:
        """What the file's name says; groups that took no part, or are empty, say nothing."""
        found = self._pattern.fullmatch(name)
        if found is None:
            return Said.unreadable(Source.NAME, "the name does not match the pattern")
        return Said(Source.NAME, {key: text for key, text in found.groupdict().items() if text})


@dataclass(frozen=True, slots=True)
class FactReader:
    """How this gateway reads what senders say in their own ways."""

    pattern: NamePattern | None
    clock: Clock
    tables: Callable[[str, str], Said | None] = lambda _tenant, _name: None
    """What a tenant's table of call details says of a file; None where it has no table."""

    def complete(
        self, tenant: str, submission: Submission, said: Sequence[Said] = ()
    ) -> Submission:
        """The submission with what the table, its file's name and these sources say."""
        name = submission.file_name
        if name is not None and (told := self.tables(tenant, name)) is not None:
            said = [*said, told]
        if self.pattern is not None and name is not None:
            said = [*said, self.pattern.read(name)]
        return combine(submission, said, self.clock) if said else submission


def said_by_object(headers: Mapping[str, str]) -> Said:
    """What an S3 object's own metadata says: `x-amz-meta-started-at` is the fact `started_at`."""
    prefix = "x-amz-meta-"
    facts = {
        name.lower().removeprefix(prefix).replace("-", "_"): _header_text(text)
        for name, text in headers.items()
        if name.lower().startswith(prefix)
    }
    return Said(Source.OBJECT, facts)


def said_by_sidecar(content: bytes) -> Said:
    """What a sidecar says: a JSON object, with or without an object `metadata` inside."""
    if len(content) > MAX_SIDECAR:
        return Said.unreadable(Source.SIDECAR, f"more than {MAX_SIDECAR} bytes")
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError):
        return Said.unreadable(Source.SIDECAR, "no JSON")
    if not isinstance(facts, dict):
        return Said.unreadable(Source.SIDECAR, "no JSON object")
    return Said(Source.SIDECAR, facts)


def sidecar_names(name: str) -> tuple[str, ...]:
    """What the sidecar of a recording may be called: `call.wav.json`, or `call.json`."""
    folder, slash, file = name.rpartition("/")
    stem = file.rpartition(".")[0] or file
    return f"{name}{_SIDECAR}", f"{folder}{slash}{stem}{_SIDECAR}"


def is_sidecar(name: str) -> bool:
    """Whether a file of that name is a sidecar, never a recording."""
    return name.lower().endswith(_SIDECAR)


def combine(request: Submission, said: Sequence[Said], clock: Clock) -> Submission:
    """The submission with everything that is known, and notes on what could not be read."""
    fields: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    notes: list[Note] = []
    for each in sorted(said, key=lambda one: tuple(Source).index(one.source)):
        notes += each.notes
        for name, value in _flat(each.facts):
            try:
                checked = _checked(name, value, clock)
            except ValueError as error:
                notes.append(Note(source=each.source, fact=_shown(name), reason=str(error)))
                continue
            if name in _PLAIN_FIELDS:
                fields.setdefault(name, checked)
            else:
                metadata.setdefault(name, checked)
    given = {
        name: value
        for name in request.model_fields_set & Submission.model_fields.keys()
        if (value := getattr(request, name)) is not None
    }
    if given.get("rubric_yaml") is not None:
        fields.pop("rubric", None)
    known = {**given.get("metadata", {})}
    for name, value in metadata.items():
        if len(known) < MAX_FACTS or name in known:
            known.setdefault(name, value)
        else:
            reason = f"a call has at most {MAX_FACTS} facts"
            notes.append(Note(source=Source.REQUEST, fact=_shown(name), reason=reason))
    notes = [*request.notes, *notes][:_MAX_NOTES]
    return Submission.model_validate({**fields, **given, "metadata": known, "notes": notes})


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if name == "metadata" and isinstance(value, dict):
            yield from value.items()
        elif value is not None:
            yield str(name), value


def _checked(name: str, value: Any, clock: Clock) -> Any:
    """The fact as a submission takes it.

    Raises:
        ValueError: why it cannot be read, without repeating it.
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("no text, number or truth value")
    if name == "started_at":
        value = clock.read(value)
    try:
        if name in _PLAIN_FIELDS:
            return getattr(Submission.model_validate({name: value}), name)
        return Submission.model_validate({"metadata": {name: value}}).metadata[name]
    except ValidationError as error:
        raise ValueError(error.errors(include_input=False)[0]["msg"]) from None


def _shown(name: str) -> str | None:
    """As much of a fact's name as a note can hold."""
    return _UNPRINTABLE.sub("", name)[:64] or None


def _header_text(text: str) -> str:
    """A header's text; other than ASCII characters come encoded (RFC 2047)."""
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return text
