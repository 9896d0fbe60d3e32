"""A telephone line: band, noise, crosstalk, G.711 mu-law, and the music it plays on hold."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

RATE = 8_000
SEED = 20_250
NOISE_DBFS = (-72.0, -68.0)  # of channel 0 and 1
CROSSTALK_DB = -45.0
CROSSTALK_SECONDS = 0.02
BAND_HZ = (300.0, 3_400.0)
MUSIC_DBFS = -34.0

FACTS: Mapping[str, Any] = {
    "noise_dbfs": NOISE_DBFS,
    "crosstalk_db": CROSSTALK_DB,
    "band_hz": BAND_HZ,
    "hold_music_dbfs": MUSIC_DBFS,
    "codec": "G.711 mu-law round trip",
}


def record(parties: Sequence[Signal]) -> NDArray[np.int16]:
    """Return what a recorder on the line hears of two parties: 16-bit samples, (2, samples)."""
    random = np.random.default_rng(SEED)
    leak, delay = gain(CROSSTALK_DB), round(CROSSTALK_SECONDS * RATE)
    channels = []
    for own, other, dbfs in zip(parties, reversed(parties), NOISE_DBFS, strict=True):
        noise = random.standard_normal(len(own)).astype(np.float32) * gain(dbfs)
        channels.append(mu_law(band(own + leak * np.roll(other, delay) + noise)))
    return np.stack(channels)


def gain(db: float) -> np.float32:
    """Decibels as a factor."""
    return np.float32(10 ** (db / 20))


def rms(x: Signal) -> np.float32:
    """Root of the mean square."""
    return np.float32(np.sqrt(np.mean(x**2)))


def band(x: Signal) -> Signal:
    """Limit to the telephone band with gentle slopes (12 and 24 dB per octave)."""
    hz = np.fft.rfftfreq(len(x), 1 / RATE)
    low, high = BAND_HZ
    passed = hz**2 / np.sqrt(hz**4 + low**4) / np.sqrt(1 + (hz / high) ** 8)
    return np.fft.irfft(np.fft.rfft(x) * passed, len(x)).astype(np.float32)


def mu_law(x: Signal) -> NDArray[np.int16]:
    """Send through a G.711 mu-law encoder and decoder."""
    pcm = np.clip(np.round(x * 32_767), -32_768, 32_767).astype(np.int16)
    encoder = av.CodecContext.create("pcm_mulaw", "w")
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    for codec in (encoder, decoder):
        codec.sample_rate, codec.layout = RATE, "mono"
    encoder.format, encoder.time_base = "s16", Fraction(1, RATE)
    heard = [
        frame.to_ndarray().ravel()
        for packet in encoder.encode(_frame(pcm[None]))
        for frame in decoder.decode(packet)
    ]
    return np.concatenate(heard)


def hold_music(length: int) -> Signal:
    """Return a slow broken chord on soft plucked strings."""
    notes = [261.63, 329.63, 392.0, 493.88, 440.0, 392.0, 329.63, 293.66]  # C E G B A G E D
    ring = 2 * RATE
    t = np.arange(ring) / RATE
    music = np.zeros(length + ring, dtype=np.float32)
    for i, begin in enumerate(range(0, length, RATE * 2 // 5)):
        hz = notes[i % len(notes)]
        tone = sum(np.sin(2 * np.pi * hz * k * t) / k**2 for k in (1, 2, 3)) * np.exp(-3 * t)
        music[begin : begin + ring] += tone.astype(np.float32)
    music = music[:length] * gain(MUSIC_DBFS) / rms(music[:length])
    edge = np.minimum(np.arange(length), np.arange(length)[::-1])
    return np.asarray(music * np.minimum(1, edge / (RATE / 4)), dtype=np.float32)


def write(path: str, codec: str, pcm: NDArray[np.int16]) -> None:
    """Write 16-bit samples, (channels, samples), as an audio file without clocks or versions."""
    layout = "mono" if len(pcm) == 1 else "stereo"
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        options = {"flags": "+bitexact"}
        if codec == "flac":
            options["compression_level"] = "12"
        stream = container.add_stream(codec, rate=RATE, layout=layout, options=options)
        assert isinstance(stream, av.AudioStream)
        for packet in [*stream.encode(_frame(pcm)), *stream.encode(None)]:
            container.mux(packet)


def _frame(pcm: NDArray[np.int16]) -> av.AudioFrame:
    layout = "mono" if len(pcm) == 1 else "stereo"
    interleaved = np.ascontiguousarray(pcm.T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
    frame.sample_rate = RATE
    return frame
