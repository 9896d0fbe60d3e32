"""Webhooks in the database: who is to be told what. The functions behind REST and gRPC."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from callscope.errors import Conflict, InvalidInput, NotFound
from services.gateway.access import Caller, Permission
from services.gateway.audit import Action, note
from services.gateway.call import checked_id, new_id
from services.gateway.database import transaction
from services.gateway.tables import DeliveryRow, WebhookRow
from services.gateway.webhooks.event import (
    EventType,
    Happening,
    message,
    new_event_id,
    new_secret,
)
from services.gateway.webhooks.outside import Outside
from services.gateway.webhooks.webhook import Attempt, Delivery, DeliveryState, Secret, Webhook

__all__ = ["MAX_OVERLAP", "MAX_WEBHOOKS", "Registry", "secrets_of", "to_delivery"]

MAX_WEBHOOKS = 20
"""Webhooks of one tenant: each costs a row and a request for every call."""

MAX_OVERLAP = timedelta(days=30)
"""For so long at most a retired secret still signs."""

_MAX_URL = 2048
_SECRETS = TypeAdapter(list[Secret])
_ATTEMPTS = TypeAdapter(tuple[Attempt, ...])


class Registry:
    """The webhooks of the caller's tenant, for those who may manage it.

    Every method raises `Forbidden` for others, and `Unavailable` while the database does not
    answer.

    Args:
        engine: the database.
        outside: what judges URLs.
        base_url: of the gateway, for links in events.
    """

    def __init__(self, engine: sa.Engine, outside: Outside, base_url: str) -> None:
        self._engine = engine
        self._outside = outside
        self._base_url = base_url

    def create(self, caller: Caller, url: str, events: Iterable[EventType]) -> tuple[Webhook, str]:
        """A new webhook and its secret, which is not shown again.

        Raises:
            InvalidInput, ForbiddenUri: as `Outside.check`, or no events are named.
            Conflict: the tenant has as many as it may.
        """
        caller.require(Permission.MANAGE)
        self._check_url(url)
        now, key = datetime.now(UTC), new_secret()
        row = WebhookRow(
            id=new_id(),
            tenant=caller.tenant,
            url=url,
            events=_event_names(events),
            secrets=_SECRETS.dump_python([Secret(key, None)], mode="json"),
            active=True,
            failures=0,
            paused_until=None,
            created_at=now,
            updated_at=now,
        )
        with transaction(self._engine) as session:
            count = (
                sa.select(sa.func.count()).select_from(WebhookRow).filter_by(tenant=caller.tenant)
            )
            if (session.scalar(count) or 0) >= MAX_WEBHOOKS:
                raise Conflict(
                    f"there are {MAX_WEBHOOKS} webhooks already", remedy="Delete one you don't use."
                )
            session.add(row)
            session.flush()
            note(session, caller.tenant, caller.actor, Action.CREATE_WEBHOOK, row.id)
            return _webhook(row), key

    def all(self, caller: Caller) -> list[Webhook]:
        """The tenant's webhooks, oldest first."""
        caller.require(Permission.MANAGE)
        query = sa.select(WebhookRow).filter_by(tenant=caller.tenant).order_by(WebhookRow.id)
        with transaction(self._engine) as session:
            return [_webhook(row) for row in session.scalars(query)]

    def get(self, caller: Caller, webhook_id: str) -> Webhook:
        """One of them; raises `NotFound`."""
        with transaction(self._engine) as session:
            return _webhook(_row(session, caller, webhook_id))

    def change(
        self,
        caller: Caller,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Iterable[EventType] | None = None,
        active: bool | None = None,
    ) -> Webhook:
        """Change what is given; what waits is sent at once, to the new address.

        Raises:
            NotFound: the tenant has no such webhook.
            InvalidInput, ForbiddenUri: as `create`.
        """
        caller.require(Permission.MANAGE)
        if url is not None:
            self._check_url(url)
        with transaction(self._engine) as session:
            row = _row(session, caller, webhook_id)
            row.url = row.url if url is None else url
            row.events = row.events if events is None else _event_names(events)
            row.active = row.active if active is None else active
            row.failures, row.paused_until = 0, None
            row.updated_at = datetime.now(UTC)
            note(session, caller.tenant, caller.actor, Action.CHANGE_WEBHOOK, row.id)
            return _webhook(row)

    def remove(self, caller: Caller, webhook_id: str) -> None:
        """Forget a webhook with its deliveries; raises `NotFound`."""
        with transaction(self._engine) as session:
            row = _row(session, caller, webhook_id)
            note(session, caller.tenant, caller.actor, Action.DELETE_WEBHOOK, row.id)
            session.delete(row)

    def rotate(self, caller: Caller, webhook_id: str, overlap: timedelta) -> str:
        """A new secret. Until `overlap` is over, the one before signs as well.

        Raises:
            NotFound: the tenant has no such webhook.
        """
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise InvalidInput(f"secrets overlap for {MAX_OVERLAP.days} days at most")
        now, key = datetime.now(UTC), new_secret()
        with transaction(self._engine) as session:
            row = _row(session, caller, webhook_id)
            kept = [Secret(each.key, each.until or now + overlap) for each in secrets_of(row, now)]
            # Two hold at a time: a rotation during a rotation ends the first at once.
            row.secrets = _SECRETS.dump_python([Secret(key, None), *kept[:1]], mode="json")
            row.updated_at = now
            note(session, caller.tenant, caller.actor, Action.ROTATE_WEBHOOK, row.id)
        return key

    def ping(self, caller: Caller, webhook_id: str) -> Delivery:
        """Send an event that says nothing, to try the webhook out; raises `NotFound`."""
        happening = Happening(new_event_id(), EventType.PING, datetime.now(UTC))
        with transaction(self._engine) as session:
            row = _row(session, caller, webhook_id)
            delivery = _new_delivery(row, happening, message(happening, self._base_url))
            session.add(delivery)
            session.flush()
            return to_delivery(delivery)

    def deliveries(
        self,
        caller: Caller,
        webhook_id: str,
        limit: int,
        before: str | None = None,
        state: DeliveryState | None = None,
    ) -> list[Delivery]:
        """At most `limit` deliveries, newest first, older than `before`; raises `NotFound`."""
        with transaction(self._engine) as session:
            row = _row(session, caller, webhook_id)
            query = sa.select(DeliveryRow).filter_by(webhook_id=row.id)
            if before is not None:
                query = query.where(DeliveryRow.id < before)
            if state is not None:
                query = query.filter_by(state=state)
            query = query.order_by(DeliveryRow.id.desc()).limit(limit)
            return [to_delivery(each) for each in session.scalars(query)]

    def retry(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """Try a delivery again now, whatever became of it; raises `NotFound`."""
        with transaction(self._engine) as session:
            hook = _row(session, caller, webhook_id)
            row = session.get(DeliveryRow, _uuid(delivery_id, "delivery"))
            if row is None or row.webhook_id != hook.id:
                raise NotFound(f"there is no delivery {delivery_id[:64]!r}")
            row.state, row.due_at = DeliveryState.PENDING, datetime.now(UTC)
            hook.paused_until = None
            return to_delivery(row)

    def announce(self, session: Session, tenant: str, happening: Happening) -> None:
        """Have all who want to know be told, if the session's transaction is committed."""
        query = sa.select(WebhookRow).filter_by(tenant=tenant, active=True)
        hooks = [row for row in session.scalars(query) if happening.type in row.events]
        if hooks:
            body = message(happening, self._base_url)
            session.add_all(_new_delivery(hook, happening, body) for hook in hooks)

    def _check_url(self, url: str) -> None:
        if len(url) > _MAX_URL:
            raise InvalidInput(f"the webhook's URL has more than {_MAX_URL} letters")
        self._outside.check(url)


def secrets_of(row: WebhookRow, now: datetime) -> Sequence[Secret]:
    """The secrets that hold now, the newest first."""
    known = _SECRETS.validate_python(row.secrets)
    return [each for each in known if each.until is None or each.until > now]


def to_delivery(row: DeliveryRow) -> Delivery:
    """The delivery that a row holds."""
    state = DeliveryState(row.state)
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=EventType(row.event_type),
        call_id=row.call_id,
        state=state,
        attempts=_ATTEMPTS.validate_python(row.attempts),
        due_at=row.due_at if state is DeliveryState.PENDING else None,
        created_at=row.created_at,
    )


def _new_delivery(hook: WebhookRow, happening: Happening, body: str) -> DeliveryRow:
    return DeliveryRow(
        id=new_id(),
        tenant=hook.tenant,
        webhook_id=hook.id,
        event_id=happening.id,
        event_type=happening.type,
        call_id=happening.call_id,
        body=body,
        state=DeliveryState.PENDING,
        attempts=[],
        due_at=happening.at,
        created_at=happening.at,
    )


def _event_names(events: Iterable[EventType]) -> list[str]:
    names = sorted({event.value for event in events} - {EventType.PING})
    if not names:
        known = ", ".join(each for each in EventType if each is not EventType.PING)
        raise InvalidInput("the webhook names no event", remedy=f"Name some of {known}.")
    return names


def _row(session: Session, caller: Caller, webhook_id: str) -> WebhookRow:
    caller.require(Permission.MANAGE)
    row = session.get(WebhookRow, _uuid(webhook_id, "webhook"))
    if row is None or row.tenant != caller.tenant:
        raise NotFound(f"there is no webhook {webhook_id[:64]!r}")
    return row


def _uuid(text: str, what: str) -> str:
    try:
        return checked_id(text)
    except NotFound:
        raise NotFound(f"there is no {what} {text[:64]!r}") from None


def _webhook(row: WebhookRow) -> Webhook:
    values: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("id", "url", "active", "failures", "paused_until", "created_at", "updated_at")
    }
    return Webhook(events=tuple(EventType(each) for each in row.events), **values)
