"""The words that are no names: `python -m training.common_words`.

What our corpus writes without a capital in the middle of a sentence, twice or more. By them names
are told from other words where a recognizer writes no capitals (`services.score.names`).
"""

import re
from collections import Counter
from collections.abc import Iterable

from services.score.names import COMMON_WORDS
from training import corpus

__all__ = ["main", "words"]

OFTEN = 2
_INSIDE = re.compile(r"(?<=[a-z,] )[a-z][a-z'-]+")


def main() -> None:
    """Write the list that the score service reads."""
    found = words(item.text for item in corpus.load())
    COMMON_WORDS.write_text("\n".join(found) + "\n", encoding="utf-8")
    print(f"{COMMON_WORDS}: {len(found)} words")


def words(texts: Iterable[str]) -> list[str]:
    """The words, sorted; texts without any capital tell nothing of names."""
    counts = Counter(
        word for text in texts if text != text.lower() for word in _INSIDE.findall(text)
    )
    return sorted(word for word, count in counts.items() if count >= OFTEN)


if __name__ == "__main__":
    main()
