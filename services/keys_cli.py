"""`callscope keys`: make, list, rotate and revoke API keys, in the gateway's database."""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from services.gateway.keys import Keys, NewKey

__all__ = ["keys"]

_ACTOR = "command line"
_ROLES = ("ingest", "read", "review", "admin")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,5})([mhd])", value)
        if match is None:
            self.fail("write minutes, hours or days: 30m, 24h or 90d", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys of the gateway.

    They are kept in the gateway's database: run this with the gateway's settings.
    """


@keys.command()
@click.option("--tenant", default="default", show_default=True, help="Whose calls it opens.")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What its holder may do.")
@click.option("--name", required=True, help="What it is for, such as the system that has it.")
@click.option("--expires", type=_Duration(), help="It ends after so long: 30m, 24h, 90d.")
def create(tenant: str, role: str, name: str, expires: timedelta | None) -> None:
    """Make a key and print it, this once."""
    from services.gateway.access import Role

    ends = None if expires is None else datetime.now(UTC) + expires
    with _keys() as known:
        _show(known.create(tenant, Role(role), name, _ACTOR, ends))


@keys.command("list")
@click.option("--tenant", help="Only this tenant's.")
def list_keys(tenant: str | None) -> None:
    """Show the keys there are; never what their holders send."""
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "tenant", "role", "state", "created", "last used", "expires", "name"):
        table.add_column(heading, no_wrap=heading != "name")
    now = datetime.now(UTC)
    with _keys() as known:
        for key in known.all(tenant):
            times = (_day(at) for at in (key.created_at, key.last_used_at, key.expires_at))
            table.add_row(key.id, key.tenant, key.role, key.state(now), *times, key.name)
    Console().print(table)


@keys.command()
@click.argument("key_id")
@click.option(
    "--overlap",
    type=_Duration(),
    default="24h",
    show_default=True,
    help="How long the old key works on: 0m, 30m, 24h.",
)
def rotate(key_id: str, overlap: timedelta) -> None:
    """Make a key in place of the one named, and print it; the old one ends a little later."""
    with _keys() as known:
        _show(known.rotate(key_id, _ACTOR, overlap))


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """End a key at once."""
    with _keys() as known:
        key = known.revoke(key_id, _ACTOR)
    click.echo(f"{key.id} ({key.name}, tenant {key.tenant}) is revoked")


@contextlib.contextmanager
def _keys() -> "Iterator[Keys]":
    from services.gateway import database
    from services.gateway.keys import Keys
    from services.gateway.settings import GatewaySettings

    engine = database.connect(GatewaySettings.load().database_urls()[0])
    try:
        database.migrate(engine)
        yield Keys(engine)
    finally:
        engine.dispose()


def _show(new: "NewKey") -> None:
    """The key alone on standard output, for scripts; what people want to know beside it."""
    key = new.key
    ends = "never expires" if key.expires_at is None else f"expires {_day(key.expires_at)}"
    click.echo(f"key {key.id}: tenant {key.tenant}, role {key.role}, {ends}. Keep it:", err=True)
    click.echo(new.secret)


def _day(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"
