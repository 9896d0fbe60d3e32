"""The small words of a listener: "mm-hmm", "okay", "I see".

They keep the other talking instead of taking the floor: back channels (Yngve, "On getting a
word in edgewise", 1970), of which continuers are the purest (Schegloff, "Discourse as an
interactional achievement: some uses of 'uh huh' and other things that come between sentences",
1982).
"""

import re
from collections.abc import Iterable

__all__ = ["is_answer", "is_listening"]

CONTINUERS = frozenset(
    {
        "mm", "mmm", "mhm", "mmhm", "mmhmm", "hm", "hmm", "mm-hmm", "mm-hm", "m-hm", "mhmm",
        "mm-mm", "m-hmm", "uh-huh", "uhhuh", "uh-hum", "um-hum", "um-hmm", "umhum", "aha", "ah",
        "oh", "okay", "ok", "okey", "alright", "all right", "right", "i see", "got it", "gotcha",
        "i understand", "understood", "wow", "oh wow", "oh no", "oh my", "oh dear", "oh my god",
        "oh my goodness", "goodness", "huh", "really", "interesting", "nice", "good", "great",
        "cool", "fair enough", "go on", "go ahead", "i hear you", "i know", "true", "oh okay",
        "uh", "um",
    }
)  # fmt: skip
"""What acknowledges without answering."""

ANSWERS = frozenset(
    {
        "yes", "yeah", "yep", "yup", "ya", "sure", "exactly", "correct", "absolutely",
        "definitely", "of course", "perfect", "thank you", "thanks", "no problem", "that's right",
        "right right", "totally", "for sure", "indeed",
    }
)  # fmt: skip
"""What acknowledges while the other talks, and answers when the other has stopped."""

_LONGEST = max(len(phrase.split()) for phrase in CONTINUERS | ANSWERS)


def is_listening(words: Iterable[str]) -> bool:
    """Whether the words, as written, are nothing but signs of listening."""
    return _made_of([_bare(word) for word in words], CONTINUERS | ANSWERS)


def is_answer(words: Iterable[str]) -> bool:
    """Whether any of the words could be an answer, too."""
    return not _made_of([_bare(word) for word in words], CONTINUERS)


def _bare(word: str) -> str:
    return re.sub(r"[^\w'-]+", "", word.lower().replace("\u2019", "'")).strip("-")


def _made_of(words: list[str], lexicon: frozenset[str]) -> bool:
    """Whether phrases of the lexicon, taken longest first, make up all the words."""
    words = [word for word in words if word]
    if not words:
        return False
    at = 0
    while at < len(words):
        length = next(
            (n for n in range(_LONGEST, 0, -1) if " ".join(words[at : at + n]) in lexicon), 0
        )
        if not length:
            return False
        at += length
    return True
