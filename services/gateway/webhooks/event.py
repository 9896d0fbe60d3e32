"""What a receiver gets: a CloudEvents 1.0 message, signed as Standard Webhooks says.

Events name calls and link to them; what was said on a call never leaves with an event, so that a
receiver with the wrong address learns ids only. https://cloudevents.io and
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sqlalchemy.orm import Session
from standardwebhooks import Webhook

__all__ = [
    "CONTENT_TYPE",
    "Announce",
    "EventType",
    "Happening",
    "message",
    "new_event_id",
    "new_secret",
    "nobody",
    "signed_headers",
]

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_SECRET_BYTES = 32
_ROOT = "/v1/calls"


class EventType(StrEnum):
    """What may have happened."""

    DONE = "callscope.call.done"
    RESCORED = "callscope.call.rescored"  # a new version of its record
    FAILED = "callscope.call.failed"
    ERASED = "callscope.call.erased"
    PING = "callscope.ping"  # somebody tries a webhook out


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a call.

    `problem` is the code of one that failed, `version` that of a new record.
    """

    id: str
    type: EventType
    at: datetime
    call_id: str | None = None
    external_id: str | None = None
    problem: str | None = None
    version: int | None = None


Announce: TypeAlias = Callable[[Session, str, Happening], None]
"""Has a tenant's webhooks told of something, if the session's transaction is committed."""


def nobody(_: Session, __: str, ___: Happening) -> None:
    """An `Announce` where there are no webhooks."""


def new_event_id() -> str:
    """An id no other event has."""
    return f"evt_{secrets.token_hex(16)}"


def message(happening: Happening, base_url: str) -> str:
    """The event as JSON, the same for every receiver.

    Args:
        happening: what to tell.
        base_url: of the gateway as receivers reach it; may be empty, links are then paths.
    """
    base = base_url.rstrip("/")
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": happening.id,
        "source": base or "urn:callscope:gateway",
        "type": happening.type,
        "time": happening.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": _data(happening, base),
    }
    if happening.call_id is not None:
        event["subject"] = happening.call_id
    return json.dumps(event, ensure_ascii=False)


def _data(happening: Happening, base: str) -> Mapping[str, Any]:
    if happening.call_id is None:
        return {}
    call = f"{base}{_ROOT}/{happening.call_id}"
    data: dict[str, Any] = {
        "call_id": happening.call_id,
        "external_id": happening.external_id,
        "status": happening.type.rpartition(".")[2],
    }
    if happening.problem is not None:
        data["problem"] = happening.problem
    if happening.version is not None:
        data["record_version"] = happening.version
    if happening.type is not EventType.ERASED:
        data["links"] = {"call": call}
    if happening.type in (EventType.DONE, EventType.RESCORED):
        data["links"] |= {"record": f"{call}/record", "transcript": f"{call}/transcript"}
    return data


def new_secret() -> str:
    """A secret of a receiver's, in the form its libraries expect."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed_headers(
    event_id: str, body: str, keys: Sequence[str], now: datetime
) -> Mapping[str, str]:
    """The headers that prove `body` ours: a signature for each secret that holds at the time."""
    signatures = [Webhook(key).sign(event_id, now, body) for key in keys]
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
