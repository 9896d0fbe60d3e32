"""Who asks, on whose behalf, and what they may do.

Every row belongs to a tenant, and every function of the gateway takes the `Caller` first: what
another tenant owns is not found, exactly like what does not exist.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from callscope.errors import Forbidden, InvalidInput

__all__ = [
    "DEFAULT_TENANT",
    "OPERATOR",
    "Authenticate",
    "Caller",
    "Permission",
    "Role",
    "checked_tenant",
]

DEFAULT_TENANT = "default"
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # safe in paths, buckets and labels


class Permission(StrEnum):
    """Something a role may allow."""

    SEND = "send"  # recordings in
    FOLLOW = "follow"  # where one's call stands
    READ = "read"  # lists, records, transcripts, audio, exports
    REVIEW = "review"  # give calls a new record: rescore, review
    MANAGE = "manage"  # delete, retry, settings of the tenant


class Role(StrEnum):
    """What a key is for."""

    INGEST = "ingest"
    READ = "read"
    REVIEW = "review"
    ADMIN = "admin"

    def allows(self, permission: Permission) -> bool:
        """Whether who has this role may do that."""
        return permission in _ALLOWED[self]


_ALLOWED: Mapping[Role, frozenset[Permission]] = {
    Role.INGEST: frozenset({Permission.SEND, Permission.FOLLOW}),
    Role.READ: frozenset({Permission.FOLLOW, Permission.READ}),
    Role.REVIEW: frozenset({Permission.FOLLOW, Permission.READ, Permission.REVIEW}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a tenant's key, or None's where no keys are used."""

    tenant: str
    role: Role
    key_id: str | None

    @property
    def actor(self) -> str:
        """How the audit trail names who asks."""
        return "operator" if self.key_id is None else f"key {self.key_id}"

    def require(self, permission: Permission) -> None:
        """Go on only if the caller may do that.

        Raises:
            Forbidden: the role does not allow it.
        """
        if not self.role.allows(permission):
            raise Forbidden(
                f"a key of role {self.role} may not {permission}",
                remedy=f"Use a key of role {' or '.join(_roles_with(permission))}.",
            )


OPERATOR = Caller(DEFAULT_TENANT, Role.ADMIN, None)
"""Whoever reaches a gateway that asks for no keys."""

Authenticate: TypeAlias = Callable[[str | None], Awaitable[Caller]]
"""From the value of an Authorization header to who asks; raises `Unauthenticated`."""


def checked_tenant(name: str) -> str:
    """A tenant's name from outside.

    Raises:
        InvalidInput: not 1 to 63 lower-case letters, digits and inner hyphens.
    """
    if not _TENANT.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} is no tenant's name",
            remedy="Use 1 to 63 lower-case letters, digits and hyphens, such as acme-uk.",
        )
    return name


def _roles_with(permission: Permission) -> list[str]:
    return [role for role in Role if role.allows(permission)]
