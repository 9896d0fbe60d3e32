"""A few seconds of a recording, for somebody to listen to.

Decoded and encoded anew, so that a browser plays what telephony records: G.711, GSM, AMR and the
rest. The seconds are those of the transcript: samples are counted from the first, as when the
recording was transcribed, since the times that damaged or variable-rate files claim drift.
"""

import io
import itertools
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

import av
import numpy as np
import numpy.typing as npt
import soxr

from callscope.audio import SAMPLE_RATE, opened_frames
from callscope.errors import EmptyAudio, InvalidInput, UnknownChannel

__all__ = ["MAX_SECONDS", "ClipFormat", "Section", "clip"]

MAX_SECONDS = 60.0
_BIT_RATE = 32_000  # of Opus, per second: transparent for speech
_MEDIA_TYPES = {"wav": "audio/wav", "opus": "audio/ogg"}


class ClipFormat(StrEnum):
    """How a clip is encoded."""

    WAV = "wav"  # 16 bit, 16 kHz: every player and every tool
    OPUS = "opus"  # in Ogg: a fifteenth of the size

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return _MEDIA_TYPES[self]


@dataclass(frozen=True, slots=True)
class Section:
    """What to cut out: seconds from the start, and a channel from 0, or None for all."""

    start: float
    end: float
    channel: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise InvalidInput(
                "start and end: a clip starts at 0 or later and ends after it starts",
                remedy="Give seconds from the start of the recording: start=12.5, end=18.",
            )
        if self.end - self.start > MAX_SECONDS:
            raise InvalidInput(
                f"start and end: a clip lasts at most {MAX_SECONDS:g} seconds",
                remedy="Ask for a shorter one, or for the whole recording.",
            )


def clip(file: BinaryIO, section: Section, form: ClipFormat) -> bytes:
    """Cut a section out of a seekable file.

    Raises:
        InvalidAudio: as `callscope.audio.decode`.
        InvalidInput: the recording is over before the section starts.
        UnknownChannel: the recording has no such channel.
    """
    blocks: list[npt.NDArray[np.float32]] = []
    rate = SAMPLE_RATE
    try:
        with opened_frames(file, section.start) as (first, frames):
            rate = first.sample_rate
            begin, end = round(section.start * rate), round(section.end * rate)
            blocks.extend(_cut(frames, begin, end, section.channel))
    except EmptyAudio:
        if section.start == 0:
            raise
    if not blocks:
        raise InvalidInput(
            f"start: the recording is over before {section.start:g} seconds",
            remedy="GET /v1/calls/{call_id} shows how long it is.",
        )
    samples = np.concatenate(blocks)
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    whole = (np.clip(samples, -1.0, 1.0) * 32767).round().astype(np.int16)
    return _wav(whole) if form is ClipFormat.WAV else _opus(whole)


def _cut(
    frames: Iterator[tuple[int, av.AudioFrame]], begin: int, end: int, channel: int | None
) -> Iterator[npt.NDArray[np.float32]]:
    """The samples of [begin, end), (samples, channels), in blocks."""
    to_float = av.AudioResampler(format="fltp")
    for at, frame in frames:
        if at >= end:
            return
        if at + frame.samples <= begin:
            continue
        for part in to_float.resample(frame):
            samples = np.asarray(part.to_ndarray(), np.float32)
            block = samples[:, max(0, begin - at) : end - at]
            if channel is not None and channel >= len(block):
                raise UnknownChannel(f"the recording has {len(block)} channels, from 0")
            chosen = block[:2] if channel is None else block[channel : channel + 1]
            yield np.nan_to_num(chosen, nan=0.0, posinf=1.0, neginf=-1.0).T


def _wav(samples: npt.NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(np.ascontiguousarray(samples).tobytes())
    return file.getvalue()


def _opus(samples: npt.NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout=layout)
        stream.bit_rate = _BIT_RATE
        packed = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = SAMPLE_RATE
        for each in itertools.chain([frame], [None]):
            container.mux(stream.encode(each))
    return file.getvalue()
