"""What a call costs in PostgreSQL: `python -m bench.database > bench/results/database.json`.

A gateway on PostgreSQL over made-up stages that take no time. Commits and bytes of write-ahead log
are the server's own counts, less what it does while nothing happens; how many small transactions
the same server takes in a second is pgbench's count. The one by the other is how many calls a
second such a database keeps, whatever the number of gateways.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.machine import describe
from tests.gateway.conftest import noise, postgresql_server
from tests.gateway.engines import eventually, serving
from tests.gateway.processes import GatewayProcess

_COUNTS = """
SELECT (SELECT sum(xact_commit) FROM pg_stat_database), (SELECT wal_bytes FROM pg_stat_wal)
"""


def main() -> None:
    """Run, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=10, help="of pgbench")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        postgresql_server("fsync=on") as url,
        serving() as engines,
    ):
        gateway = GatewayProcess(
            Path(name) / "data", engines.targets, database_url=url, poll_seconds=0.2
        )
        try:
            gateway.start()
            figures = _calls(gateway, url, options.calls)
        finally:
            gateway.close()
        figures["small_transactions_a_second"] = _pgbench(url, options.seconds)
    rate = figures["small_transactions_a_second"] / figures["commits_a_call"]
    figures["calls_a_second"] = round(rate, 1)
    machine = describe(("callscope", "dbos", "sqlalchemy", "psycopg"))
    print(json.dumps({"machine": machine, **figures}, indent=2))


def _calls(gateway: GatewayProcess, url: str, count: int) -> dict[str, Any]:
    engine = sa.create_engine(url)

    def counts() -> tuple[float, float]:
        time.sleep(2)  # the server's counts come late
        with engine.connect() as connection:
            commits, wal = connection.execute(sa.text(_COUNTS)).one()
            return float(commits), float(wal)

    def sent(number: int) -> str:
        answer = gateway.client.post("/v1/calls", files={"audio": noise(0.5, seed=number)})
        return str(answer.raise_for_status().json()["id"])

    eventually(partial(gateway.is_done, sent(0)), 60)  # the first finds everything cold
    before, began = counts(), time.monotonic()
    time.sleep(10)
    idle, idled = counts(), time.monotonic()
    calls = [sent(number) for number in range(1, count + 1)]
    for call in calls:
        while not gateway.is_done(call):
            time.sleep(1)
    after, ended = counts(), time.monotonic()
    engine.dispose()
    share = (ended - idled) / (idled - began)
    return {
        "calls": count,
        "calls_a_second_of_one_gateway": round(count / (ended - idled), 1),
        "idle_commits_a_second": round((idle[0] - before[0]) / (idled - began), 1),
        "commits_a_call": round((after[0] - idle[0] - share * (idle[0] - before[0])) / count, 1),
        "wal_kb_a_call": round(
            (after[1] - idle[1] - share * (idle[1] - before[1])) / count / 1e3, 1
        ),
    }


def _pgbench(url: str, seconds: int) -> float:
    (folder, *_) = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    plain = url.replace("+psycopg", "")
    program = str(folder / "pgbench")
    subprocess.run([program, "-iq", plain], check=True, capture_output=True)  # noqa: S603 - found above
    done = subprocess.run(  # noqa: S603 - the same
        [program, "-N", "-c", "8", "-T", str(seconds), plain],
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    return round(float(found[1]), 1)


if __name__ == "__main__":
    main()
