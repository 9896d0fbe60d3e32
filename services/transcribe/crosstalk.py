"""Words that one party said and both channels carry."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from callscope.audio import SAMPLE_RATE
from callscope.channels import FRAME, ChannelCheck
from callscope.types import Word

__all__ = ["without_crosstalk"]

Levels = npt.NDArray[np.float32]  # dBFS, one per 20 ms frame

_LATE = 0.3  # seconds between the two: aligners err, echoes take time
_FAINTER = 6.0  # dB below the other channel, and below the channel's own speech
_SILENCE = -120.0  # dBFS


def without_crosstalk(
    words: Sequence[Word], levels: dict[int, Levels], check: ChannelCheck
) -> list[Word]:
    """The words, without those heard at the same time, clearly louder, on another channel.

    Both parties may say "yes" at once. So a word goes only if it is also fainter than what its
    own channel's party says otherwise.

    Args:
        words: of all channels.
        levels: of each channel's frames (`callscope.channels.frame_levels`).
        check: tells how loud each party speaks.
    """
    said: dict[str, list[Word]] = {}
    for word in words:
        said.setdefault(_plain(word), []).append(word)

    def is_copy(word: Word) -> bool:
        own = _level(word, levels[word.channel])
        usual = check.reports[word.channel].level_dbfs or 0.0
        return own < usual - _FAINTER and any(
            own < _level(word, levels[other.channel]) - _FAINTER
            for other in said[_plain(word)]
            if other.channel != word.channel and abs(other.start - word.start) < _LATE
        )

    return [word for word in words if not is_copy(word)]


def _plain(word: Word) -> str:
    return "".join(filter(str.isalnum, word.text)).casefold()


def _level(word: Word, levels: Levels) -> float:
    """Mean power of the channel while the word is said, in dBFS."""
    first = int(word.start * SAMPLE_RATE) // FRAME
    last = max(first + 1, int(word.end * SAMPLE_RATE) // FRAME)
    power = 10 ** (levels[first:last] / 10)
    return float(10 * np.log10(power.mean())) if len(power) else _SILENCE
