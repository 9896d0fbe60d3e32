"""Whether to believe what the recognizer heard in a clip, and what it passed over."""

from collections.abc import Sequence

from callscope.audio import SAMPLE_RATE
from callscope.types import Word
from services.transcribe.recognizer import Heard
from services.transcribe.windows import Stretch, Window

__all__ = ["is_invented", "is_sound", "missed", "says_twice"]

# Whisper's own bounds (arXiv 2212.04356, section 4.5): beyond, the text is a loop, or invented.
_LOOP = 2.4
_UNLIKELY = -1.0  # mean log probability of a token
_SILENT = 0.6

_SHORTEST_PHRASE = 3  # words; shorter ones people do say twice: "no, no", "bye bye"
_SHORTEST_MISS = 0.3  # seconds of speech; the padding around a stretch does not count
_PADDING = 0.2  # seconds, at each end of a stretch
_LONGEST_PAUSE = 1.2  # seconds without a word amid speech


def is_sound(heard: Heard) -> bool:
    """Whether nothing speaks against it: it ends, does not loop, and is likely."""
    return heard.complete and heard.repetition <= _LOOP and heard.confidence >= _UNLIKELY


def is_invented(heard: Heard) -> bool:
    """Whether nobody said that: a loop, or a guess where the model itself hears no speech."""
    guess = heard.silence > _SILENT and heard.confidence < _UNLIKELY
    return guess or heard.repetition > _LOOP


def says_twice(heard: Heard) -> bool:
    """Whether a phrase of three words or more comes twice in a row.

    People do that, and the decoder does it by itself where the context is short: whether it was
    spoken twice, only listening again can tell.
    """
    words = ["".join(filter(str.isalnum, word.text)).casefold() for word in heard.words]
    return any(
        words[at : at + length] == words[at + length : at + 2 * length]
        for length in range(_SHORTEST_PHRASE, len(words) // 2 + 1)
        for at in range(len(words) - 2 * length + 1)
    )


def missed(clip: Window, words: Sequence[Word]) -> list[Stretch]:
    """Speech of the clip that none of its words covers; `words` are the clip's, in order."""
    return [
        gap
        for stretch in clip.stretches
        for gap in _gaps(stretch, [word for word in words if _in(word, stretch)])
    ]


def _in(word: Word, stretch: Stretch) -> bool:
    middle = (word.start + word.end) / 2 * SAMPLE_RATE
    return stretch.start <= middle <= stretch.end


def _gaps(stretch: Stretch, words: Sequence[Word]) -> list[Stretch]:
    if not words:
        heard = len(stretch) / SAMPLE_RATE - 2 * _PADDING
        return [stretch] if heard >= _SHORTEST_MISS else []
    ends = [stretch.start, *(round(word.end * SAMPLE_RATE) for word in words)]
    starts = [*(round(word.start * SAMPLE_RATE) for word in words), stretch.end]
    return [
        Stretch(end, start)
        for end, start in zip(ends, starts, strict=True)
        if start - end >= _LONGEST_PAUSE * SAMPLE_RATE
    ]
