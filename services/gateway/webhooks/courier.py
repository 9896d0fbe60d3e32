"""Brings deliveries to their webhooks, with patience.

Deliveries lie in the database; a courier takes those that are due by moving their due time ahead,
sends them, and notes what came of it. So several gateways share the work without a word between
them, and what a dead one had taken falls due again. A receiver that fails is left alone for a
while as a whole: a queue of thousands must not hammer it, nor hold up the others'.
"""

import logging
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import sqlalchemy as sa
from pydantic import TypeAdapter

from callscope.errors import CallscopeError, Unavailable
from services.gateway import metrics
from services.gateway.database import transaction
from services.gateway.tables import DeliveryRow, WebhookRow
from services.gateway.webhooks.event import signed_headers
from services.gateway.webhooks.outside import Outside
from services.gateway.webhooks.registry import secrets_of
from services.gateway.webhooks.webhook import Attempt, DeliveryState, Parcel

__all__ = ["Courier", "Patience"]

_PLACES = 8  # requests at the same time
_PLACES_EACH = 2  # of one webhook's
_MARGIN = 30.0  # seconds beyond the time-out before a delivery falls due again
_LONGEST = 6 * 3600.0  # seconds between two attempts at a delivery
_LONGEST_REST = 300.0  # seconds a failing receiver is left alone; then one delivery tries it
_GROWTH = 4.0
_ATTEMPT = TypeAdapter(Attempt)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a delivery is tried, and how the pauses grow.

    With the defaults, 5 s and 12 attempts: 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, then six times
    every 6 hours at most; more than a day and a half in all.
    """

    attempts: int
    first_pause: float  # seconds

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the attempt of that number, from 0; never two alike."""
        whole = min(_LONGEST, self.first_pause * _GROWTH**attempt)
        return whole * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, hides nothing


class Courier:
    """Sends what is due, on threads of its own, from `start` to `stop`.

    Args:
        engine: the database.
        outside: how to get there.
        patience: with receivers that fail.
        poll_seconds: between two looks at the database.
    """

    def __init__(
        self, engine: sa.Engine, outside: Outside, patience: Patience, poll_seconds: float
    ) -> None:
        self._engine = engine
        self._outside = outside
        self._patience = patience
        self._poll = poll_seconds
        self._lease = timedelta(seconds=outside.timeout + _MARGIN)
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._at_work: Counter[str] = Counter()  # parcels on their way, by webhook
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_PLACES, "courier")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, and wait for what is on its way."""
        self._stopped.set()
        self._wake.set()
        self._thread.join()
        self._pool.shutdown()

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                parcels = self._take()
            except Unavailable:
                parcels = []
            except Exception:
                _log.exception("deliveries could not be taken")
                parcels = []
            for parcel in parcels:
                self._pool.submit(self._carry, parcel)
            if not parcels:
                self._wake.wait(self._poll)

    def _take(self) -> list[Parcel]:
        with self._lock:
            free = _PLACES - self._at_work.total()
            busy = [hook for hook, count in self._at_work.items() if count >= _PLACES_EACH]
        if free <= 0:
            return []
        now = datetime.now(UTC)
        place = sa.func.row_number().over(
            partition_by=DeliveryRow.webhook_id, order_by=(DeliveryRow.due_at, DeliveryRow.id)
        )
        ranked = (
            sa.select(DeliveryRow.id, place.label("place"))
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.due_at <= now)
            .where(WebhookRow.active)
            .where(sa.or_(WebhookRow.paused_until.is_(None), WebhookRow.paused_until <= now))
            .where(WebhookRow.id.not_in(busy))
            .subquery()
        )
        chosen = sa.select(ranked.c.id).where(ranked.c.place <= _PLACES_EACH).limit(free)
        taking = (
            sa.update(DeliveryRow)
            # Seen again under the row's lock: another gateway may have been quicker.
            .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.due_at <= now)
            .values(due_at=now + self._lease)
            .returning(DeliveryRow.id)
        )
        with transaction(self._engine) as session:
            # Looked for first: in SQLite an update keeps other writers waiting, even of nothing.
            due = session.scalars(chosen).all()
            if not due:
                return []
            ids = session.scalars(taking.where(DeliveryRow.id.in_(due))).all()
            pairs = sa.select(DeliveryRow, WebhookRow).join(
                WebhookRow, WebhookRow.id == DeliveryRow.webhook_id
            )
            parcels = [
                _parcel(delivery, hook, now)
                for delivery, hook in session.execute(pairs.where(DeliveryRow.id.in_(ids)))
            ]
        with self._lock:
            self._at_work.update(parcel.webhook_id for parcel in parcels)
        return parcels

    def _carry(self, parcel: Parcel) -> None:
        try:
            began, now = time.perf_counter(), datetime.now(UTC)
            status, error, after = self._send(parcel, now)
            seconds = round(time.perf_counter() - began, 3)
            self._settle(parcel, Attempt(now, status, error, seconds), after)
        except Unavailable:
            _log.warning("a delivery's outcome could not be noted; it will be sent again")
        except Exception:
            _log.exception("a delivery failed")
        finally:
            with self._lock:
                self._at_work[parcel.webhook_id] -= 1
                self._at_work += Counter()  # forget those that are done
            self._wake.set()

    def _send(self, parcel: Parcel, now: datetime) -> tuple[int | None, str | None, float | None]:
        """The receiver's status, or why there is none, and when it wants to be asked again."""
        headers = {
            "User-Agent": "callscope",
            **signed_headers(parcel.event_id, parcel.body, parcel.keys, now),
        }
        try:
            answer = self._outside.post(parcel.url, parcel.body.encode(), headers)
        except CallscopeError as error:
            return None, error.message, None
        return answer.status, None, answer.retry_after

    def _settle(self, parcel: Parcel, attempt: Attempt, retry_after: float | None) -> None:
        good = attempt.status is not None and HTTPStatus.OK <= attempt.status < 300
        with transaction(self._engine) as session:
            delivery = session.get(DeliveryRow, parcel.delivery_id)
            hook = session.get(WebhookRow, parcel.webhook_id)
            if delivery is None or hook is None:  # removed meanwhile
                return
            delivery.attempts = [*delivery.attempts, _ATTEMPT.dump_python(attempt, mode="json")]
            if good:
                delivery.state = DeliveryState.DELIVERED
                hook.failures, hook.paused_until = 0, None
                metrics.ATTEMPTS.labels("delivered").inc()
                metrics.DELIVERIES.labels("delivered").inc()
                return
            metrics.ATTEMPTS.labels("failed").inc()
            hook.failures += 1
            asked = min(retry_after or 0.0, _LONGEST)
            pause = max(asked, self._patience.pause(parcel.attempt))
            delivery.due_at = attempt.at + timedelta(seconds=pause)
            rest = max(asked, min(_LONGEST_REST, self._patience.pause(hook.failures - 1)))
            hook.paused_until = attempt.at + timedelta(seconds=rest)
            if attempt.status == HTTPStatus.GONE:  # as the specification has receivers sign off
                hook.active = False
            if parcel.attempt + 1 >= self._patience.attempts:
                delivery.state = DeliveryState.FAILED
                metrics.DELIVERIES.labels("given_up").inc()
                _log.warning("a delivery was given up", extra={"webhook": hook.id})


def _parcel(delivery: DeliveryRow, hook: WebhookRow, now: datetime) -> Parcel:
    return Parcel(
        delivery_id=delivery.id,
        webhook_id=hook.id,
        event_id=delivery.event_id,
        url=hook.url,
        body=delivery.body,
        keys=[secret.key for secret in secrets_of(hook, now)],
        attempt=len(delivery.attempts),
    )
