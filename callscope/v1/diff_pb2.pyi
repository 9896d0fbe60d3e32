from callscope.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BehaviorVerdict(_message.Message):
    __slots__ = ("outcome", "score", "confidence", "weight")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    outcome: _types_pb2.Outcome
    score: float
    confidence: float
    weight: float
    def __init__(self, outcome: _Optional[_Union[_types_pb2.Outcome, str]] = ..., score: _Optional[float] = ..., confidence: _Optional[float] = ..., weight: _Optional[float] = ...) -> None: ...

class BehaviorChange(_message.Message):
    __slots__ = ("behavior", "title", "before", "after", "gained", "lost", "reasons")
    BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    behavior: str
    title: str
    before: BehaviorVerdict
    after: BehaviorVerdict
    gained: _containers.RepeatedCompositeFieldContainer[_types_pb2.Evidence]
    lost: _containers.RepeatedCompositeFieldContainer[_types_pb2.Evidence]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, behavior: _Optional[str] = ..., title: _Optional[str] = ..., before: _Optional[_Union[BehaviorVerdict, _Mapping]] = ..., after: _Optional[_Union[BehaviorVerdict, _Mapping]] = ..., gained: _Optional[_Iterable[_Union[_types_pb2.Evidence, _Mapping]]] = ..., lost: _Optional[_Iterable[_Union[_types_pb2.Evidence, _Mapping]]] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class DisclosureVerdict(_message.Message):
    __slots__ = ("status", "coverage", "on_time", "missing_elements")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    ON_TIME_FIELD_NUMBER: _ClassVar[int]
    MISSING_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    status: _types_pb2.DisclosureStatus
    coverage: float
    on_time: bool
    missing_elements: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, status: _Optional[_Union[_types_pb2.DisclosureStatus, str]] = ..., coverage: _Optional[float] = ..., on_time: _Optional[bool] = ..., missing_elements: _Optional[_Iterable[str]] = ...) -> None: ...

class DisclosureChange(_message.Message):
    __slots__ = ("disclosure", "title", "before", "after", "gained", "lost", "reasons")
    DISCLOSURE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    disclosure: str
    title: str
    before: DisclosureVerdict
    after: DisclosureVerdict
    gained: _containers.RepeatedCompositeFieldContainer[_types_pb2.Evidence]
    lost: _containers.RepeatedCompositeFieldContainer[_types_pb2.Evidence]
    reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, disclosure: _Optional[str] = ..., title: _Optional[str] = ..., before: _Optional[_Union[DisclosureVerdict, _Mapping]] = ..., after: _Optional[_Union[DisclosureVerdict, _Mapping]] = ..., gained: _Optional[_Iterable[_Union[_types_pb2.Evidence, _Mapping]]] = ..., lost: _Optional[_Iterable[_Union[_types_pb2.Evidence, _Mapping]]] = ..., reasons: _Optional[_Iterable[str]] = ...) -> None: ...

class ModelChange(_message.Message):
    __slots__ = ("stage", "before", "after")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    stage: str
    before: _types_pb2.ModelInfo
    after: _types_pb2.ModelInfo
    def __init__(self, stage: _Optional[str] = ..., before: _Optional[_Union[_types_pb2.ModelInfo, _Mapping]] = ..., after: _Optional[_Union[_types_pb2.ModelInfo, _Mapping]] = ...) -> None: ...

class RecordDiff(_message.Message):
    __slots__ = ("rubric_before", "rubric_after", "models", "words_changed", "causes", "overall_before", "overall_after", "behaviors", "disclosures", "review_reasons_gained", "review_reasons_lost")
    RUBRIC_BEFORE_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_AFTER_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    WORDS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    OVERALL_BEFORE_FIELD_NUMBER: _ClassVar[int]
    OVERALL_AFTER_FIELD_NUMBER: _ClassVar[int]
    BEHAVIORS_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURES_FIELD_NUMBER: _ClassVar[int]
    REVIEW_REASONS_GAINED_FIELD_NUMBER: _ClassVar[int]
    REVIEW_REASONS_LOST_FIELD_NUMBER: _ClassVar[int]
    rubric_before: _types_pb2.RubricRef
    rubric_after: _types_pb2.RubricRef
    models: _containers.RepeatedCompositeFieldContainer[ModelChange]
    words_changed: bool
    causes: _containers.RepeatedScalarFieldContainer[str]
    overall_before: _types_pb2.OverallScore
    overall_after: _types_pb2.OverallScore
    behaviors: _containers.RepeatedCompositeFieldContainer[BehaviorChange]
    disclosures: _containers.RepeatedCompositeFieldContainer[DisclosureChange]
    review_reasons_gained: _containers.RepeatedScalarFieldContainer[str]
    review_reasons_lost: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rubric_before: _Optional[_Union[_types_pb2.RubricRef, _Mapping]] = ..., rubric_after: _Optional[_Union[_types_pb2.RubricRef, _Mapping]] = ..., models: _Optional[_Iterable[_Union[ModelChange, _Mapping]]] = ..., words_changed: _Optional[bool] = ..., causes: _Optional[_Iterable[str]] = ..., overall_before: _Optional[_Union[_types_pb2.OverallScore, _Mapping]] = ..., overall_after: _Optional[_Union[_types_pb2.OverallScore, _Mapping]] = ..., behaviors: _Optional[_Iterable[_Union[BehaviorChange, _Mapping]]] = ..., disclosures: _Optional[_Iterable[_Union[DisclosureChange, _Mapping]]] = ..., review_reasons_gained: _Optional[_Iterable[str]] = ..., review_reasons_lost: _Optional[_Iterable[str]] = ...) -> None: ...
