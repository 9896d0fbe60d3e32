"""The audit trail: who did what, when, to what; never any content.

An entry is written in the transaction of the deed itself, so that neither is there without the
other, and it stays when the call is gone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.gateway.call import new_id
from services.gateway.database import transaction
from services.gateway.tables import AuditRow

__all__ = ["Action", "Entry", "entries", "note"]


class Action(StrEnum):
    """What was done."""

    DELETE_CALL = "delete_call"
    RETRY_CALL = "retry_call"
    CREATE_KEY = "create_key"
    ROTATE_KEY = "rotate_key"
    REVOKE_KEY = "revoke_key"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done, to the call or key with the id `subject`."""

    tenant: str
    actor: str
    action: str
    subject: str
    at: datetime


def note(session: Session, tenant: str, actor: str, action: Action, subject: str) -> None:
    """Enter a deed into the trail, in the transaction that does it.

    Args:
        session: the transaction.
        tenant: whose trail it is.
        actor: who does it: `Caller.actor`, or the name of a part of the gateway.
        action: what is done.
        subject: the id of the call or key it is done to.
    """
    row = AuditRow(
        id=new_id(),
        tenant=tenant,
        actor=actor,
        action=action,
        subject=subject,
        at=datetime.now(UTC),
    )
    session.add(row)


def entries(engine: sa.Engine, tenant: str, limit: int, subject: str | None = None) -> list[Entry]:
    """A tenant's trail, the latest first; raises `Unavailable` as the ledger does."""
    query = sa.select(AuditRow).filter_by(tenant=tenant).order_by(AuditRow.id.desc()).limit(limit)
    if subject is not None:
        query = query.filter_by(subject=subject)
    with transaction(engine) as session:
        return [
            Entry(row.tenant, row.actor, row.action, row.subject, row.at)
            for row in session.scalars(query)
        ]
