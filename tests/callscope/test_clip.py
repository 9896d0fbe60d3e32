"""Seconds of a recording cut out exactly, whatever its codec, and playable."""

import io
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from callscope.audio import AudioLimits, decode
from callscope.clip import ClipFormat, Section, clip
from callscope.errors import EmptyAudio, InvalidInput, UndecodableAudio, UnknownChannel

SAMPLE = Path(__file__).parents[1] / "data/sample/stereo.flac"
LIMITS = AudioLimits()


def encoded(container: str, codec: str, rate: int, layout: str = "stereo") -> io.BytesIO:
    """The sample call's first 40 seconds in another format."""
    with SAMPLE.open("rb") as sample:
        samples = decode(sample, LIMITS).samples[:, : 40 * 16000]
    samples = samples if layout == "stereo" else samples[:1]
    whole = (np.ascontiguousarray(samples.T) * 32767).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(whole, format="s16", layout=layout)
    frame.sample_rate = 16000
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout=layout)
        for each in (frame, None):
            out.mux(stream.encode(each))
    file.seek(0)
    return file


def heard(content: bytes) -> npt.NDArray[np.float32]:
    return decode(io.BytesIO(content), LIMITS).samples


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_mulaw", 8000, "stereo"),
        ("wav", "pcm_s16le", 44100, "stereo"),
        ("wav", "adpcm_ima_wav", 8000, "mono"),
        ("flac", "flac", 16000, "stereo"),
        ("mp3", "libmp3lame", 16000, "stereo"),
        ("ogg", "libopus", 16000, "stereo"),
        ("au", "pcm_alaw", 8000, "mono"),
    ],
)
def test_a_clip_is_what_decoding_everything_has_there(
    container: str, codec: str, rate: int, layout: str
) -> None:
    file = encoded(container, codec, rate, layout)
    whole = decode(file, LIMITS).samples
    cut = heard(clip(file, Section(12.5, 18.25), ClipFormat.WAV))
    expected = whole[:, round(12.5 * 16000) : round(18.25 * 16000)]
    assert cut.shape[0] == expected.shape[0]
    assert abs(cut.shape[1] - expected.shape[1]) <= 2
    length = min(cut.shape[1], expected.shape[1])
    inner = slice(800, length - 800)
    error = np.sqrt(np.mean((cut[:, inner] - expected[:, inner]) ** 2))
    assert error < 0.01 * max(float(np.sqrt(np.mean(expected**2))), 1e-3) + 2e-4


def test_one_channel_is_one_party() -> None:
    with SAMPLE.open("rb") as file:
        whole = decode(file, LIMITS).samples
        for channel in (0, 1):
            cut = heard(clip(file, Section(2.0, 6.0, channel), ClipFormat.WAV))
            assert cut.shape[0] == 1
            expected = whole[channel, 2 * 16000 : 6 * 16000]
            inner = slice(800, -800)  # the resampler knows nothing of what lies outside
            assert np.abs(cut[0][inner] - expected[inner]).max() < 0.01
        with pytest.raises(UnknownChannel, match="2 channels"):
            clip(file, Section(2.0, 6.0, 2), ClipFormat.WAV)


def test_opus_plays_as_long_and_is_much_smaller() -> None:
    with SAMPLE.open("rb") as file:
        large = clip(file, Section(5.0, 15.0), ClipFormat.WAV)
        small = clip(file, Section(5.0, 15.0), ClipFormat.OPUS)
    assert len(small) < len(large) / 8
    assert abs(heard(small).shape[1] / 16000 - 10.0) < 0.05
    with wave.open(io.BytesIO(large)) as out:
        assert (out.getnchannels(), out.getframerate(), out.getnframes()) == (2, 16000, 160000)


def test_a_clip_ends_with_the_recording() -> None:
    file = encoded("wav", "pcm_mulaw", 8000)
    assert heard(clip(file, Section(39.0, 60.0), ClipFormat.WAV)).shape[1] == 16000
    with pytest.raises(InvalidInput, match="over before"):
        clip(file, Section(41.0, 60.0), ClipFormat.WAV)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (0, 60.5), (float("nan"), 1)])
def test_a_section_that_cannot_be_cut_is_refused(start: float, end: float) -> None:
    with pytest.raises(InvalidInput, match="start and end"):
        Section(start, end)


@pytest.mark.parametrize("content", [b"", b"hello there, no recording"])
def test_what_is_no_recording_has_no_clip(content: bytes) -> None:
    with pytest.raises((EmptyAudio, UndecodableAudio)):
        clip(io.BytesIO(content), Section(0, 1), ClipFormat.WAV)
