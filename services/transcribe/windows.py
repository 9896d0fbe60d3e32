"""Speech packed into windows for the recognizer, and times led back to the recording.

A window holds stretches of one channel's speech, one after the other, without the silence
between them. Whisper always computes whole windows, so full ones save most of the work on a
call, where each party is silent more than half of the time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from callscope.audio import SAMPLE_RATE

__all__ = ["Stretch", "Window", "pack"]

_SHORTEST_WORD = 0.02  # seconds: a step of the aligner
_OPEN = 3  # windows that still take stretches


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Speech on one channel, from `start` to before `end`, in samples of the recording."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Window:
    """Stretches of one channel in order, heard as if they followed each other."""

    channel: int
    stretches: tuple[Stretch, ...]

    def __len__(self) -> int:
        return sum(map(len, self.stretches))

    @property
    def seconds(self) -> float:
        """Length of what is heard."""
        return len(self) / SAMPLE_RATE

    def audio(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What is heard, cut from the recording's (channels, samples)."""
        return np.concatenate([samples[self.channel, s.start : s.end] for s in self.stretches])

    def in_recording(self, start: float, end: float) -> tuple[float, float]:
        """Seconds in the recording of a word heard from `start` to `end` in the window.

        A word belongs to the stretch its middle is in, and does not reach beyond it: the
        aligner lets words run on into the next stretch, seconds later in the recording.
        """
        begins = list(accumulate(map(len, self.stretches), initial=0))[:-1]
        middle = (start + end) / 2 * SAMPLE_RATE
        at = max(0, bisect_right(begins, middle) - 1)
        stretch = self.stretches[at]
        shift = (stretch.start - begins[at]) / SAMPLE_RATE
        lowest, highest = stretch.start / SAMPLE_RATE, stretch.end / SAMPLE_RATE
        begin = min(max(start + shift, lowest), highest - _SHORTEST_WORD)
        return begin, min(max(end + shift, begin + _SHORTEST_WORD), highest)


def pack(channel: int, stretches: Sequence[Stretch], limit: int) -> list[Window]:
    """Fill windows of at most `limit` samples; a longer stretch is cut up.

    A stretch goes into the first of the last few windows that has room for it, so that a long one
    does not leave the window before it half empty: the bounded-space first fit of bin packing.
    """
    windows: list[list[Stretch]] = []
    for stretch in _cut(stretches, limit):
        roomy = (w for w in windows[-_OPEN:] if sum(map(len, w)) + len(stretch) <= limit)
        if (window := next(roomy, None)) is not None:
            window.append(stretch)
        else:
            windows.append([stretch])
    return [Window(channel, tuple(window)) for window in windows]


def _cut(stretches: Sequence[Stretch], limit: int) -> list[Stretch]:
    return [
        Stretch(at, min(at + limit, stretch.end))
        for stretch in stretches
        for at in range(stretch.start, stretch.end, limit)
    ]
