"""Events of a rubric: when, and in which sentence, each is first heard in a call."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from callscope.rubric import Event, Rubric
from callscope.types import Role
from services.score.features import tokens
from services.score.reading import Finding, Reading
from services.score.wordings import Wordings

__all__ = ["SAME_MEANING", "Heard", "Hearing", "hear"]

Floats = npt.NDArray[np.float32]

SAME_MEANING = 0.65
"""Cosine from which a sentence means the same as a wording."""

SAID = 0.5  # probability from which an event counts as heard: at SAME_MEANING
STEEPNESS = 20.0  # of the probability of an event, around SAME_MEANING
LISTED = 0.95  # probability of an event whose words are said
ALIKE = 88.0  # ratio from which two words are the same but for recognition
LONG = 5  # letters from which a word may be misheard and still known

_ROLES: Mapping[str, frozenset[Role]] = {
    "agent": frozenset({Role.AGENT}),
    "customer": frozenset({Role.CUSTOMER}),
    "anyone": frozenset({Role.AGENT, Role.CUSTOMER}),
}


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and the sentence in which it is first heard."""

    event: Event
    finding: Finding
    probability: float

    @property
    def start(self) -> float:
        """Start of that sentence, in seconds."""
        return self.finding.sentence.start


@dataclass(frozen=True, slots=True)
class Hearing:
    """The events that are heard, by id, and how likely each of the rubric's is, heard or not."""

    heard: Mapping[str, Heard]
    chances: Mapping[str, float]


def hear(rubric: Rubric, reading: Reading, wordings: Wordings) -> Hearing:
    """Listen for every event of the rubric."""
    heard: dict[str, Heard] = {}
    chances: dict[str, float] = {}
    for event in rubric.events:
        by_meaning = _by_meaning(event, reading, wordings)
        clear = [each for each in by_meaning if each.probability >= SAID]
        clear += _by_words(event, reading)
        if clear:
            heard[event.id] = min(clear, key=lambda each: each.start)
        chances[event.id] = max((each.probability for each in [*by_meaning, *clear]), default=0.0)
    return Hearing(heard, chances)


def _by_meaning(event: Event, reading: Reading, wordings: Wordings) -> list[Heard]:
    said = list(_said(event, reading))
    if not event.wordings or not said:
        return []
    vectors = np.array([vector for _, vector in said])
    closest = (vectors @ wordings.matrix(event.wordings).T).max(axis=1)
    return [
        Heard(event, finding, _probability(float(closeness)))
        for (finding, _), closeness in zip(said, closest, strict=True)
    ]


def _probability(closeness: float) -> float:
    return round(1 / (1 + math.exp(-STEEPNESS * (closeness - SAME_MEANING))), 4)


def _by_words(event: Event, reading: Reading) -> list[Heard]:
    """Once enough different words are said; a word and its plural are one."""
    listed = {_singular(word): " ".join(tokens(word)) for word in event.words}
    said: set[str] = set()
    for finding, _ in _said(event, reading) if listed else ():
        words = tokens(finding.sentence.text)
        known = {*map(_singular, words)}
        said |= {
            name
            for name, spelled in listed.items()
            if name not in said and (name in known or _holds(words, spelled))
        }
        if len(said) >= event.at_least:
            return [Heard(event, finding, LISTED)]
    return []


def _holds(words: Sequence[str], spelled: str) -> bool:
    """Whether some words are, or sound like, what a list spells."""
    if " " in spelled:
        return f" {spelled} " in f" {' '.join(words)} "
    return len(spelled) >= LONG and bool(
        process.extractOne(spelled, words, scorer=fuzz.ratio, score_cutoff=ALIKE)
    )


def _singular(word: str) -> str:
    return word.lower().removesuffix("s")


def _said(event: Event, reading: Reading) -> Iterator[tuple[Finding, Floats]]:
    roles = _ROLES[event.said_by]
    for finding, vector in zip(reading.findings, reading.vectors, strict=True):
        if finding.sentence.role in roles:
            yield finding, vector
