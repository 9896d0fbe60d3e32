"""The words by which what was said is compared with what a rubric lists."""

import re
from functools import lru_cache

__all__ = ["tokens"]

_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+")


@lru_cache(maxsize=10_000)
def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers, punctuation dropped."""
    return tuple(_TOKEN.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))
