"""kill -9 at any moment: every accepted call gets exactly one record, no stage's work is lost."""

import signal
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from tests.gateway.conftest import noise
from tests.gateway.engines import Engines, Gate, eventually
from tests.gateway.processes import GatewayProcess


@pytest.fixture(scope="module")
def one_process(
    all_engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "data", all_engines.targets)
    process.start()
    yield process
    process.close()


@pytest.fixture
def process(one_process: GatewayProcess, engines: Engines) -> GatewayProcess:
    """The process that the tests share; each leaves it running."""
    assert engines.begun.total() == 0
    return one_process


def test_a_killed_gateway_resumes_at_the_stage_where_it_was(
    process: GatewayProcess, engines: Engines
) -> None:
    gate = Gate()
    engines.behaviors["score"] = gate
    call_id = process.send()
    assert gate.reached.wait(20)
    process.end(signal.SIGKILL)
    gate.opened.set()
    process.start()
    eventually(partial(process.is_done, call_id), 30)
    assert engines.begun == {"transcribe": 1, "diarize": 1, "score": 2}
    assert process.client.get(f"/v1/calls/{call_id}/record").status_code == 200


def test_the_side_that_was_finished_is_not_done_again(
    process: GatewayProcess, engines: Engines
) -> None:
    gate = Gate()
    engines.behaviors["transcribe"] = gate
    call_id = process.send()
    assert gate.reached.wait(20)
    eventually(lambda: engines.ended["diarize"] == 1)
    time.sleep(0.3)  # its result is on the way to the disk
    process.end(signal.SIGKILL)
    gate.opened.set()
    process.start()
    eventually(partial(process.is_done, call_id), 30)
    assert engines.begun == {"transcribe": 2, "diarize": 1, "score": 1}


def test_what_was_arriving_is_gone_after_a_kill_and_what_was_accepted_is_not(
    process: GatewayProcess, engines: Engines
) -> None:
    engines.behaviors["transcribe"] = gate = Gate()
    accepted = [process.send() for _ in range(3)]
    arriving = process.data / "incoming/gateway"

    def endless() -> Iterator[bytes]:
        yield noise(5)
        eventually(lambda: len(list(arriving.iterdir())) == 1)
        process.end(signal.SIGKILL)
        yield noise(5)

    with pytest.raises(httpx.TransportError):
        process.client.post("/v1/calls", content=endless(), headers={"content-type": "audio/wav"})
    assert len(list(arriving.iterdir())) == 1
    gate.opened.set()
    process.start()
    for call_id in accepted:
        eventually(partial(process.is_done, call_id), 30)
    assert list(arriving.iterdir()) == []
    listed = {call["id"] for call in process.client.get("/v1/calls").json()["calls"]}
    assert set(accepted) <= listed
    kept = {path.name for path in (process.data / "blobs").rglob("*") if path.is_file()}
    assert kept == listed


def test_sigterm_ends_the_process_in_time_and_leaves_the_call_resumable(
    process: GatewayProcess, engines: Engines
) -> None:
    engines.behaviors["diarize"] = gate = Gate()
    call_id = process.send()
    assert gate.reached.wait(20)
    began = time.monotonic()
    assert process.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    eventually(lambda: engines.stopped["diarize"] == 1)
    gate.opened.set()
    process.start()
    eventually(partial(process.is_done, call_id), 30)
