"""Turns of a recording with one party per channel: who speaks is known, only when is asked.

Speech is where the segmentation model hears anybody: it was trained on speech beside music,
tones and noise. Crosstalk, the other party's speech leaking over, sounds like speech too; what
tells it apart is that it is fainter than its source, always by about the same amount.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, binary_opening, maximum_filter1d

from callscope.audio import SAMPLE_RATE
from callscope.channels import FRAME, frame_levels
from callscope.pipeline import Progress
from callscope.types import Turn
from services.diarize.segmentation import Samples, Segmenter, frame_at, runs
from services.diarize.turns import tidy

__all__ = ["channel_turns"]

Mask = npt.NDArray[np.bool_]  # one per frame of 20 ms
Levels = npt.NDArray[np.float32]  # dBFS, one per frame of 20 ms

_STEP = 8.0  # seconds between windows, which then overlap just at their unsure edges
_ACTIVE = 0.5  # share of windows: the majority
_ECHO = 25  # frames by which crosstalk may come late
_DOMINANT = -6.0  # dB; below, the other party dominates: mostly nothing but its crosstalk is heard
_ABOVE = 12.0  # dB above the usual crosstalk: somebody's own speech
_LASTING = 3  # frames it stays so
_SOFT = 15  # frames around own speech that belong to it, such as the soft ends of words


@dataclass(frozen=True, slots=True)
class _Party:
    """A channel: how loud it is, and where speech is heard on it, its own or leaked."""

    channel: int
    levels: Levels
    speech: Mask


def channel_turns(
    samples: Samples, channels: Sequence[int], segmenter: Segmenter, progress: Progress
) -> tuple[Turn, ...]:
    """Turns of `channel_0`, `channel_1`, ... in order of start; they may overlap.

    Args:
        samples: (channels, samples) at 16 kHz.
        channels: those that carry a party.
        segmenter: tells speech from the rest.
        progress: called with the share done; may raise to stop the work.
    """
    parties = []
    for number, channel in enumerate(channels):

        def report(done: float, before: int = number) -> None:
            progress((before + done) / len(channels))

        levels = frame_levels(samples[channel])
        speech = _speech(segmenter.activity(samples[channel], _STEP, report), len(levels))
        parties.append(_Party(channel, levels, speech))
    return tidy(turn for party in parties for turn in _turns(party, parties))


def _speech(activity: npt.NDArray[np.float32], frames: int) -> Mask:
    """Where anybody is active, by frames of 20 ms."""
    heard = activity.sum(axis=1) > _ACTIVE
    at = [frame_at((frame + 0.5) * FRAME / SAMPLE_RATE) for frame in range(frames)]
    return np.asarray(heard[np.clip(at, 0, len(heard) - 1)])


def _turns(party: _Party, parties: Sequence[_Party]) -> Iterator[Turn]:
    own = party.speech.copy()
    for other in parties:
        if other is not party:
            own &= ~_crosstalk(other, party)
    for first, end in runs(own):
        start, until = first * FRAME / SAMPLE_RATE, end * FRAME / SAMPLE_RATE
        yield Turn(f"channel_{party.channel}", start, until, party.channel)


def _crosstalk(source: _Party, party: _Party) -> Mask:
    """Where what is heard on `party` is no more than what usually leaks from `source`."""
    gain = party.levels - maximum_filter1d(source.levels, 2 * _ECHO + 1)
    talking: Mask = np.asarray(binary_dilation(source.speech, iterations=_ECHO))
    leaks: Mask = talking & (gain < _DOMINANT)
    if not leaks.any():
        return leaks
    own = binary_opening(gain > np.median(gain[leaks]) + _ABOVE, np.ones(_LASTING))
    crosstalk: Mask = talking & ~binary_dilation(own, iterations=_SOFT)
    return crosstalk
