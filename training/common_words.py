"""The words that are no names: `python -m training.common_words DICTIONARY...`.

By them names are told from other words where a recognizer writes no capitals
(`services.score.names`). They are what a spelling dictionary writes small (SCOWL by Kevin Atkinson,
as Debian packs it in `wamerican-large` and `wbritish-large`: /usr/share/dict/*-english-large), and
what our corpus writes small in the middle of a sentence, twice or more, and more often than with a
capital: what people say on the telephone and dictionaries leave out.
"""

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from services.score.names import COMMON_WORDS
from training import corpus

__all__ = ["main", "spoken", "written"]

OFTEN = 2
_INSIDE = re.compile(r"(?<=[a-z,] )[^\W\d_][^\W\d_]+\b(?!['-]| (?:dot|at)\b)")


def main() -> None:
    """Write the list that the score service reads."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dictionaries", type=Path, nargs="+", help="a word a line")
    options = parser.parse_args()
    texts = (item.text for item in corpus.load())
    listed = written(options.dictionaries)
    found = sorted(listed | {word for word in spoken(texts) if word.capitalize() not in listed})
    content = "\n".join(found).encode() + b"\n"
    COMMON_WORDS.write_bytes(gzip.compress(content, mtime=0))
    print(f"{COMMON_WORDS}: {len(found)} words")


def written(dictionaries: Iterable[Path]) -> set[str]:
    """What dictionaries write small, with a capital if they write it both ways ("Grace").

    Possessives and contractions are known by their form.
    """
    lines = [path.read_text(encoding="utf-8").split() for path in dictionaries]
    found = {word for words in lines for word in words}
    return {
        word.capitalize() if word.capitalize() in found else word
        for word in found
        if word.islower() and "'" not in word
    }


def spoken(texts: Iterable[str]) -> set[str]:
    """What the texts write small; those without any capital tell nothing of names."""
    counts = Counter(
        word for text in texts if text != text.lower() for word in _INSIDE.findall(text)
    )
    return {
        word
        for word, count in counts.items()
        if word.islower() and count >= OFTEN and count > counts[word.capitalize()]
    }


if __name__ == "__main__":
    main()
