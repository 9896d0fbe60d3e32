"""Whose words are taken up: what an agent says back, and what a customer has to say again.

Who listens builds on the other's words, and words in common tell that nearly as well as a network
does (Demszky et al., "Measuring Conversational Uptake", ACL 2021). Who is not heard says it again.
Rules, not heads: they compare turns, and a head sees a sentence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from callscope.tokens import tokens
from callscope.types import Role
from services.score import lexicon
from services.score.features import STEM
from services.score.sentences import Sentence

__all__ = ["said_again", "taken_up"]

# How surely so many words in common are no chance: none, one, two, and more.
SURE = (0.0, 0.45, 0.75, 0.95)
SHORTEST = 3  # letters of a word that carries meaning
READ_OUT = 6  # numbers in a sentence: that of a card or an account, which is nobody's concern
_SAYS_BACK = re.compile(
    r"\byou(?:['\N{RIGHT SINGLE QUOTATION MARK}]ve| have)?(?: just| did)?"
    r" (?:said|say|told me|mentioned|were saying)\b",
    re.IGNORECASE,
)
EMPTY = lexicon.STOP | lexicon.SMALL_TALK | {name.lower() for name in lexicon.ANYONE}


@dataclass(frozen=True, slots=True)
class _Turn:
    """One party's sentences in a row: the words of each that carry meaning, by its place."""

    role: Role
    words: Mapping[int, Set[str]]
    all: Set[str]

    def most(self, wanted: Set[str]) -> int:
        """The sentence with most of the `wanted` words, the first of several."""
        return max(self.words, key=lambda row: len(self.words[row] & wanted))


def taken_up(sentences: Sequence[Sentence]) -> Mapping[int, float]:
    """The agent's sentences that take up what the customer said, and how surely.

    That is one a turn of the customer's last turn, and each that says outright "you said".
    """
    found = {}
    last: Set[str] = frozenset()
    heard: set[str] = set()
    for turn in _turns(sentences):
        if turn.role is Role.CUSTOMER:
            last = turn.all
            heard |= last
            continue
        shared = turn.all & last
        if shared:
            found[turn.most(shared)] = _sure(shared)
        outright = (row for row in turn.words if _SAYS_BACK.search(sentences[row].text))
        found |= {row: SURE[-1] for row in outright if turn.words[row] & heard}
    return found


def said_again(sentences: Sequence[Sentence]) -> Mapping[int, float]:
    """The customer's sentences that say again what was not taken up, one a turn: how surely."""
    found = {}
    waiting: set[str] = set()  # what the customer said and the agent has not since
    for turn in _turns(sentences):
        if turn.role is Role.AGENT:
            waiting -= turn.all
            continue
        again = turn.all & waiting
        if again:
            found[turn.most(again)] = _sure(again)
        waiting |= turn.all
    return found


def _sure(shared: Set[str]) -> float:
    return SURE[min(len(shared), len(SURE) - 1)]


def _turns(sentences: Sequence[Sentence]) -> Iterator[_Turn]:
    """What agent and customer say in turn, backchannels apart."""
    spoken = [
        row
        for row, each in enumerate(sentences)
        if each.role in (Role.AGENT, Role.CUSTOMER) and not each.backchannel
    ]
    for role, rows in groupby(spoken, lambda row: sentences[row].role):
        words = {row: _words(sentences[row].text) for row in rows}
        yield _Turn(role, words, frozenset().union(*words.values()))


# Both rules look at every sentence.
@lru_cache(maxsize=10_000)
def _words(text: str) -> Set[str]:
    said = tokens(lexicon.COURTESY.sub(" ", text))
    numbers = {word for word in said if word in lexicon.NUMBERS}
    read_out = sum(word in numbers for word in said) >= READ_OUT
    empty = EMPTY | numbers if read_out else EMPTY
    told = (word for word in said if len(word) >= SHORTEST and not word.isdigit())
    return frozenset(word[:STEM] for word in told if word not in empty)
