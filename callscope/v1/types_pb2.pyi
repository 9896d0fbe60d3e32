from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_AGENT: _ClassVar[Role]
    ROLE_CUSTOMER: _ClassVar[Role]
    ROLE_IVR: _ClassVar[Role]
    ROLE_UNKNOWN: _ClassVar[Role]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_DELIVERED: _ClassVar[Outcome]
    OUTCOME_PARTIAL: _ClassVar[Outcome]
    OUTCOME_MISSED: _ClassVar[Outcome]
    OUTCOME_NO_OPPORTUNITY: _ClassVar[Outcome]
    OUTCOME_NOT_ASSESSABLE: _ClassVar[Outcome]

class Polarity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLARITY_UNSPECIFIED: _ClassVar[Polarity]
    POLARITY_FOR: _ClassVar[Polarity]
    POLARITY_AGAINST: _ClassVar[Polarity]
    POLARITY_MISSED_OPPORTUNITY: _ClassVar[Polarity]

class DisclosureStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCLOSURE_STATUS_UNSPECIFIED: _ClassVar[DisclosureStatus]
    DISCLOSURE_STATUS_DELIVERED: _ClassVar[DisclosureStatus]
    DISCLOSURE_STATUS_PARTIAL: _ClassVar[DisclosureStatus]
    DISCLOSURE_STATUS_MISSING: _ClassVar[DisclosureStatus]
    DISCLOSURE_STATUS_NOT_REQUIRED: _ClassVar[DisclosureStatus]

class ChannelLayout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_LAYOUT_UNSPECIFIED: _ClassVar[ChannelLayout]
    CHANNEL_LAYOUT_MONO: _ClassVar[ChannelLayout]
    CHANNEL_LAYOUT_TWO_PARTY: _ClassVar[ChannelLayout]
    CHANNEL_LAYOUT_NONE: _ClassVar[ChannelLayout]

class Timing(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIMING_UNSPECIFIED: _ClassVar[Timing]
    TIMING_WORDS: _ClassVar[Timing]
    TIMING_UTTERANCES: _ClassVar[Timing]
    TIMING_NONE: _ClassVar[Timing]

class ChannelFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_FINDING_UNSPECIFIED: _ClassVar[ChannelFinding]
    CHANNEL_FINDING_DEAD: _ClassVar[ChannelFinding]
    CHANNEL_FINDING_DUPLICATED: _ClassVar[ChannelFinding]
    CHANNEL_FINDING_LEAKING: _ClassVar[ChannelFinding]
    CHANNEL_FINDING_SWAPPED: _ClassVar[ChannelFinding]
ROLE_UNSPECIFIED: Role
ROLE_AGENT: Role
ROLE_CUSTOMER: Role
ROLE_IVR: Role
ROLE_UNKNOWN: Role
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_DELIVERED: Outcome
OUTCOME_PARTIAL: Outcome
OUTCOME_MISSED: Outcome
OUTCOME_NO_OPPORTUNITY: Outcome
OUTCOME_NOT_ASSESSABLE: Outcome
POLARITY_UNSPECIFIED: Polarity
POLARITY_FOR: Polarity
POLARITY_AGAINST: Polarity
POLARITY_MISSED_OPPORTUNITY: Polarity
DISCLOSURE_STATUS_UNSPECIFIED: DisclosureStatus
DISCLOSURE_STATUS_DELIVERED: DisclosureStatus
DISCLOSURE_STATUS_PARTIAL: DisclosureStatus
DISCLOSURE_STATUS_MISSING: DisclosureStatus
DISCLOSURE_STATUS_NOT_REQUIRED: DisclosureStatus
CHANNEL_LAYOUT_UNSPECIFIED: ChannelLayout
CHANNEL_LAYOUT_MONO: ChannelLayout
CHANNEL_LAYOUT_TWO_PARTY: ChannelLayout
CHANNEL_LAYOUT_NONE: ChannelLayout
TIMING_UNSPECIFIED: Timing
TIMING_WORDS: Timing
TIMING_UTTERANCES: Timing
TIMING_NONE: Timing
CHANNEL_FINDING_UNSPECIFIED: ChannelFinding
CHANNEL_FINDING_DEAD: ChannelFinding
CHANNEL_FINDING_DUPLICATED: ChannelFinding
CHANNEL_FINDING_LEAKING: ChannelFinding
CHANNEL_FINDING_SWAPPED: ChannelFinding

class AudioSource(_message.Message):
    __slots__ = ("uri", "data")
    URI_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    uri: str
    data: bytes
    def __init__(self, uri: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ("start", "end", "channel")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    start: float
    end: float
    channel: int
    def __init__(self, start: _Optional[float] = ..., end: _Optional[float] = ..., channel: _Optional[int] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("stage", "name", "digest")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    stage: str
    name: str
    digest: str
    def __init__(self, stage: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done",)
    DONE_FIELD_NUMBER: _ClassVar[int]
    done: float
    def __init__(self, done: _Optional[float] = ...) -> None: ...

class Recording(_message.Message):
    __slots__ = ("id", "uri", "sha256", "duration", "sample_rate", "channels", "codec", "started_at", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    uri: str
    sha256: str
    duration: float
    sample_rate: int
    channels: int
    codec: str
    started_at: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., uri: _Optional[str] = ..., sha256: _Optional[str] = ..., duration: _Optional[float] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ..., codec: _Optional[str] = ..., started_at: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start", "end", "probability", "channel")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: float
    end: float
    probability: float
    channel: int
    def __init__(self, text: _Optional[str] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., probability: _Optional[float] = ..., channel: _Optional[int] = ...) -> None: ...

class Transcript(_message.Message):
    __slots__ = ("language", "language_probability", "words", "speech", "model", "duration", "doubts")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    SPEECH_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    DOUBTS_FIELD_NUMBER: _ClassVar[int]
    language: str
    language_probability: float
    words: _containers.RepeatedCompositeFieldContainer[Word]
    speech: _containers.RepeatedCompositeFieldContainer[Span]
    model: ModelInfo
    duration: float
    doubts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, language: _Optional[str] = ..., language_probability: _Optional[float] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., speech: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., model: _Optional[_Union[ModelInfo, _Mapping]] = ..., duration: _Optional[float] = ..., doubts: _Optional[_Iterable[str]] = ...) -> None: ...

class TextParticipant(_message.Message):
    __slots__ = ("speaker", "role", "bot")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BOT_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    role: Role
    bot: bool
    def __init__(self, speaker: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., bot: _Optional[bool] = ...) -> None: ...

class TextWord(_message.Message):
    __slots__ = ("text", "start", "end", "probability")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    text: str
    start: float
    end: float
    probability: float
    def __init__(self, text: _Optional[str] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., probability: _Optional[float] = ...) -> None: ...

class TextUtterance(_message.Message):
    __slots__ = ("speaker", "text", "start", "end", "words")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    text: str
    start: float
    end: float
    words: _containers.RepeatedCompositeFieldContainer[TextWord]
    def __init__(self, speaker: _Optional[str] = ..., text: _Optional[str] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., words: _Optional[_Iterable[_Union[TextWord, _Mapping]]] = ...) -> None: ...

class TextConversation(_message.Message):
    __slots__ = ("utterances", "participants", "language")
    UTTERANCES_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    utterances: _containers.RepeatedCompositeFieldContainer[TextUtterance]
    participants: _containers.RepeatedCompositeFieldContainer[TextParticipant]
    language: str
    def __init__(self, utterances: _Optional[_Iterable[_Union[TextUtterance, _Mapping]]] = ..., participants: _Optional[_Iterable[_Union[TextParticipant, _Mapping]]] = ..., language: _Optional[str] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("speaker", "start", "end", "channel")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    start: float
    end: float
    channel: int
    def __init__(self, speaker: _Optional[str] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., channel: _Optional[int] = ...) -> None: ...

class ChannelReport(_message.Message):
    __slots__ = ("channel", "level_dbfs", "findings")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    LEVEL_DBFS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    channel: int
    level_dbfs: float
    findings: _containers.RepeatedScalarFieldContainer[ChannelFinding]
    def __init__(self, channel: _Optional[int] = ..., level_dbfs: _Optional[float] = ..., findings: _Optional[_Iterable[_Union[ChannelFinding, str]]] = ...) -> None: ...

class Diarization(_message.Message):
    __slots__ = ("layout", "turns", "channels", "models")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    layout: ChannelLayout
    turns: _containers.RepeatedCompositeFieldContainer[Turn]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelReport]
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    def __init__(self, layout: _Optional[_Union[ChannelLayout, str]] = ..., turns: _Optional[_Iterable[_Union[Turn, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[ChannelReport, _Mapping]]] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ...) -> None: ...

class Utterance(_message.Message):
    __slots__ = ("index", "speaker", "role", "role_confidence", "start", "end", "words", "backchannel")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    BACKCHANNEL_FIELD_NUMBER: _ClassVar[int]
    index: int
    speaker: str
    role: Role
    role_confidence: float
    start: float
    end: float
    words: _containers.RepeatedCompositeFieldContainer[Word]
    backchannel: bool
    def __init__(self, index: _Optional[int] = ..., speaker: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., role_confidence: _Optional[float] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., backchannel: _Optional[bool] = ...) -> None: ...

class Interruption(_message.Message):
    __slots__ = ("by", "of", "start", "overlap", "utterance", "interrupted")
    BY_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    by: Role
    of: Role
    start: float
    overlap: float
    utterance: int
    interrupted: int
    def __init__(self, by: _Optional[_Union[Role, str]] = ..., of: _Optional[_Union[Role, str]] = ..., start: _Optional[float] = ..., overlap: _Optional[float] = ..., utterance: _Optional[int] = ..., interrupted: _Optional[int] = ...) -> None: ...

class Backchannel(_message.Message):
    __slots__ = ("by", "start", "end", "utterance")
    BY_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    by: Role
    start: float
    end: float
    utterance: int
    def __init__(self, by: _Optional[_Union[Role, str]] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., utterance: _Optional[int] = ...) -> None: ...

class ParticipantMetrics(_message.Message):
    __slots__ = ("role", "talk", "talk_share", "words", "words_per_minute", "longest_monologue", "response_latency", "interruptions", "backchannels")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TALK_FIELD_NUMBER: _ClassVar[int]
    TALK_SHARE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    WORDS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    LONGEST_MONOLOGUE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_LATENCY_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTIONS_FIELD_NUMBER: _ClassVar[int]
    BACKCHANNELS_FIELD_NUMBER: _ClassVar[int]
    role: Role
    talk: float
    talk_share: float
    words: int
    words_per_minute: float
    longest_monologue: float
    response_latency: float
    interruptions: int
    backchannels: int
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., talk: _Optional[float] = ..., talk_share: _Optional[float] = ..., words: _Optional[int] = ..., words_per_minute: _Optional[float] = ..., longest_monologue: _Optional[float] = ..., response_latency: _Optional[float] = ..., interruptions: _Optional[int] = ..., backchannels: _Optional[int] = ...) -> None: ...

class Metrics(_message.Message):
    __slots__ = ("participants", "silence", "silence_share", "hold", "overtalk", "long_silences", "holds", "interruptions", "backchannels", "timing")
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    SILENCE_SHARE_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OVERTALK_FIELD_NUMBER: _ClassVar[int]
    LONG_SILENCES_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTIONS_FIELD_NUMBER: _ClassVar[int]
    BACKCHANNELS_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    participants: _containers.RepeatedCompositeFieldContainer[ParticipantMetrics]
    silence: float
    silence_share: float
    hold: float
    overtalk: float
    long_silences: _containers.RepeatedCompositeFieldContainer[Span]
    holds: _containers.RepeatedCompositeFieldContainer[Span]
    interruptions: _containers.RepeatedCompositeFieldContainer[Interruption]
    backchannels: _containers.RepeatedCompositeFieldContainer[Backchannel]
    timing: Timing
    def __init__(self, participants: _Optional[_Iterable[_Union[ParticipantMetrics, _Mapping]]] = ..., silence: _Optional[float] = ..., silence_share: _Optional[float] = ..., hold: _Optional[float] = ..., overtalk: _Optional[float] = ..., long_silences: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., holds: _Optional[_Iterable[_Union[Span, _Mapping]]] = ..., interruptions: _Optional[_Iterable[_Union[Interruption, _Mapping]]] = ..., backchannels: _Optional[_Iterable[_Union[Backchannel, _Mapping]]] = ..., timing: _Optional[_Union[Timing, str]] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("utterance", "start", "end", "quote", "label", "probability", "polarity")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    QUOTE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    POLARITY_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    start: float
    end: float
    quote: str
    label: str
    probability: float
    polarity: Polarity
    def __init__(self, utterance: _Optional[int] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., quote: _Optional[str] = ..., label: _Optional[str] = ..., probability: _Optional[float] = ..., polarity: _Optional[_Union[Polarity, str]] = ...) -> None: ...

class BehaviorScore(_message.Message):
    __slots__ = ("behavior", "title", "outcome", "score", "confidence", "weight", "evidence", "explanation")
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    behavior: str
    title: str
    outcome: Outcome
    score: float
    confidence: float
    weight: float
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    explanation: str
    def __init__(self, behavior: _Optional[str] = ..., title: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., score: _Optional[float] = ..., confidence: _Optional[float] = ..., weight: _Optional[float] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., explanation: _Optional[str] = ...) -> None: ...

class DisclosureResult(_message.Message):
    __slots__ = ("disclosure", "title", "status", "coverage", "missing_elements", "start", "end", "on_time", "words_per_minute", "confidence", "evidence", "explanation", "in_order", "rushed", "interrupted", "mumbled")
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    MISSING_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ON_TIME_FIELD_NUMBER: _ClassVar[int]
    WORDS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    IN_ORDER_FIELD_NUMBER: _ClassVar[int]
    RUSHED_FIELD_NUMBER: _ClassVar[int]
    INTERRUPTED_FIELD_NUMBER: _ClassVar[int]
    MUMBLED_FIELD_NUMBER: _ClassVar[int]
    disclosure: str
    title: str
    status: DisclosureStatus
    coverage: float
    missing_elements: _containers.RepeatedScalarFieldContainer[str]
    start: float
    end: float
    on_time: bool
    words_per_minute: float
    confidence: float
    evidence: _containers.RepeatedCompositeFieldContainer[Evidence]
    explanation: str
    in_order: bool
    rushed: bool
    interrupted: bool
    mumbled: bool
    def __init__(self, disclosure: _Optional[str] = ..., title: _Optional[str] = ..., status: _Optional[_Union[DisclosureStatus, str]] = ..., coverage: _Optional[float] = ..., missing_elements: _Optional[_Iterable[str]] = ..., start: _Optional[float] = ..., end: _Optional[float] = ..., on_time: _Optional[bool] = ..., words_per_minute: _Optional[float] = ..., confidence: _Optional[float] = ..., evidence: _Optional[_Iterable[_Union[Evidence, _Mapping]]] = ..., explanation: _Optional[str] = ..., in_order: _Optional[bool] = ..., rushed: _Optional[bool] = ..., interrupted: _Optional[bool] = ..., mumbled: _Optional[bool] = ...) -> None: ...

class OverallScore(_message.Message):
    __slots__ = ("score", "auto_fail")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    AUTO_FAIL_FIELD_NUMBER: _ClassVar[int]
    score: float
    auto_fail: str
    def __init__(self, score: _Optional[float] = ..., auto_fail: _Optional[str] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("needed", "reasons")
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    needed: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, needed: _Optional[bool] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class RubricRef(_message.Message):
    __slots__ = ("id", "version", "digest")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: str
    digest: str
    def __init__(self, id: _Optional[str] = ..., version: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class Scorecard(_message.Message):
    __slots__ = ("rubric", "behaviors", "disclosures", "overall", "review", "models")
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    BEHAVIORS_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURES_FIELD_NUMBER: _ClassVar[int]
    OVERALL_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    rubric: RubricRef
    behaviors: _containers.RepeatedCompositeFieldContainer[BehaviorScore]
    disclosures: _containers.RepeatedCompositeFieldContainer[DisclosureResult]
    overall: OverallScore
    review: Review
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    def __init__(self, rubric: _Optional[_Union[RubricRef, _Mapping]] = ..., behaviors: _Optional[_Iterable[_Union[BehaviorScore, _Mapping]]] = ..., disclosures: _Optional[_Iterable[_Union[DisclosureResult, _Mapping]]] = ..., overall: _Optional[_Union[OverallScore, _Mapping]] = ..., review: _Optional[_Union[Review, _Mapping]] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ...) -> None: ...

class Participant(_message.Message):
    __slots__ = ("speaker", "role", "role_confidence", "channel", "bot")
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    BOT_FIELD_NUMBER: _ClassVar[int]
    speaker: str
    role: Role
    role_confidence: float
    channel: int
    bot: bool
    def __init__(self, speaker: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., role_confidence: _Optional[float] = ..., channel: _Optional[int] = ..., bot: _Optional[bool] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("software_version", "models", "rubric", "audio_sha256")
    SOFTWARE_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SHA256_FIELD_NUMBER: _ClassVar[int]
    software_version: str
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    rubric: RubricRef
    audio_sha256: str
    def __init__(self, software_version: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., rubric: _Optional[_Union[RubricRef, _Mapping]] = ..., audio_sha256: _Optional[str] = ...) -> None: ...

class CallRecord(_message.Message):
    __slots__ = ("schema_version", "recording", "language", "layout", "channels", "participants", "utterances", "metrics", "behaviors", "disclosures", "overall", "review", "provenance")
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    UTTERANCES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    BEHAVIORS_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURES_FIELD_NUMBER: _ClassVar[int]
    OVERALL_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    schema_version: str
    recording: Recording
    language: str
    layout: ChannelLayout
    channels: _containers.RepeatedCompositeFieldContainer[ChannelReport]
    participants: _containers.RepeatedCompositeFieldContainer[Participant]
    utterances: _containers.RepeatedCompositeFieldContainer[Utterance]
    metrics: Metrics
    behaviors: _containers.RepeatedCompositeFieldContainer[BehaviorScore]
    disclosures: _containers.RepeatedCompositeFieldContainer[DisclosureResult]
    overall: OverallScore
    review: Review
    provenance: Provenance
    def __init__(self, schema_version: _Optional[str] = ..., recording: _Optional[_Union[Recording, _Mapping]] = ..., language: _Optional[str] = ..., layout: _Optional[_Union[ChannelLayout, str]] = ..., channels: _Optional[_Iterable[_Union[ChannelReport, _Mapping]]] = ..., participants: _Optional[_Iterable[_Union[Participant, _Mapping]]] = ..., utterances: _Optional[_Iterable[_Union[Utterance, _Mapping]]] = ..., metrics: _Optional[_Union[Metrics, _Mapping]] = ..., behaviors: _Optional[_Iterable[_Union[BehaviorScore, _Mapping]]] = ..., disclosures: _Optional[_Iterable[_Union[DisclosureResult, _Mapping]]] = ..., overall: _Optional[_Union[OverallScore, _Mapping]] = ..., review: _Optional[_Union[Review, _Mapping]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ...) -> None: ...
