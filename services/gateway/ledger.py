"""The calls in the database as their tenants know them: nothing is found without a tenant."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from callscope.errors import CallNotFound, NotFound, NotReady
from callscope.pipeline import AnalyzeOptions
from callscope.transcripts import digest
from callscope.types import CallRecord, MediaInfo, Recording, TextConversation
from services.gateway.archive import TEXT, pack, unpack
from services.gateway.call import (
    Call,
    CallStatus,
    Lane,
    Problem,
    arrived_at,
    checked_id,
    no_recording,
)
from services.gateway.database import transaction
from services.gateway.index import facets
from services.gateway.listing import read_page
from services.gateway.query import PageQuery
from services.gateway.tables import ArtifactRow, CallRow, RecordRow
from services.gateway.texts import Note

__all__ = ["Ledger", "NewCall", "Version", "anew", "checked_call", "to_call"]

_OPTIONS = TypeAdapter(AnalyzeOptions)


@dataclass(frozen=True, slots=True)
class NewCall:
    """What is known of a call when it is accepted.

    Either there is audio, `blob` its key in the store and `media` its facts, or `text`. A tenant
    has one call of each `identity`: the sender's id of the call or, without one, the recording
    itself.
    """

    id: str
    tenant: str
    lane: Lane
    options: AnalyzeOptions
    metadata: Mapping[str, str]
    started_at: str | None
    idempotency_key: str | None
    external_id: str | None = None
    notes: tuple[Note, ...] = ()
    blob: str | None = None
    media: MediaInfo | None = None
    text: TextConversation | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the recording, or of what was said."""
        if self.media is not None:
            return self.media.sha256
        assert self.text is not None  # noqa: S101 - one of the two is there
        return digest(self.text)

    @property
    def identity(self) -> str:
        """What makes it this call and no other of its tenant's."""
        if self.external_id is not None:
            return f"id:{self.external_id}"
        return f"sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record, counted from 1."""

    number: int
    created_at: datetime
    record: CallRecord


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

    def add(self, new: NewCall) -> Call | None:
        """Enter an accepted call; None where its tenant has used its key, or has it already."""
        now = datetime.now(UTC)
        row = CallRow(
            id=new.id,
            tenant=new.tenant,
            status=CallStatus.QUEUED,
            run=1,
            idempotency_key=new.idempotency_key,
            external_id=new.external_id,
            identity=new.identity,
            blob=new.blob,
            **_about(new),
            **_asked(new, now),
            created_at=now,
            updated_at=now,
        )
        try:
            call = to_call(row, self._uri)
            with transaction(self._engine) as session:
                session.add(row)
                if new.text is not None:
                    session.flush()  # the call's row first, which this one refers to
                    session.add(
                        ArtifactRow(
                            call_id=new.id, stage=TEXT, content=pack(new.text), created_at=now
                        )
                    )
        except sa.exc.IntegrityError:
            return None
        return call

    def restart(self, call_id: str, new: NewCall) -> Call | None:
        """Begin a failed call anew, as it is sent now; the caller enqueues it.

        What stages had made is dropped: it was made with other options. None where the call has
        not failed, or its audio is erased.
        """
        can_be_heard = sa.or_(CallRow.blob.is_not(None), CallRow.codec == "")
        change = sa.update(CallRow).where(
            CallRow.id == call_id, CallRow.status == CallStatus.FAILED, can_be_heard
        )
        made = sa.delete(ArtifactRow).where(
            ArtifactRow.call_id == call_id, ArtifactRow.stage != TEXT
        )
        values = _asked(new, arrived_at(call_id)) | anew()
        with transaction(self._engine) as session:
            if session.scalar(change.values(**values).returning(CallRow.id)) is None:
                return None
            session.execute(made)
            return to_call(session.get_one(CallRow, call_id), self._uri)

    def get(self, tenant: str, call_id: str) -> Call:
        """The call.

        Raises:
            CallNotFound: the tenant has no call of that id.
        """
        with transaction(self._engine) as session:
            return to_call(checked_call(session, tenant, call_id), self._uri)

    def find(self, tenant: str, call_id: str) -> Call | None:
        """The call, or None."""
        with contextlib.suppress(CallNotFound):
            return self.get(tenant, call_id)
        return None

    def blob(self, tenant: str, call_id: str) -> str:
        """The store's key of the call's audio.

        Raises:
            CallNotFound: as `get`.
            AudioNotFound: the audio has been erased, or there never was any.
        """
        with transaction(self._engine) as session:
            row = checked_call(session, tenant, call_id)
            if row.blob is None:
                raise no_recording(to_call(row, self._uri))
            return row.blob

    def by_key(self, tenant: str, idempotency_key: str) -> Call | None:
        """The call that was sent with this key, if one was."""
        return self._first(CallRow.tenant == tenant, CallRow.idempotency_key == idempotency_key)

    def by_external_id(self, tenant: str, external_id: str) -> Call | None:
        """The call that its sender calls so, if there is one."""
        return self._first(CallRow.tenant == tenant, CallRow.identity == f"id:{external_id}")

    def by_recording(self, tenant: str, sha256: str) -> Call | None:
        """The first call with that very recording, if there is one."""
        return self._first(CallRow.tenant == tenant, CallRow.sha256 == sha256)

    def page(self, tenant: str, page: PageQuery) -> list[Call]:
        """The calls of the page, newest first, and one more where there is one."""
        with transaction(self._engine) as session:
            return [to_call(row, self._uri) for row in read_page(session, tenant, page)]

    def record(self, tenant: str, call_id: str, version: int | None = None) -> CallRecord:
        """A version of a call's record, the newest where none is named.

        Raises:
            CallNotFound: the tenant has no call of that id.
            NotFound: there is no such version.
            NotReady: the call is not done.
        """
        query = sa.select(RecordRow.content).order_by(RecordRow.version.desc()).limit(1)
        with transaction(self._engine) as session:
            row = checked_call(session, tenant, call_id)
            query = query.where(RecordRow.call_id == row.id)
            newest = session.scalar(query)
            content = newest
            if version is not None:
                content = session.scalar(query.where(RecordRow.version == version))
            status, problem = row.status, row.problem
        if content is not None:
            return unpack(CallRecord, content)
        if newest is not None:
            raise NotFound(
                f"call {call_id} has no version {version} of its record",
                remedy=f"GET /v1/calls/{call_id}/records lists them.",
            )
        if problem is not None:
            raise NotReady(f"call {call_id} failed: {problem['message']}", remedy=problem["remedy"])
        raise NotReady(f"call {call_id} is {status}; its record is not there yet")

    def versions(self, tenant: str, call_id: str) -> list[Version]:
        """The versions of a call's record, oldest first; raises as `record`."""
        self.record(tenant, call_id)
        query = sa.select(RecordRow).order_by(RecordRow.version)
        with transaction(self._engine) as session:
            row = checked_call(session, tenant, call_id)
            kept = session.scalars(query.where(RecordRow.call_id == row.id)).all()
            return [
                Version(each.version, each.created_at, unpack(CallRecord, each.content))
                for each in kept
            ]

    def _first(self, *conditions: sa.ColumnElement[bool]) -> Call | None:
        query = sa.select(CallRow).where(*conditions).order_by(CallRow.id).limit(1)
        with transaction(self._engine) as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else to_call(row, self._uri)


def anew() -> dict[str, Any]:
    """What a failed call that is analyzed again starts with."""
    return {
        "status": CallStatus.QUEUED,
        "run": CallRow.run + 1,
        "problem": sa.null(),
        "updated_at": datetime.now(UTC),
    }


def _asked(new: NewCall, accepted_at: datetime) -> dict[str, Any]:
    """The columns of what the sender asks for and says of the call."""
    return {
        "lane": new.lane,
        "started_at": new.started_at,
        "facts": dict(new.metadata),
        "notes": [note.model_dump() for note in new.notes],
        "options": _OPTIONS.dump_python(new.options, mode="json"),
        **facets(new.metadata, new.started_at, accepted_at),
    }


def _about(new: NewCall) -> dict[str, Any]:
    """The columns that describe a recording; of a text, see `CallRow`."""
    if new.media is not None:
        return {name: value for name, value in asdict(new.media).items() if name != "doubts"}
    assert new.text is not None  # noqa: S101 - one of the two is there
    nothing = {"sample_rate": 0, "channels": 0, "codec": ""}
    return {"sha256": new.sha256, "duration": new.text.duration or 0.0, **nothing}


def to_call(row: CallRow, uri: Callable[[str], str]) -> Call:
    """The call that a row keeps."""
    recording = Recording(
        id=row.id,
        uri=None if row.blob is None else uri(row.blob),
        sha256=row.sha256,
        duration=row.duration or None,
        sample_rate=row.sample_rate or None,
        channels=row.channels or None,
        codec=row.codec or None,
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
        external_id=row.external_id,
        notes=tuple(Note(**each) for each in row.notes),
        progress=1.0 if status is CallStatus.DONE else 0.0,
    )


def checked_call(session: Session, tenant: str, call_id: str) -> CallRow:
    """The tenant's call; raises `CallNotFound`."""
    row = session.get(CallRow, checked_id(call_id))
    if row is None or row.tenant != tenant:
        raise CallNotFound(f"there is no call {call_id}")
    return row
