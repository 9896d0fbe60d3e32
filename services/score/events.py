"""Events of a rubric: when, and in which sentence, each is first heard in a call."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from callscope.rubric import Disclosure, Event, Rubric
from callscope.tokens import tokens
from callscope.types import Role, Word
from services.score import lexicon
from services.score.encoder import Encoder
from services.score.misheard import Heard as HeardWord
from services.score.misheard import heard as heard_words
from services.score.misheard import restored
from services.score.odds import logistic, moved
from services.score.passages import Passage, likelihood
from services.score.plain_speech import spoken
from services.score.reading import Finding, Reading
from services.score.vocabulary import Vocabulary
from services.score.wordings import Wordings

__all__ = ["SAME_MEANING", "Heard", "Hearing", "called_for", "hear"]

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
TOGETHER = 3  # sentences that tell of an event by its cues
# How likely they must make it, or where it is usual, or wordings or words tell of it too (TIPPING);
# a wording that is SURE needs no cue. Of 141 labeled calls 24 events were heard, or not, wrongly.
TOLD, HINTED, TIPPING, SURE = 0.85, 0.5, 0.6, 0.65
# How likely the sentences before a statement must make it that the event came first. Of 421 calls
# that train .4 and .5 judge as many statements rightly, of 80 that heads had not seen .4 one more.
PASSED = 0.4
LISTED = 0.95  # probability of an event whose words are said
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

    def precedes(self, statement: Passage) -> bool:
        """Whether it comes before the statement.

        What a sentence reports as done was done before anything else that it says, unless it is
        the surer of the two: "I'll take that off your card now" asks rather than reports.
        """
        sentence = self.finding.sentence
        if sentence.utterance == statement.utterance and statement.first in sentence.places:
            return bool(self.event.acts) and self.probability > likelihood(statement.match)
        return (self.start, sentence.utterance, sentence.first) < statement.order


@dataclass(frozen=True, slots=True)
class Hearing:
    """The events that are heard, by id, and how likely each of the rubric's is, heard or not.

    `told` has every sentence of those that are known by their cues, and how likely it tells of one.
    """

    heard: Mapping[str, Heard]
    chances: Mapping[str, float]
    told: Mapping[str, Sequence[Heard]]

    def before(self, event: str, statement: Passage) -> Heard | None:
        """The sentence that tells of the event before the statement, if one does."""
        heard = self.heard.get(event)
        if heard is not None and heard.precedes(statement):
            return heard
        told = self.told.get(event, ())
        likeliest = _likeliest(each for each in told if each.precedes(statement))
        return likeliest[0] if _together(likeliest) >= PASSED else None


def called_for(disclosure: Disclosure, heard: Mapping[str, Heard]) -> bool:
    """Whether all the events that require the disclosure were heard."""
    return all(event in heard for event in disclosure.required_when)


def hear(rubric: Rubric, reading: Reading, wordings: Wordings, encoder: Encoder) -> Hearing:
    """Listen for every event of the rubric, most carefully for what a disclosure hangs on."""
    heard: dict[str, Heard] = {}
    chances: dict[str, float] = {}
    told: dict[str, Sequence[Heard]] = {}
    lines = _Lines(reading)
    for event in rubric.events:
        meant = _by_meaning(event, lines, wordings)
        found = [*meant, *_by_words(event, lines)]
        if event.cues:
            sure = [each for each in meant if each.probability >= SURE]
            tipped = event.usual or _tipped(event, rubric, lines, found)
            told[event.id] = _told_by_cues(event, lines)
            found = [*_by_cues(told[event.id], tipped), *sure]
        _keep(event, found, heard, chances)
    events = _in_question(rubric, heard)
    inside = _inside(rubric, events, lines, wordings, encoder)
    for event, found in zip(events, inside, strict=True):
        _keep(event, found, heard, chances)
    return Hearing(heard, chances, told)


class _Lines:
    """The sentences of a conversation, and in which of them each word is.

    `restorable` are their words in standard spelling, which may be put right.
    """

    def __init__(self, reading: Reading) -> None:
        self.findings = reading.findings
        self.vectors = reading.vectors
        self.restorable = [heard_words(each.sentence.words) for each in reading.findings]
        words = [tokens(each.sentence.text) for each in reading.findings]
        self._joined = [f" {' '.join(each)} " for each in words]
        self._rows = defaultdict[str, set[int]](set)
        self._singular_rows = defaultdict[str, set[int]](set)
        for row, word in ((row, word) for row, said in enumerate(words) for word in said):
            self._rows[word].add(row)
            self._singular_rows[_singular(word)].add(row)
        self._vocabulary = Vocabulary(self._rows)
        self._by_speaker = {
            speaker: [
                row for row, each in enumerate(reading.findings) if each.sentence.role in roles
            ]
            for speaker, roles in _ROLES.items()
        }

    def of(self, event: Event) -> list[int]:
        """The sentences of those by whom the event may be said."""
        return self._by_speaker[event.said_by]

    def holding(self, singular: str, spelled: str) -> set[int]:
        """The sentences in which some words are, or sound like, what a list spells."""
        if " " in spelled:
            return {row for row, said in enumerate(self._joined) if f" {spelled} " in said}
        alike = self._vocabulary.alike(spelled) if len(spelled) >= LONG else ()
        return self._singular_rows.get(singular, set()).union(*(self._rows[each] for each in alike))


def _keep(
    event: Event, found: Sequence[Heard], heard: dict[str, Heard], chances: dict[str, float]
) -> None:
    """Note when the event was first heard, if it was, and how likely it is."""
    clear = [each for each in found if each.probability >= SAID]
    if clear:
        heard[event.id] = min(clear, key=lambda each: each.start)
    chances[event.id] = max([chances.get(event.id, 0.0), *(each.probability for each in found)])


def _in_question(rubric: Rubric, heard: Mapping[str, Heard]) -> list[Event]:
    """The events that were not heard, and without which a disclosure is not required.

    Cues are heard in the middle of long sentences without windows.
    """
    lacking = [
        [each for each in disclosure.required_when if each not in heard]
        for disclosure in rubric.disclosures
    ]
    alone = {each[0] for each in lacking if len(each) == 1}
    return [event for event in rubric.events if event.id in alone and not event.cues]


def _tipped(event: Event, rubric: Rubric, lines: _Lines, otherwise: Sequence[Heard]) -> bool:
    """Whether more than its cues tells of the event.

    That is wordings or words, or a statement that it calls for, which is made because of it.
    """
    stated = [
        cue
        for disclosure in rubric.disclosures
        if event.id in disclosure.required_when
        for element in disclosure.elements
        for cue in element.cues
    ]
    said = any(each.best(stated)[1] >= SAID for each in lines.findings) if stated else False
    return said or any(each.probability >= TIPPING for each in otherwise)


def _told_by_cues(event: Event, lines: _Lines) -> list[Heard]:
    """The sentences of those by whom the event may be told, each as likely as its cues make it."""
    found = []
    for finding in (lines.findings[row] for row in lines.of(event)):
        _, probability = finding.best(event.cues, event.unless)
        if event.acts:
            probability *= finding.best(event.acts)[1]
        found.append(Heard(event, finding, probability))
    return found


def _by_cues(told: Sequence[Heard], tipped: bool) -> list[Heard]:
    """Where an event is first heard by its cues, if somebody speaks who may tell of it.

    The likeliest sentences speak together; less is enough where the scale is `tipped`.
    """
    if not told:
        return []
    likeliest = _likeliest(told)
    probability = round(moved(_together(likeliest), HINTED if tipped else TOLD), 4)
    first = next((each for each in told if each.probability >= SAID), likeliest[0])
    return [replace(first, probability=probability)]


def _likeliest(told: Iterable[Heard]) -> list[Heard]:
    return sorted(told, key=lambda each: -each.probability)[:TOGETHER]


def _together(told: Sequence[Heard]) -> float:
    """The probability that at least one of them tells of it."""
    return 1 - math.prod(1 - each.probability for each in told)


def _by_meaning(event: Event, lines: _Lines, wordings: Wordings) -> list[Heard]:
    if not event.wordings:
        return []
    rows = lines.of(event)
    by_length = defaultdict[int, list[Sequence[str]]](list)
    for wording in map(tokens, event.wordings):
        by_length[len(wording)].append(wording)

    def likely(row: int, probability: float) -> float:
        said = lines.restorable[row]
        misheard = any(_misheard(wording, said) for wording in by_length[len(said)])
        return max(probability, _probability(PUT_RIGHT)) if misheard else probability

    texts = [lines.findings[row].sentence.text for row in rows]
    told = _told(event, lines.vectors[rows], texts, wordings)
    return [
        Heard(event, lines.findings[row], likely(row, probability))
        for row, probability in zip(rows, told, strict=True)
    ]


def _told(
    event: Event, vectors: Floats, texts: Sequence[str], wordings: Wordings
) -> Iterator[float]:
    """The probability that each text tells of the event."""
    known = wordings.taught.get(event.id)
    if known is not None:
        yield from (round(float(each), 4) for each in known.probabilities(vectors, texts))
    else:
        closest = wordings.closeness(event.wordings, vectors)
        yield from (_probability(float(each)) for each in closest)


def _misheard(wording: Sequence[str], said: Sequence[HeardWord]) -> bool:
    """Whether what was said is the wording once small words that were misheard are put right.

    Both have as many words.
    """
    content = {*wording} - lexicon.STOP
    heard = {each.text for each in said}
    return content <= heard and restored(wording, said) == " ".join(wording)


def _inside(
    rubric: Rubric, events: Sequence[Event], lines: _Lines, wordings: Wordings, encoder: Encoder
) -> list[list[Heard]]:
    """For each of `events`, where it was said in the middle of a longer sentence.

    Windows of words tell. Those that come as near to another event's wordings say that.
    """
    near = [_nearest(event, lines, wordings) for event in events]
    windows = {row: _windows(lines.findings[row].sentence.words) for row in chain(*near)}
    texts = sorted({*chain(*windows.values())})
    vectors = dict(zip(texts, encoder.encode(texts, _quiet), strict=True))
    found = []
    for event, rows in zip(events, near, strict=True):
        others = [w for each in rubric.events if each is not event for w in each.wordings]
        taught = wordings.taught.get(event.id)
        each = []
        for row in rows:
            inner = np.array([vectors[text] for text in windows[row]])
            if taught is None:
                alike, unlike = (wordings.closeness(of, inner) for of in (event.wordings, others))
                closeness = float(np.where(alike > unlike, alike, 0.0).max())
                likely = _probability(closeness - STRICTER)
            else:
                told = float(taught.probabilities(inner, windows[row]).max())
                likely = round(DOUBTED * told, 4)
            each.append(Heard(event, lines.findings[row], likely))
        found.append(each)
    return found


def _nearest(event: Event, lines: _Lines, wordings: Wordings) -> list[int]:
    """The sentences whose windows are worth a look."""
    rows = lines.of(event)
    closest = wordings.closeness(event.wordings, lines.vectors[rows])
    near = [
        (float(each), row) for each, row in zip(closest, rows, strict=True) if each >= PROMISING
    ]
    return [row for _, row in sorted(near, key=lambda each: -each[0])[:NEAREST]]


def _windows(words: Sequence[Word]) -> list[str]:
    return [spoken(words[at : at + WINDOW]) for at in range(max(1, len(words) - WINDOW + 1))]


def _quiet(_: float) -> None:
    """Progress of too little work to be told."""


def _probability(closeness: float) -> float:
    return round(logistic(STEEPNESS * (closeness - SAME_MEANING)), 4)


def _by_words(event: Event, lines: _Lines) -> list[Heard]:
    """Once enough different words are said; a word and its plural are one."""
    listed = {_singular(word): " ".join(tokens(word)) for word in event.words}
    told = {*lines.of(event)} if listed else set()
    said = [lines.holding(*each) & told for each in listed.items()]
    first = sorted(min(rows) for rows in said if rows)[event.at_least - 1 :][:1]
    return [Heard(event, lines.findings[row], LISTED) for row in first]


def _singular(word: str) -> str:
    return word.lower().removesuffix("s")
