"""The different words of a conversation, and which of them are a given word but for recognition."""

from collections.abc import Iterable

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
        self._alike: dict[str, frozenset[str]] = {}

    def alike(self, word: str) -> frozenset[str]:
        """Which of its words are `word`, as heard or nearly so."""
        found = self._alike.get(word)
        if found is None:
            matches = process.extract(
                word, self._words, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=None
            )
            found = self._alike[word] = frozenset(match for match, _, _ in matches)
        return found
