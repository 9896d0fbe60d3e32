"""How to get at the database, SQLite or PostgreSQL by the same code."""

import contextlib
import errno
import logging
import os
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

from callscope.errors import InvalidSetting, Unavailable

__all__ = ["answering", "connect", "migrate", "shut", "transaction", "upsert"]

_log = logging.getLogger(__name__)
_BUSY_MILLISECONDS = 30_000  # SQLite has one writer; the others wait for it


def connect(url: str, connections: int = 15, idle_seconds: int = 0) -> sa.Engine:
    """Open the database; it is reached when first used.

    Args:
        url: SQLAlchemy's.
        connections: at most so many at the same time.
        idle_seconds: after which PostgreSQL ends a transaction that nobody goes on with, so that a
            process that froze holds no locks; 0: never.

    Raises:
        InvalidSetting: the URL cannot be used.
    """
    try:
        parsed = sa.make_url(url)
        embedded = parsed.get_backend_name() == "sqlite"
        # Connections to a server may have been cut while they lay in the pool.
        engine = sa.create_engine(
            parsed,
            pool_pre_ping=not embedded,
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )
    except (sa.exc.ArgumentError, ImportError) as error:
        raise InvalidSetting(f"CALLSCOPE_GATEWAY_DATABASE_URL: {error}") from None
    if embedded:
        if parsed.database:
            _make_folder(Path(parsed.database).parent)
        event.listen(engine, "connect", _prepare_sqlite)
    elif idle_seconds:
        event.listen(engine, "connect", partial(_limit_idleness, idle_seconds))
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSetting(
            f"CALLSCOPE_GATEWAY_DATA_DIR or CALLSCOPE_GATEWAY_DATABASE_URL: {folder} cannot be "
            f"made: {os.strerror(error.errno or errno.EIO).lower()}"
        ) from error


def shut(engine: sa.Engine) -> None:
    """Close the database for good: whoever still wants to use it fails.

    Raises:
        sqlalchemy.exc.InvalidRequestError: to them.
    """
    event.listen(engine, "do_connect", _refuse)
    event.listen(engine, "checkin", lambda _, record: record.invalidate())  # of those still at work
    engine.dispose()


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Have a database that does not answer raise `Unavailable`."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        raise Unavailable(
            "the gateway's database does not answer",
            remedy="Try again; if it lasts, check CALLSCOPE_GATEWAY_DATABASE_URL and the server.",
            retry_after=5,
        ) from error


@contextlib.contextmanager
def transaction(engine: sa.Engine) -> Iterator[Session]:
    """One transaction, committed where the block ends well; raises as `answering`."""
    with answering(), Session(engine) as session, session.begin():
        yield session


def upsert(
    engine: sa.Engine, table: type[DeclarativeBase], row: Mapping[str, Any]
) -> sa.Executable:
    """A statement that inserts a row, or changes the one that has its primary key already.

    One statement, so that two processes that do it at once do not trip over each other.
    """
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    keys = [column.name for column in sa.inspect(table).primary_key]
    changed = {name: value for name, value in row.items() if name not in keys}
    statement: sa.Executable = (
        insert(table).values(**row).on_conflict_do_update(index_elements=keys, set_=changed)
    )
    return statement


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the tables up to `revision`; several gateways may start at once.

    Tables that a newer version has changed are left as they are: for one release changes only add,
    so that versions may be mixed, and a version gone back to.

    Raises:
        Unavailable: the database does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(files("services.gateway") / "migrations"))
    with answering(), _unbound(engine) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext("callscope migrations"))
            connection.execute(sa.select(lock))
        config.attributes["connection"] = connection
        if _is_newer(connection, config):
            _log.warning("the tables are of a newer version; they are left as they are")
        else:
            command.upgrade(config, revision)


def _is_newer(connection: sa.Connection, config: Config) -> bool:
    present = MigrationContext.configure(connection).get_current_heads()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    return not known.issuperset(present)


@contextlib.contextmanager
def _unbound(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection on which SQLite's foreign keys sleep.

    SQLite changes a column by building the table anew and dropping the old one, and a drop with
    foreign keys at work deletes all rows first, and with them every record and artifact.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            yield connection
            return
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.commit()
        try:
            yield connection
        finally:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.commit()


def _refuse(*_: object) -> None:
    raise sa.exc.InvalidRequestError("the gateway has closed its database")


def _limit_idleness(seconds: int, connection: Any, _: object) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{seconds}s'")
    connection.commit()  # or the pool's rollback would take it back


def _prepare_sqlite(connection: Any, _: object) -> None:
    # WAL: readers do not wait for the writer. FULL: what was committed survives a power failure.
    connection.isolation_level = "IMMEDIATE"
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
    ):
        connection.execute(f"PRAGMA {pragma}")
