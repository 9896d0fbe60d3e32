"""Conversations to test with: written by hand, or read from a truth file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from callscope import dialogue
from callscope.types import (
    BehaviorScore,
    CallRecord,
    ChannelLayout,
    ChannelReport,
    Diarization,
    ModelInfo,
    Outcome,
    OverallScore,
    Provenance,
    Recording,
    Review,
    RubricRef,
    Transcript,
    Turn,
    Word,
)

MODEL = ModelInfo("transcribe", "written", "0" * 64)

Line = tuple[int, float, str]
"""Who (0, 1, ...), from when, and what; a word takes 0.25 s, and 0.05 s pass between words."""

Heard = tuple[Transcript, Diarization]


def _words(line: Line, channel: int) -> list[Word]:
    _, start, text = line
    return [
        Word(word, start + 0.3 * i, start + 0.3 * i + 0.25, 0.9, channel)
        for i, word in enumerate(text.split())
    ]


def _heard(words: list[Word], turns: list[Turn], layout: ChannelLayout, duration: float) -> Heard:
    channels = 2 if layout is ChannelLayout.TWO_PARTY else 1
    ordered = tuple(sorted(words, key=lambda word: word.start))
    return (
        Transcript(duration, "en", 1.0, ordered, (), MODEL),
        Diarization(
            layout,
            tuple(sorted(turns, key=lambda turn: turn.start)),
            tuple(ChannelReport(channel, -20.0) for channel in range(channels)),
        ),
    )


@pytest.fixture(scope="session")
def two_party() -> Callable[[Sequence[Line]], Heard]:
    """A call with a channel for each party, as both engines would return it."""

    def build(lines: Sequence[Line]) -> Heard:
        words = [_words(line, line[0]) for line in lines]
        turns = [
            Turn(f"channel_{w[0].channel}", w[0].start, w[-1].end, w[0].channel) for w in words
        ]
        duration = max((turn.end for turn in turns), default=0.0) + 1.0
        return _heard([w for each in words for w in each], turns, ChannelLayout.TWO_PARTY, duration)

    return build


@pytest.fixture(scope="session")
def mono() -> Callable[[Sequence[Line]], Heard]:
    """The same with all on one channel."""

    def build(lines: Sequence[Line]) -> Heard:
        words = [_words(line, 0) for line in lines]
        turns = [
            Turn(f"speaker_{line[0]}", each[0].start, each[-1].end)
            for line, each in zip(lines, words, strict=True)
        ]
        duration = max((turn.end for turn in turns), default=0.0) + 1.0
        return _heard([w for each in words for w in each], turns, ChannelLayout.MONO, duration)

    return build


@pytest.fixture(scope="session")
def truth_call() -> Callable[[Path, ChannelLayout], tuple[Heard, dict[str, Any]]]:
    """What perfect engines would return for a call with a truth file, and the truth."""

    def build(folder: Path, layout: ChannelLayout) -> tuple[Heard, dict[str, Any]]:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        parted = layout is ChannelLayout.TWO_PARTY
        words = [
            Word(word["w"], word["start"], word["end"], 1.0, turn["channel"] if parted else 0)
            for turn in truth["turns"]
            for word in turn["words"]
        ]
        turns = [
            Turn(
                f"{'channel' if parted else 'speaker'}_{turn['channel']}",
                turn["start"],
                turn["end"],
                turn["channel"] if parted else None,
            )
            for turn in truth["turns"]
        ]
        return _heard(words, turns, layout, truth["duration_s"]), truth

    return build


@pytest.fixture(scope="session")
def make_record(
    two_party: Callable[[Sequence[Line]], Heard],
) -> Callable[[Sequence[Line]], CallRecord]:
    """A record of a call whose agent is on channel 0."""

    def build(lines: Sequence[Line]) -> CallRecord:
        transcript, diarization = two_party(lines)
        call = dialogue.build(transcript, diarization, transcript.duration, agent_channel=0)
        rubric = RubricRef("general", "1", "c" * 64)
        sha256 = "ab" * 32
        return CallRecord(
            schema_version="1.0",
            recording=Recording(
                "call-7", None, sha256, transcript.duration, 8000, 2, "pcm_mulaw", metadata={}
            ),
            language="en",
            layout=diarization.layout,
            channels=call.channels,
            participants=call.participants,
            utterances=call.utterances,
            metrics=call.metrics,
            behaviors=(
                BehaviorScore(
                    behavior="discovery",
                    title="Finds out what it is about",
                    outcome=Outcome.DELIVERED,
                    score=87.5,
                    confidence=0.91234567,
                    weight=1.0,
                    evidence=(),
                    explanation="Asked twice.",
                ),
            ),
            disclosures=(),
            overall=OverallScore(87.5, None),
            review=Review(bool(call.doubts), call.doubts),
            provenance=Provenance("0.1.0", (MODEL,), rubric, sha256),
        )

    return build
