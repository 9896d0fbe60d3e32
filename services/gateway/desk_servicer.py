"""The gRPC door of what the gateway offers besides calls themselves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from callscope.errors import InvalidInput
from callscope.serving.work import Context
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import gateway_pb2_grpc
from services.gateway.access import Caller
from services.gateway.desks import Desks
from services.gateway.erasure import Retention
from services.gateway.exports.render import ExportFormat
from services.gateway.inbound.arrivals import Arrival, ArrivalState
from services.gateway.pages import checked_limit, cursor, cut
from services.gateway.webhooks.event import EventType
from services.gateway.webhooks.webhook import Delivery, DeliveryState, Webhook

__all__ = ["DeskServicer"]

E = TypeVar("E", bound=StrEnum)

_MAX_CHUNK = 1 << 20  # bytes, as the proto says
_DAY = 24.0  # hours that two secrets hold, where the request does not say


class DeskServicer(gateway_pb2_grpc.GatewayServicer):
    """Converts messages; what is done with them is in `Desks`."""

    _desks: Desks

    async def _caller(self, context: Context) -> Caller:
        raise NotImplementedError

    async def ListArrivals(  # noqa: N802
        self, request: pb.ListArrivalsRequest, context: Context
    ) -> pb.ListArrivalsResponse:
        """A page of what arrived in the inbound bucket."""
        caller = await self._caller(context)
        state = _chosen(request, "state", ArrivalState, "ARRIVAL_STATE")
        arrivals, token = await asyncio.to_thread(
            self._desks.inbound.page, caller, _limit(request), _given(request, "page_token"), state
        )
        return pb.ListArrivalsResponse(
            arrivals=[_arrival(each) for each in arrivals], next_page_token=token
        )

    async def RetryArrival(  # noqa: N802
        self, request: pb.RetryArrivalRequest, context: Context
    ) -> pb.RetryArrivalResponse:
        """Take in again what was refused."""
        caller = await self._caller(context)
        arrival = await asyncio.to_thread(self._desks.inbound.retry, caller, request.id)
        return pb.RetryArrivalResponse(arrival=_arrival(arrival))

    async def CreateWebhook(  # noqa: N802
        self, request: pb.CreateWebhookRequest, context: Context
    ) -> pb.CreateWebhookResponse:
        """Tell a URL what happens to calls."""
        caller = await self._caller(context)
        events = _events(request.events) or [each for each in EventType if each != EventType.PING]
        webhook, secret = await asyncio.to_thread(
            self._desks.webhooks.create, caller, request.url, events
        )
        return pb.CreateWebhookResponse(webhook=_webhook(webhook), secret=secret)

    async def ListWebhooks(  # noqa: N802
        self, _: pb.ListWebhooksRequest, context: Context
    ) -> pb.ListWebhooksResponse:
        """All of the tenant's."""
        caller = await self._caller(context)
        webhooks = await asyncio.to_thread(self._desks.webhooks.all, caller)
        return pb.ListWebhooksResponse(webhooks=[_webhook(each) for each in webhooks])

    async def GetWebhook(  # noqa: N802
        self, request: pb.GetWebhookRequest, context: Context
    ) -> pb.GetWebhookResponse:
        """One of them."""
        caller = await self._caller(context)
        webhook = await asyncio.to_thread(self._desks.webhooks.get, caller, request.id)
        return pb.GetWebhookResponse(webhook=_webhook(webhook))

    async def UpdateWebhook(  # noqa: N802
        self, request: pb.UpdateWebhookRequest, context: Context
    ) -> pb.UpdateWebhookResponse:
        """Change what is given."""
        caller = await self._caller(context)

        def change() -> Webhook:
            return self._desks.webhooks.change(
                caller,
                request.id,
                url=_given(request, "url"),
                events=_events(request.events) or None,
                active=_given(request, "active"),
            )

        return pb.UpdateWebhookResponse(webhook=_webhook(await asyncio.to_thread(change)))

    async def DeleteWebhook(  # noqa: N802
        self, request: pb.DeleteWebhookRequest, context: Context
    ) -> pb.DeleteWebhookResponse:
        """Forget it."""
        caller = await self._caller(context)
        await asyncio.to_thread(self._desks.webhooks.remove, caller, request.id)
        return pb.DeleteWebhookResponse()

    async def RotateWebhookSecret(  # noqa: N802
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        """Give it a new secret."""
        caller = await self._caller(context)
        hours = _given(request, "overlap_hours")
        try:
            overlap = timedelta(hours=_DAY if hours is None else hours)
        except (OverflowError, ValueError):
            raise InvalidInput("overlap_hours is no number of hours") from None
        secret = await asyncio.to_thread(self._desks.webhooks.rotate, caller, request.id, overlap)
        return pb.RotateWebhookSecretResponse(secret=secret)

    async def PingWebhook(  # noqa: N802
        self, request: pb.PingWebhookRequest, context: Context
    ) -> pb.PingWebhookResponse:
        """Send it an event that says nothing."""
        caller = await self._caller(context)
        delivery = await asyncio.to_thread(self._desks.webhooks.ping, caller, request.id)
        return pb.PingWebhookResponse(delivery=_delivery(delivery))

    async def ListDeliveries(  # noqa: N802
        self, request: pb.ListDeliveriesRequest, context: Context
    ) -> pb.ListDeliveriesResponse:
        """A page of what was sent to it."""
        caller = await self._caller(context)
        limit = _limit(request)
        state = _chosen(request, "state", DeliveryState, "DELIVERY_STATE")
        found = await asyncio.to_thread(
            self._desks.webhooks.deliveries,
            caller,
            request.webhook_id,
            limit + 1,
            cursor(_given(request, "page_token")),
            state,
        )
        shown, token = cut(found, limit)
        return pb.ListDeliveriesResponse(
            deliveries=[_delivery(each) for each in shown], next_page_token=token
        )

    async def RetryDelivery(  # noqa: N802
        self, request: pb.RetryDeliveryRequest, context: Context
    ) -> pb.RetryDeliveryResponse:
        """Send an event once more."""
        caller = await self._caller(context)
        delivery = await asyncio.to_thread(
            self._desks.webhooks.retry, caller, request.webhook_id, request.delivery_id
        )
        return pb.RetryDeliveryResponse(delivery=_delivery(delivery))

    async def ExportRecords(  # noqa: N802
        self, request: pb.ExportRecordsRequest, context: Context
    ) -> AsyncIterator[pb.ExportRecordsResponse]:
        """Stream an export's bytes."""
        caller = await self._caller(context)
        form = _decoded(request.format, ExportFormat, "EXPORT_FORMAT") or ExportFormat.JSONL
        since = _datetime(request, "from")
        until = _datetime(request, "to")
        pieces = self._desks.exports.export(caller, form, since, until)
        with contextlib.closing(pieces):
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                for at in range(0, len(piece), _MAX_CHUNK):
                    yield pb.ExportRecordsResponse(chunk=piece[at : at + _MAX_CHUNK])

    async def ListAudit(  # noqa: N802
        self, request: pb.ListAuditRequest, context: Context
    ) -> pb.ListAuditResponse:
        """A page of the audit trail."""
        caller = await self._caller(context)
        found, token = await asyncio.to_thread(
            self._desks.audit.page,
            caller,
            _limit(request),
            _given(request, "page_token"),
            _given(request, "subject"),
        )
        entries = [
            pb.AuditEntry(
                id=each.id,
                at=_stamp(each.at),
                actor=each.actor,
                action=each.action,
                subject=each.subject,
            )
            for each in found
        ]
        return pb.ListAuditResponse(entries=entries, next_page_token=token)

    async def GetRetention(  # noqa: N802
        self, _: pb.GetRetentionRequest, context: Context
    ) -> pb.GetRetentionResponse:
        """How long the tenant's calls are kept."""
        caller = await self._caller(context)
        retention = await asyncio.to_thread(self._desks.retention.get, caller)
        return pb.GetRetentionResponse(retention=pb.Retention(**asdict(retention)))

    async def SetRetention(  # noqa: N802
        self, request: pb.SetRetentionRequest, context: Context
    ) -> pb.SetRetentionResponse:
        """Set it."""
        caller = await self._caller(context)
        asked = Retention(
            _given(request.retention, "audio_days"), _given(request.retention, "record_days")
        )
        retention = await asyncio.to_thread(self._desks.retention.set, caller, asked)
        return pb.SetRetentionResponse(retention=pb.Retention(**asdict(retention)))


def _limit(request: Any) -> int:
    return checked_limit(request.page_size or None)


def _given(message: Message, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _chosen(message: Message, name: str, kind: type[E], prefix: str) -> E | None:
    number = _given(message, name)
    return None if number is None else _decoded(number, kind, prefix)


def _decoded(number: int, kind: type[E], prefix: str) -> E | None:
    """The member of `kind` that has that number in the proto; None for UNSPECIFIED."""
    for member in kind:
        if getattr(pb, f"{prefix}_{member.name}") == number:
            return member
    if number == 0:
        return None
    raise InvalidInput(f"{number} is no {kind.__name__}")


def _datetime(message: Message, name: str) -> datetime | None:
    stamp = _given(message, name)
    if stamp is None:
        return None
    try:
        moment: datetime = stamp.ToDatetime(UTC)
    except (OverflowError, ValueError):
        raise InvalidInput(f"{name} is no time") from None
    return moment


def _events(names: Iterable[str]) -> list[EventType]:
    try:
        return [EventType(name) for name in names]
    except ValueError:
        raise InvalidInput(
            "there is no such event", remedy=f"Name some of {', '.join(EventType)}."
        ) from None


def _arrival(arrival: Arrival) -> pb.Arrival:
    return pb.Arrival(
        id=arrival.id,
        bucket=arrival.bucket,
        name=arrival.name,
        version=arrival.version,
        state=getattr(pb, f"ARRIVAL_STATE_{arrival.state.name}"),
        call_id=arrival.call_id,
        problem=None if arrival.problem is None else pb.Problem(**asdict(arrival.problem)),
        attempts=arrival.attempts,
        created_at=_stamp(arrival.created_at),
        updated_at=_stamp(arrival.updated_at),
    )


def _webhook(webhook: Webhook) -> pb.Webhook:
    return pb.Webhook(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        active=webhook.active,
        failures=webhook.failures,
        paused_until=_stamp(webhook.paused_until),
        created_at=_stamp(webhook.created_at),
        updated_at=_stamp(webhook.updated_at),
    )


def _delivery(delivery: Delivery) -> pb.Delivery:
    attempts = [
        pb.DeliveryAttempt(
            at=_stamp(each.at), status=each.status, error=each.error, seconds=each.seconds
        )
        for each in delivery.attempts
    ]
    return pb.Delivery(
        id=delivery.id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        call_id=delivery.call_id,
        state=getattr(pb, f"DELIVERY_STATE_{delivery.state.name}"),
        attempts=attempts,
        due_at=_stamp(delivery.due_at),
        created_at=_stamp(delivery.created_at),
    )


def _stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
