"""Between the gateway's values and the messages of `gateway.proto`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from google.protobuf.message import Message

from callscope.errors import InvalidInput
from callscope.types import DisclosureStatus, Outcome
from callscope.v1 import gateway_pb2 as pb
from services.gateway.call import CallStatus
from services.gateway.query import CallQuery

__all__ = ["to_query"]

_ENUMS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "status": ("CALL_STATUS_", CallStatus),
    "outcome": ("OUTCOME_", Outcome),
    "disclosure_status": ("DISCLOSURE_STATUS_", DisclosureStatus),
}
"""The fields of a filter that are enums, with what the names of their values begin with."""


def to_query(message: pb.CallFilter) -> CallQuery:
    """The query that a filter stands for.

    Raises:
        InvalidInput: naming each filter that cannot be right, and why.
    """
    return CallQuery.read({field.name: _value(message, field) for field, _ in message.ListFields()})


def _value(message: Message, field: Any) -> Any:
    content = getattr(message, field.name)
    if field.name not in _ENUMS:
        return content
    prefix, kind = _ENUMS[field.name]
    known = field.enum_type.values_by_number.get(content)
    if known is None or content == 0:
        raise InvalidInput(f"{field.name}: {content} is no {kind.__name__}")
    return kind[known.name.removeprefix(prefix)]
