"""The transcribe stage with a real model, on the sample call and on sounds that are no speech."""

import json
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt
import pytest

from callscope.errors import Cancelled, InvalidInput, UnknownModel
from callscope.pipeline import TranscribeOptions
from callscope.types import Transcript
from services.transcribe.engine import Engine
from tests.transcribe.sounds import RATE, plain, source, written

SECONDS = np.arange(RATE * 10) / RATE


@pytest.fixture(scope="module")
def heard(engine: Engine, sample: Path) -> Transcript:
    return engine.transcribe(source(sample / "stereo.flac"), TranscribeOptions(), lambda _: None)


def test_each_party_is_on_its_own_channel_and_read_well(heard: Transcript, sample: Path) -> None:
    turns = json.loads((sample / "truth.json").read_text())["turns"]
    for channel in (0, 1):
        said = " ".join(turn["text"] for turn in turns if turn["channel"] == channel)
        read = " ".join(word.text for word in heard.words if word.channel == channel)
        # The voice says "two hundred", the model writes 200: numbers alone cost a few points.
        assert jiwer.wer(plain(said), plain(read)) < 0.25


def test_what_is_wrong_with_the_file_goes_with_the_transcript(
    engine: Engine, tmp_path: Path
) -> None:
    audio = written(tmp_path, np.zeros(RATE * 4))
    with (tmp_path / "made.wav").open("r+b") as file:
        file.truncate(44 + RATE * 2)
    made = engine.transcribe(audio, TranscribeOptions(), lambda _: None)
    assert made.duration == 1.0
    assert "cut off" in made.doubts[0]


def test_words_are_near_their_true_times(heard: Transcript, sample: Path) -> None:
    turns = json.loads((sample / "truth.json").read_text())["turns"]
    true = {
        (turn["channel"], plain(word["w"])): word["start"]
        for turn in turns
        for word in turn["words"]
        if sum(plain(w["w"]) == plain(word["w"]) for t in turns for w in t["words"]) == 1
    }
    errors = [
        abs(word.start - true[word.channel, plain(word.text)])
        for word in heard.words
        if (word.channel, plain(word.text)) in true
    ]
    assert len(errors) > 30
    assert np.median(errors) < 0.15  # the tiny model's; the default's is half of it


def test_words_are_in_order_within_the_recording_and_inside_speech(heard: Transcript) -> None:
    assert [word.start for word in heard.words] == sorted(word.start for word in heard.words)
    for word in heard.words:
        assert 0 <= word.start <= word.end <= heard.duration
        assert 0 <= word.probability <= 1
        assert word.text == word.text.strip() != ""
        assert any(
            span.channel == word.channel and span.start - 0.01 <= word.start <= span.end + 0.01
            for span in heard.speech
        )


def test_the_same_audio_gives_the_same_transcript(
    engine: Engine, heard: Transcript, sample: Path
) -> None:
    again = engine.transcribe(source(sample / "stereo.flac"), TranscribeOptions(), lambda _: None)
    assert again == heard


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(RATE * 10), id="silence"),
        pytest.param(np.random.default_rng(1).normal(0, 0.01, RATE * 10), id="noise"),
        pytest.param(0.3 * np.sin(2 * np.pi * 440 * SECONDS), id="tone"),
        pytest.param(
            0.2
            * (np.sin(2 * np.pi * 440 * SECONDS) + np.sin(2 * np.pi * 480 * SECONDS))
            * ((SECONDS % 6) < 2),
            id="ringback",
        ),
        pytest.param(
            0.2
            * (np.sin(2 * np.pi * 770 * SECONDS) + np.sin(2 * np.pi * 1336 * SECONDS))
            * ((SECONDS % 0.3) < 0.15),
            id="dtmf",
        ),
    ],
)
def test_what_is_no_speech_has_no_words(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, samples: npt.NDArray[np.float64]
) -> None:
    audio = written(tmp_path_factory.mktemp("sound"), samples)
    transcript = engine.transcribe(audio, TranscribeOptions(), lambda _: None)
    assert transcript.words == ()
    assert transcript.language is None
    assert transcript.duration == pytest.approx(10.0)


def test_progress_that_raises_stops_the_work(engine: Engine, sample: Path) -> None:
    seen: list[float] = []

    def stop_in_the_middle(done: float) -> None:
        seen.append(done)
        if done > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        engine.transcribe(source(sample / "stereo.flac"), TranscribeOptions(), stop_in_the_middle)
    assert max(seen) < 0.9


def test_a_language_or_model_nobody_knows_is_refused(engine: Engine, sample: Path) -> None:
    audio = source(sample / "mono.wav")
    with pytest.raises(InvalidInput, match="'xx'"):
        engine.transcribe(audio, TranscribeOptions(language="xx"), lambda _: None)
    with pytest.raises(UnknownModel, match="whisper-enormous"):
        engine.transcribe(audio, TranscribeOptions(model="whisper-enormous"), lambda _: None)
