"""What an element of a disclosure must mention, looked for in a text."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from callscope.rubric import Element
from callscope.tokens import tokens
from services.score import lexicon
from services.score.vocabulary import ALIKE, Vocabulary

__all__ = ["mentions"]

SHORTER = 2  # letters that may be missing from what is mentioned: a part of it is not it
READ_OUT = 0.17  # share of a wording's words that may differ where it was read out: one in six


def mentions(element: Element, text: str, vocabulary: Vocabulary) -> bool:
    """Whether the text holds a word of each of the element's mentions, as heard or nearly so.

    Where a wording was read out all but word for word, a word that is not there was misheard:
    unless it turns the meaning around, as `not` does. `vocabulary` has all of the text's words.
    """
    words = text.split()
    lost = (each for each in element.mentions if not _said_any(each, text, words, vocabulary))
    first = next(lost, None)
    if first is None:
        return True
    if not _read_out(element.wordings, words):
        return False
    return lexicon.NEGATIONS.isdisjoint(chain(*map(_options, (first, *lost))))


def _read_out(wordings: tuple[str, ...], words: Sequence[str]) -> bool:
    return any(
        Levenshtein.distance(wording, words) <= READ_OUT * len(wording)
        for wording in _as_long(wordings, len(words))
    )


@lru_cache(maxsize=10_000)
def _as_long(wordings: tuple[str, ...], length: int) -> tuple[tuple[str, ...], ...]:
    """The words of those wordings that may be read out in so many words."""
    return tuple(
        wording
        for wording in map(tokens, wordings)
        if abs(len(wording) - length) <= READ_OUT * len(wording)
    )


def _said_any(mention: str, text: str, words: Sequence[str], vocabulary: Vocabulary) -> bool:
    single, several = _by_length(mention)
    return not vocabulary.alike(*single).isdisjoint(words) or any(
        len(option) <= len(text) + SHORTER and fuzz.partial_ratio(option, text) >= ALIKE
        for option in several
    )


def _options(mention: str) -> list[str]:
    return [option.strip().lower() for option in mention.split("|")]


@lru_cache(maxsize=1000)
def _by_length(mention: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The options of one word, and those of several."""
    options = _options(mention)
    several = tuple(option for option in options if " " in option)
    return tuple(option for option in options if option not in several), several
