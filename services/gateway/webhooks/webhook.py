"""A webhook and its deliveries, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.gateway.webhooks.event import EventType

__all__ = ["Attempt", "Delivery", "DeliveryState", "Parcel", "Secret", "Webhook"]


@dataclass(frozen=True, slots=True)
class Secret:
    """What signatures are made with; `until` is None for the one that is not being retired."""

    key: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who wants to be told what, without the secrets."""

    id: str
    url: str
    events: tuple[EventType, ...]
    active: bool
    failures: int  # attempts in a row that failed
    paused_until: datetime | None
    created_at: datetime
    updated_at: datetime


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up; may be retried on demand


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the receiver's HTTP status, or why there was none."""

    at: datetime
    status: int | None
    error: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook; `due_at` is None where nothing more will be tried."""

    id: str
    event_id: str
    event_type: EventType
    call_id: str | None
    state: DeliveryState
    attempts: tuple[Attempt, ...]
    due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is needed to make one attempt."""

    delivery_id: str
    webhook_id: str
    event_id: str
    url: str
    body: str
    keys: Sequence[str]
    attempt: int  # from 0
