"""The flow itself, with made-up stages: order, progress, and what a failure does."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from callscope.errors import Cancelled, UndecodableAudio
from callscope.pipeline import (
    AnalyzeOptions,
    DiarizeOptions,
    Progress,
    RubricSource,
    TranscribeOptions,
    analyze,
)
from callscope.types import (
    AudioSource,
    CallRecord,
    ChannelLayout,
    Diarization,
    Metrics,
    ModelInfo,
    OverallScore,
    Recording,
    Review,
    RubricRef,
    Scorecard,
    Span,
    Transcript,
    Turn,
    Utterance,
    Word,
)

RECORDING = Recording("call", "file:///call.wav", "ab" * 32, 99.0, 8000, 1, "pcm_mulaw")


@dataclass
class Stages:
    """All three stages; `fail` makes the transcriber fail once the diarizer is at work."""

    fail: bool = False
    diarizer_error: BaseException | None = None
    at_work: threading.Event = field(default_factory=threading.Event)

    def transcribe(
        self, audio: AudioSource, options: TranscribeOptions, progress: Progress
    ) -> Transcript:
        assert audio.uri == RECORDING.uri
        assert options.language == "en"
        if self.fail:
            assert self.at_work.wait(5)
            raise UndecodableAudio("noise")
        progress(1.0)
        words = (Word("Hello.", 1.0, 1.5, 0.9, 0), Word("Hi.", 2.0, 2.4, 0.9, 0))
        return Transcript(
            4.0,
            "en",
            None,
            words,
            (Span(1, 2.4, 0),),
            ModelInfo("transcribe", "t", "1"),
            ("a doubt of the file",),
        )

    def diarize(
        self, audio: AudioSource, options: DiarizeOptions, progress: Progress
    ) -> Diarization:
        assert audio.uri == RECORDING.uri
        assert options.max_speakers == 2
        try:
            while self.fail:
                progress(0.5)
                self.at_work.set()
                time.sleep(0.01)
        except Cancelled as error:
            self.diarizer_error = error
            raise
        progress(1.0)
        turns = (Turn("speaker_0", 0.9, 1.6), Turn("speaker_1", 1.9, 2.5))
        return Diarization(ChannelLayout.MONO, turns, (), (ModelInfo("diarize", "d", "2"),))

    def score(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: RubricSource,
        progress: Progress,
    ) -> Scorecard:
        assert [utterance.text for utterance in utterances] == ["Hello.", "Hi."]
        assert metrics.silence is not None
        assert metrics.silence < 4.0
        progress(1.0)
        return Scorecard(
            RubricRef(rubric.name or "", "1", "3"),
            (),
            (),
            OverallScore(None, None),
            Review(True, ("a doubt of the scorer",)),
            (ModelInfo("score", "s", "4"),),
        )


def run(stages: Stages, seen: list[tuple[str, float]]) -> CallRecord:
    return analyze(
        RECORDING,
        AudioSource(uri=RECORDING.uri),
        transcriber=stages,
        diarizer=stages,
        scorer=stages,
        options=AnalyzeOptions(
            transcribe=TranscribeOptions(language="en"), diarize=DiarizeOptions(max_speakers=2)
        ),
        progress=lambda stage, done: seen.append((stage, done)),
    )


def test_the_stages_results_become_one_record() -> None:
    seen: list[tuple[str, float]] = []
    record = run(Stages(), seen)
    assert set(seen) == {("transcribe", 1.0), ("diarize", 1.0), ("score", 1.0)}
    assert [model.digest for model in record.provenance.models] == ["1", "2", "4"]
    assert record.provenance.audio_sha256 == RECORDING.sha256
    assert record.provenance.rubric.id == "general"
    assert "a doubt of the scorer" in record.review.reasons
    assert "a doubt of the file" in record.review.reasons


def test_the_duration_is_what_was_decoded_not_what_the_header_claims() -> None:
    assert run(Stages(), []).recording.duration == 4.0


def test_a_failing_stage_stops_the_other_and_its_error_wins() -> None:
    stages = Stages(fail=True)
    with pytest.raises(UndecodableAudio, match="noise"):
        run(stages, [])
    assert isinstance(stages.diarizer_error, Cancelled)
