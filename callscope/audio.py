"""From a recording's bytes to a waveform per channel, and the facts about the file.

FFmpeg (through PyAV) decodes, soxr resamples. Decoding is streamed: limits are checked as the
samples come, and the peak memory is about that of the finished array.
"""

import errno
import hashlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import av
import numpy as np
import numpy.typing as npt
import soxr
from minio import Minio

from callscope.errors import (
    AudioTooLarge,
    AudioTooLong,
    EmptyAudio,
    NoAudioStream,
    UndecodableAudio,
    UnsupportedAudio,
)
from callscope.links import Links
from callscope.riff import is_linear16, misstated, without_trailing_zeros
from callscope.sources import Sources
from callscope.types import AudioSource, MediaInfo

__all__ = [
    "SAMPLE_RATE",
    "Audio",
    "AudioLimits",
    "AudioReader",
    "decode",
    "opened_frames",
    "probe",
]

SAMPLE_RATE = 16_000  # Hz, what every model here was trained on
_BLOCK = 10  # seconds resampled at a time

# Formats that hold recordings. The others stay out: playlists and the like make FFmpeg open
# further files and URLs that the bytes name, which a service must never do for a stranger.
_CONTAINERS = (
    "wav,w64,aiff,au,caf,flac,mp3,aac,ogg,mov,mp4,matroska,webm,asf,avi,amr,amrnb,amrwb,gsm"
)

_LOWEST_RATE = 4000  # Hz; with less, no word can be told from another
_SLACK = 1.0  # seconds by which a header may be wrong before somebody should know
_GLANCE = "4096"  # bytes of samples that FFmpeg looks at before it believes what a header says


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """What a recording may be at most; `extra_channels` says what to do above `max_channels`."""

    max_bytes: int = 2 << 30
    max_seconds: float = 4 * 3600
    max_sample_rate: int = 48_000
    max_channels: int = 2
    extra_channels: Literal["refuse", "downmix"] = "refuse"


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A decoded recording.

    `samples` is (channels, samples), float32 in about -1 to 1, at `SAMPLE_RATE`, C-contiguous.
    `info` describes the file as it came; a downmixed recording has fewer rows than channels.
    """

    samples: npt.NDArray[np.float32]
    info: MediaInfo


class AudioReader:
    """Fetches recordings from where this service may read, and decodes them.

    Args:
        roots: folders whose files may be read through `file://`.
        buckets: buckets that may be read through `s3://`.
        s3: the client of their store.
        hosts: whose links may be fetched through `https://`.
        limits: what a recording may be at most.
    """

    def __init__(
        self,
        *,
        roots: Sequence[Path],
        buckets: Sequence[str] = (),
        s3: Minio | None = None,
        hosts: Sequence[str] = (),
        limits: AudioLimits = AudioLimits(),
    ) -> None:
        self._limits = limits
        self._sources = Sources(
            roots=roots,
            buckets=buckets,
            s3=s3,
            max_bytes=limits.max_bytes,
            links=Links(hosts, limits.max_bytes),
        )

    def open(
        self, source: AudioSource, folder: str | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """The source's bytes as a seekable file; takes and raises what `Sources.open` does."""
        return self._sources.open(source, folder)

    def read(self, source: AudioSource) -> Audio:
        """Fetch and decode; raises what `Sources.open` and `decode` raise."""
        with self.open(source) as file:
            return decode(file, self._limits)


def probe(file: BinaryIO, limits: AudioLimits, sha256: str | None = None) -> MediaInfo:
    """The facts in the headers of a seekable file, after making sure that a frame decodes.

    Whoever hashed the bytes while they arrived hands in their `sha256`; they are read again
    for it otherwise, which takes longer than all the rest.

    A duration the headers do not know, or claim beyond the limit or the file's end, is counted
    from the packets without decoding them.

    Raises:
        EmptyAudio, UndecodableAudio, NoAudioStream, UnsupportedAudio, AudioTooLarge, AudioTooLong
    """
    _check_size(file, limits)
    sha256 = sha256 or _sha256(file)
    with _opened(file) as (container, stream):
        first = next(_frames(container, stream), None)
        if first is None:
            raise EmptyAudio("the recording lasts zero seconds")
        _check(first, limits)
        duration = _header_seconds(container, stream)
    missing, behind = misstated(file)
    if missing or not 0 < duration <= limits.max_seconds:
        file.seek(0)
        with _opened(file) as (container, stream):
            duration = _packet_seconds(container, stream)
    if duration > limits.max_seconds:
        raise _too_long(limits)
    return _info(sha256, stream, first, duration, _doubts(duration, missing, behind))


def decode(file: BinaryIO, limits: AudioLimits) -> Audio:
    """Decode a seekable file to 16 kHz, each channel apart; damaged or missing parts are skipped.

    Raises:
        EmptyAudio: no bytes, or zero seconds of audio.
        UndecodableAudio: no media file, an unknown codec, or damaged throughout.
        NoAudioStream: a media file without sound.
        UnsupportedAudio: more channels or a higher sample rate than the limits, or below 4 kHz.
        AudioTooLarge: more bytes than the limit.
        AudioTooLong: more seconds than the limit; found while decoding, whatever the header says.
    """
    _check_size(file, limits)
    sha256 = _sha256(file)
    missing, behind = misstated(file)
    with _opened(file) as (container, stream):
        frames = _frames(container, stream)
        first = next(frames, None)
        if first is None:
            raise EmptyAudio("the recording lasts zero seconds")
        _check(first, limits)
        heard = _Heard(first, limits)
        samples = _joined(heard.blocks(itertools.chain([first], frames)))
        duration = heard.samples / first.sample_rate
        doubts = _doubts(duration, missing, behind)
        return Audio(samples, _info(sha256, stream, first, duration, doubts))


@contextmanager
def opened_frames(
    file: BinaryIO, start: float = 0.0
) -> Iterator[tuple[av.AudioFrame, Iterator[tuple[int, av.AudioFrame]]]]:
    """The first frame of a seekable file at or before `start` seconds, and all from there on.

    Each comes with the number of its first sample.

    Plain PCM is gone into right there; everything else is decoded from the beginning, which alone
    counts samples as `decode` does.

    Raises:
        EmptyAudio, UndecodableAudio, NoAudioStream
    """
    if file.seek(0, 2) == 0:
        raise EmptyAudio("the file is empty")
    file.seek(0)
    with _opened(file) as (container, stream):
        exact = container.format.name == "wav" and stream.codec_context.name.startswith("pcm_")
        if exact and start > 0 and stream.time_base:
            with suppress(av.FFmpegError):
                container.seek(int(start / stream.time_base), stream=stream)
        frames = _frames(container, stream)
        first = next(frames, None)
        if first is None:
            raise EmptyAudio("there is no audio at those seconds")
        seconds = (first.pts or 0) * (first.time_base or 0) if exact else 0
        at = round(seconds * first.sample_rate)
        yield first, _numbered(itertools.chain([first], frames), at)


def _numbered(frames: Iterable[av.AudioFrame], at: int) -> Iterator[tuple[int, av.AudioFrame]]:
    for frame in frames:
        yield at, frame
        at += frame.samples


class _Heard:
    """Turns frames into 16 kHz blocks, (samples, channels), and counts what came in."""

    def __init__(self, first: av.AudioFrame, limits: AudioLimits) -> None:
        self._rate = first.sample_rate
        self._limits = limits
        self._downmix = first.layout.nb_channels > limits.max_channels
        self._channels = 1 if self._downmix else first.layout.nb_channels
        self.samples = 0  # per channel, at the file's own rate

    def blocks(self, frames: Iterable[av.AudioFrame]) -> Iterator[npt.NDArray[np.float32]]:
        if self._rate == SAMPLE_RATE:
            yield from self._raw(frames)
            return
        resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, self._channels, dtype="float32")
        for block in self._raw(frames):
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)

    def _raw(self, frames: Iterable[av.AudioFrame]) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks at the file's rate. FFmpeg changes sample format and block size only."""
        regular = av.AudioResampler(format="fltp", frame_size=self._rate * _BLOCK)
        for frame in itertools.chain(frames, [None]):
            if frame is not None:
                self._count(frame)
            try:
                ready = regular.resample(frame)
            except ValueError as error:
                raise UnsupportedAudio(
                    "the recording changes its sample rate or channels midway",
                    remedy="Convert it to one sample rate and channel count.",
                ) from error
            for block in ready:
                yield self._channels_last(block.to_ndarray().astype(np.float32, copy=False))

    def _count(self, frame: av.AudioFrame) -> None:
        self.samples += frame.samples
        if self.samples > self._limits.max_seconds * self._rate:
            raise _too_long(self._limits)

    def _channels_last(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        # Float formats may carry NaN or infinity, which a filter would smear over the rest.
        block = np.nan_to_num(block, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        if self._downmix:
            block = block.mean(axis=0, keepdims=True)
        return np.ascontiguousarray(block.T)


def _joined(blocks: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """One (channels, samples) array; each block is let go as it is copied."""
    waiting = deque(blocks)
    length = sum(len(block) for block in waiting)
    if length == 0:
        raise EmptyAudio("the recording lasts zero seconds")
    samples = np.empty((waiting[0].shape[1], length), dtype=np.float32)
    at = 0
    while waiting:
        block = waiting.popleft()
        samples[:, at : at + len(block)] = block.T
        at += len(block)
    return samples


def _check_size(file: BinaryIO, limits: AudioLimits) -> None:
    """Look at how many bytes there are; leaves the file at its start."""
    size = file.seek(0, 2)
    file.seek(0)
    if size == 0:
        raise EmptyAudio("the file is empty")
    if size > limits.max_bytes:
        raise AudioTooLarge(f"the file has {size} bytes, more than {limits.max_bytes}")


def _sha256(file: BinaryIO) -> str:
    """SHA-256 of the bytes; leaves the file at its start."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


class _Patient:
    """A file that answers a damaged header's nonsense as FFmpeg expects, instead of raising."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go somewhere; a negative number is FFmpeg's error for a place before the start."""
        try:
            return self._file.seek(offset, whence)
        except ValueError:  # from bytes in memory
            return -errno.EINVAL
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return -errno.EINVAL


@contextmanager
def _opened(
    file: BinaryIO,
) -> Iterator[tuple[av.container.InputContainer, av.audio.AudioStream]]:
    options = {"format_whitelist": _CONTAINERS}
    if is_linear16(file):
        options["probesize"] = _GLANCE
    try:
        container = av.open(
            _Patient(without_trailing_zeros(file)),
            "r",
            options=options,
            metadata_errors="ignore",
        )
    except av.FFmpegError as error:
        raise UndecodableAudio("the bytes are no recording in a known format") from error
    with container:
        if not container.streams.audio:
            raise NoAudioStream(f"the {container.format.name} file has no audio stream")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise UndecodableAudio("the recording's codec is unknown")
        yield container, stream


def _frames(
    container: av.container.InputContainer, stream: av.audio.AudioStream
) -> Iterator[av.AudioFrame]:
    """Decode what is there, passing over damaged packets.

    Raises:
        UndecodableAudio: there were packets, and not one could be decoded.
    """
    damage: av.FFmpegError | None = None
    decoded = False
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            damage = error
            continue
        for frame in frames:
            if frame.samples:
                decoded = True
                yield frame
    if damage and not decoded:
        raise UndecodableAudio("nothing in the recording can be decoded") from damage


def _packets(
    container: av.container.InputContainer, stream: av.audio.AudioStream
) -> "Iterator[av.Packet[av.audio.AudioStream]]":  # generic in the stubs only
    """The stream's packets; a file that was cut off ends where it ends."""
    with suppress(av.FFmpegError):
        yield from container.demux(stream)


def _check(frame: av.AudioFrame, limits: AudioLimits) -> None:
    channels = frame.layout.nb_channels
    if channels > limits.max_channels and limits.extra_channels == "refuse":
        raise UnsupportedAudio(
            f"the recording has {channels} channels, more than {limits.max_channels}",
            remedy="Send one or two channels, or set CALLSCOPE_EXTRA_CHANNELS=downmix.",
        )
    if frame.sample_rate < _LOWEST_RATE:
        raise UnsupportedAudio(
            f"the sample rate is {frame.sample_rate} Hz, less than {_LOWEST_RATE}",
            remedy="Record or export it with 8000 Hz or more.",
        )
    if frame.sample_rate > limits.max_sample_rate:
        raise UnsupportedAudio(
            f"the sample rate is {frame.sample_rate} Hz, more than {limits.max_sample_rate}",
            remedy="Resample the recording, or raise CALLSCOPE_MAX_SAMPLE_RATE.",
        )


def _header_seconds(container: av.container.InputContainer, stream: av.audio.AudioStream) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _packet_seconds(container: av.container.InputContainer, stream: av.audio.AudioStream) -> float:
    ticks = sum(packet.duration or 0 for packet in _packets(container, stream))
    return float(ticks * (stream.time_base or 0))


def _doubts(duration: float, missing: float, behind: float) -> tuple[str, ...]:
    """What `misstated` found, where it is more than carelessness."""
    doubts = []
    if missing > _SLACK:
        doubts.append(
            f"The recording is cut off: its header promises {duration + missing:.1f} seconds, and "
            f"{duration:.1f} are there."
        )
    if behind > _SLACK:
        doubts.append(
            f"The recording goes on after the end that its header states: {behind:.1f} seconds, if "
            "that is sound, were not listened to."
        )
    return tuple(doubts)


def _info(
    sha256: str,
    stream: av.audio.AudioStream,
    first: av.AudioFrame,
    duration: float,
    doubts: tuple[str, ...],
) -> MediaInfo:
    return MediaInfo(
        sha256=sha256,
        duration=duration,
        sample_rate=first.sample_rate,
        channels=first.layout.nb_channels,
        codec=stream.codec_context.codec.canonical_name,
        doubts=doubts,
    )


def _too_long(limits: AudioLimits) -> AudioTooLong:
    return AudioTooLong(f"the recording is longer than {limits.max_seconds:g} seconds")
