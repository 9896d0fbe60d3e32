"""Recordings made for a test, and what is said in the sample call."""

import json
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from callscope.audio import SAMPLE_RATE, AudioLimits, decode
from callscope.types import AudioSource

__all__ = ["RATE", "plain", "read", "source", "turns", "written"]

RATE = 8000  # Hz

Samples = npt.NDArray[np.floating]


def source(file: Path) -> AudioSource:
    return AudioSource(uri=file.resolve().as_uri())


def written(folder: Path, samples: Samples) -> AudioSource:
    """A WAV file of (samples,) or (channels, samples) at 8 kHz."""
    channels = np.atleast_2d(samples)
    file = folder / "made.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.clip(channels.T, -1, 1) * 32767).astype("<i2").tobytes())
    return source(file)


def read(file: Path) -> Samples:
    """(channels, samples) at 8 kHz."""
    with file.open("rb") as content:
        samples = decode(content, AudioLimits()).samples
    return np.asarray(soxr.resample(samples.T, SAMPLE_RATE, RATE).T)


def turns(folder: Path) -> list[dict[str, object]]:
    """The true turns of a call."""
    found: list[dict[str, object]] = json.loads((folder / "truth.json").read_text())["turns"]
    return found


def plain(text: str) -> str:
    return "".join(c for c in text.lower().replace("-", " ") if c.isalnum() or c in " '")
