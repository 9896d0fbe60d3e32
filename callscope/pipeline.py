"""The whole flow on one screen: a recording goes in, a call record comes out.

The stages are Protocols. Engines (in this process) and gRPC clients (`callscope.clients`) both
fill them, so tests, benchmarks, the command line and the gateway run the same flow.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Protocol

from callscope import __version__, dialogue
from callscope.errors import Cancelled
from callscope.types import (
    SCHEMA_VERSION,
    AudioSource,
    CallRecord,
    ChannelLayout,
    Diarization,
    Metrics,
    ModelInfo,
    Provenance,
    Recording,
    Review,
    Scorecard,
    TextConversation,
    Transcript,
    Utterance,
)

__all__ = [
    "AnalyzeOptions",
    "DiarizeOptions",
    "Diarizer",
    "Progress",
    "RubricSource",
    "Scorer",
    "StageProgress",
    "TranscribeOptions",
    "Transcriber",
    "analyze",
    "analyze_text",
    "assemble",
    "assemble_text",
]

Progress = Callable[[float], None]
"""Called with the share done, 0 to 1, at least every few seconds of work.

It may raise `Cancelled` or `DeadlineExceeded`; the stage lets that pass, which stops the work.
"""

StageProgress = Callable[[str, float], None]
"""`Progress` for several stages: (stage name, share done)."""


@dataclass(frozen=True, slots=True)
class TranscribeOptions:
    """How to transcribe; `language` is an ISO 639-1 code, None to detect it."""

    language: str | None = None
    hotwords: tuple[str, ...] = ()
    model: str | None = None  # None: the service's default


@dataclass(frozen=True, slots=True)
class DiarizeOptions:
    """How many speakers to expect on a channel that several share."""

    min_speakers: int | None = None
    max_speakers: int | None = None


@dataclass(frozen=True, slots=True)
class RubricSource:
    """A rubric by `name` (one that the score service ships or mounts), or its YAML text."""

    name: str | None = None
    yaml: str | None = None

    def __post_init__(self) -> None:
        if (self.name is None) == (self.yaml is None):
            raise ValueError("a RubricSource has either a name or yaml")


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """Everything a caller may ask for; the defaults suit a call nobody described."""

    rubric: RubricSource = RubricSource(name="general")
    agent_channel: int | None = None  # None: inferred from what is said
    transcribe: TranscribeOptions = TranscribeOptions()
    diarize: DiarizeOptions = DiarizeOptions()


class Transcriber(Protocol):
    """Speech to words with times, each channel apart."""

    def transcribe(
        self, audio: AudioSource, options: TranscribeOptions, progress: Progress
    ) -> Transcript:
        """Transcribe every channel that carries speech of its own."""
        ...


class Diarizer(Protocol):
    """Who spoke when, and how healthy the channels are."""

    def diarize(
        self, audio: AudioSource, options: DiarizeOptions, progress: Progress
    ) -> Diarization:
        """Find who spoke when."""
        ...


class Scorer(Protocol):
    """Utterances to judged behaviors and disclosures."""

    def score(
        self,
        utterances: Sequence[Utterance],
        metrics: Metrics,
        rubric: RubricSource,
        progress: Progress,
    ) -> Scorecard:
        """Judge the conversation by the rubric."""
        ...


def analyze(
    recording: Recording,
    audio: AudioSource,
    *,
    transcriber: Transcriber,
    diarizer: Diarizer,
    scorer: Scorer,
    options: AnalyzeOptions,
    progress: StageProgress,
) -> CallRecord:
    """Run every stage of one call: transcribe and diarize side by side, then dialogue and score.

    Raises:
        CallscopeError: the first failing stage's error; the other stage is stopped first.
    """
    stopped = threading.Event()

    def watch(stage: str) -> Progress:
        def report(done: float) -> None:
            if stopped.is_set():
                raise Cancelled(f"{stage} was stopped because another stage failed")
            progress(stage, done)

        return report

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="stage") as pool:
        speech = pool.submit(transcriber.transcribe, audio, options.transcribe, watch("transcribe"))
        speakers = pool.submit(diarizer.diarize, audio, options.diarize, watch("diarize"))
        pending: tuple[Future[Any], ...] = (speech, speakers)
        try:
            wait(pending, return_when=FIRST_EXCEPTION)
        finally:  # also on Ctrl-C; no effect when both are done
            stopped.set()
    errors = [error for each in pending if (error := each.exception()) is not None]
    for error in sorted(errors, key=lambda each: isinstance(each, Cancelled)):
        raise error
    transcript, diarization = speech.result(), speakers.result()

    conversation = dialogue.build(
        transcript, diarization, transcript.duration, options.agent_channel
    )
    scorecard = scorer.score(
        conversation.utterances,
        conversation.metrics,
        options.rubric,
        lambda done: progress("score", done),
    )
    return assemble(recording, transcript, diarization, conversation, scorecard)


def analyze_text(
    recording: Recording,
    text: TextConversation,
    *,
    scorer: Scorer,
    options: AnalyzeOptions,
    progress: StageProgress,
) -> CallRecord:
    """Analyze a conversation that is sent as text; raises what the scorer raises."""
    conversation = dialogue.read(text)
    scorecard = scorer.score(
        conversation.utterances,
        conversation.metrics,
        options.rubric,
        lambda done: progress("score", done),
    )
    return assemble_text(recording, text, conversation, scorecard)


def assemble(
    recording: Recording,
    transcript: Transcript,
    diarization: Diarization,
    conversation: dialogue.Conversation,
    scorecard: Scorecard,
) -> CallRecord:
    """Put the stages' results together as the record; what the dialogue doubts goes to review."""
    return _record(
        replace(recording, duration=transcript.duration),  # headers may lie
        transcript.language,
        diarization.layout,
        (transcript.model, *diarization.models),
        conversation,
        scorecard,
    )


def assemble_text(
    recording: Recording,
    text: TextConversation,
    conversation: dialogue.Conversation,
    scorecard: Scorecard,
) -> CallRecord:
    """As `assemble`, for a conversation that was sent as text."""
    return _record(recording, text.language, ChannelLayout.NONE, (), conversation, scorecard)


def _record(
    recording: Recording,
    language: str | None,
    layout: ChannelLayout,
    listened: tuple[ModelInfo, ...],
    conversation: dialogue.Conversation,
    scorecard: Scorecard,
) -> CallRecord:
    reasons = conversation.doubts + scorecard.review.reasons
    return CallRecord(
        schema_version=SCHEMA_VERSION,
        recording=recording,
        language=language,
        layout=layout,
        channels=conversation.channels,
        participants=conversation.participants,
        utterances=conversation.utterances,
        metrics=conversation.metrics,
        behaviors=scorecard.behaviors,
        disclosures=scorecard.disclosures,
        overall=scorecard.overall,
        review=Review(needed=bool(reasons), reasons=reasons),
        provenance=Provenance(
            software_version=__version__,
            models=(*listened, *scorecard.models),
            rubric=scorecard.rubric,
            audio_sha256=recording.sha256,
        ),
    )
