from callscope.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TranscribeRequest(_message.Message):
    __slots__ = ("audio", "language", "hotwords", "model")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    HOTWORDS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    audio: _types_pb2.AudioSource
    language: str
    hotwords: _containers.RepeatedScalarFieldContainer[str]
    model: str
    def __init__(self, audio: _Optional[_Union[_types_pb2.AudioSource, _Mapping]] = ..., language: _Optional[str] = ..., hotwords: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ...) -> None: ...

class TranscribeResponse(_message.Message):
    __slots__ = ("progress", "transcript")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    progress: _types_pb2.Progress
    transcript: _types_pb2.Transcript
    def __init__(self, progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., transcript: _Optional[_Union[_types_pb2.Transcript, _Mapping]] = ...) -> None: ...
