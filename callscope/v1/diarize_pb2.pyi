from callscope.v1 import types_pb2 as _types_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiarizeRequest(_message.Message):
    __slots__ = ("audio", "min_speakers", "max_speakers")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    MIN_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MAX_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    audio: _types_pb2.AudioSource
    min_speakers: int
    max_speakers: int
    def __init__(self, audio: _Optional[_Union[_types_pb2.AudioSource, _Mapping]] = ..., min_speakers: _Optional[int] = ..., max_speakers: _Optional[int] = ...) -> None: ...

class DiarizeResponse(_message.Message):
    __slots__ = ("progress", "diarization")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DIARIZATION_FIELD_NUMBER: _ClassVar[int]
    progress: _types_pb2.Progress
    diarization: _types_pb2.Diarization
    def __init__(self, progress: _Optional[_Union[_types_pb2.Progress, _Mapping]] = ..., diarization: _Optional[_Union[_types_pb2.Diarization, _Mapping]] = ...) -> None: ...
