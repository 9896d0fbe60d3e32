"""kill -9 of the gateway and of real services in mid-call: the records are there, and the same."""

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import free_port
from tests.gateway.engines import eventually
from tests.gateway.processes import GatewayProcess, Process

STAGES = ("transcribe", "diarize", "score")


@dataclass(frozen=True)
class Installation:
    gateway: GatewayProcess
    stages: Mapping[str, Process]

    def kill(self, process: Process) -> None:
        process.end(signal.SIGKILL)
        process.launch()

    def call(self, call_id: str) -> Any:
        return self.gateway.client.get(f"/v1/calls/{call_id}").json()

    def reaches(self, call_id: str, progress: float) -> bool:
        call = self.call(call_id)
        assert call["status"] != "failed", call["problem"]
        return call["status"] == "done" or bool(call["progress"] >= progress)


@pytest.fixture
def installation(environment: Mapping[str, str], tmp_path: Path) -> Iterator[Installation]:
    shared = {name: value for name, value in environment.items() if name.startswith("CALLSCOPE_")}
    ports = {stage: free_port() for stage in STAGES}
    stages = {
        stage: Process(
            f"services.{stage}",
            port,
            tmp_path / f"{stage}.log",
            {
                **shared,
                "OMP_WAIT_POLICY": "PASSIVE",
                "CALLSCOPE_PORT": port,
                "CALLSCOPE_METRICS_PORT": 0,
                "CALLSCOPE_AUDIO_ROOTS": tmp_path / "data/blobs",
            },
        )
        for stage, port in ports.items()
    }
    gateway = GatewayProcess(
        tmp_path / "data",
        {f"{stage}_target": f"127.0.0.1:{port}" for stage, port in ports.items()},
        stage_attempts=1000,
        retry_seconds_max=2,
    )
    try:
        gateway.start()
        for each in stages.values():  # calls wait for them
            each.launch()
        yield Installation(gateway, stages)
    finally:
        for each in (gateway, *stages.values()):
            each.close()


def test_whoever_is_killed_in_mid_call_the_records_are_there_and_the_same(
    installation: Installation, sample: Path
) -> None:
    audio = (sample / "stereo.flac").read_bytes()
    calls = []
    for _ in range(3):
        answer = installation.gateway.client.post("/v1/calls", files={"audio": audio})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        calls.append(answer.json()["id"])
    eventually(partial(installation.reaches, calls[0], 0.1), 120)
    installation.kill(installation.stages["transcribe"])
    installation.kill(installation.stages["diarize"])
    eventually(partial(installation.reaches, calls[0], 0.5), 120)
    installation.kill(installation.gateway)
    installation.kill(installation.stages["score"])
    installation.gateway.ready()
    for call_id in calls:
        eventually(partial(installation.reaches, call_id, 1.1), 180)
    said = []
    for call_id in calls:
        record = installation.gateway.client.get(f"/v1/calls/{call_id}/record").json()
        assert record["recording"]["id"] == call_id
        said.append([each["text"] for each in record["utterances"]])
        assert record["behaviors"]
    assert said[0] == said[1] == said[2]
    assert said[0]
