"""A call that is transferred has three speakers; the same agent's voice again has two."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from callscope.audio import SAMPLE_RATE, AudioLimits, AudioReader, decode
from callscope.models import ModelStore
from callscope.pipeline import DiarizeOptions
from callscope.types import AudioSource
from services.diarize.clustering import SpeakerRange
from services.diarize.engine import Compute, Engine

pytestmark = pytest.mark.shared

Samples = npt.NDArray[np.float32]
SPOKEN = 40  # seconds that the second agent speaks at most


def call(folder: Path, name: str) -> tuple[Samples, dict[str, Any]]:
    """(channels, samples) of a call, and its truth."""
    (found,) = folder.glob(f"synth/{name}_*")
    with (found / "stereo.flac").open("rb") as file:
        samples = decode(file, AudioLimits()).samples
    return samples, json.loads((found / "truth.json").read_text())


def transferred(folder: Path, first: str, second: str) -> tuple[Samples, set[str]]:
    """Half of a call, then what the agent of another one says; and whose voices these are."""
    before, truth = call(folder, first)
    after, other = call(folder, second)
    agent = [
        after[0, round(turn["start"] * SAMPLE_RATE) : round(turn["end"] * SAMPLE_RATE)]
        for turn in other["turns"]
        if turn["channel"] == 0
    ]
    half = before.shape[1] // 2
    mono = [before[:, :half].sum(axis=0), np.concatenate(agent)[: SPOKEN * SAMPLE_RATE]]
    return np.concatenate(mono), {*truth["voices"].values(), other["voices"]["agent"]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("d01", "d06"),
        ("d06", "d11"),
        ("d07", "d12"),
        ("d09", "d14"),
        ("d13", "d02"),
        ("d13", "d08"),
    ],
)
def test_a_transfer_has_as_many_speakers_as_voices(
    models_dir: Path, shared_data: Path, tmp_path: Path, first: str, second: str
) -> None:
    samples, voices = transferred(shared_data, first, second)
    with wave.open(str(tmp_path / "call.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    engine = Engine(
        AudioReader(roots=[tmp_path]), ModelStore(models_dir), Compute("cpu"), SpeakerRange()
    )
    audio = AudioSource((tmp_path / "call.wav").as_uri())
    found = engine.diarize(audio, DiarizeOptions(), lambda _: None)
    assert len({turn.speaker for turn in found.turns}) == len(voices)
