"""The calls in the database as their tenants know them: nothing is found without a tenant."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from callscope.errors import CallNotFound, NotReady
from callscope.pipeline import AnalyzeOptions
from callscope.types import CallRecord, MediaInfo, Recording
from services.gateway.archive import unpack
from services.gateway.audit import Action, note
from services.gateway.call import Call, CallStatus, Lane, Problem, checked_id
from services.gateway.database import transaction
from services.gateway.tables import CallRow, RecordRow

__all__ = ["Ledger", "NewCall", "to_call"]

_OPTIONS = TypeAdapter(AnalyzeOptions)


@dataclass(frozen=True, slots=True)
class NewCall:
    """What is known of a call when it is accepted; `blob` is the store's key of the audio."""

    id: str
    tenant: str
    lane: Lane
    blob: str
    media: MediaInfo
    options: AnalyzeOptions
    metadata: Mapping[str, str]
    started_at: str | None
    idempotency_key: str | None


class Ledger:
    """Calls and their records, each change in one transaction.

    The first argument is the tenant: another's call is not found, like one that does not exist.
    Every method raises `Unavailable` while the database does not answer.

    Args:
        engine: the database.
        uri: from a store's key to the URI under which services find the audio.
    """

    def __init__(self, engine: sa.Engine, uri: Callable[[str], str]) -> None:
        self._engine = engine
        self._uri = uri

    def add(self, new: NewCall) -> bool:
        """Enter an accepted call; False where its tenant has used its idempotency key."""
        now = datetime.now(UTC)
        row = CallRow(
            id=new.id,
            tenant=new.tenant,
            lane=new.lane,
            status=CallStatus.QUEUED,
            run=1,
            idempotency_key=new.idempotency_key,
            blob=new.blob,
            **asdict(new.media),
            started_at=new.started_at,
            facts=dict(new.metadata),
            options=_OPTIONS.dump_python(new.options, mode="json"),
            created_at=now,
            updated_at=now,
        )
        try:
            with transaction(self._engine) as session:
                session.add(row)
        except sa.exc.IntegrityError:
            return False
        return True

    def get(self, tenant: str, call_id: str) -> Call:
        """The call.

        Raises:
            CallNotFound: the tenant has no call of that id.
        """
        with transaction(self._engine) as session:
            return to_call(_row(session, tenant, call_id), self._uri)

    def find(self, tenant: str, call_id: str) -> Call | None:
        """The call, or None."""
        with contextlib.suppress(CallNotFound):
            return self.get(tenant, call_id)
        return None

    def blob(self, tenant: str, call_id: str) -> str:
        """The store's key of the call's audio; raises as `get`."""
        with transaction(self._engine) as session:
            return _row(session, tenant, call_id).blob

    def by_key(self, tenant: str, idempotency_key: str) -> Call | None:
        """The call that was sent with this key, if one was."""
        query = sa.select(CallRow).filter_by(tenant=tenant, idempotency_key=idempotency_key)
        with transaction(self._engine) as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else to_call(row, self._uri)

    def page(
        self, tenant: str, limit: int, before: str | None, status: CallStatus | None
    ) -> list[Call]:
        """At most `limit` calls, newest first, from those older than the call `before`."""
        query = sa.select(CallRow).filter_by(tenant=tenant).order_by(CallRow.id.desc())
        if before is not None:
            query = query.where(CallRow.id < before)
        if status is not None:
            query = query.filter_by(status=status)
        with transaction(self._engine) as session:
            return [to_call(row, self._uri) for row in session.scalars(query.limit(limit))]

    def remove(self, tenant: str, call_id: str, actor: str) -> None:
        """Remove the call with its artifacts and records, and note who did."""
        with transaction(self._engine) as session:
            removed = sa.delete(CallRow).filter_by(tenant=tenant, id=call_id)
            if session.execute(removed.returning(CallRow.id)).scalar() is not None:
                note(session, tenant, actor, Action.DELETE_CALL, call_id)

    def record(self, tenant: str, call_id: str) -> CallRecord:
        """The newest version of a call's record.

        Raises:
            CallNotFound: the tenant has no call of that id.
            NotReady: the call is not done.
        """
        query = sa.select(RecordRow.content).order_by(RecordRow.version.desc()).limit(1)
        with transaction(self._engine) as session:
            row = _row(session, tenant, call_id)
            content = session.scalar(query.where(RecordRow.call_id == row.id))
            status, problem = row.status, row.problem
        if content is not None:
            return unpack(CallRecord, content)
        if problem is not None:
            raise NotReady(f"call {call_id} failed: {problem['message']}", remedy=problem["remedy"])
        raise NotReady(f"call {call_id} is {status}; its record is not there yet")


def to_call(row: CallRow, uri: Callable[[str], str]) -> Call:
    """The call that a row keeps."""
    recording = Recording(
        id=row.id,
        uri=uri(row.blob),
        sha256=row.sha256,
        duration=row.duration,
        sample_rate=row.sample_rate,
        channels=row.channels,
        codec=row.codec,
        started_at=row.started_at,
        metadata=row.facts,
    )
    status = CallStatus(row.status)
    return Call(
        id=row.id,
        tenant=row.tenant,
        lane=Lane(row.lane),
        status=status,
        run=row.run,
        recording=recording,
        options=_OPTIONS.validate_python(row.options),
        idempotency_key=row.idempotency_key,
        problem=None if row.problem is None else Problem(**row.problem),
        created_at=row.created_at,
        updated_at=row.updated_at,
        progress=1.0 if status is CallStatus.DONE else 0.0,
    )


def _row(session: Session, tenant: str, call_id: str) -> CallRow:
    row = session.get(CallRow, checked_id(call_id))
    if row is None or row.tenant != tenant:
        raise CallNotFound(f"there is no call {call_id}")
    return row
