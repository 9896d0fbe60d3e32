"""Elements of disclosures found in speech: paraphrase counts, recognition errors do not.

A sentence matches by the probability of the element's cue, or by its wordings, whichever is surer.

A passage's match with wordings is the larger of two: the cosine of its vector with a wording's, and
the share of letters it has in common with one, less an allowance for what any two texts share.
Sentences are tried first, whose vectors are known; where none is clear, windows of 4, 8 and 14
words (and of the wording's own length) around the sentences that come nearest, but for those that
have far fewer letters in common with the wordings than others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from callscope.pipeline import Progress
from callscope.rubric import Element
from callscope.tokens import tokens
from callscope.types import Role, Span, Word
from services.score.encoder import Encoder
from services.score.mentions import mentions
from services.score.misheard import Heard, heard, restored, wrong_share
from services.score.odds import log_odds, logistic, moved
from services.score.reading import FOUND, Reading
from services.score.sentences import Sentence
from services.score.vocabulary import Vocabulary
from services.score.wordings import Wordings

__all__ = [
    "CLEAR",
    "GIVEN",
    "Passage",
    "PassageFinder",
    "Wanted",
    "as_match",
    "likelihood",
]

GIVEN = 0.60
"""Match from which an element counts as said; measured: recall .95, no false alarm in 1,600."""

STEEPNESS = 20.0  # of the probability that an element was said, around GIVEN

TRACE = 0.03  # of a cue: without it, wordings that match are another matter
# The probability of a cue that counts as even: by whether what should be is mentioned, and whether
# it was called for. Placed on 301 labeled calls, heard by folds that had not seen them.
LINES = {(False, False): 0.7, (True, False): 0.5, (False, True): 0.4, (True, True): 0.3}

CLEAR = 0.70
"""A match from which windows are not needed."""

WINDOWS = (4, 8, 14)  # words
NEAREST = 2  # sentences around which windows are tried
PROMISING = 0.25  # cosine from which a sentence may hold a wording
SPELLED = 0.60  # or share of a wording's letters found in it, in order
CHANCE = 0.15  # the allowance: a share of 0.75 is worth a cosine of 0.60
FEWER = 0.20  # share of letters by which a window may fall behind another that is encoded
PUT_RIGHT = 0.10  # what a match loses for words that were put right
MISREAD = 0.25  # share of a script's words that may be wrong: one in ten is, on a poor line
RESEMBLING = 60.0  # share of a script's letters, in percent, found in what may hold it
SLACK = 2  # words that may be lost from a script, or added

Floats = npt.NDArray[np.float32]
Cut = tuple[int, int, int]
"""An utterance, and the places of a passage's first word in it and of the one after its last."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive words of one utterance, and how well they match, 0 to 1.

    `first` is the place of the first in its utterance. `volunteered` are the customer's.
    """

    utterance: int
    first: int
    words: tuple[Word, ...]
    match: float
    volunteered: bool = False

    @property
    def start(self) -> float:
        """Seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Seconds."""
        return max(word.end for word in self.words)

    @property
    def order(self) -> tuple[float, int, int]:
        """By which passages are sorted: words of a turn may all have the same time."""
        return self.start, self.utterance, self.first


@dataclass(frozen=True, slots=True)
class _Window:
    """Where a passage is, its words, and the share of letters in common with a wording."""

    cut: Cut
    text: str
    letters: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """An element to look for; `near` bounds where, None for the whole conversation.

    `called` tells whether something in the call makes it likely to be said.
    """

    element: Element
    near: Span | None = None
    called: bool = False


class PassageFinder:
    """Looks for wordings in what one role said in a conversation.

    Whatever depends on the conversation alone is worked out once, at first: a rubric has dozens of
    elements, and each looks at every sentence.
    """

    def __init__(self, encoder: Encoder, wordings: Wordings, reading: Reading, role: Role) -> None:
        self.reading = reading
        self._encoder = encoder
        self._wordings = wordings
        self._heard = {
            place: [heard([word]) for word in utterance.words]
            for place, utterance in enumerate(reading.utterances)
            if utterance.role is role
        }
        self._vocabulary = Vocabulary(
            each.text for words in self._heard.values() for each in chain(*words)
        )
        self._sentences = {
            row: _cut(finding.sentence)
            for row, finding in enumerate(reading.findings)
            if finding.sentence.role is role
        }
        self._texts = {row: self._text(cut) for row, cut in self._sentences.items()}
        self._closeness: dict[tuple[str, ...], Floats] = {}

    def in_sentences(self, wanted: Wanted) -> Passage | None:
        """The sentence that matches best; None where none holds what must be mentioned.

        What is clear was said then, however much clearer it is repeated.
        """
        return _best(
            (
                self._passage(self._sentences[row], match)
                for row in self._rows(wanted.near)
                for match in self._matches(wanted, row)
            ),
            CLEAR,
        )

    def _matches(self, wanted: Wanted, row: int) -> Iterator[float]:
        """How well a sentence matches, by its cues and by its words.

        A cue is taken with more care where nothing is mentioned that should be, and with less
        where it was called for.
        """
        element, text = wanted.element, self._texts[row]
        mentioned = mentions(element, text, self._vocabulary)
        if element.cues:
            _, told = self.reading.findings[row].best(element.cues)
            yield as_match(moved(told, LINES[mentioned, wanted.called]))
        if mentioned:
            alike, unlike = self._near(element.wordings), self._near(element.unlike)
            yield _match(_letters(element, text), alike[row], unlike[row])

    def in_windows(
        self, wanted: Sequence[Wanted], progress: Progress
    ) -> tuple[Passage | None, ...]:
        """For each element, the window that matches best; None where nothing comes near."""
        windows = [_worthy([*self._windows(each)]) for each in wanted]
        texts = sorted({each.text for each in chain(*windows)})
        vectors = self._encoder.encode(texts, progress)
        rows = {text: row for row, text in enumerate(texts)}
        return tuple(
            _best(self._scored(each.element, found, vectors[[rows[w.text] for w in found]]))
            for each, found in zip(wanted, windows, strict=True)
        )

    def volunteered(self, element: Element) -> Passage | None:
        """Where the customer told what the element asks for; None where they did not."""
        told = [
            (each.best(element.volunteered)[1], each) for each in self.reading.by(Role.CUSTOMER)
        ]
        probability, finding = max(told, key=lambda each: each[0], default=(0.0, None))
        if finding is None or probability < FOUND:
            return None
        utterance = self.reading.utterances[finding.sentence.utterance]
        said = finding.sentence
        return Passage(utterance.index, said.first, said.words, as_match(probability), True)

    def put_right(self, wanted: Wanted) -> Passage | None:
        """The words that match best once what was misheard is put right by a wording."""
        element = wanted.element
        passages = []
        for row in self._nearest(wanted):
            for wording in map(tokens, element.wordings):
                for cut in self._cuts(row, [len(wording)]):
                    text = restored(wording, self._words(cut))
                    # What was put in its place is not among the words of the conversation.
                    if text is not None and mentions(element, text, Vocabulary(text.split())):
                        match = fuzz.ratio(text, " ".join(wording)) / 100 - CHANCE - PUT_RIGHT
                        passages.append(self._passage(cut, match))
        return _best(passages)

    def read_out(self, script: str) -> Passage | None:
        """Where a script was read out all but word for word; None where it was not.

        Half of it is not enough, and words that turn the meaning around must be there.
        """
        wanted = tokens(script)
        passages = []
        for place, each in self._heard.items():
            if fuzz.partial_ratio(" ".join(wanted), self._text((place, 0, len(each)))) < RESEMBLING:
                continue  # most utterances, and far cheaper than every window of them
            for start, end in _around(len(each), len(wanted)):
                cut = place, start, end
                wrong = wrong_share(wanted, self._words(cut))
                if wrong is not None and wrong <= MISREAD:
                    passages.append(self._passage(cut, 1 - wrong))
        return _best(passages)

    def _words(self, cut: Cut) -> list[Heard]:
        place, start, end = cut
        return list(chain(*self._heard[place][start:end]))

    def _text(self, cut: Cut) -> str:
        return " ".join([word.text for word in self._words(cut)])

    def _passage(self, cut: Cut, match: float) -> Passage:
        place, start, end = cut
        utterance = self.reading.utterances[place]
        return Passage(utterance.index, start, utterance.words[start:end], match)

    def _rows(self, near: Span | None) -> Iterator[int]:
        for row in self._sentences:
            sentence = self.reading.findings[row].sentence
            if near is None or (sentence.start < near.end and sentence.end > near.start):
                yield row

    def _near(self, wordings: tuple[str, ...]) -> Floats:
        """How near each sentence comes to the nearest wording: (sentences,), -1 without any."""
        found = self._closeness.get(wordings)
        if found is None:
            found = self._wordings.closeness(wordings, self.reading.vectors)
            self._closeness[wordings] = found
        return found

    def _scored(
        self, element: Element, windows: Sequence[_Window], vectors: Floats
    ) -> Iterator[Passage]:
        alike = self._wordings.closeness(element.wordings, vectors)
        unlike = self._wordings.closeness(element.unlike, vectors)
        for window, meaning, other in zip(windows, alike, unlike, strict=True):
            yield self._passage(window.cut, _match(window.letters, meaning, other))

    def _windows(self, wanted: Wanted) -> Iterator[_Window]:
        """The windows that hold what must be mentioned."""
        element = wanted.element
        sizes = sorted({*WINDOWS, *(len(tokens(each)) for each in element.wordings)})
        for row in self._nearest(wanted):
            for cut in self._cuts(row, sizes):
                text = self._text(cut)
                if mentions(element, text, self._vocabulary):
                    yield _Window(cut, text, _letters(element, text))

    def _cuts(self, row: int, sizes: Sequence[int]) -> Iterator[Cut]:
        """Windows of so many words that begin in a sentence; they may end after it."""
        place, first, last = self._sentences[row]
        for start, end in _spans(first, last, len(self._heard[place]), sizes):
            yield place, start, end

    def _nearest(self, wanted: Wanted) -> list[int]:
        """The sentences that come nearest, by meaning or by letters.

        Those that show no trace of the element's cues say something else with the same words.
        """
        cues = wanted.element.cues
        meanings = self._near(wanted.element.wordings)
        spelled = _spelled(wanted.element.wordings)
        near: list[tuple[float, int]] = []
        for row in self._rows(wanted.near):
            if cues and self.reading.findings[row].best(cues)[1] < TRACE:
                continue
            meaning = float(meanings[row])
            letters = max(fuzz.partial_ratio(each, self._texts[row]) for each in spelled) / 100
            if meaning >= PROMISING or letters >= SPELLED:
                near.append((max(meaning, letters - CHANCE), row))
        return [row for _, row in sorted(near, reverse=True)[:NEAREST]]


def likelihood(match: float) -> float:
    """The probability that an element was said, from its best match."""
    return logistic(STEEPNESS * (match - GIVEN))


def as_match(probability: float) -> float:
    """The match of which an element is as likely."""
    return GIVEN + log_odds(probability, likelihood(0.0), likelihood(1.0)) / STEEPNESS


def _cut(sentence: Sentence) -> Cut:
    return sentence.utterance, sentence.first, sentence.first + len(sentence.words)


def _match(letters: float, meaning: np.floating, other: np.floating) -> float:
    """From the nearness to the wordings; 0 if it is nearer to what only sounds alike."""
    alike = max(float(meaning), letters - CHANCE)
    return 0.0 if float(other) > alike else min(1.0, alike)


def _worthy(windows: Sequence[_Window]) -> list[_Window]:
    """The windows among which the best is: encoding all is most of what disclosures cost.

    Nothing matches better than a wording word for word; and what has far fewer letters in common
    with the wordings than another window hardly ever matches best: no disclosure of 301 labeled
    calls is judged differently.
    """
    most = max((each.letters for each in windows), default=0.0)
    least = most - FEWER if most < 1.0 else most
    return [each for each in windows if each.letters >= least]


def _best(passages: Iterable[Passage], enough: float = 1.0) -> Passage | None:
    """That matches best, or well enough."""
    # Among equals the earliest, then the longest: it leaves out nothing that belongs to it.
    return max(
        passages,
        key=lambda each: (round(min(each.match, enough), 2), -each.start, len(each.words)),
        default=None,
    )


def _spans(first: int, last: int, end: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Windows that begin in the sentence [first, last) of an utterance of `end` words."""
    for size in sizes:
        for start in range(first, last, max(1, size // 4)):
            yield start, min(start + size, end)


def _around(words: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Windows of about the wanted length in so many words."""
    for start in range(words):
        for size in range(max(1, wanted - SLACK), wanted + SLACK + 1):
            if start + size <= words:
                yield start, start + size


@lru_cache(maxsize=1000)
def _spelled(wordings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(tokens(each)) for each in wordings)


def _letters(element: Element, text: str) -> float:
    """The largest share of letters that the text has in common with a wording."""
    return max(fuzz.ratio(text, each) for each in _spelled(element.wordings)) / 100
