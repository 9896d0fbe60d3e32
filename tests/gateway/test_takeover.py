"""Two gateways on one PostgreSQL: what one leaves, the other finishes."""

import contextlib
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient, DBOSPortableJSONSerializer

from services.gateway import database, lanes
from services.gateway.call import Lane
from services.gateway.takeover import Watch
from tests.gateway.engines import Engines, Gate, eventually
from tests.gateway.processes import GatewayProcess

SILENCE = 3  # seconds, in place of the 30 of an installation


@pytest.fixture
def pair(
    engines: Engines, fresh_postgresql: str, tmp_path: Path
) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Two gateways with one database and one folder of recordings."""
    first, second = (
        GatewayProcess(
            tmp_path / "data",
            engines.targets,
            executor_id=name,
            database_url=fresh_postgresql,
            takeover_seconds=SILENCE,
            max_concurrent=4,
        )
        for name in ("first", "second")
    )
    with contextlib.ExitStack() as stack:
        for each in (first, second):
            stack.callback(each.close)
            each.launch()
        for each in (first, second):
            each.ready()
        yield first, second


def test_a_killed_gateways_calls_finish_on_the_other(
    pair: tuple[GatewayProcess, GatewayProcess], engines: Engines
) -> None:
    dying, living = pair
    engines.behaviors["score"] = gate = Gate()
    calls = [dying.send() for _ in range(12)]
    eventually(lambda: engines.begun["score"] == 8)  # both have all their places taken
    dying.end(signal.SIGKILL)
    killed = time.monotonic()
    eventually(lambda: engines.stopped["score"] == 4)
    gate.opened.set()
    for call_id in calls:
        eventually(partial(living.is_done, call_id), 60)
    assert time.monotonic() - killed < SILENCE + 20
    assert engines.ended["transcribe"] == engines.ended["diarize"] == len(calls)
    assert engines.ended["score"] == len(calls)
    for call_id in calls:
        assert living.client.get(f"/v1/calls/{call_id}/record").status_code == 200


def test_a_call_whose_owner_lives_after_all_has_one_record(
    pair: tuple[GatewayProcess, GatewayProcess], engines: Engines, fresh_postgresql: str
) -> None:
    engines.behaviors["transcribe"] = gate = Gate()
    first, _ = pair
    call_id = first.send()
    assert gate.reached.wait(20)
    client = DBOSClient(
        system_database_url=fresh_postgresql, serializer=DBOSPortableJSONSerializer()
    )
    (running,) = client.list_workflows(status="PENDING")
    client.resume_workflows([running.workflow_id], queue_name=lanes.QUEUES[Lane.LIVE])
    eventually(lambda: engines.begun["transcribe"] == 2, 20)  # both work on it now
    gate.opened.set()
    eventually(partial(first.is_done, call_id), 30)
    time.sleep(1)
    assert first.is_done(call_id)
    engine = database.connect(fresh_postgresql)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM records")) == 1
        stages = connection.scalars(sa.text("SELECT stage FROM artifacts")).all()
    engine.dispose()
    assert sorted(stages) == ["diarize", "transcribe"]
    eventually(lambda: client.list_workflows(status=["PENDING", "ENQUEUED"]) == [])
    client.destroy()


def test_only_who_is_silent_for_long_is_taken_for_dead(engine: sa.Engine) -> None:
    asked: list[Any] = []
    recovered: list[None] = []

    def take_over(living: Any) -> int:
        asked.append(set(living))
        return 0

    def watch(name: str, dead_after: float) -> Watch:
        return Watch(engine, name, dead_after, take_over, lambda: recovered.append(None))

    for name in ("old", "new"):
        watch(name, 30).beat()
    with engine.begin() as connection:
        past = "2026-01-01 00:00:00" + ("+00" if engine.dialect.name == "postgresql" else "")
        connection.execute(
            sa.text(f"UPDATE gateways SET seen_at = '{past}' WHERE executor_id = 'old'")  # noqa: S608
        )
    mine = watch("mine", 30)
    mine.start()
    eventually(lambda: len(recovered) == 1 and asked == [{"new", "mine"}])
    mine.recover_soon()
    eventually(lambda: len(recovered) == 2)
    mine.stop()
