"""Utterances cut into sentences: an act lives in one sentence, and evidence quotes it.

Recognizers punctuate, mostly; where they do not, a pause ends a sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from callscope.types import Role, Utterance, Word

__all__ = ["Sentence", "split", "split_text"]

PAUSE = 1.5  # seconds between two words; hesitations inside a sentence are shorter
LONGEST = 45  # words; unpunctuated speech is cut here

_END = re.compile(r"""[.?!]["')\]]*$""")
_HOUR = re.compile(r"[ap]\.m\.$", re.IGNORECASE)  # ends a sentence only before a capital
_NO_END = re.compile(r"(?:^(?:mr|mrs|ms|dr|st|no|vs|e\.g|i\.e|[a-z])|\.\.)\.$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Consecutive words of one utterance; `first` is the place of its first word there."""

    utterance: int
    role: Role
    backchannel: bool
    first: int
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The words as written, joined by spaces."""
        return " ".join(word.text for word in self.words)

    @property
    def start(self) -> float:
        """Start of the first word, in seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """End of the last word, in seconds."""
        return max(word.end for word in self.words)


def split(utterances: Sequence[Utterance]) -> tuple[Sentence, ...]:
    """Every sentence of the conversation, in its order."""
    return tuple(sentence for utterance in utterances for sentence in _sentences(utterance))


def split_text(text: str) -> tuple[str, ...]:
    """Sentences of plain text, by the same punctuation."""
    words = text.split()
    pairs = zip(words, chain(words[1:], [""]), strict=False)  # a word and the one after it
    ends = [place for place, pair in enumerate(pairs, 1) if _ends(*pair)]
    spans = zip([0, *ends], [*ends, len(words)], strict=True)
    return tuple(" ".join(words[start:end]) for start, end in spans if end > start)


def _sentences(utterance: Utterance) -> Iterator[Sentence]:
    first = 0
    words = utterance.words
    for place, word in enumerate(words, 1):
        last = place == len(words)
        if (
            last
            or _ends(word.text, words[place].text)
            or words[place].start - word.end >= PAUSE
            or place - first >= LONGEST
        ):
            yield Sentence(
                utterance.index,
                utterance.role,
                utterance.backchannel,
                first,
                tuple(words[first:place]),
            )
            first = place


def _ends(word: str, after: str) -> bool:
    """Whether a sentence ends with `word`, by its punctuation and by the word after it."""
    if _HOUR.search(word):
        return not after[:1].islower()
    return bool(_END.search(word)) and not _NO_END.search(word)
