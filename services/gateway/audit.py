"""The audit trail: who did what, when, to what; never any content.

An entry is written in the transaction of the deed itself, so that neither is there without the
other, and it stays when the call is gone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.gateway.access import Caller, Permission
from services.gateway.call import new_id
from services.gateway.database import transaction
from services.gateway.pages import checked_limit, cursor, cut
from services.gateway.tables import AuditRow

__all__ = ["Action", "AuditDesk", "Entry", "entries", "note"]


class Action(StrEnum):
    """What was done."""

    DELETE_CALL = "delete_call"
    RETRY_CALL = "retry_call"
    RESCORE_CALL = "rescore_call"
    RESCORE_CALLS = "rescore_calls"
    CANCEL_RESCORING = "cancel_rescoring"
    CREATE_KEY = "create_key"
    ROTATE_KEY = "rotate_key"
    REVOKE_KEY = "revoke_key"
    ERASE_AUDIO = "erase_audio"
    SET_RETENTION = "set_retention"
    CREATE_WEBHOOK = "create_webhook"
    CHANGE_WEBHOOK = "change_webhook"
    ROTATE_WEBHOOK = "rotate_webhook"
    DELETE_WEBHOOK = "delete_webhook"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done, to the call, key or other thing with the id `subject`."""

    id: str
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


def entries(
    engine: sa.Engine,
    tenant: str,
    limit: int,
    subject: str | None = None,
    before: str | None = None,
) -> list[Entry]:
    """A tenant's trail, the latest first; raises `Unavailable` as the ledger does.

    Args:
        engine: the database.
        tenant: whose trail.
        limit: at most so many.
        subject: only what was done to that.
        before: only entries before the one of that id.
    """
    query = sa.select(AuditRow).filter_by(tenant=tenant).order_by(AuditRow.id.desc()).limit(limit)
    if subject is not None:
        query = query.filter_by(subject=subject)
    if before is not None:
        query = query.where(AuditRow.id < before)
    with transaction(engine) as session:
        return [
            Entry(row.id, row.tenant, row.actor, row.action, row.subject, row.at)
            for row in session.scalars(query)
        ]


@dataclass(frozen=True, slots=True)
class AuditDesk:
    """The trail for those who may read it. Blocking."""

    engine: sa.Engine

    def page(
        self, caller: Caller, limit: int | None, token: str | None, subject: str | None = None
    ) -> tuple[list[Entry], str | None]:
        """The caller's tenant's trail, the latest first, and the next page's token.

        Raises:
            Forbidden: the caller may not manage.
            InvalidInput: a limit out of range, or a token that no page gave.
        """
        caller.require(Permission.MANAGE)
        limit = checked_limit(limit)
        return cut(entries(self.engine, caller.tenant, limit + 1, subject, cursor(token)), limit)
