"""`callscope deadletters`: calls that were given up, in the gateway's database."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from services.gateway.deadletters import DeadLetters
    from services.gateway.lanes import Sender

__all__ = ["deadletters"]

_ACTOR = "command line"
_PAGE = 500
_UNBOUNDED = 10_000  # characters a line
_tenant = click.option("--tenant", default="default", show_default=True, help="Whose calls.")
_code = click.option("--code", help="Only calls with that problem, such as unavailable.")


@click.group()
def deadletters() -> None:
    """List calls that were given up, and have them analyzed again.

    They are in the gateway's database: run this with the gateway's settings.
    """


@deadletters.command("list")
@_tenant
@_code
def list_dead_letters(tenant: str, code: str | None) -> None:
    """Show failed calls, newest first, each with its problem and what to do about it."""
    table = Table(box=None, pad_edge=False)
    for heading in ("call", "failed", "stage", "code", "problem", "remedy"):
        table.add_column(heading, no_wrap=heading not in ("problem", "remedy"))
    with _opened() as (letters, _):
        before: str | None = None
        while page := letters.page(tenant, _PAGE, before, code):
            for call in page:
                if (problem := call.problem) is not None:
                    when = f"{call.updated_at:%Y-%m-%d %H:%M}"
                    why = (problem.code, problem.message, problem.remedy)
                    table.add_row(call.id, when, problem.stage or "-", *why)
            before = page[-1].id
    console = Console()
    if not console.is_terminal:  # whoever reads a pipe or a file wants all of each line
        console.width = _UNBOUNDED
    console.print(table)


@deadletters.command()
@click.argument("call_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of the tenant's.")
@_tenant
@_code
def retry(call_ids: Sequence[str], everything: bool, tenant: str, code: str | None) -> None:
    """Have the calls named analyzed again, or --all; stages that had succeeded are kept."""
    if bool(call_ids) == everything:
        raise click.UsageError("name calls, or give --all")
    with _opened() as (letters, sender):
        if everything:
            call_ids = letters.retry_all(tenant, _ACTOR, code)
            calls = [letters.call(tenant, call_id) for call_id in call_ids]
        else:
            calls = [letters.retry(tenant, call_id, _ACTOR) for call_id in call_ids]
        for call in calls:
            sender.enqueue(call)
    click.echo(f"{len(calls)} calls will be analyzed again")


@contextlib.contextmanager
def _opened() -> "Iterator[tuple[DeadLetters, Sender]]":
    from services.gateway import database
    from services.gateway.deadletters import DeadLetters
    from services.gateway.lanes import Sender
    from services.gateway.settings import GatewaySettings

    tables, workflow_tables = GatewaySettings.load().database_urls()
    engine = database.connect(tables)
    try:
        database.migrate(engine)
        with Sender(workflow_tables) as sender:
            yield DeadLetters(engine, str), sender
    finally:
        engine.dispose()
