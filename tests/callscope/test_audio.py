"""What becomes of every kind of file a recorder, a user or an attacker may send."""

import hashlib
import io
import struct
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from callscope.audio import SAMPLE_RATE, Audio, AudioLimits, decode, probe
from callscope.errors import (
    AudioTooLarge,
    AudioTooLong,
    CallscopeError,
    EmptyAudio,
    NoAudioStream,
    UndecodableAudio,
    UnsupportedAudio,
)

LIMITS = AudioLimits()
Samples = npt.NDArray[np.float32]


def tone(frequency: float, seconds: float = 1.0, rate: int = 8000) -> Samples:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(
        "f4"
    )


def encode(
    channels: Samples, codec: str = "pcm_s16le", container: str = "wav", rate: int = 8000
) -> bytes:
    """A file with `channels`, (channels, samples) at `rate`."""
    file = io.BytesIO()
    layout = {1: "mono", 2: "stereo", 3: "2.1"}[len(channels)]
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), "fltp", layout)
        frame.sample_rate = rate
        fit = av.AudioResampler(
            stream.format, layout, rate, frame_size=stream.codec_context.frame_size or 1000
        )
        for piece in (*fit.resample(frame), *fit.resample(None)):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def read(data: bytes, limits: AudioLimits = LIMITS) -> Audio:
    return decode(io.BytesIO(data), limits)


def loudest(channel: Samples) -> float:
    """Frequency of the strongest partial, in Hz."""
    spectrum = np.abs(np.fft.rfft(channel))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(channel))


@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("pcm_s16le", "wav", "pcm_s16le"),
        ("pcm_u8", "wav", "pcm_u8"),
        ("pcm_s24le", "wav", "pcm_s24le"),
        ("pcm_f32le", "wav", "pcm_f32le"),
        ("pcm_mulaw", "wav", "pcm_mulaw"),
        ("pcm_alaw", "wav", "pcm_alaw"),
        ("pcm_mulaw", "au", "pcm_mulaw"),
        ("adpcm_ima_wav", "wav", "adpcm_ima_wav"),
        ("flac", "flac", "flac"),
        ("libmp3lame", "mp3", "mp3"),
        ("libopus", "ogg", "opus"),
        ("libopus", "webm", "opus"),
        ("aac", "mp4", "aac"),
        ("libopencore_amrnb", "amr", "amr_nb"),
    ],
)
def test_telephony_and_web_codecs_decode_to_the_same_sound(
    codec: str, container: str, name: str
) -> None:
    rate = 48_000 if codec == "libopus" else 8_000
    audio = read(encode(tone(440, rate=rate)[None], codec, container, rate))
    assert audio.samples.dtype == np.float32
    assert audio.samples.flags.c_contiguous
    assert audio.samples.shape[0] == 1
    assert audio.info.codec == name
    assert audio.info.sample_rate == rate
    assert audio.info.duration == pytest.approx(1.0, abs=0.2)  # block codecs pad both ends
    assert loudest(audio.samples[0]) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("rate", [8000, 11025, 16_000, 22_050, 44_100, 48_000])
def test_every_sample_rate_keeps_pitch_and_length(rate: int) -> None:
    audio = read(encode(tone(440, 25.0, rate)[None], rate=rate))  # longer than a resampler's block
    assert audio.info.duration == 25.0
    assert audio.samples.shape == (1, 25 * SAMPLE_RATE)
    assert loudest(audio.samples[0]) == pytest.approx(440, abs=1)


def test_channels_stay_apart() -> None:
    stereo = np.stack([tone(300), tone(700)])
    audio = read(encode(stereo))
    assert audio.info.channels == 2
    assert [round(loudest(channel), -1) for channel in audio.samples] == [300, 700]


def test_facts_name_the_bytes_and_the_decoded_length() -> None:
    data = encode(tone(440, 1.5)[None], "pcm_mulaw")
    info = read(data).info
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert (info.duration, info.sample_rate, info.channels) == (1.5, 8000, 1)
    assert probe(io.BytesIO(data), LIMITS) == info


def test_truncated_data_gives_what_is_there() -> None:
    data = encode(tone(440, 3.0)[None])
    cut = data[: len(data) // 3]
    assert read(cut).info.duration == pytest.approx(1.0, abs=0.05)
    assert probe(io.BytesIO(cut), LIMITS).duration == pytest.approx(1.0, abs=0.05)


def test_damage_in_the_middle_is_passed_over() -> None:
    data = bytearray(encode(tone(440, 3.0)[None], "libmp3lame", "mp3"))
    middle = len(data) // 2
    data[middle : middle + 200] = b"\0" * 200
    assert 2.0 < read(bytes(data)).info.duration < 3.2


def test_a_length_that_a_streaming_recorder_never_wrote_is_counted() -> None:
    data = bytearray(encode(tone(440)[None], "pcm_mulaw"))
    at = data.index(b"data")
    data[4:8] = data[at + 4 : at + 8] = b"\xff\xff\xff\x7f"
    assert probe(io.BytesIO(data), LIMITS).duration == pytest.approx(1.0)
    assert read(bytes(data)).info.duration == pytest.approx(1.0)


def test_a_recording_that_is_cut_off_says_so_and_how_long_it_is() -> None:
    data = encode(tone(440, 8.0)[None], "pcm_mulaw")
    data = data[: data.index(b"data") + 8 + 16_000]
    info = read(data).info
    assert probe(io.BytesIO(data), LIMITS) == info
    assert info.duration == 2.0
    assert info.doubts == (
        "The recording is cut off: its header promises 8.0 seconds, and 2.0 are there.",
    )


def test_samples_after_the_end_that_a_header_states_are_told_of() -> None:
    data = bytearray(encode(tone(440, 20.0)[None]))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 1600)
    info = read(bytes(data)).info
    assert probe(io.BytesIO(data), LIMITS) == info
    assert info.duration == pytest.approx(0.1)
    assert info.doubts == (
        "The recording goes on after the end that its header states: 19.9 seconds, if that is "
        "sound, were not listened to.",
    )


def test_not_a_number_in_float_audio_becomes_silence() -> None:
    samples = tone(440)
    samples[100:110] = np.nan
    audio = read(encode(samples[None], "pcm_f32le"))
    assert np.isfinite(audio.samples).all()


def video_only() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for at in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def header_only() -> bytes:
    data = encode(tone(440)[None])
    return data[: data.index(b"data") + 8]


def unknown_codec() -> bytes:
    data = bytearray(encode(tone(440)[None], "pcm_mulaw"))
    data[20:22] = struct.pack("<H", 0x1234)  # the format tag
    return bytes(data)


def playlist() -> bytes:
    return b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", EmptyAudio, id="empty file"),
        pytest.param(header_only(), EmptyAudio, id="header without samples"),
        pytest.param(b"Dear customer, thank you.\n" * 40, UndecodableAudio, id="text"),
        pytest.param(encode(tone(440)[None])[:30], UndecodableAudio, id="truncated header"),
        pytest.param(np.random.default_rng(0).bytes(20_000), UndecodableAudio, id="noise bytes"),
        pytest.param(unknown_codec(), UndecodableAudio, id="unknown codec"),
        pytest.param(playlist(), UndecodableAudio, id="playlist that names a local file"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/hostname\n", UndecodableAudio, id="concat"),
        pytest.param(video_only(), NoAudioStream, id="video only"),
        pytest.param(encode(np.stack([tone(440)] * 3)), UnsupportedAudio, id="three channels"),
        pytest.param(
            encode(tone(440, rate=96_000)[None], rate=96_000), UnsupportedAudio, id="96 kHz"
        ),
        pytest.param(encode(np.zeros((1, 8000), "f4"), rate=1), UnsupportedAudio, id="1 Hz"),
    ],
)
def test_what_is_no_usable_recording_is_refused_at_the_door_and_inside(
    data: bytes, error: type[CallscopeError]
) -> None:
    with pytest.raises(error) as at_the_door:
        probe(io.BytesIO(data), LIMITS)
    with pytest.raises(error) as inside:
        read(data)
    assert at_the_door.value.message == inside.value.message
    assert inside.value.remedy


def test_extra_channels_are_mixed_where_allowed() -> None:
    data = encode(np.stack([tone(300), tone(500), tone(700)]))
    audio = read(data, replace(LIMITS, extra_channels="downmix"))
    assert audio.samples.shape == (1, SAMPLE_RATE)
    assert audio.info.channels == 3


def test_a_raised_sample_rate_limit_lets_96_khz_in() -> None:
    data = encode(tone(440, rate=96_000)[None], rate=96_000)
    assert read(data, replace(LIMITS, max_sample_rate=96_000)).info.sample_rate == 96_000


def test_too_many_bytes_are_refused_before_decoding() -> None:
    data = encode(tone(440)[None])
    with pytest.raises(AudioTooLarge):
        read(data, replace(LIMITS, max_bytes=len(data) - 1))
    assert read(data, replace(LIMITS, max_bytes=len(data))).info.duration == 1.0


def test_too_long_is_refused_while_decoding_whatever_the_header_says() -> None:
    quiet = np.zeros((1, 8000 * 600), dtype=np.float32)
    data = bytearray(encode(quiet, "flac", "flac"))  # 10 minutes of silence in a few kilobytes
    data[21:26] = data[21] & 0xF0, 0, 0, 0x1F, 0x40  # STREAMINFO now claims one second
    tracemalloc.start()
    with pytest.raises(AudioTooLong):
        read(bytes(data), replace(LIMITS, max_seconds=30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * SAMPLE_RATE * 4  # far below the 38 MB of the whole


def test_a_header_that_admits_its_length_is_refused_at_the_door() -> None:
    with pytest.raises(AudioTooLong):
        probe(io.BytesIO(encode(tone(440, 3.0)[None])), replace(LIMITS, max_seconds=2))


def test_peak_memory_is_about_the_array() -> None:
    rng = np.random.default_rng(1)
    noise = (0.1 * rng.standard_normal((2, 8000 * 300))).astype(np.float32)
    file = io.BytesIO(encode(noise, "pcm_mulaw"))
    tracemalloc.start()
    audio = decode(file, LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert audio.samples.shape == (2, 300 * SAMPLE_RATE)
    assert peak < 2.2 * audio.samples.nbytes


@pytest.mark.shared
def test_each_awkward_recording_decodes_or_says_why(shared_data: Path) -> None:
    refused = {
        "empty.wav": EmptyAudio,
        "header_only.wav": EmptyAudio,
        "text.wav": UndecodableAudio,
        "truncated_header.wav": UndecodableAudio,
        "three_channels_8k.wav": UnsupportedAudio,
    }
    for path in sorted((shared_data / "nasty").iterdir()):
        if path.suffix == ".json":
            continue
        with path.open("rb") as file:
            if error := refused.get(path.name):
                with pytest.raises(error):
                    decode(file, LIMITS)
            else:
                assert decode(file, LIMITS).samples.size > 0, path.name
