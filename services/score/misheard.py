"""Words that were probably misheard, put right by the wording or the script that was being said.

A word counts as misheard where it stands in the place of another one, all but a few of whose
neighbors were heard right, and the recognizer itself doubted it or it sounds alike. What an agent
leaves out is missing in one piece, and leaves no doubtful words behind.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from callscope.tokens import tokens
from callscope.types import Word
from services.score import lexicon
from services.score.plain_speech import standard

__all__ = ["Heard", "heard", "restored", "wrong_share"]

DOUBTED = 0.6  # probability of a word below which it may as well be another
SOUNDS_ALIKE = 65.0  # ratio of the letters of a word and of the one it was taken for
RIGHT = 0.6  # share of a wording's words that must have been heard right
LEAST = 3  # and how many
PIECE = 3  # words in a row that were left out, not misheard


@dataclass(frozen=True, slots=True)
class Heard:
    """A word in standard spelling; `sure` says whether the recognizer trusts it."""

    text: str
    sure: bool


def heard(words: Sequence[Word]) -> list[Heard]:
    """The words as the recognizer heard them, contractions of dialects spelled out."""
    return [
        Heard(text, word.probability >= DOUBTED)
        for word in words
        for text in tokens(standard(word.text))
    ]


def restored(wording: Sequence[str], said: Sequence[Heard]) -> str | None:
    """What was said with its misheard words put right by the wording; None without any."""
    common = {each.text for each in said}.intersection(wording)
    if len(common) < max(LEAST, RIGHT * len(wording)):
        return None
    put_right = dict(_misheard(wording, said))
    if not put_right:
        return None
    return " ".join(put_right.get(place, each.text) for place, each in enumerate(said))


def wrong_share(script: Sequence[str], said: Sequence[Heard]) -> float | None:
    """Share of a script's words that were not heard; None where some of it was left out.

    A misheard word counts half. A word that turns the meaning around must have been heard.
    """
    texts = [each.text for each in said]
    if not lexicon.NEGATIONS.intersection(script).issubset(texts):
        return None
    misheard = dict(_misheard(script, said))
    wrong = Levenshtein.distance(script, texts) - len(misheard) / 2
    return None if _left_out(script, said) >= PIECE else wrong / len(script)


def _misheard(wanted: Sequence[str], said: Sequence[Heard]) -> Iterator[tuple[int, str]]:
    """The places of misheard words, and what they should be."""
    for edit in Levenshtein.editops(wanted, [each.text for each in said]):
        if edit.tag == "replace":
            word, other = wanted[edit.src_pos], said[edit.dest_pos]
            alike = fuzz.ratio(word, other.text) >= SOUNDS_ALIKE
            if (alike or not other.sure) and word not in lexicon.NEGATIONS:
                yield edit.dest_pos, word


def _left_out(wanted: Sequence[str], said: Sequence[Heard]) -> int:
    """Most words in a row that are missing, or in whose place other words were surely heard."""
    missing = {
        edit.src_pos
        for edit in Levenshtein.editops(wanted, [each.text for each in said])
        if edit.tag == "delete" or (edit.tag == "replace" and said[edit.dest_pos].sure)
    }
    longest = run = 0
    for place in range(len(wanted)):
        run = run + 1 if place in missing else 0
        longest = max(longest, run)
    return longest
