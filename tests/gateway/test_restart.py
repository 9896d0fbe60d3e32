"""kill -9 at any moment: every accepted call gets exactly one record, no stage's work is lost."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.gateway.conftest import free_port, noise
from tests.gateway.engines import Engines, Gate, eventually


class Process:
    """A gateway in a process of its own, to be killed and started again on the same data."""

    def __init__(self, data: Path, engines: Engines, **values: object) -> None:
        self._http = free_port()
        self._log = data.parent / "gateway.log"
        own = {name: value for name, value in os.environ.items() if "CALLSCOPE" not in name}
        settings = {
            "PORT": free_port(),
            "HTTP_PORT": self._http,
            "METRICS_PORT": 0,
            "DATA_DIR": data,
            "POLL_SECONDS": 0.02,
            "RETRY_SECONDS": 0.05,
            "DRAIN_SECONDS": 1,
            **{name.upper(): value for name, value in (engines.targets | values).items()},
        }
        self._environment = own | {
            f"CALLSCOPE_GATEWAY_{name}": str(value) for name, value in settings.items()
        }
        self.data = data
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._http}", timeout=30)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.gateway"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                self.client.get("/v1/calls")
                return
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        return self._process.wait(30)

    def close(self) -> None:
        self.client.close()
        if self._process.poll() is None:
            self.end(signal.SIGKILL)

    def send(self) -> str:
        answer = self.client.post("/v1/calls", files={"audio": noise()})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def is_done(self, call_id: str) -> bool:
        return bool(self.client.get(f"/v1/calls/{call_id}").json()["status"] == "done")


@pytest.fixture(scope="module")
def one_process(
    all_engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("gateway") / "data", all_engines)
    process.start()
    yield process
    process.close()


@pytest.fixture
def process(one_process: Process, engines: Engines) -> Process:
    """The process that the tests share; each leaves it running."""
    assert engines.begun.total() == 0
    return one_process


def test_a_killed_gateway_resumes_at_the_stage_where_it_was(
    process: Process, engines: Engines
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


def test_the_side_that_was_finished_is_not_done_again(process: Process, engines: Engines) -> None:
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
    process: Process, engines: Engines
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
    process: Process, engines: Engines
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
