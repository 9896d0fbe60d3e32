"""Erasing calls: what was asked for, and what nobody keeps for longer.

A call leaves the database in one transaction, with every version of its record; the same
transaction writes down that its audio must leave the store, and who had it erased. So after a
crash at any point nothing is half there: what was written down is done by the next gateway.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import CallNotFound, InvalidInput, Unavailable
from services.gateway import index, metrics
from services.gateway.access import Caller, Permission
from services.gateway.audit import Action, note
from services.gateway.call import CallStatus, checked_id
from services.gateway.database import transaction
from services.gateway.store import BlobStore
from services.gateway.tables import CallRow, DeliveryRow, ErasureRow, RetentionRow
from services.gateway.webhooks.event import Announce, EventType, Happening, new_event_id
from services.gateway.webhooks.webhook import DeliveryState

__all__ = ["Eraser", "Retention", "RetentionDesk"]

_BATCH = 100  # calls a transaction
_LEASE = timedelta(seconds=60)  # before another gateway may remove the same audio
_SLOWEST = 3600.0  # seconds between two attempts
_DELIVERY_DAYS = 30  # what became of webhooks' deliveries is known for so long
_MAX_DAYS = 36_500
_ACTOR = "retention"
_FINAL = tuple(status for status in CallStatus if status.final)

_log = logging.getLogger(__name__)


class Reason(StrEnum):
    """Why something is erased."""

    REQUEST = "request"
    RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in days since the call was accepted; None is for ever."""

    audio_days: int | None
    record_days: int | None


class Eraser:
    """Erases. Every method raises `Unavailable` while the database does not answer.

    Args:
        engine: the database.
        store: where the audio is.
        announce: tells webhooks, in the transaction in which something happens.
        default: how long things are kept for tenants that have not said otherwise.
        sweep_seconds: between two looks for what is to be erased.
    """

    def __init__(
        self,
        engine: sa.Engine,
        store: BlobStore,
        announce: Announce,
        default: Retention,
        sweep_seconds: float,
    ) -> None:
        self._engine = engine
        self._store = store
        self._announce = announce
        self._default = default
        self._sweep_seconds = sweep_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eraser", daemon=True)

    def start(self) -> None:
        """Begin to look for what is to be erased, now and at intervals."""
        self._thread.start()

    def stop(self) -> None:
        """Erase nothing more."""
        self._stopped.set()
        self._thread.join()

    def erase(self, tenant: str, call_id: str, actor: str) -> None:
        """Erase a call: when this returns it is gone for everybody, and stays so.

        Its audio is removed from the store at once if that answers, and else as soon as it does.

        Raises:
            CallNotFound: the tenant has no call of that id.
        """
        with transaction(self._engine) as session:
            row = session.get(CallRow, checked_id(call_id), with_for_update=True)
            if row is None or row.tenant != tenant:
                raise CallNotFound(f"there is no call {call_id}")
            blob = row.blob
            self._forget(session, row, actor)
            index.forget(session)
        metrics.ERASED.labels("call", Reason.REQUEST).inc()
        if blob is not None:
            self._remove(blob)

    def sweep(self) -> None:
        """Erase what has been kept for long enough, and what an earlier process left."""
        with transaction(self._engine) as session:
            tenants = list(session.scalars(sa.select(CallRow.tenant).distinct()))
        for tenant in tenants:
            kept = retention_of(self._engine, tenant) or self._default
            if kept.record_days is not None:
                self._each(tenant, kept.record_days, self._expire_call, sa.true())
            if kept.audio_days is not None:
                has_audio = CallRow.blob.is_not(None)
                self._each(tenant, kept.audio_days, self._expire_audio, has_audio)
        self._remove_waiting()
        self._forget_deliveries()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.sweep()
            except Unavailable as error:
                _log.warning("nothing could be erased: %s", error.message)
            except Exception:
                _log.exception("nothing could be erased")
            self._stopped.wait(self._sweep_seconds)

    def _each(
        self,
        tenant: str,
        days: int,
        expire: Callable[[Session, CallRow], None],
        condition: sa.ColumnElement[bool],
    ) -> None:
        """Expire every finished call of the tenant that is so old, a batch at a time."""
        query = (
            sa.select(CallRow)
            .where(CallRow.tenant == tenant, CallRow.id < _first_id(days))
            .where(CallRow.status.in_(_FINAL), condition)
            .order_by(CallRow.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        while not self._stopped.is_set():
            with transaction(self._engine) as session:
                rows = session.scalars(query).all()
                for row in rows:
                    expire(session, row)
                index.forget(session)
            self._remove_waiting()
            if len(rows) < _BATCH:
                return

    def _expire_call(self, session: Session, row: CallRow) -> None:
        self._forget(session, row, _ACTOR)
        metrics.ERASED.labels("call", Reason.RETENTION).inc()

    def _expire_audio(self, session: Session, row: CallRow) -> None:
        _await_removal(session, row)
        row.blob = None
        note(session, row.tenant, _ACTOR, Action.ERASE_AUDIO, row.id)
        metrics.ERASED.labels("audio", Reason.RETENTION).inc()

    def _forget(self, session: Session, row: CallRow, actor: str) -> None:
        """Take the call out of the database; artifacts and records go with it."""
        _await_removal(session, row)
        note(session, row.tenant, actor, Action.DELETE_CALL, row.id)
        happening = Happening(
            id=new_event_id(),
            type=EventType.ERASED,
            at=datetime.now(UTC),
            call_id=row.id,
            external_id=row.external_id,
        )
        self._announce(session, row.tenant, happening)
        session.execute(sa.delete(CallRow).where(CallRow.id == row.id))

    def _remove_waiting(self) -> None:
        """Remove from the store whatever audio waits for it."""
        while not self._stopped.is_set():
            now = datetime.now(UTC)
            due = sa.select(ErasureRow.blob).where(ErasureRow.due_at <= now).limit(_BATCH)
            taking = (
                sa.update(ErasureRow)
                .where(ErasureRow.due_at <= now)
                .values(due_at=now + _LEASE)
                .returning(ErasureRow.blob)
            )
            with transaction(self._engine) as session:
                waiting = session.scalars(due).all()
                blobs = session.scalars(taking.where(ErasureRow.blob.in_(waiting))).all()
            if not waiting:
                return
            for blob in blobs:
                self._remove(blob)

    def _remove(self, blob: str) -> None:
        try:
            self._store.remove(blob)
        except Unavailable as error:
            _log.warning("audio waits for the store to be erased: %s", error.message)
            with transaction(self._engine) as session:
                if (row := session.get(ErasureRow, blob)) is not None:
                    pause = min(_SLOWEST, 2.0 ** min(row.attempts, 20))
                    row.attempts += 1
                    row.due_at = datetime.now(UTC) + timedelta(seconds=pause)
            return
        with transaction(self._engine) as session:
            session.execute(sa.delete(ErasureRow).filter_by(blob=blob))

    def _forget_deliveries(self) -> None:
        old = datetime.now(UTC) - timedelta(days=_DELIVERY_DAYS)
        settled = sa.delete(DeliveryRow).where(
            DeliveryRow.created_at < old, DeliveryRow.state != DeliveryState.PENDING
        )
        with transaction(self._engine) as session:
            session.execute(settled)


@dataclass(frozen=True, slots=True)
class RetentionDesk:
    """What tenants may say about how long their calls are kept.

    Attributes:
        engine: the database.
        default: for those who have said nothing.
    """

    engine: sa.Engine
    default: Retention

    def get(self, caller: Caller) -> Retention:
        """How long the tenant's calls are kept; raises `Forbidden`."""
        caller.require(Permission.READ)
        return retention_of(self.engine, caller.tenant) or self.default

    def set(self, caller: Caller, retention: Retention) -> Retention:
        """Keep the tenant's calls for so long from now on, whatever the gateway's settings.

        Raises:
            Forbidden: the caller may not manage.
            InvalidInput: no number of days.
        """
        caller.require(Permission.MANAGE)
        for days in (retention.audio_days, retention.record_days):
            if days is not None and not 1 <= days <= _MAX_DAYS:
                raise InvalidInput(f"days are 1 to {_MAX_DAYS}, or absent to keep for ever")
        row = RetentionRow(
            tenant=caller.tenant,
            audio_days=retention.audio_days,
            record_days=retention.record_days,
            updated_at=datetime.now(UTC),
        )
        with transaction(self.engine) as session:
            session.merge(row)
            note(session, caller.tenant, caller.actor, Action.SET_RETENTION, caller.tenant)
        return retention


def retention_of(engine: sa.Engine, tenant: str) -> Retention | None:
    """What a tenant has said, if it has."""
    with transaction(engine) as session:
        row = session.get(RetentionRow, tenant)
        return None if row is None else Retention(row.audio_days, row.record_days)


def _await_removal(session: Session, row: CallRow) -> None:
    if row.blob is None:
        return
    now = datetime.now(UTC)
    waiting = ErasureRow(
        blob=row.blob,
        tenant=row.tenant,
        call_id=row.id,
        attempts=0,
        due_at=now,
        created_at=now,
    )
    session.add(waiting)
    session.flush()


def _first_id(days: int) -> str:
    """The first id that a call of so many days ago could have: ids begin with the time."""
    moment = datetime.now(UTC) - timedelta(days=days)
    return str(UUID(int=int(moment.timestamp() * 1000) << 80))
