from callscope.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RubricSource(_message.Message):
    __slots__ = ("name", "yaml")
    NAME_FIELD_NUMBER: _ClassVar[int]
    YAML_FIELD_NUMBER: _ClassVar[int]
    name: str
    yaml: str
    def __init__(self, name: _Optional[str] = ..., yaml: _Optional[str] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("utterances", "metrics", "rubric")
    UTTERANCES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    utterances: _containers.RepeatedCompositeFieldContainer[_types_pb2.Utterance]
    metrics: _types_pb2.Metrics
    rubric: RubricSource
    def __init__(self, utterances: _Optional[_Iterable[_Union[_types_pb2.Utterance, _Mapping]]] = ..., metrics: _Optional[_Union[_types_pb2.Metrics, _Mapping]] = ..., rubric: _Optional[_Union[RubricSource, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("progress", "scorecard")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SCORECARD_FIELD_NUMBER: _ClassVar[int]
    progress: _types_pb2.Progress
    scorecard: _types_pb2.Scorecard
    def __init__(self, progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., scorecard: _Optional[_Union[_types_pb2.Scorecard, _Mapping]] = ...) -> None: ...

class ListRubricsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RubricSummary(_message.Message):
    __slots__ = ("name", "rubric", "title")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    rubric: _types_pb2.RubricRef
    title: str
    def __init__(self, name: _Optional[str] = ..., rubric: _Optional[_Union[_types_pb2.RubricRef, _Mapping]] = ..., title: _Optional[str] = ...) -> None: ...

class ListRubricsResponse(_message.Message):
    __slots__ = ("rubrics",)
    RUBRICS_FIELD_NUMBER: _ClassVar[int]
    rubrics: _containers.RepeatedCompositeFieldContainer[RubricSummary]
    def __init__(self, rubrics: _Optional[_Iterable[_Union[RubricSummary, _Mapping]]] = ...) -> None: ...

class CheckRubricRequest(_message.Message):
    __slots__ = ("rubric",)
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    rubric: RubricSource
    def __init__(self, rubric: _Optional[_Union[RubricSource, _Mapping]] = ...) -> None: ...

class CheckRubricResponse(_message.Message):
    __slots__ = ("rubric",)
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    rubric: RubricSummary
    def __init__(self, rubric: _Optional[_Union[RubricSummary, _Mapping]] = ...) -> None: ...
