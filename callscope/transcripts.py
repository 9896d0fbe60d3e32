"""Conversations that were written down elsewhere, read and checked: JSON, WebVTT, SubRip, text.

Nothing is guessed: a speaker has a role where the sender says so (the name Agent, Customer or IVR
is saying so), and times where start and end are known. All else is left to the dialogue stage.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, pairwise
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from callscope.errors import InvalidInput
from callscope.types import Role, TextConversation, TextParticipant, TextUtterance, TextWord

__all__ = [
    "FORMS",
    "MAX_UTTERANCES",
    "MAX_WORDS",
    "TranscriptBody",
    "checked",
    "digest",
    "named",
    "read",
]

MAX_SPEAKERS = 32
MAX_UTTERANCES = 20_000
MAX_WORDS = 200_000
"""A conversation has at most so many; four hours of talk have about 40,000 words."""

SAME_UTTERANCE = 1.5
"""Captions of one speaker at most so many seconds apart are one utterance."""

_LATEST = 7 * 24 * 3600.0  # seconds
_SHOWN = 5  # problems
_PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
_REMEDY = "docs/api.md shows what a conversation looks like."

_Speaker = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=_PLAIN)
]
_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000, pattern=_PLAIN)
]
_Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")]
_Seconds = Annotated[float, Field(ge=0, le=_LATEST, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ParticipantBody(_Body):
    """What is known of a speaker."""

    speaker: _Speaker = Field(description="The name that utterances call them by.")
    role: Role | None = Field(
        None, description="Their role; told from what they say where absent.", examples=["agent"]
    )
    bot: bool | None = Field(None, description="Whether it is a machine.")


class WordBody(_Body):
    """A word with its times."""

    text: _Word = Field(description="The word, with the punctuation at it.", examples=["Hello,"])
    start: _Seconds = Field(description="Seconds from the start of the call.")
    end: _Seconds = Field(description="Seconds from the start of the call.")
    probability: float | None = Field(
        None, ge=0, le=1, description="How sure the recognizer was of it, where that is known."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.end < self.start:
            raise ValueError("it ends before it starts")
        return self


class UtteranceBody(_Body):
    """What one speaker said or wrote in one go."""

    speaker: _Speaker = Field(examples=["anna"])
    text: _Text = Field(examples=["Thank you for calling, how may I help you?"])
    start: _Seconds | None = Field(
        None, description="Seconds from the start of the call; with its end in every one or none."
    )
    end: _Seconds | None = Field(None, description="Seconds from the start of the call.")
    words: tuple[WordBody, ...] = Field(
        (),
        description="The words of the text with their times, in every utterance or in none. The "
        "utterance's own times may then be left out.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.words:
            if [each.text for each in self.words] != self.text.split():
                raise ValueError("its words are not those of its text, one by one")
            if any(after.start < word.start for word, after in pairwise(self.words)):
                raise ValueError("its words are not in the order of their times")
        if (self.start is None) != (self.end is None):
            raise ValueError("give start and end, or neither: one alone is no stretch of time")
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError("it ends before it starts")
        return self

    @property
    def timed(self) -> bool:
        """Whether it says when it was said."""
        return self.start is not None or bool(self.words)

    def utterance(self) -> TextUtterance:
        """The value that it describes; its words say when it was said, where nothing else does."""
        words = tuple(TextWord(**each.model_dump()) for each in self.words)
        start, end = self.start, self.end
        if words and start is None:
            start, end = words[0].start, max(each.end for each in words)
        return TextUtterance(self.speaker, self.text, start, end, words)


class TranscriptBody(_Body):
    """A conversation as text: a transcript made elsewhere, or a chat."""

    utterances: tuple[UtteranceBody, ...] = Field(
        max_length=MAX_UTTERANCES, description="In order; at least one."
    )
    participants: tuple[ParticipantBody, ...] = Field(
        (), max_length=MAX_SPEAKERS, description="What is known of the speakers, where anything is."
    )
    language: str | None = Field(None, pattern="^[a-z]{2,3}$", description="ISO 639-1 code.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.utterances:
            raise ValueError("there is no utterance")
        _all_or_none("times", [each.timed for each in self.utterances])
        _all_or_none("words", [bool(each.words) for each in self.utterances])
        speakers = [each.speaker for each in self.participants]
        if len(set(speakers)) < len(speakers):
            raise ValueError("a participant is there twice")
        if len({*speakers, *(each.speaker for each in self.utterances)}) > MAX_SPEAKERS:
            raise ValueError(f"more than {MAX_SPEAKERS} speakers")
        if sum(len(each.text.split()) for each in self.utterances) > MAX_WORDS:
            raise ValueError(f"more than {MAX_WORDS} words")
        return self

    def conversation(self) -> TextConversation:
        """The value that it describes."""
        return TextConversation(
            tuple(each.utterance() for each in self.utterances),
            tuple(TextParticipant(**each.model_dump()) for each in self.participants),
            self.language,
        )


def _all_or_none(what: str, have: Sequence[bool]) -> None:
    if any(have) and not all(have):
        raise ValueError(
            f"utterance {have.index(False)} has no {what} and others have: all or none"
        )


def checked(content: Any) -> TextConversation:
    """The conversation that a JSON object, or a `TextConversation` of another's, describes.

    Raises:
        InvalidInput: naming the first few things that are wrong, without repeating what was said.
    """
    if isinstance(content, TextConversation):
        content = asdict(content)
    try:
        return TranscriptBody.model_validate(content).conversation()
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        places = [(".".join(map(str, each["loc"])) or "transcript", each["msg"]) for each in found]
        shown = "; ".join(f"{place}: {reason}" for place, reason in places[:_SHOWN])
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise InvalidInput(
            f"the transcript cannot be read: {shown}{more}",
            remedy=_REMEDY,
            details=dict(places[:_SHOWN]),
        ) from None


def digest(text: TextConversation) -> str:
    """SHA-256 of what was said, by whom and when, hexadecimal: the same however it was written."""
    said = asdict(text)
    for each in said["utterances"]:
        if not each["words"]:  # a text without them keeps the digest that it had before they were
            del each["words"]
    canonical = json.dumps(said, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def read(content: bytes, form: str) -> TextConversation:
    """The conversation in a file.

    Args:
        content: of the file.
        form: `json` (as `TranscriptBody`), `vtt`, `srt` or `txt`.

    Raises:
        InvalidInput: no such form, or the content is none.
    """
    if form not in FORMS:
        raise InvalidInput(
            f"there is no transcript form {form!r}", remedy=f"Send one of {', '.join(FORMS)}."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"byte {error.start} of the transcript is no UTF-8", remedy="Save it as UTF-8."
        ) from None
    return FORMS[form](text)


def named(lines: Sequence[TextUtterance]) -> TextConversation:
    """The conversation of these lines, whose speakers' names may tell their roles."""
    speakers = dict.fromkeys(line.speaker for line in lines)
    participants = [TextParticipant(each, *_told(each)) for each in speakers]
    return checked(
        TextConversation(
            tuple(lines), tuple(each for each in participants if each.role or each.bot)
        )
    )


_ROLES = {"agent": Role.AGENT, "customer": Role.CUSTOMER, "ivr": Role.IVR}


def _told(name: str) -> tuple[Role | None, bool | None]:
    """The role that a name says, and whether it says that it is a machine: `Agent 2`, `Bot`."""
    word = re.sub(r"\s*\d+$", "", name).lower()
    return _ROLES.get(word), True if word == "bot" else None


def _from_json(text: str) -> TextConversation:
    try:
        return checked(json.loads(text))
    except (ValueError, RecursionError):
        raise InvalidInput("the transcript is no JSON", remedy=_REMEDY) from None


_TIME = r"(?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})"
_CUE = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"<[^>]*>")
_NAMED = re.compile(r"\s*([^\s:][^:]{0,63}):\s+(\S.*)", re.DOTALL)
_STAMP = re.compile(r"\s*\[(?:\d+:)?\d+:\d\d(?:[.,]\d+)?\]\s*")


@dataclass(frozen=True, slots=True)
class _Cue:
    """A caption: its place in the file, and what stands under its times."""

    number: int
    start: float
    end: float
    text: str


def _from_captions(text: str) -> TextConversation:
    """WebVTT or SubRip: the speaker as voice span, or as a name before a colon."""
    lines = list(chain.from_iterable(_line(cue) for cue in _cues(text)))
    if not lines:
        raise InvalidInput(
            "the transcript has no captions", remedy="Send WebVTT or SubRip, or plain text as txt."
        )
    return named(_joined(lines))


def _cues(text: str) -> Iterator[_Cue]:
    number = 0
    for block in re.split(r"\r?\n[ \t]*\r?\n", text):
        lines = block.strip().splitlines()
        for at, line in enumerate(lines[:2]):  # a cue may have a name before its times
            if (found := _CUE.fullmatch(line)) is not None:
                number += 1
                times = found.groups()
                said = "\n".join(lines[at + 1 :])
                yield _Cue(number, _seconds(times[:4]), _seconds(times[4:]), said)
                break


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def _line(cue: _Cue) -> Iterator[TextUtterance]:
    voices = list(_VOICE.finditer(cue.text))
    ends = [after.start() for after in voices[1:]] + [len(cue.text)]
    for voice, end in zip(voices, ends, strict=False):
        said = cue.text[voice.end() : end]
        if _plain(said):
            yield _utterance(_plain(voice[1]), _plain(said), cue)
    if voices or not _plain(cue.text):
        return
    prefixed = _NAMED.fullmatch(_plain(cue.text))
    if prefixed is None:
        raise InvalidInput(
            f"caption {cue.number} does not say who speaks",
            remedy="Write <v Agent> (WebVTT) or `Agent: ` before what is said.",
        )
    yield _utterance(prefixed[1], prefixed[2], cue)


def _utterance(speaker: str, text: str, cue: _Cue) -> TextUtterance:
    """Its words keep the caption's times when captions are joined: when each was said matters."""
    if cue.end < cue.start:
        raise InvalidInput(
            f"caption {cue.number} ends before it starts", remedy="Correct its times."
        )
    words = tuple(TextWord(word, cue.start, cue.end) for word in text.split())
    return TextUtterance(speaker, text, words=words)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _joined(lines: Sequence[TextUtterance]) -> list[TextUtterance]:
    """Captions of one speaker that follow each other closely, as one utterance."""
    joined: list[TextUtterance] = []
    for line in lines:
        before = joined[-1] if joined else None
        if before and before.speaker == line.speaker and _follows(before.words[-1], line.words[0]):
            text = f"{before.text} {line.text}"
            joined[-1] = replace(before, text=text, words=before.words + line.words)
        else:
            joined.append(line)
    return joined


def _follows(before: TextWord, after: TextWord) -> bool:
    return before.start <= after.start <= before.end + SAME_UTTERANCE


def _from_text(text: str) -> TextConversation:
    """`Agent: Hello.` on a line each; further lines without a name belong to the one before.

    A time in brackets before the name is left out: a start alone does not say for how long.
    """
    lines: list[TextUtterance] = []
    for number, line in enumerate(text.splitlines(), start=1):
        said = _STAMP.sub("", line, count=1) if _STAMP.match(line) else line
        found = _NAMED.fullmatch(said)
        if found is not None:
            lines.append(TextUtterance(found[1].strip(), found[2].strip()))
        elif said.strip():
            if not lines:
                raise InvalidInput(
                    f"line {number} of the transcript does not say who speaks",
                    remedy="Begin lines with who speaks, such as `Agent: Hello.`",
                )
            lines[-1] = replace(lines[-1], text=f"{lines[-1].text} {said.strip()}")
    if not lines:
        raise InvalidInput("the transcript is empty", remedy="Send what was said.")
    return named(lines)


FORMS = {"json": _from_json, "vtt": _from_captions, "srt": _from_captions, "txt": _from_text}
"""How to read each form of transcript file, by the file name's ending."""
