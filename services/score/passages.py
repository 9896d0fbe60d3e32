"""Wordings found in speech: paraphrase counts, recognition errors do not.

Windows of 4, 7, 11 and 16 words (and of the wording's own length) slide over what was said, near
sentences that come close to a wording. A window's match is the larger of its cosine with a wording
and of the share of letters they have in common, less an allowance for what any two texts share.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from callscope.pipeline import Progress
from callscope.rubric import Element
from callscope.types import Role, Word
from services.score.encoder import Encoder
from services.score.features import tokens
from services.score.reading import Reading
from services.score.wordings import Wordings

__all__ = ["Passage", "PassageFinder"]

WINDOWS = (4, 7, 11, 16)  # words
PROMISING = 0.25  # cosine of a sentence from which its windows are looked at
SPELLED = 0.6  # or this share of a wording's letters found in it, in order
CHANCE = 0.15  # the allowance: a share of 0.75 is worth a cosine of 0.60
ALIKE = 80.0  # ratio from which two words are the same but for recognition

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive words of one utterance, and how well they match an element, 0 to 1."""

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
class _Window:
    utterance: int
    words: tuple[Word, ...]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class PassageFinder:
    """Looks for wordings in one conversation."""

    encoder: Encoder
    wordings: Wordings
    reading: Reading

    def find(
        self, elements: Sequence[Element], role: Role, progress: Progress
    ) -> tuple[Passage | None, ...]:
        """The best passage of `role` for each element; None where nothing comes near it."""
        rows = [i for i, each in enumerate(self.reading.findings) if each.sentence.role is role]
        windows = [
            list(_candidates(each, self.reading, rows, self.wordings.matrix(each.wordings)))
            for each in elements
        ]
        texts = sorted({window.text for each in windows for window in each})
        vectors = dict(zip(texts, self.encoder.encode(texts, progress), strict=True))
        return tuple(
            _best(element, candidates, self.wordings.matrix(element.wordings), vectors)
            for element, candidates in zip(elements, windows, strict=True)
        )


def _best(
    element: Element,
    candidates: Sequence[_Window],
    known: Floats,
    vectors: Mapping[str, Floats],
) -> Passage | None:
    passages = (
        Passage(window.utterance, window.words, _match(window, element, known, vectors))
        for window in candidates
    )
    # Among equals the earliest, then the longest: it leaves out nothing that belongs to it.
    return max(
        passages,
        key=lambda each: (round(each.match, 2), -each.start, len(each.words)),
        default=None,
    )


def _match(
    window: _Window, element: Element, known: Floats, vectors: Mapping[str, Floats]
) -> float:
    meaning = float((known @ vectors[window.text]).max())
    letters = max(fuzz.ratio(window.text, _plain(each)) for each in element.wordings) / 100
    return min(1.0, max(meaning, letters - CHANCE))


def _candidates(
    element: Element, reading: Reading, rows: Sequence[int], known: Floats
) -> Iterator[_Window]:
    plain = [_plain(each) for each in element.wordings]
    sizes = sorted({*WINDOWS, *(len(each.split()) for each in plain)})
    for row in rows:
        sentence = reading.findings[row].sentence
        text = _plain(sentence.text)
        near = float((known @ reading.vectors[row]).max()) >= PROMISING
        if near or any(fuzz.partial_ratio(each, text) >= 100 * SPELLED for each in plain):
            words = reading.utterances[sentence.utterance].words
            last = sentence.first + len(sentence.words)
            for first, end in _spans(sentence.first, last, len(words), sizes):
                window = _window(sentence.utterance, words[first:end])
                if _mentions(element, window.text):
                    yield window


def _spans(first: int, last: int, end: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Windows that begin in the sentence [first, last) of an utterance of `end` words."""
    yield first, last
    for size in sizes:
        step = max(1, size // 4)
        for start in range(first, last, step):
            yield start, min(start + size, end)


def _window(utterance: int, words: tuple[Word, ...]) -> _Window:
    return _Window(utterance, words, _plain(" ".join(word.text for word in words)))


def _plain(text: str) -> str:
    return " ".join(tokens(text))


def _mentions(element: Element, text: str) -> bool:
    """Whether the window holds a word of each of the element's mentions, as heard or nearly so."""
    words = text.split()
    return all(
        any(_said(option.strip().lower(), text, words) for option in mention.split("|"))
        for mention in element.mentions
    )


def _said(option: str, text: str, words: Sequence[str]) -> bool:
    if " " in option:
        return fuzz.partial_ratio(option, text) >= ALIKE
    return any(fuzz.ratio(option, word) >= ALIKE for word in words)
