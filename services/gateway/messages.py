"""Between the gateway's values and the messages of `gateway.proto`."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from callscope.clip import ClipFormat
from callscope.errors import InvalidInput
from callscope.transcripts import checked
from callscope.types import DisclosureStatus, Outcome, TextConversation
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import types_pb2
from callscope.wire import from_proto, to_proto
from services.gateway.call import CallStatus
from services.gateway.clips import ClipRequest, Voice
from services.gateway.ledger import Version
from services.gateway.query import CallQuery
from services.gateway.rescoring.order import Order, Rescoring, Source

__all__ = [
    "to_clip",
    "to_order",
    "to_query",
    "to_rescoring",
    "to_text",
    "to_timestamp",
    "to_version",
]

_ENUMS: Mapping[str, tuple[str, type[StrEnum]]] = {
    "voice": ("CLIP_VOICE_", Voice),
    "format": ("CLIP_FORMAT_", ClipFormat),
    "status": ("CALL_STATUS_", CallStatus),
    "outcome": ("OUTCOME_", Outcome),
    "disclosure_status": ("DISCLOSURE_STATUS_", DisclosureStatus),
}
"""The fields that are enums, with what the names of their values begin with."""

_SOURCE: Mapping[Source, pb.RescoringSource] = {
    source: getattr(pb, f"RESCORING_SOURCE_{source.name}") for source in Source
}
_FROM_SOURCE: Mapping[int, Source] = {number: source for source, number in _SOURCE.items()}


def to_query(message: pb.CallFilter) -> CallQuery:
    """The query that a filter stands for.

    Raises:
        InvalidInput: naming each filter that cannot be right, and why.
    """
    return CallQuery.read({field.name: _value(message, field) for field, _ in message.ListFields()})


def to_clip(message: pb.GetClipRequest) -> ClipRequest:
    """The seconds that a message asks for.

    Raises:
        InvalidInput: naming each field that cannot be right, and why.
    """
    fields = {field.name: _value(message, field) for field, _ in message.ListFields()}
    fields.pop("id", None)
    return ClipRequest.read(fields)


def to_text(message: types_pb2.TextConversation) -> TextConversation:
    """The conversation that a message carries.

    Raises:
        InvalidInput: naming what cannot be right, and why.
    """
    try:
        return checked(from_proto(TextConversation, message))
    except ValueError as error:
        raise InvalidInput(f"the transcript cannot be read: {error}") from None


def to_order(message: pb.RescoringOrder) -> Order:
    """The order that a message stands for.

    Raises:
        InvalidInput: naming each field that cannot be right, and why.
    """
    fields: dict[str, Any] = {}
    rubric = message.rubric.WhichOneof("source")
    if rubric is not None:
        fields["rubric_yaml" if rubric == "yaml" else "rubric"] = getattr(message.rubric, rubric)
    if message.HasField("transcribe_model"):
        fields["transcribe_model"] = message.transcribe_model
    if message.source != pb.RESCORING_SOURCE_UNSPECIFIED:
        if message.source not in _FROM_SOURCE:
            raise InvalidInput(f"source: {message.source} is no source of a rescoring")
        fields["source"] = _FROM_SOURCE[message.source]
    return Order.read(fields)


def to_rescoring(rescoring: Rescoring) -> pb.Rescoring:
    """The message of an order and how far it is."""
    order = rescoring.order
    rubric = order.rubric_source()
    return pb.Rescoring(
        id=rescoring.id,
        order=pb.RescoringOrder(
            rubric=None if rubric is None else to_proto(rubric),
            source=_SOURCE[order.source],
            transcribe_model=order.transcribe_model,
        ),
        status=getattr(pb, f"RESCORING_STATUS_{rescoring.status.name}"),
        calls=rescoring.calls,
        done=rescoring.done,
        failed=rescoring.failed,
        failures=[
            pb.RescoringFailure(call_id=each.call_id, problem=pb.Problem(**asdict(each.problem)))
            for each in rescoring.failures
        ],
        created_at=to_timestamp(rescoring.created_at),
    )


def to_version(version: Version) -> pb.RecordVersion:
    """The message of a record's version, without its content."""
    record = version.record
    return pb.RecordVersion(
        version=version.number,
        created_at=to_timestamp(version.created_at),
        overall=to_proto(record.overall),
        review=to_proto(record.review),
        provenance=to_proto(record.provenance),
    )


def to_timestamp(time: datetime) -> Timestamp:
    """The message of an instant."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _value(message: Message, field: Any) -> Any:
    content = getattr(message, field.name)
    if field.name not in _ENUMS:
        return content
    prefix, kind = _ENUMS[field.name]
    known = field.enum_type.values_by_number.get(content)
    if known is None or content == 0:
        raise InvalidInput(f"{field.name}: {content} is no {kind.__name__}")
    return kind[known.name.removeprefix(prefix)]
