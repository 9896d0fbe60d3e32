"""Whether to believe what the recognizer heard in a clip, and what it passed over."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from callscope.audio import SAMPLE_RATE
from callscope.types import Word
from services.transcribe.recognizer import Heard
from services.transcribe.windows import Stretch

__all__ = [
    "is_aside",
    "is_convincing",
    "is_invented",
    "is_sound",
    "missed",
    "says_twice",
    "words_in",
]

# Whisper's own bounds (arXiv 2212.04356, section 4.5): beyond, the text is a loop, or invented.
_LOOP = 2.4
_UNLIKELY = -1.0  # mean log probability of a token
_SILENT = 0.6

_SHORTEST_PHRASE = 3  # words; shorter ones people do say twice: "no, no", "bye bye"
_SHORTEST_MISS = 0.3  # seconds of speech; the padding around a stretch does not count
_PADDING = 0.2  # seconds, at each end of a stretch
_LONGEST_PAUSE = 1.2  # seconds without a word amid speech
_SLOWEST_WORD, _SLOWEST_LETTER, _SLOWEST_DIGIT = 0.4, 0.12, 0.5  # seconds
_HALF = 0.5
_LONGEST_ASIDE = 1.0  # seconds
_UNSURE = 0.7  # mean probability of the words


def is_sound(heard: Heard) -> bool:
    """Whether nothing speaks against it: it ends, does not loop, and is likely."""
    return heard.complete and heard.repetition <= _LOOP and heard.confidence >= _UNLIKELY


def is_invented(heard: Heard) -> bool:
    """Whether nobody said that: a loop, or a guess where the model itself hears no speech."""
    guess = heard.silence > _SILENT and heard.confidence < _UNLIKELY
    return guess or heard.repetition > _LOOP


def is_convincing(heard: Heard) -> bool:
    """Whether a second reading of what the first made nothing of may be believed.

    Stricter than `is_sound`: on music and noise a second reading is often a fluent "Thank you",
    while the model itself hears no speech.
    """
    return is_sound(heard) and heard.silence <= _SILENT


def says_twice(heard: Heard) -> bool:
    """Whether a phrase of three words or more comes twice in a row.

    People do that, and the decoder does it by itself where the context is short: whether it was
    spoken twice, only listening again can tell.
    """
    words = [_plain(word.text) for word in heard.words]
    return any(
        words[at : at + length] == words[at + length : at + 2 * length]
        for length in range(_SHORTEST_PHRASE, len(words) // 2 + 1)
        for at in range(len(words) - 2 * length + 1)
    )


def missed(stretch: Stretch, words: Sequence[Word]) -> list[Stretch]:
    """The speech of a stretch that none of its words covers; words in order."""
    if not words:
        return [stretch] if _seconds(stretch) >= _SHORTEST_MISS else []
    ends = [stretch.start, *(round(word.end * SAMPLE_RATE) for word in words)]
    starts = [*(round(word.start * SAMPLE_RATE) for word in words), stretch.end]
    return [
        Stretch(end, start)
        for end, start in zip(ends, starts, strict=True)
        if start - end >= _LONGEST_PAUSE * SAMPLE_RATE
    ]


def is_aside(stretch: Stretch, words: Sequence[Word]) -> bool:
    """Whether a stretch may be a "mm-hmm" by itself: short, and read with little confidence.

    Amid whole sentences the decoder makes words of these, or nothing.
    """
    if not _SHORTEST_MISS <= _seconds(stretch) <= _LONGEST_ASIDE:
        return False
    return sum(word.probability for word in words) < _UNSURE * max(1, len(words))


def longest(text: str) -> float:
    """Seconds that a word may last; the aligner stretches the last one before what is missed."""
    digits = sum(map(str.isdigit, text))
    return _SLOWEST_WORD + _SLOWEST_LETTER * (len(text) - digits) + _SLOWEST_DIGIT * digits


def is_repeat(reading: Sequence[Word], around: Sequence[Word]) -> bool:
    """Whether a reading of a gap says what its neighbors say: they were placed wrongly."""
    found, known = ([_plain(word.text) for word in words] for words in (reading, around))
    match = SequenceMatcher(None, found, known, autojunk=False).find_longest_match()
    return match.size > _HALF * len(found)


def words_in(stretch: Stretch, words: Sequence[Word]) -> list[Word]:
    """The words whose middle lies in the stretch."""
    return [
        word
        for word in words
        if stretch.start <= (word.start + word.end) / 2 * SAMPLE_RATE < stretch.end
    ]


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _seconds(stretch: Stretch) -> float:
    """Of speech, without the padding."""
    return len(stretch) / SAMPLE_RATE - 2 * _PADDING
