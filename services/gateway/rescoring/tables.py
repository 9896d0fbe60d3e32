"""The tables of calls that are to be judged again."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.gateway.tables import Base

__all__ = ["RescoringCallRow", "RescoringRow"]


class RescoringRow(Base):
    """An order to judge calls again."""

    __tablename__ = "rescorings"
    __table_args__ = (sa.Index(None, "tenant", "id"),)

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    options: Mapped[dict[str, Any]]
    calls: Mapped[int]
    cancelled: Mapped[bool]
    created_at: Mapped[datetime]


class RescoringCallRow(Base):
    """A call of an order. Whoever works on it moves `due_at` ahead of them, and counts `attempts`.

    So a dead worker's call comes up again by itself, and what it may still do is recognized.
    """

    __tablename__ = "rescoring_calls"
    __table_args__ = (
        sa.Index(None, "state", "bulk", "rescoring_id", "call_id", "due_at"),
        sa.Index(None, "rescoring_id", "state"),
        sa.Index(None, "call_id"),
    )

    rescoring_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False),
        sa.ForeignKey("rescorings.id", ondelete="CASCADE"),
        primary_key=True,
    )
    call_id: Mapped[str] = mapped_column(
        sa.Uuid(as_uuid=False), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
    )
    tenant: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    bulk: Mapped[bool]  # waits behind what was ordered one by one
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    version: Mapped[int | None]
    problem: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
