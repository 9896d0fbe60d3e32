"""Calls that were given up: listed with their reasons, and analyzed again when somebody asks."""

from collections.abc import Callable

import sqlalchemy as sa

from callscope.errors import Conflict
from services.gateway.audit import Action, note
from services.gateway.call import Call, CallStatus
from services.gateway.database import transaction
from services.gateway.ledger import Ledger, anew, to_call
from services.gateway.tables import CallRow

__all__ = ["DeadLetters"]

_FAILED = CallRow.status == CallStatus.FAILED


class DeadLetters:
    """A tenant's failed calls; every method raises `Unavailable` as the ledger does.

    A retry finds what stages had made before the one that failed.

    Args:
        engine: the database.
        uri: from a store's key to the URI under which services find the audio.
    """

    def __init__(self, engine: sa.Engine, uri: Callable[[str], str]) -> None:
        self._engine = engine
        self._uri = uri
        self._ledger = Ledger(engine, uri)

    def page(self, tenant: str, limit: int, before: str | None, code: str | None) -> list[Call]:
        """At most `limit` calls, newest first, older than `before`, with that problem if given."""
        query = sa.select(CallRow).where(_of(tenant, code)).order_by(CallRow.id.desc())
        if before is not None:
            query = query.where(CallRow.id < before)
        with transaction(self._engine) as session:
            return [to_call(row, self._uri) for row in session.scalars(query.limit(limit))]

    def call(self, tenant: str, call_id: str) -> Call:
        """The call, failed or not; raises `CallNotFound`."""
        return self._ledger.get(tenant, call_id)

    def retry(self, tenant: str, call_id: str, actor: str) -> Call:
        """Have the call analyzed again; the caller enqueues it.

        Raises:
            CallNotFound: the tenant has no call of that id.
            Conflict: it has not failed.
        """
        call = self._ledger.get(tenant, call_id)
        if not self._again(tenant, actor, CallRow.id == call.id):
            raise Conflict(
                f"call {call.id} is {call.status}, not failed",
                remedy="Only a failed call is retried; watch this one, or rescore it.",
            )
        return self._ledger.get(tenant, call.id)

    def retry_all(self, tenant: str, actor: str, code: str | None) -> list[str]:
        """Have all of them analyzed again, or those with that problem; the ids."""
        return self._again(tenant, actor, _of(tenant, code))

    def _again(self, tenant: str, actor: str, which: sa.ColumnElement[bool]) -> list[str]:
        change = sa.update(CallRow).where(CallRow.tenant == tenant, _FAILED, which)
        with transaction(self._engine) as session:
            ids = list(session.scalars(change.values(**anew()).returning(CallRow.id)))
            for call_id in ids:
                note(session, tenant, actor, Action.RETRY_CALL, call_id)
        return ids


def _of(tenant: str, code: str | None) -> sa.ColumnElement[bool]:
    mine = sa.and_(CallRow.tenant == tenant, _FAILED)
    return mine if code is None else sa.and_(mine, CallRow.problem["code"].as_string() == code)
