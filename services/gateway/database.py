"""The gateway's tables, the same on SQLite and PostgreSQL, and how to get at them."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from callscope.errors import InvalidSetting, Unavailable

__all__ = [
    "ArtifactRow",
    "Base",
    "CallRow",
    "RecordRow",
    "answering",
    "connect",
    "migrate",
    "prepare_file",
]

DEFAULT_TENANT = "default"
_BUSY_MILLISECONDS = 30_000  # SQLite has one writer; the others wait for it


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
    """A call: what was sent, what was asked for, where it stands.

    Ids begin with the time, so their order is the order of arrival.
    """

    __tablename__ = "calls"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "idempotency_key"),
        sa.Index(None, "tenant", "id"),
        sa.Index(None, "status", "id"),
    )

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64), default=DEFAULT_TENANT)
    status: Mapped[str] = mapped_column(sa.String(16))
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


def connect(url: str) -> sa.Engine:
    """Open the database; it is reached when first used.

    Raises:
        InvalidSetting: the URL cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        # Connections to a server may have been cut while they lay in the pool.
        engine = sa.create_engine(parsed, pool_pre_ping=not sqlite)
    except (sa.exc.ArgumentError, ImportError) as error:
        raise InvalidSetting(f"CALLSCOPE_DATABASE_URL: {error}") from None
    if sqlite:
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def prepare_file(url: str) -> None:
    """Give a SQLite file that others will open the same journal as ours; it remembers."""
    engine = connect(url)
    if engine.dialect.name == "sqlite":
        engine.connect().close()
    engine.dispose()


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Have a database that does not answer raise `Unavailable`."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise Unavailable(
            "the gateway's database does not answer",
            remedy="Try again; if it lasts, check CALLSCOPE_DATABASE_URL and the server.",
            retry_after=5,
        ) from error


def migrate(engine: sa.Engine) -> None:
    """Bring the tables to this version; several gateways may start at once.

    Raises:
        Unavailable: the database does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(files("services.gateway") / "migrations"))
    with answering(), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext("callscope migrations"))
            connection.execute(sa.select(lock))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare_sqlite(connection: Any, _: object) -> None:
    # WAL: readers do not wait for the writer. FULL: what was committed survives a power failure.
    connection.isolation_level = "IMMEDIATE"
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
