"""The different words of a conversation, and which of them are a given word but for recognition."""

from collections.abc import Iterable, Iterator
from itertools import chain

from rapidfuzz import fuzz, process

__all__ = ["ALIKE", "Vocabulary"]

ALIKE = 88.0
"""Ratio of letters in common, in percent, from which two words are the same but for recognition."""


class Vocabulary:
    """Compares a word that is asked for with each of its words once, however often it is asked.

    A rubric asks hundreds of times for the same few words, of sentences that share theirs.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        self._alike: dict[tuple[str, ...], frozenset[str]] = {}

    def alike(self, *wanted: str) -> frozenset[str]:
        """Which of its words are one of those wanted, as heard or nearly so."""
        found = self._alike.get(wanted)
        if found is None:
            found = self._alike[wanted] = frozenset(chain(*map(self._heard, wanted)))
        return found

    def _heard(self, word: str) -> Iterator[str]:
        for match, _, _ in process.extract(
            word, self._words, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None
        ):
            yield match
