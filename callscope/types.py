"""The values that travel through Callscope, from a recording to a call record.

All are frozen: a stage takes a value and returns a new one. Times are float seconds from the
start of the recording, always `start` and `end` with `start <= end`. What is absent is `None`,
never 0 or "". The same names are used in JSON (`callscope.record`) and on the wire
(`callscope.wire`); enums are lower-case strings in JSON.

A conversation that was sent as text may have no times (`Timing.NONE`). Its words and utterances
then stand on the reading clock of `callscope.conversation.lines`, which keeps their order and
measures windows, and is no fact about the call: it never leaves the program
(`callscope.record.to_dict`, `callscope.wire.published`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = [
    "AudioSource",
    "Backchannel",
    "BehaviorScore",
    "CallRecord",
    "ChannelFinding",
    "ChannelLayout",
    "ChannelReport",
    "Diarization",
    "DisclosureResult",
    "DisclosureStatus",
    "Evidence",
    "Interruption",
    "MediaInfo",
    "Metrics",
    "ModelInfo",
    "Outcome",
    "OverallScore",
    "Participant",
    "ParticipantMetrics",
    "Polarity",
    "Provenance",
    "Recording",
    "Review",
    "Role",
    "RubricRef",
    "Scorecard",
    "Span",
    "TextConversation",
    "TextParticipant",
    "TextUtterance",
    "TextWord",
    "Timing",
    "Transcript",
    "Turn",
    "Utterance",
    "Word",
]

SCHEMA_VERSION = "1.1"


class Role(StrEnum):
    """Who a speaker is in the call."""

    AGENT = "agent"
    CUSTOMER = "customer"
    IVR = "ivr"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of a behavior in a call."""

    DELIVERED = "delivered"
    PARTIAL = "partial"
    MISSED = "missed"
    NO_OPPORTUNITY = "no_opportunity"
    NOT_ASSESSABLE = "not_assessable"


class Polarity(StrEnum):
    """What a piece of evidence speaks for."""

    FOR = "for"
    AGAINST = "against"
    MISSED_OPPORTUNITY = "missed_opportunity"


class DisclosureStatus(StrEnum):
    """What became of a disclosure in a call."""

    DELIVERED = "delivered"
    PARTIAL = "partial"
    MISSING = "missing"
    NOT_REQUIRED = "not_required"


class ChannelLayout(StrEnum):
    """How the parties lie on the channels, as measured, not as the header claims."""

    MONO = "mono"  # both parties on the one channel that carries speech
    TWO_PARTY = "two_party"  # one party per channel
    NONE = "none"  # no recording: the conversation was sent as text


class ChannelFinding(StrEnum):
    """What is wrong with a channel."""

    DEAD = "dead"  # no signal at all
    DUPLICATED = "duplicated"  # the same signal as an earlier channel, up to gain
    LEAKING = "leaking"  # the other channel's speech is audible on it (crosstalk)
    SWAPPED = "swapped"  # the words suggest the other role than the channel map


class Timing(StrEnum):
    """How finely it is known when something was said."""

    WORDS = "words"  # each word has its own times, from the audio
    UTTERANCES = "utterances"  # each utterance has, from its sender; its words have those
    NONE = "none"  # nothing has; what times decide is None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time; `channel` is None where all channels are meant."""

    start: float
    end: float
    channel: int | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that took part: the stage it served, its name, and the SHA-256 of its files."""

    stage: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class AudioSource:
    """Where a recording's bytes are: a `uri` (`file://`, `s3://`), or `data` for short clips."""

    uri: str | None = None
    data: bytes | None = None

    def __post_init__(self) -> None:
        if (self.uri is None) == (self.data is None):
            raise ValueError("an AudioSource has either a uri or data")


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Facts read from the file itself; `doubts` say what is wrong with it, one sentence each."""

    sha256: str
    duration: float
    sample_rate: int
    channels: int
    codec: str
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording and what its sender said about it.

    Of a conversation that was sent as text, `sha256` is of what was said, and there are no sample
    rate, channels and codec. `metadata` holds the sender's facts as text: agent, customer, queue,
    direction and others.
    """

    id: str
    uri: str | None
    sha256: str
    duration: float | None  # None where nobody knows
    sample_rate: int | None
    channels: int | None
    codec: str | None
    started_at: str | None = None  # RFC 3339
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        """Whether there never was any audio."""
        return self.codec is None


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its punctuation, as written.

    `probability` is the recognizer's, 1 where the text was given.
    """

    text: str
    start: float
    end: float
    probability: float
    channel: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. Words are in order of time, the channels interleaved.

    `speech` are the stretches where voice activity was found, per channel: what the recognizer
    listened to, against which its coverage can be checked. `duration` is how many seconds of
    audio were decoded, which a damaged file's header may overstate; `doubts` then say so.
    """

    duration: float
    language: str | None
    language_probability: float | None
    words: tuple[Word, ...]
    speech: tuple[Span, ...]
    model: ModelInfo
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextParticipant:
    """Who takes part in a conversation that is sent as text; None for what is not known."""

    speaker: str
    role: Role | None = None
    bot: bool | None = None


@dataclass(frozen=True, slots=True)
class TextWord:
    """A word of a conversation that is sent as text, with its seconds from the start of the call.

    `probability` is how sure its recognizer was, 0 to 1; None where that is not known.
    """

    text: str
    start: float
    end: float
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class TextUtterance:
    """What one speaker said or wrote in one go; seconds from the start of the call, or None.

    `words` are those of `text`, where their times are known.
    """

    speaker: str
    text: str
    start: float | None = None
    end: float | None = None
    words: tuple[TextWord, ...] = ()


@dataclass(frozen=True, slots=True)
class TextConversation:
    """A conversation that is sent as text: a transcript made elsewhere, or a chat.

    Either every utterance has its times or none has, and so with the times of words.
    """

    utterances: tuple[TextUtterance, ...]
    participants: tuple[TextParticipant, ...] = ()
    language: str | None = None

    @property
    def timing(self) -> Timing:
        """Whether its words, its utterances or neither have times.

        Words that begin together have no times of their own, but those of their caption.
        """
        words = sum(len(each.words) for each in self.utterances)
        begun = sum(len({word.start for word in each.words}) for each in self.utterances)
        if 2 * begun > words:
            return Timing.WORDS
        timed = any(each.start is not None for each in self.utterances)
        return Timing.UTTERANCES if timed else Timing.NONE

    @property
    def duration(self) -> float | None:
        """Seconds to the end of the last utterance, where there are times."""
        return max((each.end for each in self.utterances if each.end is not None), default=None)


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch in which one speaker talks. `channel` is None where speakers share a channel."""

    speaker: str
    start: float
    end: float
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """The health of one channel: RMS level of its speech, and what was found wrong."""

    channel: int
    level_dbfs: float | None  # None for a dead channel
    findings: tuple[ChannelFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when. `turns` are in order of start and may overlap."""

    layout: ChannelLayout
    turns: tuple[Turn, ...]
    channels: tuple[ChannelReport, ...]
    models: tuple[ModelInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker said in one go. `index` is its place in the call, from 0.

    `role_confidence` is 1.0 where the role was given, lower where it was inferred.
    """

    index: int
    speaker: str
    role: Role
    role_confidence: float
    start: float
    end: float
    words: tuple[Word, ...]
    backchannel: bool = False  # "mm-hmm" inside or beside the other's turn

    @property
    def text(self) -> str:
        """The words as written, joined by spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Interruption:
    """`by` starts while `of` speaks, takes the floor, and is no backchannel."""

    by: Role
    of: Role
    start: float
    overlap: float  # seconds both talk
    utterance: int  # index of the interrupting utterance
    interrupted: int  # index of the interrupted one


@dataclass(frozen=True, slots=True)
class Backchannel:
    """A short sign of listening ("mm-hmm", "I see") by `by`, in or beside the other's turn."""

    by: Role
    start: float
    end: float
    utterance: int


@dataclass(frozen=True, slots=True)
class ParticipantMetrics:
    """How one role talked; all but the words is None where nothing has times."""

    role: Role
    talk: float | None  # seconds of speech
    talk_share: float | None  # of both parties' speech, 0-1; None where nobody spoke
    words: int
    words_per_minute: float | None  # over the seconds of speech
    longest_monologue: float | None  # seconds, backchannels of the other ignored
    response_latency: float | None  # median seconds from the other's end to this role's start
    interruptions: int | None  # made by this role
    backchannels: int | None  # made by this role


@dataclass(frozen=True, slots=True)
class Metrics:
    """The conversation in numbers; without times, those that need them are None or empty."""

    participants: tuple[ParticipantMetrics, ...]
    silence: float | None  # seconds in which nobody speaks, hold apart
    silence_share: float | None  # of the recording, 0-1
    hold: float | None  # seconds on hold
    overtalk: float | None  # seconds in which both speak
    long_silences: tuple[Span, ...]  # 3 s and more, hold apart
    holds: tuple[Span, ...]
    interruptions: tuple[Interruption, ...]
    backchannels: tuple[Backchannel, ...]
    timing: Timing = Timing.WORDS


@dataclass(frozen=True, slots=True)
class Evidence:
    """The seconds a judgement rests on.

    `quote` is literally in the transcript at those seconds; `utterance` is its index. Without
    times in the conversation there are no seconds.
    """

    utterance: int
    start: float | None
    end: float | None
    quote: str
    label: str
    probability: float
    polarity: Polarity


@dataclass(frozen=True, slots=True)
class BehaviorScore:
    """One behavior of the rubric, judged.

    `score` is None where the outcome is no_opportunity or not_assessable; for the latter the
    evidence is empty. `confidence` is that the outcome is right, 0-1.
    """

    behavior: str
    title: str
    outcome: Outcome
    score: float | None  # 0-100
    confidence: float
    weight: float
    evidence: tuple[Evidence, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class DisclosureResult:
    """One required statement, checked element by element.

    How it was delivered is None where nothing of it was said, or where it takes times that the
    conversation has not: `in_order` also where no order is asked for, `on_time` also where it has
    no deadline, `rushed` also where it is too short to time.
    """

    disclosure: str
    title: str
    status: DisclosureStatus
    coverage: float | None  # share of the required elements said, 0-1
    missing_elements: tuple[str, ...]
    start: float | None
    end: float | None
    on_time: bool | None
    words_per_minute: float | None
    confidence: float
    evidence: tuple[Evidence, ...]
    explanation: str
    in_order: bool | None = None  # elements among themselves, and after what must come before
    rushed: bool | None = None  # faster than the rubric allows
    interrupted: bool | None = None  # the customer took the floor meanwhile
    mumbled: bool | None = None  # the recognizer doubted its words


@dataclass(frozen=True, slots=True)
class OverallScore:
    """The weighted mean of the behaviors that could be scored; None where none could.

    `auto_fail` names the behavior or disclosure that failed the call, whatever the mean.
    """

    score: float | None  # 0-100
    auto_fail: str | None


@dataclass(frozen=True, slots=True)
class Review:
    """Whether a person should look at the call, and why."""

    needed: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RubricRef:
    """Which rubric judged: `digest` is the SHA-256 of its canonical content."""

    id: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All judgements about one call by one rubric."""

    rubric: RubricRef
    behaviors: tuple[BehaviorScore, ...]
    disclosures: tuple[DisclosureResult, ...]
    overall: OverallScore
    review: Review
    models: tuple[ModelInfo, ...]


@dataclass(frozen=True, slots=True)
class Participant:
    """A speaker of the call, and the role and channel found for them.

    `bot` says whether it is a machine, where the sender said so.
    """

    speaker: str
    role: Role
    role_confidence: float
    channel: int | None
    bot: bool | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made this record: the same values give the same record.

    `audio_sha256` is of what was sent: the recording, or what was said where that was text.
    """

    software_version: str
    models: tuple[ModelInfo, ...]
    rubric: RubricRef
    audio_sha256: str


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Everything Callscope says about one call."""

    schema_version: str
    recording: Recording
    language: str | None
    layout: ChannelLayout
    channels: tuple[ChannelReport, ...]
    participants: tuple[Participant, ...]
    utterances: tuple[Utterance, ...]
    metrics: Metrics
    behaviors: tuple[BehaviorScore, ...]
    disclosures: tuple[DisclosureResult, ...]
    overall: OverallScore
    review: Review
    provenance: Provenance
