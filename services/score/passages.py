"""Wordings found in speech: paraphrase counts, recognition errors do not.

A passage's match is the larger of two: the cosine of its vector with a wording's, and the share of
letters it has in common with a wording, less an allowance for what any two texts share. Sentences
are tried first, whose vectors are known; where none is clear, windows of 4, 7, 11 and 16 words
(and of the wording's own length) around the sentences that come nearest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from callscope.pipeline import Progress
from callscope.rubric import Element
from callscope.types import Role, Span, Word
from services.score import lexicon
from services.score.encoder import Encoder
from services.score.features import tokens
from services.score.misheard import heard, restored, wrong_share
from services.score.plain_speech import spoken
from services.score.reading import Reading
from services.score.wordings import Wordings

__all__ = ["CLEAR", "Passage", "PassageFinder", "Wanted"]

CLEAR = 0.70
"""A match from which windows are not needed."""

WINDOWS = (4, 7, 11, 16)  # words
NEAREST = 3  # sentences around which windows are tried
PROMISING = 0.25  # cosine from which a sentence may hold a wording
SPELLED = 0.60  # or share of a wording's letters found in it, in order
CHANCE = 0.15  # the allowance: a share of 0.75 is worth a cosine of 0.60
PUT_RIGHT = 0.10  # what a match loses for words that were put right
READ_OUT = 0.17  # share of a wording's words that may differ where it was read out: one in six
MISREAD = 0.25  # share of a script's words that may be wrong: one in ten is, on a poor line
RESEMBLING = 60.0  # share of a script's letters, in percent, found in what may hold it
SLACK = 2  # words that may be lost from a script, or added
ALIKE = 88.0  # ratio from which two words are the same but for recognition

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive words of one utterance, and how well they match, 0 to 1."""

    utterance: int
    words: tuple[Word, ...]
    match: float

    @property
    def start(self) -> float:
        """Seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """Seconds."""
        return max(word.end for word in self.words)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An element to look for; `near` bounds where, None for the whole conversation."""

    element: Element
    near: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PassageFinder:
    """Looks for wordings in what one role said in a conversation."""

    encoder: Encoder
    wordings: Wordings
    reading: Reading
    role: Role

    def in_sentences(self, wanted: Wanted) -> Passage | None:
        """The sentence that matches best; None where none holds what must be mentioned."""
        passages, element = [], wanted.element
        for row in self._rows(wanted.near):
            sentence = self.reading.findings[row].sentence
            if _mentions(element, plain := spoken(sentence.words)):
                match = self._match(element, plain, self.reading.vectors[row])
                passages.append(Passage(sentence.utterance, sentence.words, match))
        return _best(passages)

    def in_windows(
        self, wanted: Sequence[Wanted], progress: Progress
    ) -> tuple[Passage | None, ...]:
        """For each element, the window that matches best; None where nothing comes near."""
        windows = [list(self._windows(each)) for each in wanted]
        texts = sorted({spoken(words) for each in windows for _, words in each})
        vectors = dict(zip(texts, self.encoder.encode(texts, progress), strict=True))
        return tuple(
            _best(self._scored(each.element, spans, vectors))
            for each, spans in zip(wanted, windows, strict=True)
        )

    def put_right(self, wanted: Wanted) -> Passage | None:
        """The words that match best once what was misheard is put right by a wording."""
        element = wanted.element
        passages = []
        for row in self._nearest(wanted):
            sentence = self.reading.findings[row].sentence
            words = self.reading.utterances[sentence.utterance].words
            last = sentence.first + len(sentence.words)
            for wording in map(tokens, element.wordings):
                for start, end in _spans(sentence.first, last, len(words), [len(wording)]):
                    text = restored(wording, heard(words[start:end]))
                    if text is not None and _mentions(element, text):
                        match = fuzz.ratio(text, " ".join(wording)) / 100 - CHANCE - PUT_RIGHT
                        passages.append(Passage(sentence.utterance, words[start:end], match))
        return _best(passages)

    def read_out(self, script: str) -> Passage | None:
        """Where a script was read out all but word for word; None where it was not.

        Half of it is not enough, and words that turn the meaning around must be there.
        """
        wanted = tokens(script)
        passages = []
        for utterance in self.reading.utterances:
            if utterance.role is not self.role:
                continue
            each = [heard([word]) for word in utterance.words]
            spoken = " ".join(word.text for word in chain(*each))
            if fuzz.partial_ratio(" ".join(wanted), spoken) < RESEMBLING:
                continue  # most utterances, and far cheaper than every window of them
            for start, end in _around(len(each), len(wanted)):
                wrong = wrong_share(wanted, list(chain(*each[start:end])))
                if wrong is not None and wrong <= MISREAD:
                    words = utterance.words[start:end]
                    passages.append(Passage(utterance.index, words, 1 - wrong))
        return _best(passages)

    def _rows(self, near: Span | None) -> Iterator[int]:
        for row, finding in enumerate(self.reading.findings):
            sentence = finding.sentence
            if sentence.role is self.role and (
                near is None or (sentence.start < near.end and sentence.end > near.start)
            ):
                yield row

    def _match(self, element: Element, plain: str, vector: Floats) -> float:
        """0 where the text is nearer to something that only sounds alike."""
        alike = max(self._meaning(element.wordings, vector), _letters(element, plain) - CHANCE)
        if element.unlike and self._meaning(element.unlike, vector) > alike:
            return 0.0
        return min(1.0, alike)

    def _meaning(self, wordings: Sequence[str], vector: Floats) -> float:
        return float((self.wordings.matrix(wordings) @ vector).max())

    def _scored(
        self,
        element: Element,
        windows: Sequence[tuple[int, tuple[Word, ...]]],
        vectors: Mapping[str, Floats],
    ) -> Iterator[Passage]:
        for utterance, words in windows:
            plain = spoken(words)
            yield Passage(utterance, words, self._match(element, plain, vectors[plain]))

    def _windows(self, wanted: Wanted) -> Iterator[tuple[int, tuple[Word, ...]]]:
        element = wanted.element
        sizes = sorted({*WINDOWS, *(len(tokens(each)) for each in element.wordings)})
        for row in self._nearest(wanted):
            sentence = self.reading.findings[row].sentence
            words = self.reading.utterances[sentence.utterance].words
            last = sentence.first + len(sentence.words)
            for start, end in _spans(sentence.first, last, len(words), sizes):
                if _mentions(element, spoken(words[start:end])):
                    yield sentence.utterance, words[start:end]

    def _nearest(self, wanted: Wanted) -> list[int]:
        """The sentences that come nearest, by meaning or by letters."""
        spelled = [" ".join(tokens(each)) for each in wanted.element.wordings]
        near: list[tuple[float, int]] = []
        for row in self._rows(wanted.near):
            plain = spoken(self.reading.findings[row].sentence.words)
            meaning = self._meaning(wanted.element.wordings, self.reading.vectors[row])
            letters = max(fuzz.partial_ratio(each, plain) for each in spelled) / 100
            if meaning >= PROMISING or letters >= SPELLED:
                near.append((max(meaning, letters - CHANCE), row))
        return [row for _, row in sorted(near, reverse=True)[:NEAREST]]


def _best(passages: Sequence[Passage] | Iterator[Passage]) -> Passage | None:
    # Among equals the earliest, then the longest: it leaves out nothing that belongs to it.
    return max(
        passages,
        key=lambda each: (round(each.match, 2), -each.start, len(each.words)),
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


def _mentions(element: Element, text: str) -> bool:
    """Whether the text holds a word of each of the element's mentions, as heard or nearly so.

    Where a wording was read out all but word for word, a word that is not there was misheard:
    unless it turns the meaning around, as `not` does.
    """
    words = text.split()
    lost = [each for each in element.mentions if not _said_any(each, text, words)]
    if not lost:
        return True
    forgivable = lexicon.NEGATIONS.isdisjoint(word for each in lost for word in _options(each))
    return forgivable and any(_read_out(tokens(each), words) for each in element.wordings)


def _read_out(wording: Sequence[str], words: Sequence[str]) -> bool:
    return Levenshtein.distance(wording, words) <= READ_OUT * len(wording)


def _said_any(mention: str, text: str, words: Sequence[str]) -> bool:
    return any(
        len(option) <= len(text) + SLACK and fuzz.partial_ratio(option, text) >= ALIKE
        if " " in option
        else any(fuzz.ratio(option, word) >= ALIKE for word in words)
        for option in _options(mention)
    )


def _options(mention: str) -> list[str]:
    return [option.strip().lower() for option in mention.split("|")]


def _letters(element: Element, text: str) -> float:
    """The largest share of letters that the text has in common with a wording."""
    return max(fuzz.ratio(text, " ".join(tokens(each))) for each in element.wordings) / 100
