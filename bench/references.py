"""Recordings and what is truly said in them, read from the formats of the field.

Beside `NAME.wav` (or any other recording) its truth is `NAME.rttm`, `NAME.stm`, `NAME.ctm`,
`NAME.txt` or `NAME.json`; `ref.*` and `truth.*` hold for every recording of their folder. A
`manifest.json` may say of a file that "no words" are to be expected. What several files know is
put together: turns from RTTM, words from the JSON of the sample call, else CTM, STM or text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from callscope.types import Role, Turn

__all__ = ["Account", "Case", "Said", "find_cases", "read_ctm", "read_rttm", "read_stm"]

_RECORDINGS = {
    ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".mp4", ".au", ".amr", ".gsm", ".webm",
}  # fmt: skip
_FOR_ALL = ("ref", "truth")
_NO_WORDS = "no words"


@dataclass(frozen=True, slots=True)
class Said:
    """A word, and what is known of it: seconds from the start, who said it, and where."""

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    channel: int | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who said what when, as a person or a system has it; None is what it does not say.

    `words` and `turns` are in order of start; both empty where nobody speaks.
    """

    words: tuple[Said, ...] | None = None
    turns: tuple[Turn, ...] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A recording and its truth. `id` is its path below the folder that was asked for."""

    id: str
    file: Path
    truth: Account


def find_cases(folder: Path) -> Iterator[Case]:
    """Every recording in a folder and below, in order of name; many have no truth.

    Raises:
        ValueError: a reference file is not what its name says.
    """
    manifests: dict[Path, Mapping[str, Any]] = {}
    for file in sorted(folder.resolve().rglob("*")):
        if file.suffix.lower() not in _RECORDINGS or not file.is_file():
            continue
        manifest = manifests.setdefault(file.parent, _json(file.parent / "manifest.json"))
        id_ = file.relative_to(folder.resolve().parent).as_posix()
        if _NO_WORDS in str(manifest.get(file.name, {}).get("expect", "")):
            truth = Account((), ())
        else:
            truth = _truth(file)
        yield Case(id_, file, truth)


def _truth(file: Path) -> Account:
    account = Account()
    for name in (file.stem, *_FOR_ALL):
        found = {
            suffix: path
            for suffix in (".json", ".ctm", ".stm", ".txt", ".rttm")
            if (path := file.with_name(name + suffix)).is_file()
        }
        for suffix, path in found.items():
            try:
                account = _with(account, suffix, path)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path} is no {suffix[1:].upper()} that we know: {error}"
                ) from error
    return account


def _with(account: Account, suffix: str, path: Path) -> Account:
    """The account with what it did not know and the file does."""
    text = path.read_text(encoding="utf-8")
    words, turns = account.words, account.turns
    if suffix == ".rttm":
        # What is made to say who spoke when knows it best.
        turns = read_rttm(text)
    elif suffix == ".txt" and words is None:
        words = tuple(Said(word) for word in text.split())
        turns = turns if words or turns else ()
    elif suffix == ".ctm" and words is None:
        words = read_ctm(text)
    elif suffix in (".stm", ".json"):
        read = read_stm(text) if suffix == ".stm" else _read_json(text)
        words = read.words if words is None else words
        turns = read.turns if turns is None else turns
    return replace(account, words=words, turns=turns)


def read_rttm(text: str) -> tuple[Turn, ...]:
    """NIST's Rich Transcription Time Marked: the turns of its SPEAKER lines."""
    turns = []
    for line in _lines(text):
        kind, _, _, start, duration, _, _, speaker, *_ = line.split()
        if kind == "SPEAKER":
            turns.append(Turn(speaker, float(start), float(start) + float(duration)))
    return tuple(sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker)))


def read_stm(text: str) -> Account:
    """NIST's Segment Time Marked: file, channel, speaker, start, end, [<label>,] words.

    Words have no times of their own. Channels are counted as they are written, from 0 or A or 1.
    """
    rows = [line.split() for line in _lines(text)]
    rows.sort(key=lambda row: (float(row[3]), float(row[4])))
    channels = {name: number for number, name in enumerate(sorted({row[1] for row in rows}))}
    words: list[Said] = []
    turns: list[Turn] = []
    for _, name, speaker, start, end, *said in rows:
        if said == ["IGNORE_TIME_SEGMENT_IN_SCORING"]:
            continue
        channel = channels[name] if len(channels) > 1 else None
        turns.append(Turn(speaker, float(start), float(end), channel))
        words += [
            Said(word, speaker=speaker, channel=channel, role=_role(speaker))
            for at, word in enumerate(said)
            if at > 0 or not word.startswith("<")
        ]
    return Account(tuple(words), tuple(turns))


def read_ctm(text: str) -> tuple[Said, ...]:
    """NIST's Conversation Time Marked: file, channel, start, duration, word, [confidence]."""
    words = []
    for line in _lines(text):
        _, _, start, duration, word, *_ = line.split()
        words.append(Said(word, float(start), float(start) + float(duration)))
    return tuple(sorted(words, key=lambda word: word.start or 0.0))


def _read_json(text: str) -> Account:
    """The truth of a synthesized call: turns with their words and times."""
    words, turns = [], []
    for turn in json.loads(text)["turns"]:
        speaker, channel = turn["speaker"], turn.get("channel")
        turns.append(Turn(speaker, turn["start"], turn["end"], channel))
        words += [
            Said(word["w"], word["start"], word["end"], speaker, channel, _role(speaker))
            for word in turn["words"]
        ]
    words.sort(key=lambda word: (word.start or 0.0, word.end or 0.0))
    turns.sort(key=lambda turn: (turn.start, turn.end))
    return Account(tuple(words), tuple(turns))


def _role(speaker: str) -> Role | None:
    return Role(speaker) if speaker in set(Role) else None


def _lines(text: str) -> Sequence[str]:
    return [line for line in text.splitlines() if line.strip() and not line.startswith(";;")]


def _json(file: Path) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return read
