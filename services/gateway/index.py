"""What of a record can be queried: its newest version, in columns.

Written in the transaction that keeps the record, and removed with the call's row. The record
itself stays whole in `records`, in every version; nothing here is needed to read it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, Session, mapped_column

from callscope.types import CallRecord
from services.gateway.submission import instant
from services.gateway.tables import FACET_LENGTH, Base, CallRow
from services.gateway.words import fts5_document, mark, tsvector

__all__ = [
    "MARKED",
    "BehaviorRow",
    "DisclosureRow",
    "TextRow",
    "enter",
    "facets",
    "first_place",
    "forget",
    "marks",
]


MARKED = ("tenant", "agent", "queue", "direction", "rubric", "review_needed")
"""Columns of `CallRow` whose values are marked."""

_KNOWN = (*(getattr(CallRow, name) for name in MARKED), CallRow.began_at)
_DROPS_AT_ONCE = sa.text("SELECT v FROM call_words_config WHERE k = 'secure-delete'")
_MERGE = sa.text("INSERT INTO call_words (call_words) VALUES ('optimize')")


class BehaviorRow(Base):
    """What became of a behavior in a call; `score` is 0 to 100, `confidence` 0 to 1."""

    __tablename__ = "behaviors"
    __table_args__ = (
        sa.Index(None, "tenant", "behavior", "outcome", "call_id", "score"),
        sa.Index(None, "tenant", "behavior", "call_id", "score"),
    )

    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
    )
    behavior: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    outcome: Mapped[str] = mapped_column(sa.String(16))
    score: Mapped[float | None]
    confidence: Mapped[float]
    weight: Mapped[float]


class DisclosureRow(Base):
    """What became of a disclosure in a call; `coverage` is 0 to 1."""

    __tablename__ = "disclosures"
    __table_args__ = (
        sa.Index(None, "tenant", "disclosure", "status", "call_id", "on_time"),
        sa.Index(None, "tenant", "disclosure", "call_id", "on_time"),
    )

    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
    )
    disclosure: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    status: Mapped[str] = mapped_column(sa.String(16))
    on_time: Mapped[bool | None]
    coverage: Mapped[float | None]


class TextRow(Base):
    """A call's words, for search: a tsvector in PostgreSQL; in SQLite what FTS5 indexes.

    `place` orders calls as their ids do, in the 63 bits that FTS5 has for it.
    """

    __tablename__ = "call_texts"
    __table_args__ = (
        sa.Index("ix_call_texts_words", "words", postgresql_using="gin").ddl_if("postgresql"),
    )

    place: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    )
    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), unique=True
    )
    tenant: Mapped[str] = mapped_column(sa.String(64))
    words: Mapped[str] = mapped_column(TSVECTOR().with_variant(sa.Text(), "sqlite"))


def facets(
    metadata: Mapping[str, str], started_at: str | None, accepted_at: datetime
) -> dict[str, Any]:
    """The columns of `CallRow` that are known when a call is accepted."""
    named = {name: cut(metadata.get(name)) for name in ("agent", "queue", "direction")}
    return {**named, "began_at": accepted_at if started_at is None else instant(started_at)}


def cut(fact: str | None) -> str | None:
    """As much of a sender's fact as can be filtered by."""
    return None if fact is None else fact[:FACET_LENGTH]


def enter(session: Session, record: CallRecord, call_id: str) -> None:
    """Let the call be found by this record, and no more by an earlier one."""
    for table in (BehaviorRow, DisclosureRow, TextRow):
        session.execute(sa.delete(table).where(table.call_id == call_id))
    judged = {
        "rubric": record.provenance.rubric.id,
        "overall": record.overall.score,
        "review_needed": record.review.needed,
    }
    changed = sa.update(CallRow).where(CallRow.id == call_id).values(**judged)
    known = session.execute(changed.returning(*_KNOWN)).one()._asdict()
    owner = {"tenant": known["tenant"], "call_id": call_id}
    behaviors, disclosures = list(_behaviors(record)), list(_disclosures(record))
    for table, rows in ((BehaviorRow, behaviors), (DisclosureRow, disclosures)):
        if rows:
            session.execute(sa.insert(table), [{**owner, **row} for row in rows])
    texts = [utterance.text for utterance in record.utterances]
    postgresql = session.get_bind().dialect.name == "postgresql"
    document = tsvector if postgresql else fts5_document
    content = document(texts, marks(known, behaviors, disclosures))
    place = _free_place(session, call_id)
    session.execute(sa.insert(TextRow), {**owner, "place": place, "words": content})


def marks(
    call: Mapping[str, Any],
    behaviors: Iterable[Mapping[str, Any]],
    disclosures: Iterable[Mapping[str, Any]],
) -> list[str]:
    """The facts about a call that narrow a search, from its row and its record's rows."""
    facets = [mark(name, str(call[name])) for name in MARKED if call[name] is not None]
    return [
        *facets,
        mark("day", str(call["began_at"].date())),
        *(mark("behavior", row["behavior"], row["outcome"]) for row in behaviors),
        *(mark("disclosure", row["disclosure"], row["status"]) for row in disclosures),
    ]


def forget(session: Session) -> None:
    """See to it that SQLite keeps no words of calls removed in this transaction.

    FTS5 marks what is removed, and drops it when it merges. From SQLite 3.42 on it is told to drop
    at once (migration 0003); before, the whole index is merged, which takes the longer the more
    calls there are.
    """
    if session.get_bind().dialect.name == "sqlite" and not session.scalar(_DROPS_AT_ONCE):
        session.execute(_MERGE)


def first_place(call_id: str) -> int:
    """The place that goes with an id: its 48 bits of time, and 15 of its random bits."""
    value = UUID(call_id).int
    time, random_a, random_b = value >> 80, value >> 64 & 0xFFF, value >> 59 & 0b111
    return time << 15 | random_a << 3 | random_b


def _free_place(session: Session, call_id: str) -> int:
    """The first place, or where another call of that millisecond has it, the next one free."""
    place = first_place(call_id)
    while session.scalar(sa.select(sa.exists().where(TextRow.place == place))):
        place += 1
    return place


def _behaviors(record: CallRecord) -> Iterator[dict[str, Any]]:
    for each in record.behaviors:
        yield {
            "behavior": each.behavior,
            "outcome": each.outcome,
            "score": each.score,
            "confidence": each.confidence,
            "weight": each.weight,
        }


def _disclosures(record: CallRecord) -> Iterator[dict[str, Any]]:
    for each in record.disclosures:
        yield {
            "disclosure": each.disclosure,
            "status": each.status,
            "on_time": each.on_time,
            "coverage": each.coverage,
        }
