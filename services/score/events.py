"""Events of a rubric: when, and in which sentence, each is first heard in a call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from callscope.rubric import Event, Rubric
from callscope.types import Role
from services.score.features import tokens
from services.score.reading import Finding, Reading
from services.score.wordings import Wordings

__all__ = ["SAME_MEANING", "Heard", "hear"]

Floats = npt.NDArray[np.float32]

SAME_MEANING = 0.65
"""Cosine from which a sentence means the same as a wording."""

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


def hear(rubric: Rubric, reading: Reading, wordings: Wordings) -> Mapping[str, Heard]:
    """The events that are heard, by id."""
    heard = ((event, _first(event, reading, wordings)) for event in rubric.events)
    return {event.id: found for event, found in heard if found is not None}


def _first(event: Event, reading: Reading, wordings: Wordings) -> Heard | None:
    candidates = (*_by_meaning(event, reading, wordings), *_by_words(event, reading))
    return min(candidates, key=lambda heard: heard.start, default=None)


def _by_meaning(event: Event, reading: Reading, wordings: Wordings) -> Iterator[Heard]:
    if not event.wordings:
        return
    known = wordings.matrix(event.wordings)
    for finding, vector in _said(event, reading):
        closeness = float((known @ vector).max())
        if closeness >= SAME_MEANING:
            yield Heard(event, finding, round(min(closeness, 1.0), 4))
            return


def _by_words(event: Event, reading: Reading) -> Iterator[Heard]:
    missing = {word: f" {' '.join(tokens(word))} " for word in event.words}
    needed = len(missing) - event.at_least
    if needed < 0:
        return
    for finding, _ in _said(event, reading):
        said = f" {' '.join(tokens(finding.sentence.text))} "
        missing = {word: spelled for word, spelled in missing.items() if spelled not in said}
        if len(missing) <= needed and len(missing) < len(event.words):
            yield Heard(event, finding, 1.0)
            return


def _said(event: Event, reading: Reading) -> Iterator[tuple[Finding, Floats]]:
    roles = _ROLES[event.said_by]
    for finding, vector in zip(reading.findings, reading.vectors, strict=True):
        if finding.sentence.role in roles:
            yield finding, vector
