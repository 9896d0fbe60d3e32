"""What may be exported, and for whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from callscope.errors import InvalidInput
from callscope.types import CallRecord
from services.gateway.access import Caller, Permission
from services.gateway.archive import unpack
from services.gateway.database import transaction
from services.gateway.exports.render import Exported, ExportFormat, Pieces, render
from services.gateway.tables import CallRow, RecordRow

__all__ = ["Exports"]

_BATCH = 100  # records in memory at a time


@dataclass(frozen=True, slots=True)
class Exports:
    """Exports from the database."""

    engine: sa.Engine

    def export(
        self,
        caller: Caller,
        form: ExportFormat,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Pieces:
        """The newest record of each of the tenant's calls, if it was made in that time.

        What counts is when a record was made, not when the call came: with one stretch of time
        beginning where the last ended, no record is missed, and one that was made anew comes
        again, under the same call's id.

        Args:
            caller: whose calls.
            form: how to write them.
            since: records made then or later; None for all.
            until: records made before; None for all.

        Raises:
            Forbidden: the caller may not read.
            InvalidInput: times without a zone, or in the wrong order.
        """
        caller.require(Permission.READ)
        for each in (since, until):
            if each is not None and each.tzinfo is None:
                raise InvalidInput("the time has no offset; write 2026-01-31T00:00:00Z")
        if since is not None and until is not None and since > until:
            raise InvalidInput("the export ends before it begins")
        return render(form, self._batches(caller.tenant, since, until))

    def _batches(
        self, tenant: str, since: datetime | None, until: datetime | None
    ) -> Iterator[list[Exported]]:
        newest = (
            sa.select(sa.func.max(RecordRow.version))
            .where(RecordRow.call_id == CallRow.id)
            .correlate(CallRow)
            .scalar_subquery()
        )
        query = (
            sa.select(CallRow.id, CallRow.external_id, RecordRow.created_at, RecordRow.content)
            .join(RecordRow, RecordRow.call_id == CallRow.id)
            .where(CallRow.tenant == tenant, RecordRow.version == newest)
            .order_by(CallRow.id)
            .limit(_BATCH)
        )
        if since is not None:
            query = query.where(RecordRow.created_at >= since)
        if until is not None:
            query = query.where(RecordRow.created_at < until)
        last: str | None = None
        while True:
            # A transaction for each batch: an export may take as long as its reader does.
            with transaction(self.engine) as session:
                found = session.execute(query if last is None else query.where(CallRow.id > last))
                batch = [
                    Exported(call_id, external_id, made_at, unpack(CallRecord, content))
                    for call_id, external_id, made_at, content in found
                ]
            if batch:
                yield batch
                last = batch[-1].call_id
            if len(batch) < _BATCH:
                return
