"""The faults that speech recognition is known for, each on a recording that would show it."""

from pathlib import Path

import numpy as np
import pytest

from callscope.pipeline import TranscribeOptions
from callscope.types import AudioSource, Transcript, Word
from services.transcribe.engine import Engine
from tests.transcribe.sounds import RATE, plain, read, source, turns, written

ENGLISH = TranscribeOptions(language="en")
AGENT, CUSTOMER = 0, 1


def transcribe(engine: Engine, audio: AudioSource) -> Transcript:
    return engine.transcribe(audio, ENGLISH, lambda _: None)


def text(words: tuple[Word, ...], channel: int | None = None) -> str:
    return plain(" ".join(word.text for word in words if channel in (None, word.channel)))


def said(
    call: Path, beginning: str, channel: int
) -> "np.ndarray[tuple[int], np.dtype[np.floating]]":
    """One turn of the sample call, cut out of its channel."""
    (turn,) = (t for t in turns(call) if str(t["text"]).startswith(beginning))
    start, end = (int(float(str(turn[edge])) * RATE) for edge in ("start", "end"))
    return np.asarray(read(call / "stereo.flac")[channel, start - 800 : end + 800])


def uncovered(heard: Transcript, call: Path, channel: int) -> float:
    """Share of the words said on a channel that are farther than 1 s from any word heard."""
    true = [w for t in turns(call) if t["channel"] == channel for w in t["words"]]  # type: ignore[attr-defined]
    near = [
        any(
            word.channel == channel
            and word.start - 1 < each["end"]
            and each["start"] < word.end + 1
            for word in heard.words
        )
        for each in true
    ]
    return 1 - sum(near) / len(near)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["hold_music_60s", "silence_30s", "noise_only_30s", "dtmf", "short_100ms"]
)
def test_nothing_is_said_in_music_silence_noise_and_tones(
    engine: Engine, shared_data: Path, tmp_path: Path, name: str
) -> None:
    audio = written(tmp_path, read(shared_data / f"nasty/{name}.wav"))
    heard = transcribe(engine, audio)
    assert len(heard.words) <= (name == "short_100ms")


@pytest.mark.shared
def test_ringing_has_no_words_and_the_speech_after_it_has(
    engine: Engine, shared_data: Path, tmp_path: Path
) -> None:
    audio = written(tmp_path, read(shared_data / "nasty/ringback_then_speech.wav"))
    heard = transcribe(engine, audio)
    assert heard.words
    assert heard.words[0].start > 19.5


@pytest.mark.shared
@pytest.mark.parametrize("call", ["d03_debt_good", "d04_debt_poor"])
def test_no_speech_is_dropped_behind_a_steep_high_pass(
    engine: Engine, shared_data: Path, tmp_path: Path, call: str
) -> None:
    folder = shared_data / "synth_harsh" / call
    minute = read(folder / "stereo.flac")[:, : 60 * RATE]
    heard = transcribe(engine, written(tmp_path, minute))
    spoken = [
        word
        for turn in turns(folder)
        for word in turn["words"]  # type: ignore[attr-defined]
        if word["end"] < 60
    ]
    assert len(heard.words) > 0.8 * len(spoken)


@pytest.mark.parametrize("channel", [AGENT, CUSTOMER])
def test_every_turn_has_words(engine: Engine, sample: Path, channel: int) -> None:
    heard = transcribe(engine, source(sample / "stereo.flac"))
    assert uncovered(heard, sample, channel) == 0


def test_a_number_said_twice_is_read_twice(engine: Engine, sample: Path, tmp_path: Path) -> None:
    number = said(sample, "Laura Bennett", CUSTOMER)
    pause = np.zeros(RATE // 2)
    once = text(transcribe(engine, written(tmp_path, np.concatenate([pause, number]))).words)
    twice = np.concatenate([pause, number, pause, number, pause])
    again = text(transcribe(engine, written(tmp_path, twice)).words)
    assert "bennett" in once
    assert again.count("bennett") == 2
    assert sum(map(str.isdigit, again)) == 2 * sum(map(str.isdigit, once)) > 0


def test_amounts_are_whole_and_have_times(engine: Engine, sample: Path) -> None:
    heard = transcribe(engine, source(sample / "stereo.flac"))
    amounts = [word for word in heard.words if any(map(str.isdigit, word.text))]
    assert {"$264", "$200"} <= {word.text for word in amounts}
    assert all(0 < word.end - word.start < 3 for word in amounts)


def test_a_backchannel_within_the_others_turn_is_kept(engine: Engine, sample: Path) -> None:
    heard = transcribe(engine, source(sample / "stereo.flac"))
    for turn in turns(sample):
        if turn["backchannel"]:
            start, end = float(str(turn["start"])), float(str(turn["end"]))
            assert any(
                word.channel == turn["channel"] and word.start < end and start < word.end
                for word in heard.words
            ), turn["text"]


@pytest.mark.parametrize("decibels", [-12.0, -20.0, -34.0])
def test_crosstalk_is_not_read_twice(
    engine: Engine, sample: Path, tmp_path: Path, decibels: float
) -> None:
    clean = read(sample / "stereo.flac")
    leaking = clean.copy()
    leaking[CUSTOMER] += 10 ** (decibels / 20) * clean[AGENT]
    heard = transcribe(engine, written(tmp_path, leaking))
    customer = text(heard.words, CUSTOMER)
    assert "lakeshore" in text(heard.words, AGENT)
    for foreign in ("lakeshore", "monitored", "holding", "matches", "reference"):
        assert foreign not in customer.split()
    assert "apartment" in customer


def test_the_language_asked_for_is_the_language_read(engine: Engine, sample: Path) -> None:
    heard = transcribe(engine, source(sample / "mono.wav"))
    assert heard.language == "en"
    assert heard.language_probability is None  # nothing was guessed
