"""How quickly calls are found: `python -m bench.listing > bench/results/listing.json`.

A hundred thousand finished calls with their records' rows, ten thousand that wait, in SQLite and
in PostgreSQL; then the list, each filter, search and later pages, as the gateway asks for them,
from statement to calls. The words are drawn by Zipf's law, as in speech. Calls are another tenant's
by one in ten. `--calls N` makes it smaller; `--explain` also prints how each is answered.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from callscope.types import DisclosureStatus, Outcome
from services.gateway import database
from services.gateway.call import CallStatus
from services.gateway.index import BehaviorRow, DisclosureRow, TextRow, first_place, marks
from services.gateway.listing import page_of_calls, read_page
from services.gateway.query import CallQuery, PageQuery
from services.gateway.tables import Base, CallRow
from services.gateway.words import fts5_document, tsvector
from tests.gateway.conftest import postgresql_server

TENANT = "acme"
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 2000
_TEXTS = 5000  # different ones
_BEHAVIORS = (
    "empathy_opening", "active_listening", "disclosure_delivery", "rapport", "discovery",
    "resolution",
)  # fmt: skip
_DISCLOSURES = ("recording", "identity", "mini_miranda", "cancellation")
_QUERIES: dict[str, dict[str, Any]] = {
    "all": {},
    "status=queued": {"status": "queued"},
    "status=failed (none)": {"status": "failed"},
    "agent": {"agent": "agent-017"},
    "queue": {"queue": "queue-3"},
    "direction": {"direction": "outbound"},
    "one day": {"since": "2026-02-10T00:00:00Z", "until": "2026-02-11T00:00:00Z"},
    "one day, agent": {
        "since": "2026-02-10T00:00:00Z", "until": "2026-02-11T00:00:00Z", "agent": "agent-017",
    },
    "behavior missed": {"behavior": "empathy_opening", "outcome": "missed"},
    "behavior missed, score to 50": {
        "behavior": "empathy_opening", "outcome": "missed", "max_score": 50,
    },
    "behavior, score to 1 (rare)": {"behavior": "empathy_opening", "max_score": 1},
    "behavior missed, agent": {
        "behavior": "empathy_opening", "outcome": "missed", "agent": "agent-017",
    },
    "behavior missed, overall from 95": {
        "behavior": "empathy_opening", "outcome": "missed", "min_overall": 95,
    },
    "disclosure missing": {"disclosure": "mini_miranda", "disclosure_status": "missing"},
    "disclosure missing, behavior missed": {
        "disclosure": "mini_miranda", "disclosure_status": "missing",
        "behavior": "rapport", "outcome": "missed",
    },
    "review needed": {"review_needed": True},
    "overall to 40": {"max_overall": 40},
    "overall 99.9 to 100 (rare)": {"min_overall": 99.9},
    "rubric that judged none": {"rubric": "sales"},
    "text: word of every call": {"text": "w0"},
    "text: common word": {"text": "w50"},
    "text: rare word": {"text": "w9000"},
    "text: two words": {"text": "w20 w300"},
    "text: phrase": {"text": '"w0 w1"'},
    "text: common word, agent": {"text": "w50", "agent": "agent-017"},
    "text: word of every call, agent": {"text": "w0", "agent": "agent-017"},
    "text: common word, behavior missed": {
        "text": "w50", "behavior": "empathy_opening", "outcome": "missed",
    },
}  # fmt: skip


def main() -> None:
    """Fill both databases, ask, and print the figures as JSON."""
    options = _options()
    figures: dict[str, Any] = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }
    for name, opened in (("sqlite", sqlite_file), ("postgresql", postgresql_server)):
        if name not in options.databases:
            continue
        with opened() as url:
            engine = database.connect(url)
            database.migrate(engine)
            began = time.perf_counter()
            _fill(engine, options.calls)
            print(f"{name}: filled in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            figures[name] = {
                "calls": options.calls,
                "queued": options.calls // 10,
                "load": round(os.getloadavg()[0], 1),  # others at work here
                **_measure(engine),
            }
            if options.explain:
                _explain(engine)
            engine.dispose()
    print(json.dumps(figures, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    return parser.parse_args()


@contextmanager
def sqlite_file() -> Iterator[str]:
    """The URL of an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder)}/callscope.db"


def _fill(engine: sa.Engine, count: int) -> None:
    """Rows as records leave them, without the records' own bytes, which no list reads."""
    source = random.Random(5)
    weights = list(accumulate(1 / (rank + 10) for rank in range(10_000)))
    vocabulary = [f"w{rank}" for rank in range(10_000)]
    dialect = engine.dialect.name
    texts = [_words(source, vocabulary, weights, dialect) for _ in range(_TEXTS)]
    total = count + count // 10
    for at in range(0, total, _BATCH):
        numbers = range(at, min(at + _BATCH, total))
        calls = [call_row(source, number, number >= count) for number in numbers]
        done = [call for call in calls if call["status"] is CallStatus.DONE]
        behaviors, disclosures = list(_behaviors(source, done)), list(_disclosures(source, done))
        marked = _marks(done, behaviors, disclosures, dialect)
        rows: dict[type[Base], list[dict[str, Any]]] = {
            CallRow: calls,
            BehaviorRow: behaviors,
            DisclosureRow: disclosures,
            TextRow: [
                {
                    **_owner(call),
                    "place": first_place(call["id"]),
                    "words": source.choice(texts) + marked[call["id"]],
                }
                for call in done
            ],
        }
        with engine.begin() as connection:
            for table, content in rows.items():
                if content:
                    connection.execute(sa.insert(table), content)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if dialect == "postgresql":  # what its own process does within a minute
            connection.execute(sa.text("VACUUM (ANALYZE)"))


def call_row(source: random.Random, number: int, queued: bool) -> dict[str, Any]:
    """A call as the table has it, one a minute."""
    accepted = _BEGIN + timedelta(seconds=60 * number)
    milliseconds = round(accepted.timestamp() * 1000)
    value = milliseconds << 80 | 7 << 76 | source.getrandbits(12) << 64 | 2 << 62
    call_id = str(UUID(int=value | source.getrandbits(62)))
    judged = {} if queued else {
        "rubric": "general",
        "overall": round(min(100.0, max(0.0, source.gauss(70, 15))), 2),
        "review_needed": source.random() < 0.07,
    }  # fmt: skip
    named = {
        "agent": f"agent-{source.randrange(200):03}",
        "queue": f"queue-{source.randrange(12)}",
        "direction": "outbound" if source.random() < 0.2 else "inbound",
    }
    return {
        "id": call_id,
        "tenant": "other" if number % 10 == 9 else TENANT,
        "lane": "live",
        "status": CallStatus.QUEUED if queued else CallStatus.DONE,
        "run": 1,
        "idempotency_key": None,
        "external_id": None,
        "identity": None,
        "notes": [],
        "blob": f"audio/{call_id[-2:]}/{call_id}",
        "sha256": f"{source.getrandbits(256):064x}",
        "duration": 300.0,
        "sample_rate": 8000,
        "channels": 2,
        "codec": "pcm_mulaw",
        "started_at": accepted.isoformat(),
        "metadata": named,
        "options": {"rubric": {"name": "general", "yaml": None}},
        "problem": None,
        "created_at": accepted,
        "updated_at": accepted,
        **named,
        "began_at": accepted - timedelta(minutes=source.randrange(60)),
        "rubric": None,
        "overall": None,
        "review_needed": None,
        **judged,
    }


def _owner(call: dict[str, Any]) -> dict[str, Any]:
    return {"tenant": call["tenant"], "call_id": call["id"]}


def _behaviors(source: random.Random, calls: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for call in calls:
        for behavior in _BEHAVIORS:
            score = round(source.betavariate(3, 2) * 100, 1)
            outcome = (
                Outcome.DELIVERED if score >= 70 else Outcome.PARTIAL if score >= 35
                else Outcome.MISSED
            )  # fmt: skip
            yield {
                **_owner(call),
                "behavior": behavior,
                "outcome": outcome,
                "score": score,
                "confidence": 0.8,
                "weight": 20.0,
            }


def _disclosures(
    source: random.Random, calls: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    statuses = tuple(DisclosureStatus)
    for call in calls:
        for disclosure in _DISCLOSURES:
            (status,) = source.choices(statuses, (70, 10, 5, 15))
            delivered = status is DisclosureStatus.DELIVERED
            yield {
                **_owner(call),
                "disclosure": disclosure,
                "status": status,
                "on_time": source.random() < 0.9 if delivered else None,
                "coverage": 1.0 if delivered else 0.0,
            }


def _marks(
    calls: Sequence[dict[str, Any]],
    behaviors: Sequence[dict[str, Any]],
    disclosures: Sequence[dict[str, Any]],
    dialect: str,
) -> dict[str, str]:
    """By call, what its search document has besides the words."""
    kept = {call["id"]: (call, list[Any](), list[Any]()) for call in calls}
    for row in behaviors:
        kept[row["call_id"]][1].append(row)
    for row in disclosures:
        kept[row["call_id"]][2].append(row)
    document = tsvector if dialect == "postgresql" else fts5_document
    return {call_id: " " + document([""], marks(*each)) for call_id, each in kept.items()}


def _words(source: random.Random, vocabulary: list[str], weights: list[float], dialect: str) -> str:
    said = source.choices(vocabulary, cum_weights=weights, k=300)
    utterances = [" ".join(["w0", "w1", *said[at : at + 15]]) for at in range(0, 300, 15)]
    return tsvector(utterances) if dialect == "postgresql" else fts5_document(utterances)


def _measure(engine: sa.Engine) -> dict[str, Any]:
    before = _memory()
    figures = {}
    for name, fields in _QUERIES.items():
        query = CallQuery.read(fields)
        seconds, found, pages = [], 0, 0
        for _ in range(20):
            page = PageQuery.read(query, 50, None)
            for _ in range(3):  # the first page, and two that follow
                began = time.perf_counter()
                calls = _page(engine, page)
                seconds.append(time.perf_counter() - began)
                found, pages = found + len(calls[:50]), pages + 1
                if len(calls) <= page.size:
                    break
                page = PageQuery.read(query, 50, page.token_after(calls[49].id))
        figures[name] = {"found": round(found / pages, 1), **_spread(seconds)}
        print(f"{name:40}", figures[name], file=sys.stderr)
    return {"queries_ms": figures, "memory_growth_mib": round(_memory() - before, 1)}


def _page(engine: sa.Engine, page: PageQuery) -> Any:
    with sa.orm.Session(engine) as session:
        return read_page(session, TENANT, page)


def _explain(engine: sa.Engine) -> None:
    for name, fields in _QUERIES.items():
        page = PageQuery.read(CallQuery.read(fields), 50, None)
        statement = page_of_calls(TENANT, page, engine.dialect.name)
        with engine.connect() as connection:
            sa.event.listen(connection, "before_cursor_execute", _explaining, retval=True)
            rows = connection.execute(statement).cursor.fetchall()
            print(f"\n{name}", *(row[-1] for row in rows), sep="\n  ", file=sys.stderr)


def _explaining(
    connection: sa.Connection, _: Any, statement: str, parameters: Any, *__: Any
) -> tuple[str, Any]:
    postgresql = connection.dialect.name == "postgresql"
    how = "EXPLAIN (ANALYZE, BUFFERS)" if postgresql else "EXPLAIN QUERY PLAN"
    return f"{how} {statement}", parameters


def _spread(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return {
        "median": round(1000 * statistics.median(seconds), 1),
        "p95": round(1000 * cuts[-1], 1),
    }


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
