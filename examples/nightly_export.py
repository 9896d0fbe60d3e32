"""A QA platform's nightly job: the records made since the last run, into its own database.

    python examples/nightly_export.py scores.db [UNTIL]

The database remembers how far the last run came, so a night that was missed is made up for by the
next. Rows are kept by call and judgement: a call that was scored anew replaces what it was. UNTIL
(RFC 3339) is a minute ago by default. Needs nothing but Python.
"""

import csv
import io
import os
import sqlite3
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

URL = os.environ.get("CALLSCOPE_URL", "http://localhost:8080")
KEY = os.environ.get("CALLSCOPE_KEY")
COLUMNS = ("call_id", "kind", "id", "external_id", "agent", "queue", "made_at", "outcome", "score")


def main(database: str, until: str | None = None) -> None:
    """Load what is new, and note how far that was."""
    until = until or (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    with sqlite3.connect(database) as db:  # all of it, or nothing
        table = f"scores ({', '.join(COLUMNS)}, PRIMARY KEY (call_id, kind, id))"
        db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        db.execute("CREATE TABLE IF NOT EXISTS progress (until)")
        (since,) = db.execute("SELECT max(until) FROM progress").fetchone()
        query = {"format": "csv", "to": until, **({"from": since} if since else {})}
        count, call = 0, ""
        for row in rows(query):
            # A call's earlier judgements go as a whole: another rubric names other behaviors.
            if row["call_id"] != call:
                call = row["call_id"]
                db.execute("DELETE FROM scores WHERE call_id = ?", (call,))
            marks = ", ".join("?" * len(COLUMNS))
            db.execute(f"INSERT INTO scores VALUES ({marks})", [row[name] for name in COLUMNS])
            count += 1
        db.execute("INSERT INTO progress VALUES (?)", (until,))
    db.close()
    print(f"{count} rows up to {until}")


def rows(query: dict[str, str]) -> Iterator[dict[str, str]]:
    """The export's rows, as they come."""
    request = urllib.request.Request(f"{URL}/v1/exports?{urlencode(query)}")
    if KEY:
        request.add_header("Authorization", f"Bearer {KEY}")
    answer = urllib.request.urlopen(request)
    return csv.DictReader(io.TextIOWrapper(answer, encoding="utf-8", newline=""))


if __name__ == "__main__":
    main(*sys.argv[1:])
