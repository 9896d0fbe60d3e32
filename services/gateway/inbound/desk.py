"""What tenants and the bucket itself may ask of the inbound bucket: behind REST and gRPC."""

from dataclasses import dataclass

import sqlalchemy as sa

from services.gateway.access import Caller
from services.gateway.inbound.arrivals import Arrival, ArrivalState, arrivals_of, retry
from services.gateway.inbound.collector import Collector
from services.gateway.pages import cursor, cut

__all__ = ["InboundDesk"]


@dataclass(frozen=True, slots=True)
class InboundDesk:
    """The functions over arrivals; each raises `Forbidden` where the caller's role does not do.

    Attributes:
        engine: the database.
        collector: None where no inbound bucket is set.
        token: what the bucket's notifications must carry; None refuses them.
    """

    engine: sa.Engine
    collector: Collector | None
    token: str | None

    def page(
        self, caller: Caller, limit: int, token: str | None, state: ArrivalState | None
    ) -> tuple[list[Arrival], str | None]:
        """A page of the tenant's arrivals, newest first, and the token of the next.

        Raises:
            InvalidInput: a token that no page gave.
        """
        found = arrivals_of(self.engine, caller, limit + 1, cursor(token), state)
        return cut(found, limit)

    def retry(self, caller: Caller, arrival_id: str) -> Arrival:
        """Take in again what was refused; raises `NotFound`."""
        arrival = retry(self.engine, caller, arrival_id)
        if self.collector is not None:
            self.collector.wake()
        return arrival
