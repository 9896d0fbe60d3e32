"""The sample call's files agree with each other."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

Samples = NDArray[np.float64]
Truth = dict[str, Any]

RATE = 8_000
AGENT, CUSTOMER = 0, 1
GRID = 0.025  # seconds; the truth's word times are this coarse


def decoded(path: Path) -> Samples:
    with av.open(str(path)) as container:
        frames = [f.to_ndarray() for f in container.decode(audio=0)]
        channels = container.streams.audio[0].channels
    return np.concatenate(frames, axis=1).reshape(-1, channels).T.astype(np.float64)


def level(samples: Samples, start: float, end: float) -> float:
    """RMS in dB below full scale."""
    part = samples[round(start * RATE) : round(end * RATE)]
    return float(20 * np.log10(np.sqrt(np.mean(part**2)) / 32_768 + 1e-9))


@pytest.fixture(scope="module")
def truth(sample: Path) -> Truth:
    loaded: Truth = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def stereo(sample: Path) -> Samples:
    return decoded(sample / "stereo.flac")


@pytest.fixture(scope="module")
def mono(sample: Path) -> Samples:
    return decoded(sample / "mono.wav")


def test_both_recordings_last_as_long_as_the_truth_says(
    stereo: Samples, mono: Samples, truth: Truth
) -> None:
    assert stereo.shape == (2, round(truth["duration_s"] * RATE))
    assert mono.shape == (1, stereo.shape[1])


def test_mono_is_the_mix_of_both_channels(stereo: Samples, mono: Samples) -> None:
    mix = stereo.sum(axis=0)
    half_a_step_of_mu_law = (np.abs(mix) + 132) / 32
    assert np.all(np.abs(mono[0] - mix) <= half_a_step_of_mu_law)


def test_the_truth_tells_every_turn_of_the_script(sample: Path, truth: Truth) -> None:
    script = yaml.safe_load((sample / "script.yaml").read_text(encoding="utf-8"))
    written = [
        (speaker, " ".join(sentence["text"] for sentence in line[speaker]))
        for line in script["turns"]
        for speaker in ("agent", "customer")
        if speaker in line
    ]
    assert [(t["speaker"], t["text"]) for t in truth["turns"]] == written
    assert truth["expected"] == script["expected"]


def test_words_make_up_their_turn_in_order_and_within_the_recording(truth: Truth) -> None:
    for turn in truth["turns"]:
        words = turn["words"]
        assert " ".join(w["w"] for w in words) == turn["text"]
        assert (turn["start"], turn["end"]) == (words[0]["start"], words[-1]["end"])
        assert all(w["start"] < w["end"] for w in words)
        assert all(a["end"] <= b["start"] for a, b in pairwise(words))
        assert 0 <= turn["start"] < turn["end"] <= truth["duration_s"]


def test_rttm_holds_the_same_turns(sample: Path, truth: Truth) -> None:
    lines = [line.split() for line in (sample / "truth.rttm").read_text().splitlines()]
    assert [(f[7], float(f[3]), round(float(f[3]) + float(f[4]), 3)) for f in lines] == [
        (t["speaker"], t["start"], t["end"]) for t in truth["turns"]
    ]


def test_every_word_is_heard_on_its_channel(stereo: Samples, truth: Truth) -> None:
    quiet = [
        (word["w"], word["start"])
        for turn in truth["turns"]
        for word in turn["words"]
        if level(stereo[turn["channel"]], word["start"] - GRID, word["end"] + GRID) < -55
    ]
    assert quiet == []


@pytest.mark.parametrize("channel", [AGENT, CUSTOMER])
def test_a_channel_is_quiet_where_its_party_is(stereo: Samples, truth: Truth, channel: int) -> None:
    heard = [(t["start"], t["end"]) for t in truth["turns"] if t["channel"] == channel]
    heard += [(h["start"], h["end"]) for h in truth["holds"] if channel == AGENT]
    ends = [0.0, *sorted(end for _, end in heard)]
    gaps = [
        (end + 0.25, start - 2 * GRID)
        for end, start in zip(
            ends, [*sorted(s for s, _ in heard), truth["duration_s"]], strict=True
        )
        if start - end > 0.5
    ]
    assert len(gaps) > 5
    assert max(level(stereo[channel], *gap) for gap in gaps) < -55


def test_hold_music_plays_to_the_customer_only(stereo: Samples, truth: Truth) -> None:
    (hold,) = truth["holds"]
    assert level(stereo[AGENT], hold["start"], hold["end"]) > -40
    assert level(stereo[CUSTOMER], hold["start"], hold["end"]) < -55


def test_interruptions_and_backchannels_begin_while_the_other_speaks(truth: Truth) -> None:
    for event in truth["interruptions"] + truth["backchannels"]:
        other = [
            t
            for t in truth["turns"]
            if t["start"] < event["start"] < t["end"] and t["i"] != event["turn"]
        ]
        assert len(other) == 1
    assert len(truth["interruptions"]) == 1
    assert len(truth["backchannels"]) == 2


def test_marks_quote_the_turn_they_name(truth: Truth) -> None:
    for mark in truth["behaviors"] + truth["opportunities"]:
        turn = truth["turns"][mark["turn"]]
        assert mark["speaker"] == turn["speaker"]
        assert mark["text"] in turn["text"]
        assert turn["start"] <= mark["start"] < mark["end"] <= turn["end"]


def test_it_is_small_enough_to_live_here(sample: Path) -> None:
    assert (sample / "stereo.flac").stat().st_size < 1_000_000
    assert sum(f.stat().st_size for f in sample.iterdir()) < 2_000_000
