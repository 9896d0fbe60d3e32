"""Between Callscope's values and their protobuf messages.

`types.proto` mirrors `callscope.types` field by field, and `diff.proto` `callscope.diff`, so one
walk over a dataclass's fields converts any of them, both ways; a test holds them against each
other. Outside the gRPC doors and clients, only this module imports `callscope.v1`.
"""

import types as pytypes
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from callscope import diff, types
from callscope.pipeline import RubricSource
from callscope.v1 import diff_pb2, score_pb2, types_pb2

__all__ = ["MESSAGES", "from_proto", "published", "to_proto"]

T = TypeVar("T")

MESSAGES: Mapping[type, type[Message]] = {
    **{
        getattr(types, name): getattr(types_pb2, name)
        for name in types.__all__
        if is_dataclass(getattr(types, name)) and hasattr(types_pb2, name)
    },
    **{
        getattr(diff, name): getattr(diff_pb2, name)
        for name in diff.__all__
        if hasattr(diff_pb2, name)
    },
    RubricSource: score_pb2.RubricSource,
}
"""The message class of every value class that travels."""


def to_proto(value: Any) -> Any:
    """The message that carries `value`, an instance of a class in `MESSAGES`."""
    kind: Any = type(value)
    message = MESSAGES[kind]()
    for name, descriptor in _fields(kind):
        content = getattr(value, name)
        if content is None:
            continue
        target = getattr(message, name)
        if isinstance(content, Mapping):
            target.update(content)
        elif isinstance(content, tuple):
            target.extend(_encode(item, descriptor) for item in content)
        elif is_dataclass(content):
            target.CopyFrom(to_proto(content))
        else:
            setattr(message, name, _encode(content, descriptor))
    return message


def published(record: types.CallRecord) -> types_pb2.CallRecord:
    """The record's message for readers: without the reading clock of a text that has no times."""
    message: types_pb2.CallRecord = to_proto(record)
    if record.metrics.timing is types.Timing.NONE:
        for utterance in message.utterances:
            for each in (utterance, *utterance.words):
                each.ClearField("start")
                each.ClearField("end")
    return message


def from_proto(kind: type[T], message: Message) -> T:
    """The value of class `kind` that `message` carries.

    Raises:
        ValueError: an enum has no value this version knows, or a class refuses its fields.
    """
    mirrored: Any = kind
    hints = _hints(mirrored)
    return kind(
        **{
            name: _decode_field(hints[name], message, descriptor)
            for name, descriptor in _fields(mirrored)
            if name not in _added(mirrored) or getattr(message, name)
        }
    )


@cache
def _added(kind: Any) -> frozenset[str]:
    """Enums with a default: an earlier version did not send them."""
    descriptors = MESSAGES[kind].DESCRIPTOR.fields_by_name
    return frozenset(
        field.name
        for field in fields(kind)
        if isinstance(field.default, StrEnum) and not descriptors[field.name].has_presence
    )


@cache
def _fields(kind: Any) -> tuple[tuple[str, Any], ...]:
    descriptors = MESSAGES[kind].DESCRIPTOR.fields_by_name
    return tuple((field.name, descriptors[field.name]) for field in fields(kind))


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _encode(content: Any, descriptor: FieldDescriptor) -> Any:
    if isinstance(content, StrEnum):
        enum = _enum(descriptor)
        return enum.values_by_name[_prefix(enum) + content.name].number
    return to_proto(content) if is_dataclass(content) else content


def _decode_field(hint: Any, message: Message, descriptor: FieldDescriptor) -> Any:
    origin = get_origin(hint)
    if origin in (Union, pytypes.UnionType):  # X | None
        if not message.HasField(descriptor.name):
            return None
        hint = next(arm for arm in get_args(hint) if arm is not pytypes.NoneType)
        origin = get_origin(hint)
    content = getattr(message, descriptor.name)
    if origin is tuple:
        item = get_args(hint)[0]
        return tuple(_decode(item, each, descriptor) for each in content)
    if origin is Mapping:
        return dict(content)
    return _decode(hint, content, descriptor)


def _decode(kind: Any, content: Any, descriptor: FieldDescriptor) -> Any:
    if kind in MESSAGES:
        return from_proto(kind, content)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        enum = _enum(descriptor)
        known = enum.values_by_number.get(content)
        if known is None or content == 0:
            raise ValueError(f"{descriptor.full_name}: {content} is no {kind.__name__}")
        return kind[known.name.removeprefix(_prefix(enum))]
    return content


def _enum(descriptor: FieldDescriptor) -> EnumDescriptor:
    assert descriptor.enum_type is not None, descriptor.full_name  # noqa: S101 - a mirror broken
    return descriptor.enum_type


def _prefix(enum: EnumDescriptor) -> str:
    """`ROLE_` for `Role`: the part that all values share, read off the zero value."""
    zero: str = enum.values_by_number[0].name
    return zero.removesuffix("UNSPECIFIED")
