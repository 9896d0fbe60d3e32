"""Database, store or a service away for a while: a clear error or patience, then everything."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Up, noise, send
from tests.gateway.engines import Engines, Gate, eventually
from tests.gateway.line import Line
from tests.gateway.processes import GatewayProcess

AWAY = float(os.environ.get("CALLSCOPE_TEST_AWAY", "2"))  # seconds; the promise is 60


@pytest.fixture
def line() -> Iterator[Callable[[int], Line]]:
    """Makes lines to ports, closed at the end."""
    lines: list[Line] = []

    def make(port: int) -> Line:
        lines.append(Line(port))
        return lines[-1]

    yield make
    for each in lines:
        each.close()


def refused(up: Up) -> dict[str, Any]:
    """The problem document of an upload that cannot be taken in."""
    answer = up.upload(noise())
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    body: dict[str, Any] = answer.json()
    assert body["code"] == "unavailable"
    assert body["remedy"]
    return body


def test_a_default_rubric_that_does_not_exist_is_named_as_the_cause(
    start: Callable[..., Up],
) -> None:
    up = start(default_rubric="nobodys")
    assert refused(up)["detail"].startswith("CALLSCOPE_GATEWAY_DEFAULT_RUBRIC: ")
    assert up.upload(noise(), rubric="nobodys").status_code == 404
    assert up.upload(noise(), rubric="general").status_code == 202


def test_a_database_that_is_away_refuses_clearly_and_loses_nothing(
    start: Callable[..., Up],
    engines: Engines,
    fresh_postgresql: str,
    line: Callable[[int], Line],
) -> None:
    wire, url = _through(line, fresh_postgresql)
    engines.behaviors["transcribe"] = gate = Gate()
    up = start(
        database_url=url,
        stage_attempts=1000,
        retry_seconds=0.2,
        retry_seconds_max=2,
    )
    calls = [send(up) for _ in range(6)]
    assert gate.reached.wait(20)
    files = up.files()
    wire.cut()
    assert "database" in refused(up)["detail"]
    assert up.http.get("/v1/calls").status_code == 503
    gate.opened.set()  # results come in while there is nowhere to keep them
    time.sleep(AWAY)
    assert up.files() == files
    wire.mend()
    for call_id in calls:
        eventually(partial(_is_done, up, call_id), 60)
    later = send(up)
    eventually(partial(_is_done, up, later), 60)


def test_a_gateway_ends_though_its_database_is_away(
    engines: Engines, fresh_postgresql: str, line: Callable[[int], Line], tmp_path: Path
) -> None:
    wire, url = _through(line, fresh_postgresql)
    engines.behaviors["transcribe"] = gate = Gate()
    gateway = GatewayProcess(
        tmp_path / "data", engines.targets, database_url=url, stage_attempts=1000
    )
    try:
        gateway.start()
        call_id = gateway.send()
        assert gate.reached.wait(20)
        wire.cut()
        gate.opened.set()
        time.sleep(3)  # its threads now try again and again to say what was done
        assert gateway.end(signal.SIGTERM) == 0
        wire.mend()
        gateway.start()
        eventually(partial(gateway.is_done, call_id), 60)
    finally:
        gateway.close()


def test_a_store_that_is_away_refuses_clearly_and_loses_nothing(
    start: Callable[..., Up], bucket: dict[str, str], line: Callable[[int], Line]
) -> None:
    wire = line(int(bucket["s3_endpoint"].rpartition(":")[2]))
    up = start(**bucket | {"s3_endpoint": f"127.0.0.1:{wire.port}"})
    audio = noise()
    before = up.finished(up.upload(audio).json()["id"])["id"]
    wire.cut()
    assert "bucket" in refused(up)["detail"]
    time.sleep(AWAY)
    answer = up.http.get(f"/v1/calls/{before}/audio")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert up.http.get(f"/v1/calls/{before}/record").is_success  # what needs no store goes on
    assert up.files() == []
    wire.mend()
    assert up.http.get(f"/v1/calls/{before}/audio").content == audio
    assert up.finished(send(up))["status"] == "done"
    assert len(up.http.get("/v1/calls").json()["calls"]) == 2


@pytest.mark.parametrize("stage", ["transcribe", "diarize", "score"])
def test_a_service_that_is_away_is_waited_for_by_all_who_come(
    start: Callable[..., Up], engines: Engines, line: Callable[[int], Line], stage: str
) -> None:
    wire = line(int(engines.targets[f"{stage}_target"].rpartition(":")[2]))
    targets = engines.targets | {f"{stage}_target": f"127.0.0.1:{wire.port}"}
    up = start(**targets, stage_attempts=1000, retry_seconds=0.1, retry_seconds_max=2)
    wire.cut()
    calls = [send(up) for _ in range(3)]
    time.sleep(AWAY)
    assert not any(_is_done(up, call_id) for call_id in calls)
    wire.mend()
    for call_id in calls:
        eventually(partial(_is_done, up, call_id), 60)
    assert engines.ended == dict.fromkeys(("transcribe", "diarize", "score"), len(calls))


def _through(line: Callable[[int], Line], url: str) -> tuple[Line, str]:
    """A line to the database, and the URL of the database at its other end."""
    head, _, rest = url.rpartition(":")
    port, _, name = rest.partition("/")
    wire = line(int(port))
    return wire, f"{head}:{wire.port}/{name}?connect_timeout=2"


def _is_done(up: Up, call_id: str) -> bool:
    answer = up.http.get(f"/v1/calls/{call_id}")
    return bool(answer.is_success and answer.json()["status"] == "done")
