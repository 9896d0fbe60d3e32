"""Columns of calls and records that can be queried, and the words that can be searched for."""

import sqlite3
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Session

from callscope.types import CallRecord
from services.gateway.archive import unpack
from services.gateway.index import enter, facets
from services.gateway.tables import UtcDateTime

revision = "0003"
down_revision = "0002"

_BATCH = 200  # calls read at a time
_FACETS = ("tenant", "id", "status", "direction", "rubric", "overall", "review_needed", "agent",
           "queue", "began_at")  # fmt: skip


def upgrade() -> None:
    """Add the columns and tables, and enter the calls and records that are there."""
    # Added one by one: SQLite would drop the table to change it otherwise, and what refers to it.
    for column in (
        sa.Column("agent", sa.String(128)),
        sa.Column("queue", sa.String(128)),
        sa.Column("direction", sa.String(128)),
        sa.Column("began_at", UtcDateTime(), nullable=False, server_default="1970-01-01 00:00:00"),
        sa.Column("rubric", sa.String(64)),
        sa.Column("overall", sa.Double()),
        sa.Column("review_needed", sa.Boolean()),
    ):
        op.add_column("calls", column)
    _create("behaviors", "behavior", sa.Column("outcome", sa.String(16), nullable=False),
            sa.Column("score", sa.Double()),
            sa.Column("confidence", sa.Double(), nullable=False),
            sa.Column("weight", sa.Double(), nullable=False))  # fmt: skip
    _create("disclosures", "disclosure", sa.Column("status", sa.String(16), nullable=False),
            sa.Column("on_time", sa.Boolean()),
            sa.Column("coverage", sa.Double()))  # fmt: skip
    postgresql = op.get_bind().dialect.name == "postgresql"
    place = sa.BigInteger() if postgresql else sa.Integer()  # all 64 bits in SQLite
    op.create_table(
        "call_texts",
        sa.Column("place", place, autoincrement=False, nullable=False),
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("words", TSVECTOR() if postgresql else sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_call_texts"),
        sa.UniqueConstraint("call_id", name="uq_call_texts_call_id"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name="fk_call_texts_call_id_calls", ondelete="CASCADE"
        ),
    )
    if not postgresql:
        for statement in _FTS5:
            op.execute(statement)
        if sqlite3.sqlite_version_info >= (3, 42):
            op.execute("INSERT INTO call_words (call_words, rank) VALUES ('secure-delete', 1)")
    _fill()
    if postgresql:  # faster than word by word
        op.create_index("ix_call_texts_words", "call_texts", ["words"], postgresql_using="gin")
    op.create_index("ix_calls_tenant_agent_id", "calls", ["tenant", "agent", "id"])
    op.create_index("ix_calls_tenant_queue_id", "calls", ["tenant", "queue", "id"])
    op.create_index("ix_calls_tenant_rubric_id", "calls", ["tenant", "rubric", "id"])
    op.create_index("ix_calls_tenant_began_at_id", "calls", ["tenant", "began_at", "id"])
    op.create_index("ix_calls_facets", "calls", list(_FACETS))
    for table, name, what, value in (
        ("behaviors", "behavior", "outcome", "score"),
        ("disclosures", "disclosure", "status", "on_time"),
    ):
        for columns in (
            ["tenant", name, what, "call_id", value],
            ["tenant", name, "call_id", value],
        ):
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def _fill() -> None:
    """Enter what is there. A revision that changes these tables takes this over from here."""
    calls = sa.table(
        "calls",
        *(sa.column(name) for name in ("agent", "queue", "direction", "started_at")),
        sa.column("id", sa.Uuid(as_uuid=False)),
        sa.column("metadata", sa.JSON()),
        sa.column("created_at", UtcDateTime()),
        sa.column("began_at", UtcDateTime()),
    )
    records = sa.table(
        "records",
        sa.column("call_id", sa.Uuid(as_uuid=False)),
        sa.column("version"),
        sa.column("content"),
    )
    newest = sa.select(records.c.content).order_by(records.c.version.desc()).limit(1)
    read = (calls.c.id, calls.c.metadata, calls.c.started_at, calls.c.created_at)
    after = ""
    with Session(op.get_bind()) as session:
        while rows := session.execute(
            sa.select(*read).where(calls.c.id > after).order_by(calls.c.id).limit(_BATCH)
            if after
            else sa.select(*read).order_by(calls.c.id).limit(_BATCH)
        ).all():
            for call_id, metadata, started_at, created_at in rows:
                known = facets(metadata, started_at, created_at)
                session.execute(sa.update(calls).where(calls.c.id == call_id).values(**known))
                content = session.scalar(newest.where(records.c.call_id == call_id))
                if content is not None:
                    enter(session, unpack(CallRecord, content), call_id)
            after = rows[-1][0]


# An index over `call_texts.words`, kept up by triggers (SQLite's FTS5 manual, section 4.4.3), so
# that it holds what the table holds, whoever changes that. Words come plain from
# `services.gateway.words`.
_FTS5 = (
    "CREATE VIRTUAL TABLE call_words USING fts5(words, content='call_texts', "
    "content_rowid='place', tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER call_texts_entered AFTER INSERT ON call_texts BEGIN "
    "INSERT INTO call_words (rowid, words) VALUES (new.place, new.words); END",
    "CREATE TRIGGER call_texts_removed AFTER DELETE ON call_texts BEGIN "
    "INSERT INTO call_words (call_words, rowid, words) VALUES ('delete', old.place, old.words); "
    "END",
)


def downgrade() -> None:
    """Take away what can be made again from the records."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE call_words")
    for table in ("call_texts", "disclosures", "behaviors"):
        op.drop_table(table)
    for index in (
        "facets",
        "tenant_began_at_id",
        "tenant_rubric_id",
        "tenant_queue_id",
        "tenant_agent_id",
    ):
        op.drop_index(f"ix_calls_{index}", "calls")
    for column in ("review_needed", "overall", "rubric", "began_at", "direction", "queue", "agent"):
        op.drop_column("calls", column)


def _create(table: str, name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        table,
        sa.Column("call_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column(name, sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("call_id", name, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=f"fk_{table}_call_id_calls", ondelete="CASCADE"
        ),
    )
