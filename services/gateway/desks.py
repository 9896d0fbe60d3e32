"""What the gateway offers besides calls themselves: the functions behind both doors."""

from dataclasses import dataclass

from services.gateway.audit import AuditDesk
from services.gateway.erasure import RetentionDesk
from services.gateway.exports.desk import Exports
from services.gateway.inbound.desk import InboundDesk
from services.gateway.webhooks.registry import Registry

__all__ = ["Desks"]


@dataclass(frozen=True, slots=True)
class Desks:
    """A desk for each thing; all take the caller first."""

    inbound: InboundDesk
    webhooks: Registry
    exports: Exports
    retention: RetentionDesk
    audit: AuditDesk
