"""The examples in `training/acts`: sentences that show an act, and sentences that merely look so.

Each file is an act: who does it (`speaker`), `for` and `against`, and `overlaps`, the acts whose
sentences may show this one too and therefore teach it nothing. `neutral.yaml` holds sentences in
which no act is meant. An example is a sentence, or `{after: what the customer said, say: ...}`.
"""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

__all__ = ["FOLDER", "Example", "Examples", "Speaker", "bare", "digest", "load"]

Speaker = Literal["agent", "customer"]

FOLDER = Path(__file__).parent / "acts"


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence, the customer's words before it ("" for none), and a label for each act.

    A label is 1 (shown), 0 (not shown) or NaN (not said).
    """

    text: str
    customer: str
    labels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """All examples for one speaker's acts, in order of file and line."""

    acts: tuple[str, ...]
    examples: tuple[Example, ...]


@dataclass(slots=True)
class _Marks:
    shown: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    neutral: bool = False


def load(speaker: Speaker, folder: Path = FOLDER) -> Examples:
    """Read the examples for `speaker`'s acts."""
    files: dict[str, Any] = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.yaml"))
    }
    neutral: Sequence[str] = files.pop("neutral")[speaker]
    acts = {act: content for act, content in files.items() if content["speaker"] == speaker}
    marks: defaultdict[tuple[str, str], _Marks] = defaultdict(_Marks)
    for act, content in acts.items():
        for item in content["for"]:
            marks[_parts(item)].shown.add(act)
        for item in content["against"]:
            marks[_parts(item)].absent.add(act)
    for text in neutral:
        marks[text, ""].neutral = True
    shown = _shown_anywhere(marks)
    overlaps = {act: set(content["overlaps"]) for act, content in acts.items()}
    return Examples(
        tuple(acts),
        tuple(
            Example(
                text,
                customer,
                tuple(_label(act, mark, shown[bare(text)], overlaps[act]) for act in acts),
            )
            for (text, customer), mark in marks.items()
        ),
    )


def bare(text: str) -> str:
    """The text as a recognizer without punctuation would write it."""
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower()).strip()


def digest(folder: Path = FOLDER) -> str:
    """SHA-256 over the example files, names included."""
    sha = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _parts(item: str | Mapping[str, str]) -> tuple[str, str]:
    return (item, "") if isinstance(item, str) else (item["say"], item["after"])


def _shown_anywhere(marks: Mapping[tuple[str, str], _Marks]) -> defaultdict[str, set[str]]:
    shown: defaultdict[str, set[str]] = defaultdict(set)
    for (text, _), mark in marks.items():
        shown[bare(text)] |= mark.shown
    return shown


def _label(act: str, mark: _Marks, shown: set[str], overlaps: set[str]) -> float:
    if act in mark.absent:
        return 0.0
    if act in shown:
        return 1.0
    if mark.neutral or (mark.shown and not shown & overlaps):
        return 0.0
    return math.nan
