"""The gateway's tables, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["ArtifactRow", "AuditRow", "Base", "CallRow", "GatewayRow", "KeyRow", "RecordRow"]


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
        bytes: sa.LargeBinary(),
    }


class CallRow(Base):
    """A call: whose it is, what was sent, what was asked for, where it stands.

    Ids begin with the time, so their order is the order of arrival. `run` counts the analyses
    begun for it: a retry is a new one.
    """

    __tablename__ = "calls"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "idempotency_key"),
        sa.Index(None, "tenant", "id"),
        sa.Index(None, "tenant", "status", "id"),
        sa.Index(None, "tenant", "sha256"),
        sa.Index(None, "status", "id"),
    )

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    lane: Mapped[str] = mapped_column(sa.String(16))
    status: Mapped[str] = mapped_column(sa.String(16))
    run: Mapped[int]
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(255))
    blob: Mapped[str] = mapped_column(sa.String(255))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    duration: Mapped[float]
    sample_rate: Mapped[int]
    channels: Mapped[int]
    codec: Mapped[str] = mapped_column(sa.String(64))
    started_at: Mapped[str | None] = mapped_column(sa.String(64))
    # "metadata" is a name SQLAlchemy keeps for itself.
    facts: Mapped[dict[str, Any]] = mapped_column("metadata")
    options: Mapped[dict[str, Any]]
    problem: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


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
