"""The words that are no names: `python -m training.common_words DICTIONARY...`.

By them names are told from other words where a recognizer writes no capitals
(`services.score.names`). They are what a spelling dictionary writes small (SCOWL by Kevin Atkinson,
as Debian packs it in `wamerican-large` and `wbritish-large`: /usr/share/dict/*-english-large), and
what our corpus writes small in the middle of a sentence, more often than with a capital: what
people say on the telephone and dictionaries leave out.
"""

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Set
from pathlib import Path

from services.score.names import COMMON_WORDS
from training import corpus

__all__ = ["main", "words"]

_INSIDE = re.compile(r"(?<=[a-z,] )[^\W\d_][^\W\d_]+\b(?!['-]| (?:dot|at)\b)")


def main() -> None:
    """Write the list that the score service reads."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dictionaries", type=Path, nargs="+", help="a word a line")
    options = parser.parse_args()
    lines = [path.read_text(encoding="utf-8").split() for path in options.dictionaries]
    listed = {word for words in lines for word in words}
    found = words(listed, (item.text for item in corpus.load()))
    content = "\n".join(found).encode() + b"\n"
    COMMON_WORDS.write_bytes(gzip.compress(content, mtime=0))
    print(f"{COMMON_WORDS}: {len(found)} words")


def words(listed: Set[str], texts: Iterable[str]) -> list[str]:
    """The words that are no names, sorted, with a capital if they may be ("Grace").

    That is what the dictionary writes small, but what it writes both ways and nobody says in the
    texts but as a name ("maria", plains of the moon); and what the texts write small.
    Possessives and contractions are known by their form.
    """
    said = Counter(word for text in texts if text != text.lower() for word in _INSIDE.findall(text))
    both = {word for word in listed if word.islower() and word.capitalize() in listed}
    small = {word for word in listed - both if word.islower() and "'" not in word}
    spoken = {
        word for word, count in said.items() if word.islower() and count > said[word.capitalize()]
    }
    heard = {word.capitalize() for word in both if said[word]}
    return sorted(heard | small | (spoken - both))


if __name__ == "__main__":
    main()
