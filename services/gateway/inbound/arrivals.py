"""What arrived in the inbound bucket, in the database: each version of each object once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from callscope.errors import CallNotFound, NotFound
from services.gateway.access import Caller, Permission
from services.gateway.call import Problem, checked_id, new_id
from services.gateway.database import transaction
from services.gateway.inbound.place import Found, Place
from services.gateway.tables import ArrivalRow

__all__ = ["Arrival", "ArrivalState", "Arrivals", "arrivals_of", "retry"]

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class ArrivalState(StrEnum):
    """What became of an object."""

    PENDING = "pending"
    TAKEN = "taken"
    REFUSED = "refused"  # `problem` says why; may be retried
    GONE = "gone"  # removed or replaced before it could be taken in


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version of an object, and what became of it."""

    id: str
    bucket: str
    name: str
    version: str
    state: ArrivalState
    call_id: str | None
    problem: Problem | None
    attempts: int
    created_at: datetime
    updated_at: datetime


class Arrivals:
    """The arrivals of one place. Every method raises `Unavailable` where the database does.

    Args:
        engine: the database.
        place: whose objects they are.
        lease: seconds one may be at work before another may take it.
    """

    def __init__(self, engine: sa.Engine, place: Place, lease: float) -> None:
        self._engine = engine
        self._place = place
        self._lease = timedelta(seconds=lease)

    def enter(self, found: Sequence[Found]) -> int:
        """Enter what is new among these; how many that are."""
        if not found:
            return 0
        now = datetime.now(UTC)
        rows = [
            {
                "id": new_id(),
                "tenant": self._place.tenant,
                "bucket": self._place.bucket,
                "name": each.name,
                "version": each.version,
                "state": ArrivalState.PENDING,
                "call_id": None,
                "problem": None,
                "attempts": 0,
                "due_at": now,
                "created_at": now,
                "updated_at": now,
            }
            for each in found
        ]
        insert = _INSERTS[self._engine.dialect.name](ArrivalRow).on_conflict_do_nothing()
        with transaction(self._engine) as session:
            return len(session.scalars(insert.returning(ArrivalRow.id), rows).all())

    def take(self, limit: int) -> list[Arrival]:
        """At most `limit` that are due, oldest first; nobody else takes them for a while."""
        now = datetime.now(UTC)
        waiting = (
            sa.select(ArrivalRow.id)
            .where(ArrivalRow.state == ArrivalState.PENDING, ArrivalRow.due_at <= now)
            .where(ArrivalRow.bucket == self._place.bucket)
            .where(ArrivalRow.tenant == self._place.tenant)
            .order_by(ArrivalRow.due_at)
            .limit(limit)
        )
        taking = (
            sa.update(ArrivalRow)
            # Seen again under the row's lock: another gateway may have been quicker.
            .where(ArrivalRow.state == ArrivalState.PENDING, ArrivalRow.due_at <= now)
            .values(due_at=now + self._lease, attempts=ArrivalRow.attempts + 1)
            .returning(ArrivalRow)
        )
        with transaction(self._engine) as session:
            # Looked for first: in SQLite an update keeps other writers waiting, even of nothing.
            due = session.scalars(waiting).all()
            if not due:
                return []
            taken = session.scalars(taking.where(ArrivalRow.id.in_(due)))
            return [_arrival(row) for row in taken]

    def hold(self, arrival: Arrival) -> None:
        """It is still at work: nobody else takes it for a while longer."""
        self._change(arrival, due_at=datetime.now(UTC) + self._lease)

    def settle(
        self,
        arrival: Arrival,
        state: ArrivalState,
        call_id: str | None = None,
        problem: Problem | None = None,
    ) -> None:
        """Note what became of it."""
        self._change(
            arrival,
            state=state,
            call_id=call_id,
            problem=None if problem is None else asdict(problem),
        )

    def postpone(self, arrival: Arrival, seconds: float, problem: Problem | None = None) -> None:
        """Take it again after so many seconds."""
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        self._change(arrival, due_at=due, problem=None if problem is None else asdict(problem))

    def hasten(self, sidecar: str) -> None:
        """Take at once what may have been waiting for that sidecar."""
        beside = sidecar[: -len(".json")]
        waiting = (
            sa.update(ArrivalRow)
            .where(ArrivalRow.state == ArrivalState.PENDING)
            .where(ArrivalRow.tenant == self._place.tenant)
            .where(ArrivalRow.bucket == self._place.bucket)
            .where(
                sa.or_(
                    ArrivalRow.name == beside,
                    ArrivalRow.name.startswith(f"{beside}.", autoescape=True),
                )
            )
        )
        with transaction(self._engine) as session:
            session.execute(waiting.values(due_at=datetime.now(UTC)))

    def _change(self, arrival: Arrival, **values: Any) -> None:
        change = sa.update(ArrivalRow).where(ArrivalRow.id == arrival.id)
        with transaction(self._engine) as session:
            session.execute(change.values(**values, updated_at=datetime.now(UTC)))


def arrivals_of(
    engine: sa.Engine,
    caller: Caller,
    limit: int,
    before: str | None = None,
    state: ArrivalState | None = None,
) -> list[Arrival]:
    """At most `limit` of a tenant's arrivals, newest first, older than `before`.

    Raises:
        Forbidden: the caller may not read.
    """
    caller.require(Permission.READ)
    query = sa.select(ArrivalRow).filter_by(tenant=caller.tenant).order_by(ArrivalRow.id.desc())
    if before is not None:
        query = query.where(ArrivalRow.id < before)
    if state is not None:
        query = query.filter_by(state=state)
    with transaction(engine) as session:
        return [_arrival(row) for row in session.scalars(query.limit(limit))]


def retry(engine: sa.Engine, caller: Caller, arrival_id: str) -> Arrival:
    """Take in again what was refused.

    Raises:
        Forbidden: the caller may not manage.
        NotFound: the tenant has no such arrival, or it was not refused.
    """
    caller.require(Permission.MANAGE)
    nothing = NotFound(f"there is no refused arrival {arrival_id[:64]!r}")
    try:
        known = checked_id(arrival_id)
    except CallNotFound:
        raise nothing from None
    now = datetime.now(UTC)
    change = (
        sa.update(ArrivalRow)
        .filter_by(id=known, tenant=caller.tenant, state=ArrivalState.REFUSED)
        .values(state=ArrivalState.PENDING, attempts=0, due_at=now, updated_at=now)
        .returning(ArrivalRow)
    )
    with transaction(engine) as session:
        row = session.scalars(change).one_or_none()
        if row is None:
            raise nothing
        return _arrival(row)


def _arrival(row: ArrivalRow) -> Arrival:
    return Arrival(
        id=row.id,
        bucket=row.bucket,
        name=row.name,
        version=row.version,
        state=ArrivalState(row.state),
        call_id=row.call_id,
        problem=None if row.problem is None else Problem(**row.problem),
        attempts=row.attempts,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
