"""Words as they are searched for: the same on SQLite and PostgreSQL.

What was said and what is looked for are cut into the same plain words here, without case, accents
and apostrophes, so that the databases' own ideas of a word play no part: "Don't" and "dont" are
one word, in any language. Words beside each other stay so, for phrases; utterances stay apart.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callscope.errors import InvalidInput

__all__ = [
    "Wanted",
    "fts5_document",
    "fts5_query",
    "mark",
    "tsquery",
    "tsvector",
    "wanted",
    "words",
]

MAX_TERMS = 16
_MAX_WORD = 64  # characters; what is longer is no word that anybody says
_APOSTROPHES = str.maketrans("", "", "'\u2019\u02bc\u2018`")
_WORD = re.compile(r"[^\W_]+")
_TERM = re.compile(r'"([^"]*)"|(\S+)')
# Between two utterances: of the private use area, so that no text yields it as a word.
_BREAK = "\ue000"
_MARK = "\ue001"
_LAST_POSITION = 16383  # PostgreSQL's limits of a tsvector, section 8.11 of its manual
_MOST_POSITIONS = 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: each phrase, of one word or more, is somewhere in the call."""

    phrases: tuple[tuple[str, ...], ...]


def words(text: str) -> list[str]:
    """The plain words of a text, in order."""
    # Taken apart twice: folding puts some letters together, and some only fold in parts.
    parts = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    letters = unicodedata.normalize("NFKD", parts)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [word[:_MAX_WORD] for word in _WORD.findall(plain)]


def wanted(query: str) -> Wanted:
    """What a person looks for: words that all occur, and phrases in double quotes.

    Raises:
        InvalidInput: there is no word in it, or too many.
    """
    terms = [
        words(match[1] if match[1] is not None else match[2]) for match in _TERM.finditer(query)
    ]
    # A term such as "follow-up" is two words beside each other.
    phrases = tuple(dict.fromkeys(tuple(term) for term in terms if term))
    if not phrases:
        raise InvalidInput(
            "text: there is no word to look for",
            remedy='Give words, or a phrase in double quotes: text=refund "thank you".',
        )
    if sum(map(len, phrases)) > MAX_TERMS:
        raise InvalidInput(
            f"text: more than {MAX_TERMS} words to look for", remedy="Look for fewer words."
        )
    return Wanted(phrases)


def mark(*facts: str) -> str:
    """A word that nobody says and that stands for a fact about a call.

    A common word and a rare agent would mean to look at every call with the word: SQLite cannot
    weigh its words against another index, and PostgreSQL does not count what it costs to fetch a
    call's words. With the fact as one more word, only calls that have both are looked at. Marks
    only narrow: the facts themselves are compared as well.
    """
    return _MARK + hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def fts5_document(utterances: Iterable[str], marks: Iterable[str] = ()) -> str:
    """The text that SQLite's FTS5 is given for a call's utterances and facts."""
    return f" {_BREAK} ".join([*(" ".join(words(text)) for text in utterances), *marks])


def fts5_query(what: Wanted, marks: Iterable[Sequence[str]] = ()) -> str:
    """The query in FTS5's language (its manual, section 3): of each group, one mark or more."""
    phrases = [f'"{" ".join(phrase)}"' for phrase in what.phrases]
    return " AND ".join([*phrases, *(f"({' OR '.join(group)})" for group in marks)])


def tsvector(utterances: Iterable[str], marks: Iterable[str] = ()) -> str:
    """PostgreSQL's tsvector of a call's utterances and facts, as text.

    Of a word said more than 255 times, and of words after the 16,383rd, it knows that they were
    said, and no longer beside which others.
    """
    places: dict[str, list[int]] = {}
    at = 0
    for text in utterances:
        for word in words(text):
            at += 1
            known = places.setdefault(word, [])
            if len(known) < _MOST_POSITIONS:
                known.append(min(at, _LAST_POSITION))
        at += 1  # a phrase does not go on in the next utterance
    said = (f"'{word}':{_joined(known)}" for word, known in places.items())
    return " ".join([*said, *(f"'{each}'" for each in marks)])


def tsquery(what: Wanted, marks: Iterable[Sequence[str]] = ()) -> str:
    """The query as PostgreSQL's tsquery, as text: of each group, one mark or more."""
    phrases = [" <-> ".join(f"'{word}'" for word in phrase) for phrase in what.phrases]
    groups = [" | ".join(f"'{each}'" for each in group) for group in marks]
    return " & ".join(f"({part})" for part in phrases + groups)


def _joined(places: Sequence[int]) -> str:
    return ",".join(map(str, dict.fromkeys(places)))
