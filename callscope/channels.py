"""How healthy a recording's channels are, and how the parties lie on them.

A header that claims two channels may mean one party each, the same mixture twice, or one live
channel beside one that carries nothing, or nothing but the other's crosstalk. Transcription and
diarization both ask here, so they agree. Everything is measured on the levels of 20 ms frames
and on the coherence between channels; time is linear, and the temporaries are small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from callscope.types import ChannelFinding, ChannelLayout, ChannelReport

__all__ = ["FRAME", "ChannelCheck", "check_channels", "frame_levels"]

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.float32]  # dBFS, one per frame
Mask = npt.NDArray[np.bool_]  # one per frame

FRAME = 320  # samples: 20 ms at 16 kHz
_FRAMES_AT_ONCE = 5_000
_SILENCE = -120.0  # dBFS, stands for digital zero

_IDLE = -85.0  # dBFS: what stays below is the last bit of a silent line
_FLOOR = 10  # percentile of a channel's levels
_RISE = 6.0  # dB above the floor: more than any steady noise or hum fluctuates
_ALIVE = 10  # frames that must rise for a channel to carry a signal

_ACTIVITY_MARGIN = 15.9  # dB between active speech level and threshold (ITU-T P.56, method B)
_OWN_RISE = 10.0  # dB above the channel's own floor
_OWN_MARGIN = 3.0  # dB above every other channel
_OWN_DEPTH = 40.0  # dB below the other's speech; a line's stray noise lies deeper
_NEARBY = 20  # frames; crosstalk may come late, as an echo
_OWN_FRAMES = 25  # that make a party
_EQUALS = 20.0  # dB; a channel about as loud as the rest is no crosstalk unless it is coherent

_WINDOW = 8192  # samples: long against the delay between two legs of a call
_SHORTEST_WINDOW = 512
_ENOUGH_WINDOWS = 24  # below, even strangers look coherent
_INSIDE = 0.2  # of a window's frames: speech has gaps
_MOST_WINDOWS = 200  # spread over the recording
_SAME = 0.9  # share of a channel's energy that another one explains
_SAME_GAIN = -25.0  # dB; a fainter copy is crosstalk
_HALF = 0.5
_LEAK_SHARE = 0.02  # the rest is the line's own noise
_CHANCE = 2.0  # windows; a share of _CHANCE / windows may be coincidence
_LEAK_GAIN = -40.0  # dB; fainter crosstalk is neither heard nor recognized


@dataclass(frozen=True, slots=True)
class ChannelCheck:
    """What was measured: the layout, the channels worth transcribing, one report per channel."""

    layout: ChannelLayout
    active: tuple[int, ...]
    reports: tuple[ChannelReport, ...]


@dataclass(frozen=True, slots=True)
class _Channel:
    """What is measured of one channel by itself."""

    index: int
    samples: Samples
    levels: Levels
    floor: float  # dBFS
    speech_level: float  # dBFS
    speaks: Mask


@dataclass(frozen=True, slots=True)
class _Common:
    """What two channels have in common."""

    share: float  # of the second channel's energy, 0-1
    gain: float  # dB from the first to the second
    chance: float  # share that strangers may reach


def check_channels(samples: Samples) -> ChannelCheck:
    """Measure (channels, samples) at 16 kHz.

    TWO_PARTY where at least two channels carry a party's own speech, which `active` lists. MONO
    otherwise; then `active` holds the one channel to listen to: the party's, or the loudest of
    several that hear the same. Where all channels are dead, `active` is empty.
    """
    measured = [_measure(index, channel) for index, channel in enumerate(samples)]
    alive = [channel for channel in measured if _is_alive(channel)]
    twins = {b.index for at, b in enumerate(alive) if any(_is_same(a, b) for a in alive[:at])}
    distinct = [channel for channel in alive if channel.index not in twins]
    parties = [c for c in distinct if all(_speaks_apart(c, o) for o in distinct if o is not c)]
    leaking = {b.index for b in distinct if any(_leaks(a, b) for a in distinct if a is not b)}

    active = parties if len(parties) > 1 else sorted(parties or distinct, key=_loudness)[-1:]
    return ChannelCheck(
        layout=ChannelLayout.TWO_PARTY if len(active) > 1 else ChannelLayout.MONO,
        active=tuple(channel.index for channel in active),
        reports=tuple(_report(channel, alive, twins, leaking) for channel in measured),
    )


def frame_levels(channel: Samples) -> Levels:
    """RMS level of each whole 20 ms frame in dBFS, DC apart, -120 at least."""
    frames = channel[: len(channel) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.empty(len(frames), dtype=np.float32)
    for at in range(0, len(frames), _FRAMES_AT_ONCE):  # var() makes temporaries
        power[at : at + _FRAMES_AT_ONCE] = frames[at : at + _FRAMES_AT_ONCE].var(axis=1)
    return _decibels(power)


def _measure(index: int, samples: Samples) -> _Channel:
    levels = frame_levels(samples)
    if len(levels) == 0:  # shorter than a frame
        return _Channel(index, samples, levels, _SILENCE, _SILENCE, levels > 0)
    speech_level, threshold = _active_level(levels)
    floor = float(np.percentile(levels, _FLOOR))
    return _Channel(index, samples, levels, floor, speech_level, levels > threshold)


def _active_level(levels: Levels) -> tuple[float, float]:
    """Level of the active part, and the level that bounds it, after ITU-T P.56 method B.

    The bound is where the mean power of what lies above is 15.9 dB higher than the bound itself.
    """
    falling = np.sort(levels)[::-1].astype(np.float64)
    means = _decibels(np.cumsum(10 ** (falling / 10)) / np.arange(1, len(falling) + 1))
    deep = means - falling >= _ACTIVITY_MARGIN
    bound = int(np.argmax(deep)) if deep.any() else len(falling) - 1
    return float(means[bound]), float(falling[bound])


def _is_alive(channel: _Channel) -> bool:
    """Whether there is more than digital silence, idle noise or hum."""
    rising = np.count_nonzero(channel.levels > max(channel.floor + _RISE, _IDLE))
    return bool(rising >= min(_ALIVE, max(1, len(channel.levels) // 5)))


def _is_same(a: _Channel, b: _Channel) -> bool:
    """Whether `b` carries the signal of `a`, up to gain, a small delay and a little noise."""
    common = _explained(a, b, a.speaks | b.speaks)
    return common.share >= _SAME and common.gain >= _SAME_GAIN


def _speaks_apart(channel: _Channel, other: _Channel) -> bool:
    """Whether there is speech on `channel` that cannot have come over from `other`.

    Either it speaks at times while the other is silent or clearly fainter anywhere near, or it
    is about as loud in general and the other does not explain it: both talk all the time.
    """
    bound = max(channel.floor + _OWN_RISE, other.speech_level - _OWN_DEPTH)
    alone = ~_nearby(other.speaks) | (channel.levels > _nearby(other.levels) + _OWN_MARGIN)
    own = channel.speaks & (channel.levels > bound) & alone
    if np.count_nonzero(own) >= _OWN_FRAMES:
        return True
    if channel.speech_level < other.speech_level - _EQUALS:
        return False
    return _explained(other, channel, channel.speaks).share < _HALF


def _leaks(a: _Channel, b: _Channel) -> bool:
    """Whether `a` is heard on `b` while `a` alone speaks."""
    common = _explained(a, b, a.speaks & (a.levels > b.levels + _OWN_MARGIN))
    return common.share >= _LEAK_SHARE + common.chance and common.gain >= _LEAK_GAIN


def _nearby(frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The largest value within `_NEARBY` frames of each frame."""
    padded = np.pad(frames, _NEARBY, mode="edge")
    return np.asarray(sliding_window_view(padded, 2 * _NEARBY + 1).max(axis=1))


def _explained(a: _Channel, b: _Channel, when: Mask) -> _Common:
    """How much of `b` is `a` through some filter, in the windows that lie in `when` enough.

    The share is coherence weighted by energy, corrected for the bias of a mean over few windows.
    """
    size = _WINDOW
    while size > _SHORTEST_WINDOW and len(a.samples) < _ENOUGH_WINDOWS * size // 2:
        size //= 2
    starts = _windows(when, size, len(a.samples))
    if len(starts) < 2:
        return _Common(share=0.0, gain=_SILENCE, chance=1.0)
    taper = np.hanning(size).astype(np.float32)
    power_a = power_b = np.zeros(size // 2 + 1)
    cross = np.zeros(size // 2 + 1, dtype=np.complex128)
    for start in starts:
        x = np.fft.rfft(a.samples[start : start + size] * taper)
        y = np.fft.rfft(b.samples[start : start + size] * taper)
        power_a = power_a + np.abs(x) ** 2
        power_b = power_b + np.abs(y) ** 2
        cross += x.conj() * y
    common = np.sum(np.abs(cross) ** 2 / np.maximum(power_a, 1e-12))
    share = common / max(np.sum(power_b), 1e-12)
    bias = 1 / len(starts)
    return _Common(
        share=float((share - bias) / (1 - bias)),
        gain=float(_decibels(np.asarray(common / max(np.sum(power_a), 1e-12)))),
        chance=_CHANCE / len(starts),
    )


def _windows(when: Mask, size: int, length: int) -> Sequence[int]:
    """First samples of half overlapping windows, of whose frames enough are in `when`."""
    starts = np.arange(0, length - size + 1, size // 2)
    counts = np.concatenate([[0], np.cumsum(when)])
    first = starts // FRAME
    last = np.minimum((starts + size) // FRAME, len(when))
    inside = starts[counts[last] - counts[first] >= np.maximum(1, _INSIDE * (last - first))]
    step = -(-len(inside) // _MOST_WINDOWS)  # rounded up
    return [int(start) for start in inside[:: max(1, step)]]


def _report(
    channel: _Channel, alive: Sequence[_Channel], twins: set[int], leaking: set[int]
) -> ChannelReport:
    if channel not in alive:
        return ChannelReport(channel.index, None, (ChannelFinding.DEAD,))
    findings = {ChannelFinding.DUPLICATED: twins, ChannelFinding.LEAKING: leaking}
    found = tuple(finding for finding, who in findings.items() if channel.index in who)
    return ChannelReport(channel.index, round(channel.speech_level, 2), found)


def _loudness(channel: _Channel) -> tuple[float, int]:
    return channel.speech_level, -channel.index


def _decibels(power: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    bounded = np.maximum(power, 10 ** (_SILENCE / 10))
    return np.asarray(10 * np.log10(bounded), dtype=np.float32)
