"""The customer's name, as it comes up in the call, and the agent's use of it.

A rule, not a head: a name is a name because somebody gave it, not because of how it sounds. Where
nobody writes capitals, a name is also no word of the dictionary.
"""

import gzip
import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from callscope.tokens import tokens
from callscope.types import Role
from services.score import lexicon
from services.score.sentences import Sentence

__all__ = ["COMMON_WORDS", "all_names", "customer_names", "introductions", "uses_name"]

COMMON_WORDS = Path(__file__).with_name("common_words.txt.gz")
"""Words that are no names, a line each, with a capital if they may be, like "Grace".

`training.common_words` writes it."""

_NAME = (
    r"((?:(?:[Mm](?:r|rs|s|ister|issus|iss)|[Dd](?:r|octor))\.? )?[A-Z][\w'-]+(?: [A-Z][\w'-]+)?)"
)
# Accents and dialects as recognizers spell them must not hide a name.
_MY_NAME_IS = r"[Mm][ye] name(?: is| ees|'s)"
_THIS_IS = r"(?:[Tt]h|[DdZz])is (?:is|ees)"
_GIVEN = re.compile(rf"\b(?:{_MY_NAME_IS}|{_THIS_IS}|[Hh]ere is|[Ii]t's|I'm|I am) {_NAME}")
_ASKED_FOR = re.compile(
    rf"\b(?:speaking (?:with|to)|talking (?:with|to)|[Ii]s (?:this|that)|[Aa]re you) {_NAME}"
)
_INTRODUCES = re.compile(
    rf"\b(?:{_MY_NAME_IS}|{_THIS_IS}|[Tt]alking to|I'm) {_NAME}"
    rf"|\b([A-Z][\w'-]+) (?:speaking|here)\b"
)
_TITLE = r"(?:mr|mrs|miss|ms|mister|missus)"
_OWN_NAME = re.compile(
    rf"\b(?:{_MY_NAME_IS}|(?:the )?name's|the name is|(?:{_THIS_IS}|it's)(?= {_TITLE}\b))"
    rf" (?:{_TITLE}\.? )?([\w'-]+)",
    re.IGNORECASE,
)
_IT_IS_ME = re.compile(
    r"(?:(?:yes|yeah|yep|aye|hi|hello|well|oh) )*"
    r"(?:speaking|this is (?:he|she|him|her)|(?:that's|thats|that is|it's|its) me)\b"
)
_BARE_NAME = re.compile(r"(?:[A-Z][\w'-]+,? ?){2,4}\.?")
_ASKS_NAME = re.compile(r"\b(?:name|who am i speaking|who do i have|who is calling)\b", re.I)
_IDENTIFIES = re.compile(r"\b(?:speaking with|speaking to|is this|is that|are you|name)\b", re.I)
_SPELLED = re.compile(r"\b([^\W\d_][\w'-]*)")
_MYSELF = {"i", "i'm"}
_OURS = re.compile(rf"\b(?:{'|'.join(lexicon.ANYONE)})\b")
_CONTRACTED = re.compile(r"'(?:[dmst]|ll|re|ve)?$")
_COMMON = lexicon.NO_NAMES | lexicon.STOP | lexicon.SMALL_TALK | lexicon.NUMBERS | lexicon.CALENDAR
_SHORT_ANSWER = 6  # words; a longer answer is no bare name
_AT_FIRST = 2  # turns in which "it's Maria" says who calls, and not what the dog is called


def customer_names(sentences: Sequence[Sentence]) -> frozenset[str]:
    """The customer's names, lower-case: given by them, or by an agent who asks for them."""
    return frozenset(_found(sentences, _with_capitals(sentences)))


def all_names(sentences: Sequence[Sentence]) -> frozenset[str]:
    """The names of both parties, lower-case."""
    texts = _with_capitals(sentences)
    said = (match for text in texts for match in _INTRODUCES.finditer(text))
    own = (part for match in said if match.lastindex for part in _parts(match[match.lastindex]))
    return frozenset((*_found(sentences, texts), *own))


def uses_name(text: str, names: frozenset[str]) -> bool:
    """Whether the agent's sentence speaks to the customer by name, beyond asking who they are."""
    return not _IDENTIFIES.search(text) and not names.isdisjoint(_plain(text.split()))


def introductions(sentences: Sequence[Sentence]) -> frozenset[int]:
    """The sentences in which the customer says who they are."""
    first = _first_turns(sentences)
    return frozenset(
        row
        for row, (each, text) in enumerate(zip(sentences, _with_capitals(sentences), strict=True))
        if each.role is Role.CUSTOMER and _tells_name(text, at_first=each.utterance in first)
    )


def _first_turns(sentences: Sequence[Sentence]) -> set[int]:
    """The customer's first utterances."""
    said = dict.fromkeys(each.utterance for each in sentences if each.role is Role.CUSTOMER)
    return {*list(said)[:_AT_FIRST]}


@cache
def _listed() -> frozenset[str]:
    return frozenset(gzip.decompress(COMMON_WORDS.read_bytes()).decode().split())


@lru_cache(maxsize=10_000)
def _is_common(word: str) -> bool:
    """Whether it is no name: also "fixin" and "it's" are none."""
    if "-" in word:
        return all(map(_is_common, filter(None, word.split("-"))))
    forms = {word, word.capitalize(), f"{word}g"}
    return bool(_CONTRACTED.search(word)) or word in _COMMON or not forms.isdisjoint(_listed())


def _with_capitals(sentences: Sequence[Sentence]) -> list[str]:
    """Their texts; in a conversation without capitals, with some for what may be names."""
    texts = [each.text for each in sentences]
    return [_rewritten(text) for text in texts] if _uncapitalized(texts) else texts


def _uncapitalized(texts: Sequence[str]) -> bool:
    """Whether nobody wrote capitals; those of `ANYONE` are ours."""
    return not any(any(map(str.isupper, _OURS.sub("", text))) for text in texts)


def _rewritten(text: str) -> str:
    """As the patterns above expect it; "grace" is a name before a word that can be nothing else."""
    words = _SPELLED.split(text.replace("it is ", "it's "))  # every other one is in between
    surname = False
    for place in range(len(words) - 2, 0, -2):
        word = words[place]
        named = not _is_common(word)
        first = surname and word not in _COMMON and word.capitalize() in _listed()
        if named or first or word in _MYSELF:
            words[place] = word.capitalize()
        surname = named and words[place - 1].isspace()
    return "".join(words)


def _tells_name(text: str, *, at_first: bool) -> bool:
    named = {*_plain([match[1] for match in _OWN_NAME.finditer(text)])}
    if named - _COMMON:
        return True
    if not at_first:
        return False
    if _IT_IS_ME.match(" ".join(tokens(text))) or _is_bare_name(text):
        return True
    return any(any(_parts(match[1])) for match in _GIVEN.finditer(text))


def _is_bare_name(text: str) -> bool:
    """Whether a sentence is a name and surname, and perhaps a place, and courtesies besides."""
    bare = lexicon.COURTESY.sub("", text).strip(" ,")
    said = bare.split()
    if any(word[:1].isupper() for word in said):  # "Greg baker" is Greg Baker
        said = [word.capitalize() if word.capitalize() in _listed() else word for word in said]
    named = _BARE_NAME.fullmatch(" ".join(said))
    return bool(named) and _COMMON.isdisjoint(_plain(said))


def _found(sentences: Sequence[Sentence], texts: Sequence[str]) -> Iterator[str]:
    """The customer's names; `texts` are as `_with_capitals` writes them."""
    first = _first_turns(sentences)
    asked, guessed = False, texts != [each.text for each in sentences]
    for sentence, text in zip(sentences, texts, strict=True):
        if sentence.role is Role.AGENT:
            for match in _ASKED_FOR.finditer(text):
                yield from _parts(match[1])
            asked = bool(_ASKS_NAME.search(text)) or (asked and sentence.backchannel)
        elif sentence.role is Role.CUSTOMER:
            # Later in the call, words that no dictionary knows may be anything.
            if not guessed or sentence.utterance in first:
                for match in _GIVEN.finditer(text):
                    yield from _parts(match[1])
            if asked and len(sentence.words) <= _SHORT_ANSWER:
                yield from _parts(text)


def _parts(text: str) -> Iterator[str]:
    capitalized = (word for word in text.split() if word[:1].isupper())
    # Whoever is called Will or May is not named by every "will" and "may" of the call.
    yield from (word for word in _plain(capitalized) if len(word) > 2 and word not in _COMMON)


def _plain(words: Iterator[str] | list[str]) -> Iterator[str]:
    return (re.sub(r"'s$|[^\w'-]", "", word).lower() for word in words)
