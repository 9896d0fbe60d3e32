"""Events of a rubric: when, and in which sentence, each is first heard in a call."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from callscope.rubric import Event, Rubric
from callscope.types import Role
from services.score import lexicon
from services.score.encoder import Encoder
from services.score.features import tokens
from services.score.misheard import heard as heard_words
from services.score.misheard import restored
from services.score.plain_speech import spoken
from services.score.reading import Finding, Reading
from services.score.sentences import Sentence
from services.score.wordings import Wordings

__all__ = ["SAME_MEANING", "Heard", "Hearing", "hear"]

Floats = npt.NDArray[np.float32]

SAME_MEANING = 0.65
"""Cosine from which a sentence means the same as a wording."""

SAID = 0.5  # probability from which an event counts as heard: at SAME_MEANING
STEEPNESS = 20.0  # of the probability of an event, around SAME_MEANING
PUT_RIGHT = 0.75  # what a sentence counts for that is a wording but for misheard words
WINDOW = 8  # words in a row of a longer sentence that may say what it hides as a whole
PROMISING = 0.45  # closeness of a sentence in which windows are tried
NEAREST = 2  # of how many such sentences
STRICTER = 0.05  # what a window must be closer than a sentence, since there are many
DOUBTED = 0.75  # what its probability counts, where the event was learned
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


def hear(rubric: Rubric, reading: Reading, wordings: Wordings, encoder: Encoder) -> Hearing:
    """Listen for every event of the rubric, most carefully for what a disclosure hangs on."""
    heard: dict[str, Heard] = {}
    chances: dict[str, float] = {}
    for event in rubric.events:
        found = [*_by_meaning(event, reading, wordings), *_by_words(event, reading)]
        _keep(event, found, heard, chances)
    for event in _in_question(rubric, heard):
        others = [w for each in rubric.events if each is not event for w in each.wordings]
        inside = _inside(event, others, reading, wordings, encoder)
        _keep(event, inside, heard, chances)
    return Hearing(heard, chances)


def _keep(
    event: Event, found: Sequence[Heard], heard: dict[str, Heard], chances: dict[str, float]
) -> None:
    """Note when the event was first heard, if it was, and how likely it is."""
    clear = [each for each in found if each.probability >= SAID]
    if clear:
        heard[event.id] = min(clear, key=lambda each: each.start)
    chances[event.id] = max([chances.get(event.id, 0.0), *(each.probability for each in found)])


def _in_question(rubric: Rubric, heard: Mapping[str, Heard]) -> list[Event]:
    """The events that were not heard, and without which a disclosure is not required."""
    lacking = [
        [each for each in disclosure.required_when if each not in heard]
        for disclosure in rubric.disclosures
    ]
    alone = {each[0] for each in lacking if len(each) == 1}
    return [event for event in rubric.events if event.id in alone]


def _by_meaning(event: Event, reading: Reading, wordings: Wordings) -> list[Heard]:
    said = list(_said(event, reading))
    if not event.wordings or not said:
        return []
    spelled = [*map(tokens, event.wordings)]
    texts = [finding.sentence.text for finding, _ in said]
    told = _told(event, np.array([vector for _, vector in said]), texts, wordings)

    def likely(finding: Finding, probability: float) -> float:
        misheard = any(_misheard(wording, finding.sentence) for wording in spelled)
        return max(probability, _probability(PUT_RIGHT)) if misheard else probability

    return [
        Heard(event, finding, likely(finding, probability))
        for (finding, _), probability in zip(said, told, strict=True)
    ]


def _told(
    event: Event, vectors: Floats, texts: Sequence[str], wordings: Wordings
) -> Iterator[float]:
    """The probability that each text tells of the event."""
    known = wordings.taught.get(event.id)
    if known is not None:
        yield from (round(float(each), 4) for each in known.probabilities(vectors, texts))
    else:
        closest = (vectors @ wordings.matrix(event.wordings).T).max(axis=1)
        yield from (_probability(float(each)) for each in closest)


def _misheard(wording: Sequence[str], sentence: Sentence) -> bool:
    """Whether a sentence is the wording once small words that were misheard are put right."""
    said = heard_words(sentence.words)
    telling = set(wording) - lexicon.STOP
    return (
        len(said) == len(wording)
        and telling <= {each.text for each in said}
        and restored(wording, said) == " ".join(wording)
    )


def _inside(
    event: Event, others: Sequence[str], reading: Reading, wordings: Wordings, encoder: Encoder
) -> list[Heard]:
    """An event that was said in the middle of a longer sentence, by windows of its words.

    Words that come as near to one of the `others`, another event's wordings, say that.
    """
    if not event.wordings:
        return []
    known, taught = wordings.matrix(event.wordings), wordings.taught.get(event.id)
    near = [
        (closeness, finding)
        for finding, vector in _said(event, reading)
        if (closeness := float((known @ vector).max())) >= PROMISING
    ]
    found = []
    for _, finding in sorted(near, key=lambda each: -each[0])[:NEAREST]:
        words = finding.sentence.words
        starts = range(max(1, len(words) - WINDOW + 1))
        texts = [spoken(words[at : at + WINDOW]) for at in starts]
        vectors = encoder.encode(texts, _quiet)
        if taught is None:
            likely = _closest(vectors, known, wordings.matrix(others) if others else None)
        else:
            likely = round(DOUBTED * float(taught.probabilities(vectors, texts).max()), 4)
        found.append(Heard(event, finding, likely))
    return found


def _closest(vectors: Floats, known: Floats, others: Floats | None) -> float:
    """How likely the likeliest window is an event, unless it is rather another."""
    alike = (vectors @ known.T).max(axis=1)
    if others is not None:
        alike = np.where(alike > (vectors @ others.T).max(axis=1), alike, 0.0)
    return _probability(float(alike.max()) - STRICTER)


def _quiet(_: float) -> None:
    """Progress of too little work to be told."""


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
