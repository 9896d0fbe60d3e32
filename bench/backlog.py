"""What a look at the queue costs: `python -m bench.backlog --out bench/results/backlog.json`.

Prometheus reads every gateway's metrics every 15 seconds, and each time the gateway asks its
database for the calls that wait or were given up. A hundred thousand calls and a million, of which
one in ten waits and one in a hundred was given up, far more than anyone should let it come to, in
SQLite and in PostgreSQL.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from prometheus_client import REGISTRY, generate_latest

from bench.listing import call_row, sqlite_file
from bench.load import percentiles
from bench.machine import describe, load
from services.gateway import database
from services.gateway.call import CallStatus, Lane
from services.gateway.journal import Journal
from services.gateway.metrics import watch_backlog
from services.gateway.tables import CallRow
from tests.gateway.conftest import postgresql_server

_OPENED = {"sqlite": sqlite_file, "postgresql": postgresql_server}
_BATCH = 5000
_LOOKS = 30


def main() -> None:
    """Fill, look, and write the figures."""
    options = _options()
    found: dict[str, Any] = {"machine": describe(("callscope", "sqlalchemy", "psycopg"))}
    if options.out.exists():  # of the other database
        found |= json.loads(options.out.read_text(encoding="utf-8"))
    for name in options.databases:
        with _OPENED[name]() as url:
            engine = database.connect(url)
            database.migrate(engine)
            found[name], filled = {}, 0
            for calls in options.calls:
                _fill(engine, filled, calls)
                filled = calls
                found[name][str(calls)] = {"load": load(), **_measure(engine)}
                print(name, calls, found[name][str(calls)], file=sys.stderr)
                options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
            engine.dispose()


def _fill(engine: sa.Engine, first: int, until: int) -> None:
    source = random.Random(first)
    for at in range(first, until, _BATCH):
        rows = [_row(source, number) for number in range(at, min(at + _BATCH, until))]
        with engine.begin() as connection:
            connection.execute(sa.insert(CallRow), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":  # what its own process does within a minute
            connection.execute(sa.text("VACUUM (ANALYZE)"))


def _row(source: random.Random, number: int) -> dict[str, Any]:
    row = call_row(source, number, queued=number % 10 == 0)
    row["lane"] = source.choice(list(Lane))
    if number % 100 == 1:
        row["status"] = CallStatus.FAILED
    return row


def _measure(engine: sa.Engine) -> dict[str, Any]:
    journal = Journal(engine, str)
    watch_backlog(journal.standings)
    waiting = sum(s.calls for s in journal.standings() if s.status == CallStatus.QUEUED)
    return {
        "waiting": waiting,
        "look_milliseconds": _timed(journal.standings),
        "scrape_milliseconds": _timed(lambda: generate_latest(REGISTRY)),
    }


def _timed(work: Callable[[], object]) -> dict[str, float]:
    took = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return {**percentiles(took), "slowest": round(max(took), 3)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--databases", nargs="+", choices=list(_OPENED), default=list(_OPENED))
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
