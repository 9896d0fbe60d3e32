"""API keys: who may come in, kept so that the database tells nobody how."""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from callscope.errors import InvalidInput, KeyNotFound, Unauthenticated
from services.gateway.access import Caller, Role, checked_tenant
from services.gateway.audit import Action, note
from services.gateway.database import transaction
from services.gateway.tables import KeyRow

__all__ = ["Key", "Keys", "NewKey"]

_ID_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 12
# The prefix lets scanners of code and logs recognize a key that got where it should not be.
_KEY = re.compile(rf"callscope_([{_ID_ALPHABET}]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]{{43}}")
_SECRET_BYTES = 32
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_USE_NOTED = timedelta(minutes=1)  # a write for every request would cost more than it tells
_NOBODYS = bytes(32)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret."""

    id: str
    tenant: str
    role: Role
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def caller(self) -> Caller:
        """Who shows this key."""
        return Caller(self.tenant, self.role, self.id)

    def state(self, now: datetime) -> str:
        """`valid`, `revoked` or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. Nobody can read `secret`, what its holder sends, a second time."""

    key: Key
    secret: str


class Keys:
    """The API keys in the database; every method raises `Unavailable` while it does not answer."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def create(
        self, tenant: str, role: Role, name: str, actor: str, expires_at: datetime | None = None
    ) -> NewKey:
        """Make a key.

        Args:
            tenant: whose calls it opens.
            role: what its holder may do.
            name: what it is for, for people.
            actor: who makes it, for the audit trail.
            expires_at: when it ends by itself; None for never.

        Raises:
            InvalidInput: a tenant or name that cannot be one, or an end that has passed.
        """
        checked_tenant(tenant)
        if not _NAME.fullmatch(name):
            raise InvalidInput("a key's name has 1 to 64 characters, none of them control codes")
        if expires_at is not None and expires_at <= datetime.now(UTC):
            raise InvalidInput("the key would have expired already")
        with transaction(self._engine) as session:
            new = _make(session, tenant, role, name, expires_at)
            note(session, tenant, actor, Action.CREATE_KEY, new.key.id)
        return new

    def all(self, tenant: str | None = None) -> list[Key]:
        """Every key, or one tenant's, oldest first."""
        query = sa.select(KeyRow).order_by(KeyRow.created_at, KeyRow.id)
        if tenant is not None:
            query = query.filter_by(tenant=tenant)
        with transaction(self._engine) as session:
            return [_key(row) for row in session.scalars(query)]

    def exist(self) -> bool:
        """Whether a key was ever made; one that was revoked counts, so no door opens again."""
        with transaction(self._engine) as session:
            return bool(session.scalar(sa.select(sa.exists().select_from(KeyRow))))

    def revoke(self, key_id: str, actor: str) -> Key:
        """End a key at once; again is no error.

        Raises:
            KeyNotFound: no key of that id.
        """
        with transaction(self._engine) as session:
            row = _row(session, key_id)
            if row.revoked_at is None:
                row.revoked_at = datetime.now(UTC)
                note(session, row.tenant, actor, Action.REVOKE_KEY, key_id)
            return _key(row)

    def rotate(self, key_id: str, actor: str, overlap: timedelta) -> NewKey:
        """A new key in place of one, which works for a while longer so that none is locked out.

        Raises:
            KeyNotFound: no key of that id.
            InvalidInput: the key is not valid any more.
        """
        now = datetime.now(UTC)
        with transaction(self._engine) as session:
            row = _row(session, key_id)
            old = _key(row)
            if old.state(now) != "valid":
                raise InvalidInput(
                    f"key {key_id} is {old.state(now)}", remedy="Make one: `callscope keys create`."
                )
            # Its successor lives as long as it was meant to live itself.
            life = None if old.expires_at is None else old.expires_at - old.created_at
            new = _make(
                session, old.tenant, old.role, old.name, None if life is None else now + life
            )
            row.expires_at = min(now + overlap, old.expires_at or now + overlap)
            note(session, old.tenant, actor, Action.ROTATE_KEY, key_id)
            note(session, old.tenant, actor, Action.CREATE_KEY, new.key.id)
        return new

    def recognize(self, secret: str) -> Key:
        """The valid key that was sent.

        Raises:
            Unauthenticated: it is none, or none any more.
        """
        match = _KEY.fullmatch(secret)
        if match is None:
            raise Unauthenticated("what was sent is no API key of Callscope")
        with transaction(self._engine) as session:
            row = session.get(KeyRow, match[1])
            known = _NOBODYS if row is None else row.digest
            if not hmac.compare_digest(known, _digest(secret)) or row is None:
                raise Unauthenticated("the API key is not known")
            key = _key(row)
        now = datetime.now(UTC)
        if (state := key.state(now)) != "valid":  # only its holder is told
            raise Unauthenticated(f"the API key {key.id} is {state}")
        if key.last_used_at is None or now - key.last_used_at > _USE_NOTED:
            with transaction(self._engine) as session:
                used = sa.update(KeyRow).where(KeyRow.id == key.id)
                session.execute(used.values(last_used_at=now))
        return key


def _make(
    session: Session, tenant: str, role: Role, name: str, expires_at: datetime | None
) -> NewKey:
    key_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
    secret = f"callscope_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    row = KeyRow(
        id=key_id,
        tenant=tenant,
        role=role,
        name=name,
        digest=_digest(secret),
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return NewKey(_key(row), secret)


def _digest(secret: str) -> bytes:
    # One round of SHA-256 without salt: slow hashes and salts protect passwords, which people
    # choose and repeat. Nobody guesses 256 random bits, and no table holds them.
    return hashlib.sha256(secret.encode()).digest()


def _row(session: Session, key_id: str) -> KeyRow:
    row = session.get(KeyRow, key_id)
    if row is None:
        raise KeyNotFound(f"there is no key {key_id[:64]!r}")
    return row


def _key(row: KeyRow) -> Key:
    return Key(
        id=row.id,
        tenant=row.tenant,
        role=Role(row.role),
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
