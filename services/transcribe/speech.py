"""Where somebody speaks on a channel: voice activity that survives telephone lines.

Silero's detector was trained on full-band speech and leans on the fundamental of the voice. Many
lines cut everything below 300 Hz, some so steeply that it hardly finds anything (3% of the
frames of an agent's speech, measured, where an open line gives 76%). The fundamental is still
there, as the spacing of the harmonics: rectifying the signal brings it back (the "missing
fundamental" of hearing research), and with some of it mixed in, the detector finds 77% of the
same frames, with no more false alarms on music, ringing and tones.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.lib.stride_tricks import sliding_window_view

from callscope.audio import SAMPLE_RATE
from callscope.channels import FRAME
from services.transcribe.windows import Stretch

__all__ = ["find_speech", "restore_fundamental"]

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float32]  # dBFS, one per 20 ms frame
Mask = npt.NDArray[np.bool_]  # one per frame

_TARGET_LEVEL = -23.0  # dBFS; speech that is far quieter escapes the detector
_LARGEST_GAIN = 50.0  # dB
_FUNDAMENTAL_GAIN = 1.5
_SMOOTH = 40  # samples whose mean keeps what is below about 180 Hz
_DRIFT = 180  # samples whose mean keeps what is too slow for a voice, below about 40 Hz

_QUIETER = 35.0  # dB below the channel's speech; deeper is no speech
_CROSSTALK_RATIO = 15.0  # dB by which another channel is louder ...
_CROSSTALK_DEPTH = 12.0  # ... while this one lies so far below its own speech
_MARGIN = 15  # frames looked at around what may be speech
_SHORTEST_GAP = 50  # frames; shorter ones are not worth a cut
_LONGEST_PIECE = 300 * SAMPLE_RATE  # samples; bounds memory, and the time between two reports

_OPTIONS = VadOptions(
    threshold=0.4,
    min_speech_duration_ms=100,
    min_silence_duration_ms=400,
    speech_pad_ms=200,
)


def find_speech(
    channel: Samples,
    levels: Levels,
    level: float,
    others: Levels,
    longest: int,
    progress: Callable[[float], None],
) -> list[Stretch]:
    """The stretches of a channel in which somebody speaks, in order, with a little around each.

    Args:
        channel: the samples, at 16 kHz.
        levels: of the channel's frames (`callscope.channels.frame_levels`).
        level: of the channel's speech, in dBFS.
        others: levels of the loudest other party in each frame, to tell its crosstalk.
        longest: samples; longer speech is cut, at a pause if there is one.
        progress: called with the share done.
    """
    options = replace(_OPTIONS, max_speech_duration_s=longest / SAMPLE_RATE)
    gain = np.float32(10 ** (min(_TARGET_LEVEL - level, _LARGEST_GAIN) / 20))
    foreign = (others > levels + _CROSSTALK_RATIO) & (levels < level - _CROSSTALK_DEPTH)
    found: list[Stretch] = []
    for start, end in _pieces(levels > level - _QUIETER, len(channel)):
        clear = restore_fundamental(channel[start:end]) * gain
        _mute(clear, foreign[start // FRAME : end // FRAME])
        found += [
            Stretch(start + each["start"], start + each["end"])
            for each in get_speech_timestamps(clear, options)
        ]
        progress(end / len(channel))
    return found


def restore_fundamental(samples: Samples) -> Samples:
    """The samples with the voice's fundamental mixed in, taken from their envelope."""
    envelope = np.abs(samples)
    fundamental = _moving_mean(envelope, _SMOOTH) - _moving_mean(envelope, _DRIFT)
    return np.asarray(samples + _FUNDAMENTAL_GAIN * fundamental, dtype=np.float32)


def _moving_mean(values: Samples, width: int) -> Samples:
    sums = np.cumsum(np.pad(values, (width // 2 + 1, (width - 1) // 2)), dtype=np.float64)
    return np.asarray((sums[width:] - sums[:-width]) / width, dtype=np.float32)


def _mute(samples: Samples, frames: Mask) -> None:
    whole = samples[: len(frames) * FRAME].reshape(-1, FRAME)
    whole[frames[: len(whole)]] = 0.0


def _pieces(possible: Mask, length: int) -> Iterator[tuple[int, int]]:
    """Runs of frames around the possible ones, short gaps included, as (start, end) samples."""
    near = sliding_window_view(np.pad(possible, _MARGIN), 2 * _MARGIN + 1).any(axis=1)
    edges = np.flatnonzero(np.diff(near.astype(np.int8), prepend=0, append=0))
    inner = edges[1:-1].reshape(-1, 2)  # the gaps, from an end to the next start
    bounds = np.concatenate([edges[:1], inner[inner[:, 1] - inner[:, 0] >= _SHORTEST_GAP].ravel()])
    for first, last in np.append(bounds, edges[-1:]).reshape(-1, 2).tolist():
        end = length if last == len(possible) else last * FRAME
        for at in range(first * FRAME, end, _LONGEST_PIECE):
            yield at, min(at + _LONGEST_PIECE, end)
