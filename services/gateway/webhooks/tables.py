"""The tables of webhooks and their deliveries."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from services.gateway.tables import Base

__all__ = ["DeliveryRow", "WebhookRow"]


class WebhookRow(Base):
    """Who wants to be told what. `secrets` are kept as they are: signing needs them.

    `failures` counts the attempts in a row that failed; nothing is sent before `paused_until`.
    """

    __tablename__ = "webhooks"
    __table_args__ = (sa.Index(None, "tenant", "id"),)

    id: Mapped[str] = mapped_column(sa.Uuid(as_uuid=False), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    url: Mapped[str] = mapped_column(sa.String(2048))
    events: Mapped[list[str]] = mapped_column(sa.JSON())
    secrets: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON())
    active: Mapped[bool]
    failures: Mapped[int]
    paused_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DeliveryRow(Base):
    """One event for one webhook, and every attempt to bring it there.

    It is written in the transaction in which the event happens, so that none is lost. `due_at`
    of one that is being sent lies ahead: should the process die, it falls due again by itself.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "webhook_id", "id"),
        sa.Index(None, "tenant", "created_at"),
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
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON())
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
