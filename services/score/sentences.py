"""Utterances cut into sentences: an act lives in one sentence, and evidence quotes it.

Recognizers punctuate, mostly; where they do not, a pause ends a sentence, or the words tell.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from callscope.types import Role, Utterance, Word

__all__ = ["ENDED", "Ends", "Sentence", "runs", "split", "split_text"]

PAUSE = 1.5  # seconds between two words; hesitations inside a sentence are shorter
LONGEST = 45  # words; what is longer is cut
TOGETHER = 3  # sentences of a run, at most

Ends = Callable[[Sequence[str]], Set[int]]
"""Finds, in words without punctuation, after how many of them sentences end."""

ENDED = re.compile(r"""[.?!]["')\]]*$""")
_HOUR = re.compile(r"[ap]\.m\.$", re.IGNORECASE)  # ends a sentence only before a capital
_MARK = re.compile(r"""[.?!,;:]["')\]]*$""")
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
    def places(self) -> range:
        """The places of its words in the utterance."""
        return range(self.first, self.first + len(self.words))

    @property
    def start(self) -> float:
        """Start of the first word, in seconds."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """End of the last word, in seconds."""
        return max(word.end for word in self.words)


def split(
    utterances: Sequence[Utterance], ends: Ends = lambda _: frozenset()
) -> tuple[Sentence, ...]:
    """Every sentence of the conversation, in its order.

    Without `ends` only punctuation and pauses are known to end one.
    """
    return tuple(sentence for utterance in utterances for sentence in _sentences(utterance, ends))


def runs(sentences: Sequence[Sentence]) -> Iterator[range]:
    """Two or three sentences in a row that neither a mark nor a pause parts: they may be one."""
    joined = [_joined(*pair) for pair in pairwise(sentences)]
    for first in range(len(sentences)):
        for last in range(first + 1, min(first + TOGETHER, len(sentences))):
            if not joined[last - 1]:
                break
            yield range(first, last + 1)


def _joined(one: Sentence, after: Sentence) -> bool:
    end, start = one.words[-1], after.words[0]
    return (
        one.utterance == after.utterance
        and not _MARK.search(end.text)
        and start.start - end.end < PAUSE
    )


def split_text(text: str) -> tuple[str, ...]:
    """Sentences of plain text, by the same punctuation."""
    words = text.split()
    ends = [place for place, pair in enumerate(pairwise(words), 1) if _ends(*pair)]
    spans = pairwise([0, *ends, len(words)])
    return tuple(" ".join(words[start:end]) for start, end in spans if end > start)


def _sentences(utterance: Utterance, ends: Ends) -> Iterator[Sentence]:
    for first, last in pairwise(_cuts(utterance.words, ends)):
        words = utterance.words[first:last]
        yield Sentence(utterance.index, utterance.role, utterance.backchannel, first, words)


def _cuts(words: Sequence[Word], ends: Ends) -> list[int]:
    """Where sentences begin, and where the last ends."""
    cuts = [0]
    for start, end in pairwise([0, *_marked(words)]):
        text = [word.text for word in words[start:end]]
        found = [start + place for place in sorted(ends(text))] if _bare(text) else []
        for cut in (*found, end):
            cuts += [*range(cuts[-1] + LONGEST, cut, LONGEST), cut]
    return cuts


def _marked(words: Sequence[Word]) -> Iterator[int]:
    """Where a mark or a pause ends a sentence, and the end of the words."""
    for place, (word, after) in enumerate(pairwise(words), 1):
        if _ends(word.text, after.text) or after.start - word.end >= PAUSE:
            yield place
    if words:
        yield len(words)


def _bare(words: Sequence[str]) -> bool:
    """Whether marks are missing: there is none, or far too few."""
    return len(words) > LONGEST or not any(map(_MARK.search, words))


def _ends(word: str, after: str) -> bool:
    """Whether a sentence ends with `word`, by its punctuation and by the word after it."""
    if _HOUR.search(word):
        return not after[:1].islower()
    return bool(ENDED.search(word)) and not _NO_END.search(word)
