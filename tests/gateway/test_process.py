"""A gateway among its neighbors: services away, places taken, a drain, a second gateway."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from callscope.errors import Conflict, InvalidSetting
from callscope.pipeline import AnalyzeOptions
from callscope.types import MediaInfo
from services.gateway import database
from services.gateway.access import DEFAULT_TENANT
from services.gateway.call import Lane, new_id
from services.gateway.ledger import Ledger, NewCall
from services.gateway.store import LocalStore
from tests.gateway.conftest import Up, free_port, gateway_settings, noise, running, send
from tests.gateway.engines import Engines, Gate, eventually, serving


def test_a_service_that_is_away_is_waited_for(start: Callable[..., Up], engines: Engines) -> None:
    port = free_port()
    away = {**engines.targets, "transcribe_target": f"127.0.0.1:{port}"}
    up = start(**away, stage_attempts=20, retry_seconds=0.1)
    call_id = send(up)
    eventually(lambda: engines.ended["diarize"] == 1)
    assert up.http.get(f"/v1/calls/{call_id}").json()["status"] == "running"
    with serving(transcribe_port=port) as back:
        assert up.finished(call_id)["status"] == "done"
        assert back.begun == {"transcribe": 1}


def test_a_service_that_stays_away_fails_the_call(
    start: Callable[..., Up], engines: Engines
) -> None:
    up = start(**{**engines.targets, "transcribe_target": "127.0.0.1:9"}, stage_attempts=1)
    end = up.finished(send(up))
    assert end["status"] == "failed"
    assert end["problem"]["code"] == "unavailable"
    assert "127.0.0.1:9" in end["problem"]["message"]


def test_the_store_is_no_folder_that_senders_may_name(
    start: Callable[..., Up], tmp_path: Path
) -> None:
    up = start(audio_roots=(tmp_path / "data/blobs", tmp_path / "data/blobs/default"))
    uri = up.finished(send(up))["recording"]["uri"]
    answer = up.http.post("/v1/calls", json={"uri": uri})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_uri")


def test_a_recording_is_accepted_while_the_score_service_is_away(
    start: Callable[..., Up], engines: Engines
) -> None:
    up = start(**{**engines.targets, "score_target": "127.0.0.1:9"}, stage_attempts=1)
    end = up.finished(send(up))
    assert end["problem"]["code"] == "unavailable"


def test_no_more_calls_are_at_work_than_allowed(start: Callable[..., Up], engines: Engines) -> None:
    gate = Gate()
    most = 0
    lock = threading.Lock()

    def work(report: Callable[[float], None]) -> None:
        nonlocal most
        with lock:
            most = max(most, engines.begun["transcribe"] - engines.ended["transcribe"])
        gate(report)

    engines.behaviors["transcribe"] = work
    up = start(max_concurrent=2)
    calls = [send(up) for _ in range(5)]
    eventually(lambda: engines.begun["transcribe"] == 2)
    time.sleep(0.3)  # time enough for a third to begin, if it could
    assert engines.begun["transcribe"] == 2
    gate.opened.set()
    assert {up.finished(call)["status"] for call in calls} == {"done"}
    assert most == 2


def test_a_drained_gateway_leaves_calls_that_the_next_one_resumes(
    engines: Engines, tmp_path: Path
) -> None:
    gate = Gate()
    engines.behaviors["score"] = gate
    settings = gateway_settings(tmp_path / "data", engines, drain_seconds=0)
    with running(settings, engines) as up:
        at_work, waiting = send(up), send(up)
        assert gate.reached.wait(10)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    eventually(lambda: engines.stopped["score"] >= 1)
    gate.opened.set()
    with running(settings, engines) as up:
        for call_id in (at_work, waiting):
            assert up.finished(call_id)["status"] == "done"
    assert engines.ended == {"transcribe": 2, "diarize": 2, "score": 2}


def test_a_call_accepted_a_moment_before_the_end_is_not_forgotten(
    engines: Engines, tmp_path: Path
) -> None:
    settings = gateway_settings(tmp_path / "data", engines)
    with running(settings, engines) as up:
        up.finished(send(up))
    new = NewCall(
        id=new_id(),
        tenant=DEFAULT_TENANT,
        lane=Lane.LIVE,
        blob="audio/it",
        media=MediaInfo("ab" * 32, 2.0, 8000, 2, "pcm_s16le"),
        options=AnalyzeOptions(),
        metadata={},
        started_at=None,
        idempotency_key=None,
    )
    (tmp_path / "sent").write_bytes(noise())
    LocalStore(settings.store_root()).keep(tmp_path / "sent", new.blob or "")
    tables = database.connect(settings.database_urls()[0])
    assert Ledger(tables, str).add(new)  # and the process ends before it is enqueued
    tables.dispose()
    with running(settings, engines) as up:
        assert up.finished(new.id)["status"] == "done"


def test_those_who_watch_are_let_go_when_the_gateway_drains(
    engines: Engines, tmp_path: Path
) -> None:
    gate = Gate()
    engines.behaviors["score"] = gate
    settings = gateway_settings(tmp_path / "data", engines, drain_seconds=20)
    with contextlib.ExitStack() as stack:
        up = stack.enter_context(running(settings, engines))
        call_id = send(up)
        assert gate.reached.wait(10)
        ended = threading.Event()

        def follow() -> None:
            with contextlib.suppress(httpx.TransportError):
                up.follow(call_id)
            ended.set()

        threading.Thread(target=follow).start()
        threading.Timer(0.5, gate.opened.set).start()
        began = time.monotonic()
        stack.close()
    assert ended.wait(5)
    assert time.monotonic() - began < 10


def test_two_gateways_of_one_name_do_not_share_a_folder(start: Callable[..., Up]) -> None:
    start()
    with pytest.raises(Conflict, match="another gateway named 'gateway'"):
        start()


def test_everything_works_on_postgresql(start: Callable[..., Up], fresh_postgresql: str) -> None:
    up = start(database_url=fresh_postgresql)
    audio = noise(seed=11)
    header = {"Idempotency-Key": "key"}
    ids = {
        up.http.post("/v1/calls", files={"audio": audio}, headers=header).json()["id"]
        for _ in range(2)
    }
    (call_id,) = ids
    assert up.finished(call_id)["status"] == "done"
    assert up.http.get(f"/v1/calls/{call_id}/record").json()["recording"]["id"] == call_id
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    assert up.http.get("/v1/calls").json()["calls"] == []
    assert not list(up.data.glob("*.db"))


def test_recordings_can_live_in_a_bucket(start: Callable[..., Up], bucket: dict[str, str]) -> None:
    up = start(**bucket)
    audio = noise(seed=12)
    call_id = up.upload(audio).json()["id"]
    end = up.finished(call_id)
    assert end["status"] == "done"
    assert end["recording"]["uri"].startswith("s3://calls/default/audio/")
    url = f"/v1/calls/{call_id}/audio"
    assert up.http.get(url).content == audio
    assert up.http.get(url, headers={"range": "bytes=100-199"}).content == audio[100:200]
    assert up.files() == []
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    answer = up.http.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")


def test_a_bucket_that_is_away_refuses_and_leaves_nothing(
    start: Callable[..., Up], bucket: dict[str, str]
) -> None:
    up = start(**bucket | {"bucket": "elsewhere"})
    answer = up.upload(noise())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert "elsewhere" in answer.json()["detail"]
    assert "retry-after" in answer.headers
    assert up.files() == []
    assert up.http.get("/v1/calls").json()["calls"] == []


def test_a_bucket_without_a_server_is_a_wrong_setting(start: Callable[..., Up]) -> None:
    with pytest.raises(InvalidSetting, match="CALLSCOPE_S3_ENDPOINT"):
        start(bucket="calls")
