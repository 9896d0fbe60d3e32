"""The gateway's tables, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "BACKLOG",
    "FACET_LENGTH",
    "ArrivalRow",
    "ArtifactRow",
    "AuditRow",
    "Base",
    "CallRow",
    "DeliveryRow",
    "ErasureRow",
    "GatewayRow",
    "KeyRow",
    "RecordRow",
    "RetentionRow",
    "UtcDateTime",
    "WebhookRow",
]

FACET_LENGTH = 128
"""Characters of a sender's fact that can be filtered by; PostgreSQL indexes 2,700 bytes a row."""

BACKLOG = "status IN ('queued', 'failed')"
"""Calls that wait or were given up; the index of them serves what is asked in these words."""


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware datetime. SQLite forgets the zone, so what is stored is always UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """With the zone that SQLite forgot."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own idiom
        datetime: UtcDateTime(),
        dict[str, Any]: sa.JSON(),
        list[dict[str, Any]]: sa.JSON(),
        list[str]: sa.JSON(),
        bytes: sa.LargeBinary(),
    }


class CallRow(Base):
    """A call: whose it is, what was sent, what was asked for, where it stands.

    Ids begin with the time, so their order is the order of arrival. `run` counts the analyses
    begun for it: a retry is a new one. `identity` is what makes it this call and no other: its
    sender's id where one was given, else the recording's digest. `blob` is None once the audio is
    erased, and where the call was sent as text: `codec` is empty then, and the other facts of a
    recording are 0, since these columns are older than texts.
    """

    __tablename__ = "calls"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "idempotency_key"),
        sa.UniqueConstraint("tenant", "identity"),
        sa.Index(None, "tenant", "id"),
        sa.Index(None, "tenant", "status", "id"),
        sa.Index(None, "tenant", "sha256"),
        sa.Index(None, "status", "id"),
        sa.Index(None, "tenant", "agent", "id"),
        sa.Index(None, "tenant", "queue", "id"),
        sa.Index(None, "tenant", "rubric", "id"),
        sa.Index(None, "tenant", "began_at", "id"),
        sa.Index(
            "ix_calls_backlog",
            "status",
            "lane",
            "updated_at",
            sqlite_where=sa.text(BACKLOG),
            postgresql_where=sa.text(BACKLOG),
        ),
        # Wide enough to answer the other filters by itself, in the order of lists.
        sa.Index(
            "ix_calls_facets",
            "tenant",
            "id",
            "status",
            "direction",
            "rubric",
            "overall",
            "review_needed",
            "agent",
            "queue",
            "began_at",
        ),
    )

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    lane: Mapped[str] = mapped_column(sa.String(16))
    status: Mapped[str] = mapped_column(sa.String(16))
    run: Mapped[int]
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(255))
    external_id: Mapped[str | None] = mapped_column(sa.String(255))
    identity: Mapped[str | None] = mapped_column(sa.String(300))
    blob: Mapped[str | None] = mapped_column(sa.String(255))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    duration: Mapped[float]
    sample_rate: Mapped[int]
    channels: Mapped[int]
    codec: Mapped[str] = mapped_column(sa.String(64))
    started_at: Mapped[str | None] = mapped_column(sa.String(64))
    # "metadata" is a name SQLAlchemy keeps for itself.
    facts: Mapped[dict[str, Any]] = mapped_column("metadata")
    notes: Mapped[list[dict[str, Any]]]
    options: Mapped[dict[str, Any]]
    problem: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    # What lists are filtered by. The first four are known from the start, cut to what an index
    # takes; the others are the newest record's.
    agent: Mapped[str | None] = mapped_column(sa.String(FACET_LENGTH))
    queue: Mapped[str | None] = mapped_column(sa.String(FACET_LENGTH))
    direction: Mapped[str | None] = mapped_column(sa.String(FACET_LENGTH))
    began_at: Mapped[datetime]
    rubric: Mapped[str | None] = mapped_column(sa.String(64))
    overall: Mapped[float | None]
    review_needed: Mapped[bool | None]


class ArtifactRow(Base):
    """What a stage made of a call: the value's protobuf bytes, compressed."""

    __tablename__ = "artifacts"

    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
    )
    stage: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    content: Mapped[bytes]
    created_at: Mapped[datetime]


class RecordRow(Base):
    """A version of a call's record, as an artifact is kept."""

    __tablename__ = "records"

    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes]
    created_at: Mapped[datetime]


class KeyRow(Base):
    """An API key: never the key itself, only what is needed to recognize it."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.Index(None, "tenant", "id"),)

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    role: Mapped[str] = mapped_column(sa.String(16))
    name: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """Something that was done: by whom, when, to what; never any content."""

    __tablename__ = "audit"
    __table_args__ = (sa.Index(None, "tenant", "id"),)

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    actor: Mapped[str] = mapped_column(sa.String(64))
    action: Mapped[str] = mapped_column(sa.String(32))
    subject: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]


class GatewayRow(Base):
    """A gateway process, and when it last said that it lives."""

    __tablename__ = "gateways"

    executor_id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    seen_at: Mapped[datetime]


class ArrivalRow(Base):
    """A version of an object in the inbound bucket, and what became of it.

    `due_at` of one that is being taken in lies ahead: should the process die, it falls due again.
    """

    __tablename__ = "arrivals"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "bucket", "name", "version"),
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "tenant", "state", "id"),
    )

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    bucket: Mapped[str] = mapped_column(sa.String(63))
    name: Mapped[str] = mapped_column(sa.String(1024))
    version: Mapped[str] = mapped_column(sa.String(128))
    state: Mapped[str] = mapped_column(sa.String(16))
    call_id: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    problem: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookRow(Base):
    """Who wants to be told what. `secrets` are kept as they are: signing needs them.

    `failures` counts the attempts in a row that failed; nothing is sent before `paused_until`.
    """

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index(None, "tenant", "id"),)

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    url: Mapped[str] = mapped_column(sa.String(2048))
    events: Mapped[list[str]]
    secrets: Mapped[list[dict[str, Any]]]
    active: Mapped[bool]
    failures: Mapped[int]
    paused_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeliveryRow(Base):
    """One event for one webhook, and every attempt to bring it there.

    It is written in the transaction in which the event happens, so that none is lost. `due_at`
    of one that is being sent lies ahead: should the process die, it falls due again.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "webhook_id", "id"),
        sa.Index(None, "created_at"),
    )

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    webhook_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    event_id: Mapped[str] = mapped_column(sa.String(64))
    event_type: Mapped[str] = mapped_column(sa.String(64))
    call_id: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    body: Mapped[str] = mapped_column(sa.Text())
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[list[dict[str, Any]]]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]


class RetentionRow(Base):
    """How long a tenant keeps things, instead of the gateway's settings; None is for ever."""

    __tablename__ = "retention"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    audio_days: Mapped[int | None]
    record_days: Mapped[int | None]
    updated_at: Mapped[datetime]


class ErasureRow(Base):
    """Audio that nothing refers to any more, and that must still leave the store.

    It is written in the transaction that removes the reference, and removed when the store has
    said that the audio is gone.
    """

    __tablename__ = "erasures"
    __table_args__ = (sa.Index(None, "due_at"),)

    blob: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    call_id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False))
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
