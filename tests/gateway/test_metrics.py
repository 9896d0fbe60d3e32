"""The gateway's metrics: what is counted, by lane, and what is known while something is away."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY, generate_latest

from callscope.errors import Unavailable
from services.gateway import metrics
from services.gateway.call import Lane
from services.gateway.journal import Journal
from tests.gateway.conftest import Up, noise
from tests.gateway.counts import Change, now
from tests.gateway.engines import Engines, Gate, eventually


def counted(up: Up, call_id: str) -> None:
    assert up.finished(call_id)["status"] == "done"


def test_a_call_is_counted_from_acceptance_to_record(up: Up) -> None:
    received = Change("callscope_calls_received_total", lane="live")
    audio = Change("callscope_received_audio_seconds_total", lane="live")
    done = Change("callscope_calls_total", outcome="done", lane="live")
    seconds = Change("callscope_call_seconds_count", lane="live")
    counted(up, up.upload(noise(2.0)).json()["id"])
    eventually(lambda: seconds() == 1)
    assert (received(), done()) == (1, 1)
    assert audio() == pytest.approx(2.0)


def test_the_same_recording_again_is_not_received_twice(up: Up) -> None:
    received = Change("callscope_calls_received_total", lane="live")
    recording = noise()
    ids = {up.upload(recording).json()["id"] for _ in range(2)}
    assert (len(ids), received()) == (1, 1)


def test_time_since_the_calls_end_is_known_where_its_begin_is(up: Up) -> None:
    within = Change("callscope_call_end_seconds_bucket", lane="live", le="14400.0")
    late = Change("callscope_call_end_seconds_count", lane="live")
    counted(up, up.upload(noise()).json()["id"])
    assert late() == 0
    counted(up, up.upload(noise(), started_at="2020-01-01T12:00:00Z").json()["id"])
    eventually(lambda: late() == 1)
    assert within() == 0


def test_what_a_record_says_is_counted(up: Up) -> None:
    behaviors = Change("callscope_behavior_confidence_count")
    reviewed = [Change("callscope_reviews_total", needed=needed) for needed in ("yes", "no")]
    words = Change("callscope_word_probability_count")
    spoken = Change("callscope_speech_seconds_total", role="agent")
    call_id = up.upload(noise()).json()["id"]
    counted(up, call_id)
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    eventually(lambda: words() == 1)
    assert behaviors() == len(record["behaviors"])
    assert sum(each() for each in reviewed) == 1
    said = sum(u["end"] - u["start"] for u in record["utterances"] if u["role"] == "agent")
    assert spoken() == pytest.approx(said)


def test_the_queue_is_known_by_lane_with_the_age_of_its_oldest_call(
    up: Up, engines: Engines
) -> None:
    engines.behaviors["transcribe"] = gate = Gate()
    calls = [up.upload(noise(), lane="backfill").json()["id"] for _ in range(6)]
    eventually(lambda: (now("callscope_queue_depth", lane="backfill") or 0) >= 1)
    first = now("callscope_queue_oldest_seconds", lane="backfill") or 0.0
    assert 0 < first < 60
    assert now("callscope_queue_depth", lane="live") == 0
    assert now("callscope_queue_oldest_seconds", lane="live") == 0
    gate.opened.set()
    for call_id in calls:
        counted(up, call_id)
    assert now("callscope_queue_depth", lane="backfill") == 0


def test_what_was_given_up_stays_counted_until_it_is_retried(
    start: Callable[..., Up], engines: Engines
) -> None:
    up = start(**{**engines.targets, "transcribe_target": "127.0.0.1:9"}, stage_attempts=1)
    failed = Change("callscope_calls_total", outcome="failed", lane="live")
    call_id = up.upload(noise()).json()["id"]
    assert up.finished(call_id)["status"] == "failed"
    eventually(lambda: failed() == 1)
    assert now("callscope_dead_letters", lane="live") == 1
    assert now("callscope_dead_letters", lane="backfill") == 0


def test_requests_are_counted_by_route_and_never_by_what_a_sender_makes_up(up: Up) -> None:
    found = {"method": "GET", "route": "/v1/calls/{call_id}", "status": "404"}
    refused = Change("callscope_http_requests_total", **found)
    made_up = Change("callscope_http_requests_total", method="other", route="none", status="404")
    up.http.get("/v1/calls/01998d3c-0000-7000-8000-000000000000")
    up.http.request("PROPFIND", "/teapot")  # a made-up one does not get past the parser
    eventually(lambda: (refused(), made_up()) == (1, 1))
    assert "teapot" not in generate_latest(REGISTRY).decode()


@pytest.fixture
def watching() -> Iterator[None]:
    """The backlog's own look, put back afterwards."""
    before = metrics._BACKLOG._look
    yield
    metrics._BACKLOG.watch(before)


@pytest.mark.usefixtures("watching")
def test_a_queue_that_cannot_be_known_is_left_out_and_the_rest_is_shown() -> None:
    def away() -> list[metrics.Standing]:
        raise Unavailable("the database does not answer")

    metrics.watch_backlog(away)
    assert now("callscope_queue_depth", lane="live") is None
    assert now("callscope_calls_total", outcome="done", lane="live") is not None


def test_free_space_is_that_of_the_folder(tmp_path: Path) -> None:
    metrics.watch_disk(tmp_path)
    free, size = now("callscope_data_free_bytes"), now("callscope_data_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free < size


def test_what_has_not_happened_yet_is_zero_and_not_absent() -> None:
    for outcome in ("done", "failed", "cancelled"):
        for lane in Lane:
            assert now("callscope_calls_total", outcome=outcome, lane=lane) is not None
    assert now("callscope_webhook_deliveries_total", outcome="given_up") is not None


def test_the_queue_is_told_by_an_index_alone_however_many_calls_there_are(
    engine: sa.Engine,
) -> None:
    plans: list[str] = []

    def explained(connection: sa.Connection, _: Any, statement: str, *__: Any) -> None:
        if "count(*)" in statement:
            how = "EXPLAIN QUERY PLAN" if embedded else "EXPLAIN"
            raw = connection.connection.cursor()
            if not embedded:  # the table is empty; it would be read as a whole
                raw.execute("SET LOCAL enable_seqscan = off")
                raw.execute("SET LOCAL enable_bitmapscan = off")
            raw.execute(f"{how} {statement}")
            plans.extend(str(row[-1]) for row in raw.fetchall())

    embedded = engine.dialect.name == "sqlite"
    sa.event.listen(engine, "before_cursor_execute", explained)
    assert Journal(engine, str).standings() == []
    (used,) = [line for line in plans if "ix_calls_backlog" in line]
    assert ("COVERING INDEX" if embedded else "Index Only Scan") in used
