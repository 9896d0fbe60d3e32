"""Two lanes: whoever waits for a call never waits for a backfill."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, noise
from tests.gateway.engines import Engines, Gate, eventually
from tests.gateway.test_flow import parts

BACKLOG = 150


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_live_calls_pass_a_backlog(
    start: Callable[..., Up], request: pytest.FixtureRequest, engines: Engines, database: str
) -> None:
    url = (
        {}
        if database == "sqlite"
        else {"database_url": request.getfixturevalue("fresh_postgresql")}
    )
    up = start(max_concurrent=2, backfill_concurrent=1, **url)
    begun: list[str] = []

    def work(_: Callable[[float], None]) -> None:
        time.sleep(0.1)
        begun.append("stage")

    engines.behaviors["transcribe"] = work
    with ThreadPoolExecutor(8) as pool:
        backlog = list(pool.map(lambda _: _send(up, noise(0.2), "backfill"), range(BACKLOG)))
    waits = []
    for _ in range(5):
        sent = time.monotonic()
        assert up.finished(_send(up, noise(0.2), "live"))["status"] == "done"
        waits.append(time.monotonic() - sent)
    waiting = sum(_status(up, call_id) == "queued" for call_id in backlog)
    assert waiting > BACKLOG / 2, "the backlog was over before it could be in anybody's way"
    assert statistics.median(waits) < 2.0, waits
    assert any(_status(up, call_id) == "done" for call_id in backlog), "nor may it stand still"


def test_each_lane_has_places_of_its_own(start: Callable[..., Up], engines: Engines) -> None:
    engines.behaviors["transcribe"] = gate = Gate()
    up = start(max_concurrent=1, backfill_concurrent=2)
    backfill = [_send(up, noise(0.2), "backfill") for _ in range(4)]
    eventually(lambda: engines.begun["transcribe"] == 2)
    live = [_send(up, noise(0.2), "live") for _ in range(2)]
    eventually(lambda: engines.begun["transcribe"] == 3)
    assert _status(up, live[0]) == "running"
    assert [_status(up, call_id) for call_id in (live[1], *backfill[2:])] == ["queued"] * 3
    gate.opened.set()
    for call_id in (*backfill, *live):
        eventually(partial(lambda call_id: _status(up, call_id) == "done", call_id))


def test_both_doors_take_a_lane_and_show_it(up: Up) -> None:
    rest = _send(up, noise(0.2), "backfill")
    rpc = up.grpc.UploadCall(parts(noise(0.2), lane=pb.LANE_BACKFILL)).call.id
    default = up.grpc.UploadCall(parts(noise(0.2))).call.id
    for call_id, lane, number in (
        (rest, "backfill", pb.LANE_BACKFILL),
        (rpc, "backfill", pb.LANE_BACKFILL),
        (default, "live", pb.LANE_LIVE),
    ):
        assert up.http.get(f"/v1/calls/{call_id}").json()["lane"] == lane
        assert up.grpc.GetCall(pb.GetCallRequest(id=call_id)).call.lane == number
        assert up.finished(call_id)["status"] == "done"
    assert up.upload(noise(), lane="express").status_code == 400


def _send(up: Up, audio: bytes, lane: str) -> str:
    answer = up.upload(audio, lane=lane)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _status(up: Up, call_id: str) -> str:
    return str(up.http.get(f"/v1/calls/{call_id}").json()["status"])
