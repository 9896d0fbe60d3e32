"""The calls in the database, and what became of them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from callscope.errors import CallNotFound, NotReady
from callscope.pipeline import AnalyzeOptions
from callscope.types import CallRecord, MediaInfo, Recording
from services.gateway.archive import pack, unpack
from services.gateway.call import Call, CallStatus, Problem, checked_id
from services.gateway.database import (
    DEFAULT_TENANT,
    ArtifactRow,
    CallRow,
    RecordRow,
    answering,
)

__all__ = ["Ledger", "NewCall"]

T = TypeVar("T")

_OPTIONS = TypeAdapter(AnalyzeOptions)
_FIRST_VERSION = 1
_OPEN = tuple(status for status in CallStatus if not status.final)


@dataclass(frozen=True, slots=True)
class NewCall:
    """What is known of a call when it is accepted; `blob` is the store's key of the audio."""

    id: str
    blob: str
    media: MediaInfo
    options: AnalyzeOptions
    metadata: Mapping[str, str]
    started_at: str | None
    idempotency_key: str | None


class Ledger:
    """Calls, artifacts of their stages, and records, each change in one transaction.

    Every method raises `Unavailable` while the database does not answer.

    Args:
        engine: the database.
        uri: from a store's key to the URI under which services find the audio.
    """

    def __init__(self, engine: sa.Engine, uri: Callable[[str], str]) -> None:
        self._engine = engine
        self._uri = uri

    def add(self, new: NewCall) -> bool:
        """Enter an accepted call; False where its idempotency key is taken."""
        now = _now()
        row = CallRow(
            id=new.id,
            tenant=DEFAULT_TENANT,
            status=CallStatus.QUEUED,
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
            with self._session() as session:
                session.add(row)
        except sa.exc.IntegrityError:
            return False
        return True

    def get(self, call_id: str) -> Call:
        """The call.

        Raises:
            CallNotFound: no call of that id.
        """
        with self._session() as session:
            return self._call(_row(session, call_id))

    def blob(self, call_id: str) -> str:
        """The store's key of the call's audio; raises as `get`."""
        with self._session() as session:
            return _row(session, call_id).blob

    def find(self, call_id: str) -> Call | None:
        """The call, or None."""
        with contextlib.suppress(CallNotFound):
            return self.get(call_id)
        return None

    def by_key(self, idempotency_key: str) -> Call | None:
        """The call that was sent with this key, if one was."""
        query = sa.select(CallRow).filter_by(tenant=DEFAULT_TENANT, idempotency_key=idempotency_key)
        with self._session() as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else self._call(row)

    def page(self, limit: int, before: str | None, status: CallStatus | None) -> list[Call]:
        """At most `limit` calls, newest first, from those older than the call `before`."""
        query = sa.select(CallRow).filter_by(tenant=DEFAULT_TENANT).order_by(CallRow.id.desc())
        if before is not None:
            query = query.where(CallRow.id < before)
        if status is not None:
            query = query.filter_by(status=status)
        with self._session() as session:
            return [self._call(row) for row in session.scalars(query.limit(limit))]

    def unfinished(self) -> list[str]:
        """The ids of all calls that are queued or running, oldest first."""
        query = sa.select(CallRow.id).where(CallRow.status.in_(_OPEN)).order_by(CallRow.id)
        with self._session() as session:
            return list(session.scalars(query))

    def queued(self) -> int:
        """How many calls wait."""
        query = sa.select(sa.func.count()).select_from(CallRow)
        with self._session() as session:
            return session.scalar(query.where(CallRow.status == CallStatus.QUEUED)) or 0

    def start(self, call_id: str) -> None:
        """The call is being analyzed."""
        self._move(call_id, status=CallStatus.RUNNING)

    def fail(self, call_id: str, problem: Problem) -> bool:
        """The call is given up; False where it was final or gone already."""
        return self._move(call_id, status=CallStatus.FAILED, problem=asdict(problem))

    def remove(self, call_id: str) -> None:
        """Remove the call with its artifacts and records."""
        with self._session() as session:
            session.execute(sa.delete(CallRow).where(CallRow.id == call_id))

    def keep(self, call_id: str, stage: str, value: object) -> None:
        """Keep what a stage made; raises `CallNotFound` where the call is gone."""
        row = ArtifactRow(call_id=call_id, stage=stage, content=pack(value), created_at=_now())
        try:
            with self._session() as session:
                session.merge(row)
        except sa.exc.IntegrityError:
            raise CallNotFound(f"call {call_id} was deleted") from None

    def has(self, call_id: str, stage: str) -> bool:
        """Whether that stage's result is kept."""
        query = sa.select(sa.exists().where(_artifact(call_id, stage)))
        with self._session() as session:
            return bool(session.scalar(query))

    def kept(self, call_id: str, stage: str, kind: type[T]) -> T:
        """What a stage made.

        Raises:
            NotReady: it has not been made yet.
        """
        query = sa.select(ArtifactRow.content).where(_artifact(call_id, stage))
        with self._session() as session:
            content = session.scalar(query)
        if content is None:
            raise NotReady(f"call {call_id} has no result of {stage} yet")
        return unpack(kind, content)

    def finish(self, call_id: str, record: CallRecord, consumed: str) -> bool:
        """Keep the record, and drop the artifact that is wholly in it; False where it was kept."""
        now = _now()
        row = RecordRow(
            call_id=call_id, version=_FIRST_VERSION, content=pack(record), created_at=now
        )
        with self._session() as session:
            if not _update(session, call_id, status=CallStatus.DONE, updated_at=now):
                return False
            session.add(row)
            session.execute(sa.delete(ArtifactRow).where(_artifact(call_id, consumed)))
            return True

    def record(self, call_id: str) -> CallRecord:
        """The newest version of a call's record.

        Raises:
            CallNotFound: no call of that id.
            NotReady: the call is not done.
        """
        query = sa.select(RecordRow.content).order_by(RecordRow.version.desc()).limit(1)
        with self._session() as session:
            row = _row(session, call_id)
            content = session.scalar(query.where(RecordRow.call_id == row.id))
            status, problem = row.status, row.problem
        if content is not None:
            return unpack(CallRecord, content)
        if problem is not None:
            raise NotReady(f"call {call_id} failed: {problem['message']}", remedy=problem["remedy"])
        raise NotReady(f"call {call_id} is {status}; its record is not there yet")

    def _move(self, call_id: str, **values: Any) -> bool:
        with self._session() as session:
            return _update(session, call_id, updated_at=_now(), **values)

    def _call(self, row: CallRow) -> Call:
        recording = Recording(
            id=row.id,
            uri=self._uri(row.blob),
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
            status=status,
            recording=recording,
            options=_OPTIONS.validate_python(row.options),
            idempotency_key=row.idempotency_key,
            problem=None if row.problem is None else Problem(**row.problem),
            created_at=row.created_at,
            updated_at=row.updated_at,
            progress=1.0 if status is CallStatus.DONE else 0.0,
        )

    @contextlib.contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction: committed where the block ends well."""
        with answering(), Session(self._engine) as session, session.begin():
            yield session


def _row(session: Session, call_id: str) -> CallRow:
    row = session.get(CallRow, checked_id(call_id))
    if row is None:
        raise CallNotFound(f"there is no call {call_id}")
    return row


def _update(session: Session, call_id: str, **values: Any) -> bool:
    """Change a call that is not final; False where it is, or is gone."""
    change = sa.update(CallRow).where(CallRow.id == call_id, CallRow.status.in_(_OPEN))
    result = session.execute(change.values(**values).returning(CallRow.id))
    return result.scalar() is not None


def _artifact(call_id: str, stage: str) -> sa.ColumnElement[bool]:
    return sa.and_(ArtifactRow.call_id == call_id, ArtifactRow.stage == stage)


def _now() -> datetime:
    return datetime.now(UTC)
