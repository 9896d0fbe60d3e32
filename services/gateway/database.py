"""How to get at the database, SQLite or PostgreSQL by the same code."""

import contextlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.orm import Session

from callscope.errors import InvalidSetting, Unavailable

__all__ = ["answering", "connect", "migrate", "prepare_file", "transaction"]

_BUSY_MILLISECONDS = 30_000  # SQLite has one writer; the others wait for it


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


@contextlib.contextmanager
def transaction(engine: sa.Engine) -> Iterator[Session]:
    """One transaction, committed where the block ends well; raises as `answering`."""
    with answering(), Session(engine) as session, session.begin():
        yield session


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring the tables up to `revision`; several gateways may start at once.

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
        command.upgrade(config, revision)


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
