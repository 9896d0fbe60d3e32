"""The messages mirror the values, and whatever a value holds comes back from its message."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callscope import types
from callscope.pipeline import RubricSource
from callscope.types import AudioSource, Role, Word
from callscope.v1 import types_pb2
from callscope.wire import MESSAGES, from_proto, to_proto

STAYS_HOME = {"MediaInfo"}  # read by the gateway, travels as part of Recording
NOT_A_VALUE = {"Progress"}  # a callable in Python
ONEOF = {AudioSource, RubricSource}
SCALARS = {
    bool: FieldDescriptor.TYPE_BOOL,
    bytes: FieldDescriptor.TYPE_BYTES,
    float: FieldDescriptor.TYPE_DOUBLE,
    int: FieldDescriptor.TYPE_INT32,
    str: FieldDescriptor.TYPE_STRING,
}
KINDS = sorted(MESSAGES, key=lambda kind: kind.__name__)
ENUMS = [
    each for each in vars(types).values() if isinstance(each, type) and each.__base__ is StrEnum
]


def test_every_value_that_travels_has_a_message_and_every_message_a_value() -> None:
    values = {name for name in types.__all__ if is_dataclass(getattr(types, name))}
    messages = set(types_pb2.DESCRIPTOR.message_types_by_name)
    assert values - STAYS_HOME == messages - NOT_A_VALUE


@pytest.mark.parametrize("kind", KINDS)
def test_message_has_the_values_fields(kind: Any) -> None:
    descriptor = MESSAGES[kind].DESCRIPTOR
    assert set(descriptor.fields_by_name) == {field.name for field in fields(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_message_fields_have_the_values_types(kind: Any) -> None:
    hints = get_type_hints(kind)
    for field in MESSAGES[kind].DESCRIPTOR.fields:
        hint = hints[field.name]
        inner, optional, many = _unwrapped(hint)
        assert field.is_repeated == (many or get_origin(hint) is Mapping), field.full_name
        if optional or not field.has_presence:
            assert optional == field.has_presence, field.full_name
        if inner in SCALARS:
            assert field.type == SCALARS[inner], field.full_name
        elif inner in MESSAGES:
            assert field.message_type is MESSAGES[inner].DESCRIPTOR, field.full_name
        elif inner in ENUMS:
            assert field.enum_type is not None
            assert field.enum_type.name == inner.__name__, field.full_name
        else:
            assert get_origin(inner) is Mapping, field.full_name


@pytest.mark.parametrize("enum", ENUMS)
def test_enums_have_the_same_members_after_unspecified(enum: type[StrEnum]) -> None:
    values = types_pb2.DESCRIPTOR.enum_types_by_name[enum.__name__].values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    assert values[0].number == 0
    assert [value.name for value in values[1:]] == [prefix + member.name for member in enum]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_value_comes_back_from_its_message(kind: Any, data: st.DataObject) -> None:
    value = data.draw(_values(kind))
    sent = to_proto(value).SerializeToString()
    assert from_proto(kind, MESSAGES[kind].FromString(sent)) == value


def test_an_enum_of_a_later_version_is_refused() -> None:
    message = types_pb2.Participant(speaker="channel_0", role=99, role_confidence=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="99 is no Role"):
        from_proto(types.Participant, message)


def test_an_enum_that_was_never_set_is_refused() -> None:
    with pytest.raises(ValueError, match="0 is no Role"):
        from_proto(types.Participant, types_pb2.Participant(speaker="channel_0"))


def test_absent_is_none_and_not_zero() -> None:
    turn = types.Turn(speaker="speaker_0", start=0.0, end=1.0, channel=None)
    assert not to_proto(turn).HasField("channel")
    assert from_proto(types.Turn, types_pb2.Turn(channel=0)).channel == 0


def test_an_utterance_keeps_its_words() -> None:
    word = Word("Hello,", 0.1, 0.4, 0.9, channel=1)
    said = types.Utterance(0, "channel_1", Role.AGENT, 1.0, 0.1, 0.4, (word,))
    assert from_proto(types.Utterance, to_proto(said)).text == "Hello,"


def _unwrapped(hint: Any) -> tuple[Any, bool, bool]:
    """The type inside `X | None` or `tuple[X, ...]`; whether it is optional; whether many."""
    if get_origin(hint) is UnionType:
        return next(arm for arm in get_args(hint) if arm is not NoneType), True, False
    if get_origin(hint) is tuple:
        return get_args(hint)[0], False, True
    return hint, False, False


def _values(hint: Any) -> st.SearchStrategy[Any]:
    inner, optional, many = _unwrapped(hint)
    if optional:
        return st.none() | _values(inner)
    if many:
        return st.lists(_values(inner), max_size=2).map(tuple)
    if hint in ONEOF:
        return st.one_of(
            [
                st.builds(hint, **{name: _values(_unwrapped(field)[0])})
                for name, field in get_type_hints(hint).items()
            ]
        )
    if is_dataclass(hint):
        members = {name: _values(member) for name, member in get_type_hints(hint).items()}
        return st.builds(cast("type", hint), **members)
    if get_origin(hint) is Mapping:
        return st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
    if hint in ENUMS:
        return st.sampled_from(list(hint))
    return {
        bool: st.booleans(),
        bytes: st.binary(max_size=8),
        float: st.floats(allow_nan=False),
        int: st.integers(-(2**31), 2**31 - 1),
        str: st.text(max_size=8),
    }[hint]
