"""The calls in the database as the gateway's own work knows them: by id, whosever they are.

Never handed to a door: what a tenant asks for goes through `services.gateway.ledger`.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import CallNotFound, NotReady
from callscope.types import CallRecord
from services.gateway.archive import pack, unpack
from services.gateway.call import Call, CallStatus, Lane, Problem
from services.gateway.database import transaction, upsert
from services.gateway.index import enter
from services.gateway.ledger import to_call
from services.gateway.metrics import Standing
from services.gateway.tables import BACKLOG, ArtifactRow, CallRow, RecordRow
from services.gateway.webhooks.event import Announce, EventType, Happening, new_event_id, nobody

__all__ = ["Journal"]

T = TypeVar("T")

_FIRST_VERSION = 1
_OPEN = tuple(status for status in CallStatus if not status.final)


class Journal:
    """How the work on calls goes, and what their stages made; each change in one transaction.

    Every method raises `Unavailable` while the database does not answer.

    Args:
        engine: the database.
        uri: from a store's key to the URI under which services find the audio.
        announce: tells webhooks, in the transaction in which something happens.
    """

    def __init__(
        self, engine: sa.Engine, uri: Callable[[str], str], announce: Announce = nobody
    ) -> None:
        self._engine = engine
        self._uri = uri
        self._announce = announce

    def call(self, call_id: str) -> Call:
        """The call; raises `CallNotFound` where it is gone."""
        with transaction(self._engine) as session:
            row = session.get(CallRow, call_id)
            if row is None:
                raise CallNotFound(f"call {call_id} was deleted")
            return to_call(row, self._uri)

    def unfinished(self, batch: int) -> Iterator[list[Call]]:
        """The calls that are queued or running, oldest first, at most so many at a time."""
        query = sa.select(CallRow).where(CallRow.status.in_(_OPEN)).order_by(CallRow.id)
        after: list[Call] = []
        while True:
            later = query.where(CallRow.id > after[-1].id) if after else query
            with transaction(self._engine) as session:
                after = [to_call(row, self._uri) for row in session.scalars(later.limit(batch))]
            if not after:
                return
            yield after

    def standings(self) -> list[Standing]:
        """How many calls wait or were given up, by lane, and since when."""
        kinds = (CallRow.lane, CallRow.status)
        query = sa.select(*kinds, sa.func.count(), sa.func.min(CallRow.updated_at))
        with transaction(self._engine) as session:
            found = session.execute(query.where(sa.text(BACKLOG)).group_by(*kinds))
            return [Standing(*row) for row in found]

    def start(self, call_id: str) -> None:
        """The call is being analyzed."""
        self._move(call_id, status=CallStatus.RUNNING)

    def fail(self, call_id: str, problem: Problem) -> Lane | None:
        """The call is given up: its lane, or None where it was final or gone already."""
        failed = {"status": CallStatus.FAILED, "problem": asdict(problem)}
        with transaction(self._engine) as session:
            if not _update(session, call_id, updated_at=datetime.now(UTC), **failed):
                return None
            self._tell(session, call_id, EventType.FAILED, problem.code)
            return Lane(session.get_one(CallRow, call_id).lane)

    def keep(self, call_id: str, stage: str, value: object) -> None:
        """Keep what a stage made; raises `CallNotFound` where the call is gone."""
        row = {
            "call_id": call_id,
            "stage": stage,
            "content": pack(value),
            "created_at": datetime.now(UTC),
        }
        try:
            with transaction(self._engine) as session:
                session.execute(upsert(self._engine, ArtifactRow, row))
        except sa.exc.IntegrityError:
            raise CallNotFound(f"call {call_id} was deleted") from None

    def has(self, call_id: str, stage: str) -> bool:
        """Whether that stage's result is kept."""
        query = sa.select(sa.exists().where(_artifact(call_id, stage)))
        with transaction(self._engine) as session:
            return bool(session.scalar(query))

    def kept(self, call_id: str, stage: str, kind: type[T]) -> T:
        """What a stage made.

        Raises:
            NotReady: it has not been made yet.
        """
        query = sa.select(ArtifactRow.content).where(_artifact(call_id, stage))
        with transaction(self._engine) as session:
            content = session.scalar(query)
        if content is None:
            raise NotReady(f"call {call_id} has no result of {stage} yet")
        return unpack(kind, content)

    def finish(self, call_id: str, record: CallRecord, consumed: str) -> bool:
        """Keep the record, and drop the artifact that is wholly in it; False where it was kept."""
        now = datetime.now(UTC)
        row = RecordRow(
            call_id=call_id, version=_FIRST_VERSION, content=pack(record), created_at=now
        )
        done = {"status": CallStatus.DONE, "duration": record.recording.duration or 0.0}
        with transaction(self._engine) as session:
            if not _update(session, call_id, updated_at=now, **done):
                return False
            session.add(row)
            enter(session, record, call_id)
            session.execute(sa.delete(ArtifactRow).where(_artifact(call_id, consumed)))
            self._tell(session, call_id, EventType.DONE)
            return True

    def _tell(
        self, session: Session, call_id: str, event: EventType, problem: str | None = None
    ) -> None:
        row = session.get_one(CallRow, call_id)
        happening = Happening(
            new_event_id(), event, datetime.now(UTC), call_id, row.external_id, problem
        )
        self._announce(session, row.tenant, happening)

    def _move(self, call_id: str, **values: Any) -> bool:
        with transaction(self._engine) as session:
            return _update(session, call_id, updated_at=datetime.now(UTC), **values)


def _update(session: Session, call_id: str, **values: Any) -> bool:
    """Change a call that is not final; False where it is, or is gone."""
    change = sa.update(CallRow).where(CallRow.id == call_id, CallRow.status.in_(_OPEN))
    result = session.execute(change.values(**values).returning(CallRow.id))
    return result.scalar() is not None


def _artifact(call_id: str, stage: str) -> sa.ColumnElement[bool]:
    return sa.and_(ArtifactRow.call_id == call_id, ArtifactRow.stage == stage)
