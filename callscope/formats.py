"""A call record in the formats that other tools read."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from callscope.errors import InvalidInput
from callscope.record import to_json
from callscope.types import CallRecord, Role, Timing, Utterance, Word
from callscope.vcon import to_vcon

__all__ = ["FORMATS", "render", "to_rttm", "to_srt", "to_txt", "to_vtt"]

CAPTION_LETTERS = 84
CAPTION_SECONDS = 7.0
"""A caption has at most two lines of 42 letters and stays for 7 seconds: what broadcasters and
streaming services ask for. Captions end with a sentence where they are half full."""

_TITLES = {
    Role.AGENT: "Agent",
    Role.CUSTOMER: "Customer",
    Role.IVR: "IVR",
    Role.UNKNOWN: "Speaker",
}


@dataclass(frozen=True, slots=True)
class _Caption:
    start: int  # milliseconds
    end: int
    name: str
    text: str


def to_vtt(record: CallRecord) -> str:
    """WebVTT captions, the speaker's role as voice span (W3C WebVTT)."""
    cues = [
        f"{_clock(cue.start)} --> {_clock(cue.end)}\n<v {cue.name}>{_escape(cue.text)}</v>\n"
        for cue in _captions(record)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def to_srt(record: CallRecord) -> str:
    """SubRip captions, each beginning with the speaker's role."""
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.name}: {cue.text}\n"
        for number, cue in enumerate(_captions(record), start=1)
    )


def to_txt(record: CallRecord) -> str:
    """The dialogue for reading: a line per utterance, its start if known and the role."""
    names = _names(record)
    timed = record.metrics.timing is not Timing.NONE
    return "".join(
        (f"[{_minutes(utterance.start)}] " if timed else "")
        + f"{names[_key(utterance)]}: {utterance.text}\n"
        for utterance in record.utterances
    )


def to_rttm(record: CallRecord) -> str:
    """Who spoke when, as RTTM (NIST Rich Transcription 2009 evaluation plan, appendix A)."""
    file = re.sub(r"\s+", "_", record.recording.id)
    return "".join(
        f"SPEAKER {file} {utterance.words[0].channel + 1} {utterance.start:.3f} "
        f"{utterance.end - utterance.start:.3f} <NA> <NA> {utterance.speaker} <NA> <NA>\n"
        for utterance in record.utterances
    )


_TIMED = frozenset({"rttm", "vtt", "srt"})
"""Formats whose every line begins with a time."""

FORMATS: Mapping[str, Callable[[CallRecord], str]] = {
    "json": to_json,
    "vcon": to_vcon,
    "rttm": to_rttm,
    "vtt": to_vtt,
    "srt": to_srt,
    "txt": to_txt,
}
"""The formats by name."""


def render(record: CallRecord, form: str) -> str:
    """The record in the format of that name.

    Raises:
        InvalidInput: there is no such format, or it needs times and the conversation has none.
    """
    if form not in FORMATS:
        raise InvalidInput(
            f"there is no format {form!r}", remedy=f"Choose one of {', '.join(FORMATS)}."
        )
    if form in _TIMED and record.metrics.timing is Timing.NONE:
        raise InvalidInput(
            f"the conversation was sent without times, and {form} is made of times",
            remedy="Ask for txt, json or vcon, or send the conversation with times.",
        )
    return FORMATS[form](record)


def _key(utterance: Utterance) -> tuple[str, Role]:
    return utterance.speaker, utterance.role


def _names(record: CallRecord) -> dict[tuple[str, Role], str]:
    """A name for each speaker in each role: the role's, numbered where several share it."""
    keys = dict.fromkeys(_key(utterance) for utterance in record.utterances)
    names: dict[tuple[str, Role], str] = {}
    for role, group in groupby(sorted(keys, key=lambda key: key[1]), key=lambda key: key[1]):
        sharing = list(group)
        for number, key in enumerate(sharing, start=1):
            names[key] = _TITLES[role] + (f" {number}" if len(sharing) > 1 else "")
    return names


def _captions(record: CallRecord) -> list[_Caption]:
    names = _names(record)
    captions = [
        _caption(words, names[_key(utterance)])
        for utterance in record.utterances
        for words in _split(utterance)
    ]
    return sorted(captions, key=lambda cue: (cue.start, cue.end))


def _split(utterance: Utterance) -> Iterator[list[Word]]:
    """Cut an utterance into captions."""
    caption: list[Word] = []
    letters = 0
    for word in utterance.words:
        full = letters + len(word.text) > CAPTION_LETTERS or (
            caption and word.end - caption[0].start > CAPTION_SECONDS
        )
        rounded_off = (
            letters > CAPTION_LETTERS / 2 and caption[-1].text.endswith((".", "?", "!"))
        )  # fmt: skip
        if caption and (full or rounded_off):
            yield caption
            caption, letters = [], 0
        caption.append(word)
        letters += len(word.text) + 1
    yield caption


def _caption(words: list[Word], name: str) -> _Caption:
    start = round(1000 * words[0].start)
    end = round(1000 * max(word.end for word in words))
    # WebVTT wants a cue to end after it starts; recognizers return words of no length.
    return _Caption(start, max(end, start + 1), name, " ".join(word.text for word in words))


def _clock(milliseconds: int, point: str = ".") -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{thousandths:03}"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
