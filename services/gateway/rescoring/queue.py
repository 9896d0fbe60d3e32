"""Orders in the database: placed by tenants, worked off call by call by any gateway.

A bulk order of a hundred thousand calls is one statement, and no queue of anybody's: workers take
a call at a time, the oldest order's first, for as long as they keep saying that they live. What
they finish is kept, and the next one taken, in one transaction each; so nothing is done twice, and
nothing is lost with a process.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import InvalidInput, NotFound, NotReady
from callscope.types import CallRecord
from services.gateway.archive import pack, unpack
from services.gateway.audit import Action, note
from services.gateway.call import CallStatus, Problem, new_id, no_recording
from services.gateway.database import transaction
from services.gateway.index import enter
from services.gateway.ledger import checked_call, to_call
from services.gateway.listing import matching_calls
from services.gateway.query import CallQuery
from services.gateway.rescoring.order import (
    Failure,
    Order,
    Rescoring,
    RescoringStatus,
    Source,
)
from services.gateway.rescoring.tables import RescoringCallRow as Row
from services.gateway.rescoring.tables import RescoringRow
from services.gateway.tables import ArtifactRow, CallRow, RecordRow
from services.gateway.webhooks.event import (
    Announce,
    EventType,
    Happening,
    new_event_id,
    nobody,
)

__all__ = ["Claim", "Orders"]

_LEASE = timedelta(seconds=60)
_SHOWN = 20  # failures
_OPEN, _DONE, _FAILED = "open", "done", "failed"


@dataclass(frozen=True, slots=True)
class Claim:
    """A call that one worker may judge again, until its time is over."""

    rescoring_id: str
    call_id: str
    attempt: int
    order: Order

    def stage(self, name: str) -> str:
        """Under which name what a stage makes for the order is kept, until the record is."""
        return f"{name}/{self.rescoring_id[-12:]}"

    @property
    def row(self) -> sa.ColumnElement[bool]:
        """The claimed row, so long as nobody else has claimed it."""
        return sa.and_(
            Row.rescoring_id == self.rescoring_id,
            Row.call_id == self.call_id,
            Row.attempts == self.attempt,
            Row.state == _OPEN,
        )


class Orders:
    """Orders to judge calls again. Blocking; raises `Unavailable` while the database is away.

    Args:
        engine: the database.
        announce: tells webhooks, in the transaction in which a new record is kept.
    """

    def __init__(self, engine: sa.Engine, announce: Announce = nobody) -> None:
        self._engine = engine
        self._announce = announce

    def place_one(self, tenant: str, call_id: str, order: Order, actor: str) -> str:
        """Order one finished call, for `actor`; gives the order's id.

        Raises:
            CallNotFound: the tenant has no call of that id.
            NotReady: it has no record yet.
            AudioNotFound: it is to be heard again, and there is no recording.
        """
        with transaction(self._engine) as session:
            call = checked_call(session, tenant, call_id)
            if call.status != CallStatus.DONE:
                raise NotReady(f"call {call.id} is {call.status}; it has no record to renew")
            if call.blob is None and order.source is Source.AUDIO:
                raise no_recording(to_call(call, lambda _: ""))
            only = sa.select(CallRow.id).where(CallRow.tenant == tenant, CallRow.id == call.id)
            note(session, tenant, actor, Action.RESCORE_CALL, call.id)
            return self._place(session, tenant, only, order, bulk=False)

    def place(self, tenant: str, query: CallQuery, order: Order, actor: str) -> str:
        """Order all finished calls that the query lets pass, for `actor`; gives the order's id.

        Raises:
            InvalidInput: there are none.
        """
        if query.status not in (None, CallStatus.DONE):
            raise InvalidInput(
                f"status: calls that are {query.status} have no record to renew",
                remedy="Leave the status out.",
            )
        found = matching_calls(tenant, query, self._engine.dialect.name)
        with transaction(self._engine) as session:
            finished = found.where(CallRow.status == CallStatus.DONE)
            placed = self._place(session, tenant, finished, order, bulk=True)
            note(session, tenant, actor, Action.RESCORE_CALLS, placed)
            return placed

    def get(self, tenant: str, rescoring_id: str) -> Rescoring:
        """An order and how far it is.

        Raises:
            NotFound: the tenant has no order of that id.
        """
        counted = sa.select(Row.state, sa.func.count()).group_by(Row.state)
        failed = sa.select(Row.call_id, Row.problem).order_by(Row.call_id).limit(_SHOWN)
        with transaction(self._engine) as session:
            row = _order(session, tenant, rescoring_id)
            mine = Row.rescoring_id == row.id
            counts = dict(session.execute(counted.where(mine)).all())
            failures = session.execute(failed.where(mine, Row.state == _FAILED)).all()
            if row.cancelled:
                status = RescoringStatus.CANCELLED
            elif counts.get(_OPEN):
                status = RescoringStatus.RUNNING
            else:
                status = RescoringStatus.DONE
            return Rescoring(
                id=row.id,
                order=Order.model_validate(row.options),
                status=status,
                calls=row.calls,
                done=counts.get(_DONE, 0),
                failed=counts.get(_FAILED, 0),
                failures=tuple(Failure(call_id, Problem(**why)) for call_id, why in failures),
                created_at=row.created_at,
            )

    def cancel(self, tenant: str, rescoring_id: str, actor: str) -> None:
        """Judge no further call of the order; the records made stay. Raises as `get`."""
        with transaction(self._engine) as session:
            row = _order(session, tenant, rescoring_id)
            removed = sa.delete(Row).where(Row.rescoring_id == row.id, Row.state == _OPEN)
            if session.execute(removed.returning(Row.call_id)).first() is not None:
                row.cancelled = True
                note(session, tenant, actor, Action.CANCEL_RESCORING, row.id)

    def claim(self) -> Claim | None:
        """The next call to judge, for a minute or as long as `renew` is called; None if none."""
        now = datetime.now(UTC)
        due = (
            sa.select(Row)
            .where(Row.state == _OPEN, Row.due_at <= now)
            .order_by(Row.bulk, Row.rescoring_id, Row.call_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with transaction(self._engine) as session:
            row = session.scalars(due).first()
            if row is None:
                return None
            row.attempts += 1
            row.due_at = now + _LEASE
            options = session.scalars(
                sa.select(RescoringRow.options).where(RescoringRow.id == row.rescoring_id)
            ).one()
            order = Order.model_validate(options)
            return Claim(row.rescoring_id, row.call_id, row.attempts, order)

    def renew(self, claim: Claim) -> bool:
        """Go on for another minute; False where the call is no longer this worker's."""
        return self._set(claim, due_at=datetime.now(UTC) + _LEASE)

    def put_back(self, claim: Claim, seconds: float) -> None:
        """Let the call be claimed again after so long."""
        self._set(claim, due_at=datetime.now(UTC) + timedelta(seconds=seconds))

    def fail(self, claim: Claim, problem: Problem) -> None:
        """Give the call up; its records stay as they are."""
        with transaction(self._engine) as session:
            if _update(session, claim, state=_FAILED, problem=asdict(problem)):
                _drop_artifacts(session, claim)

    def discard(self, claim: Claim) -> None:
        """Leave nothing of what was heard for an order that was called off meanwhile."""
        kept = sa.exists().where(
            Row.rescoring_id == claim.rescoring_id, Row.call_id == claim.call_id
        )
        with transaction(self._engine) as session:
            if not session.scalar(sa.select(kept)):
                _drop_artifacts(session, claim)

    def finish(
        self, claim: Claim, record: CallRecord, also: Callable[[Session], None] | None = None
    ) -> bool:
        """Keep the record as the call's newest version, unless it is the newest already.

        Args:
            claim: the call.
            record: made anew.
            also: what else belongs into this transaction.

        Returns:
            False where the call is no longer this worker's, and nothing was kept.
        """
        with transaction(self._engine) as session:
            # Another order may be about to give the same call its next version.
            session.execute(
                sa.select(CallRow.id).where(CallRow.id == claim.call_id).with_for_update()
            )
            newest = session.execute(
                sa.select(RecordRow.version, RecordRow.content)
                .where(RecordRow.call_id == claim.call_id)
                .order_by(RecordRow.version.desc())
                .limit(1)
            ).first()
            if newest is None:  # deleted meanwhile
                return False
            same = unpack(CallRecord, newest.content) == record
            version = newest.version if same else newest.version + 1
            if not _update(session, claim, state=_DONE, version=version):
                return False
            if not same:
                now = datetime.now(UTC)
                session.add(
                    RecordRow(
                        call_id=claim.call_id, version=version, content=pack(record), created_at=now
                    )
                )
                enter(session, record, claim.call_id)
                call = session.get_one(CallRow, claim.call_id)
                call.updated_at = now
                told = Happening(
                    new_event_id(),
                    EventType.RESCORED,
                    now,
                    call.id,
                    call.external_id,
                    version=version,
                )
                self._announce(session, call.tenant, told)
            if also is not None:
                also(session)
            return True

    def _place(
        self, session: Session, tenant: str, calls: sa.Select[str], order: Order, *, bulk: bool
    ) -> str:
        now = datetime.now(UTC)
        row = RescoringRow(
            id=new_id(),
            tenant=tenant,
            options=order.model_dump(mode="json"),
            calls=0,
            cancelled=False,
            created_at=now,
        )
        session.add(row)
        session.flush()
        values = {
            "rescoring_id": sa.literal(row.id, Row.rescoring_id.type),
            "tenant": sa.literal(tenant),
            "state": sa.literal(_OPEN),
            "bulk": sa.literal(bulk),
            "attempts": sa.literal(0),
            "due_at": sa.literal(now, Row.due_at.type),
        }
        source = calls.add_columns(*values.values())
        added = sa.insert(Row).from_select(["call_id", *values], source)
        session.execute(added)
        row.calls = (
            session.scalar(sa.select(sa.func.count()).where(Row.rescoring_id == row.id)) or 0
        )
        if row.calls == 0:
            raise InvalidInput(
                "no finished call passes the filters", remedy="GET /v1/calls shows which do."
            )
        return row.id

    def _set(self, claim: Claim, **values: object) -> bool:
        with transaction(self._engine) as session:
            return _update(session, claim, **values)


def _update(session: Session, claim: Claim, **values: object) -> bool:
    changed = sa.update(Row).where(claim.row).values(**values).returning(Row.call_id)
    return session.execute(changed).first() is not None


def _drop_artifacts(session: Session, claim: Claim) -> None:
    of_order = ArtifactRow.stage.endswith(claim.stage(""), autoescape=True)
    session.execute(sa.delete(ArtifactRow).where(ArtifactRow.call_id == claim.call_id, of_order))


def _order(session: Session, tenant: str, rescoring_id: str) -> RescoringRow:
    unknown = NotFound(
        f"there is no rescoring {rescoring_id[:64]!r}",
        remedy="Use the id that the order was answered with.",
    )
    try:
        row = session.get(RescoringRow, str(UUID(rescoring_id)))
    except ValueError:
        raise unknown from None
    if row is None or row.tenant != tenant:
        raise unknown
    return row
