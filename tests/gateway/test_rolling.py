"""Every process restarted in turn while recordings come in: no call lost, no client's error."""

import contextlib
import json
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import grpc
import pytest

from callscope.v1 import gateway_pb2 as pb
from callscope.v1.gateway_pb2_grpc import GatewayStub
from tests.gateway.conftest import free_port, noise
from tests.gateway.engines import eventually
from tests.gateway.processes import ROOT, GatewayProcess, Process, StageProcess

STAGES = ("transcribe", "diarize", "score")


class Cluster:
    """Two gateways on one PostgreSQL, and a process of each made-up stage."""

    def __init__(self, folder: Path, database_url: str, seconds: float = 0.2) -> None:
        self.stages = [StageProcess(stage, folder, seconds) for stage in STAGES]
        self.ports = [free_port(), free_port()]
        self.gateways = [
            GatewayProcess(
                folder / "data",
                {f"{each.stage}_target": each.target for each in self.stages},
                executor_id=f"gateway-{number}",
                database_url=database_url,
                port=port,
                drain_seconds=5,
                retry_seconds_max=1,
            )
            for number, port in enumerate(self.ports)
        ]

    @property
    def everyone(self) -> Sequence[Process]:
        return (*self.gateways, *self.stages)

    def start(self) -> None:
        for each in self.everyone:
            each.launch()
        self.await_ready()

    def await_ready(self) -> None:
        for each in self.gateways:
            each.ready()
        for stage in self.stages:
            eventually(partial(getattr, stage, "listening"), 60)

    def restart(self, process: Process) -> None:
        """As an orchestrator does: SIGTERM, and the next one once it has ended by itself."""
        assert process.end(signal.SIGTERM) == 0, process.tail()
        process.launch()
        self.await_ready()

    def close(self) -> None:
        for each in self.everyone:
            each.close()


def documented_service_config() -> str:
    """What docs/api.md has clients use."""
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    found = re.search(r"^```json\n(\{\n  \"loadBalancingConfig\".*?)^```", page, re.M | re.S)
    assert found
    return json.dumps(json.loads(found[1]))


class Sender:
    """Uploads one recording after the other over gRPC, on a thread, until it is left."""

    def __init__(self, ports: Sequence[int]) -> None:
        addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
        options = (("grpc.service_config", documented_service_config()),)
        self._channel = grpc.insecure_channel(f"ipv4:{addresses}", options)
        self._stub = GatewayStub(self._channel)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.calls: list[str] = []
        self.seconds: list[float] = []  # of each upload
        self.errors: list[str] = []

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._channel.close()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def goes_on(self, more: int) -> None:
        """Wait until so many more recordings have been taken in."""
        enough = len(self.calls) + more
        eventually(lambda: len(self.calls) >= enough, 60)

    def is_done(self, call_id: str) -> bool:
        call = self._stub.GetCall(pb.GetCallRequest(id=call_id), timeout=30).call
        return bool(call.status == pb.CALL_STATUS_DONE)

    def _run(self) -> None:
        number = 0
        while not self._over.wait(0.1):
            number += 1
            began = time.monotonic()
            try:
                answer = self._stub.UploadCall(_parts(number), timeout=60)
                self.calls.append(answer.call.id)
                self.seconds.append(time.monotonic() - began)
                self._stub.ListCalls(pb.ListCallsRequest(), timeout=60)
            except grpc.RpcError as error:
                self.errors.append(str(error))


def _parts(number: int) -> Iterator[pb.UploadCallRequest]:
    yield pb.UploadCallRequest(header=pb.UploadHeader(external_id=f"recording-{number}"))
    yield pb.UploadCallRequest(chunk=noise(0.5, seed=number))


@pytest.fixture
def cluster(fresh_postgresql: str, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, fresh_postgresql)
    with contextlib.closing(cluster):
        cluster.start()
        yield cluster


def test_nobody_notices_that_every_process_is_restarted_in_turn(cluster: Cluster) -> None:
    with Sender(cluster.ports) as sender:
        for process in cluster.everyone:
            cluster.restart(process)
            sender.goes_on(2)
        sender.stop()
        assert sender.errors == []
        assert len(set(sender.calls)) == len(sender.calls) >= 10
        for call_id in sender.calls:
            eventually(partial(sender.is_done, call_id), 60)


def test_a_stage_that_ends_in_mid_call_leaves_the_call_to_another(tmp_path: Path) -> None:
    ending, staying = (_stage("transcribe", tmp_path / name, 5.0) for name in ("ending", "staying"))
    others = [_stage(stage, tmp_path, 0.1) for stage in ("diarize", "score")]
    targets = {f"{each.stage}_target": each.target for each in others}
    targets["transcribe_target"] = f"ipv4:{ending.target},{staying.target}"
    gateway = GatewayProcess(tmp_path / "data", targets, retry_seconds_max=1)
    with contextlib.ExitStack() as stack:
        for each in (ending, staying, *others, gateway):
            stack.callback(each.close)
        for each in (ending, *others):
            each.launch()
            eventually(partial(getattr, each, "listening"), 60)
        gateway.start()
        call_id = gateway.send()
        eventually(lambda: gateway.progress(call_id) > 0, 30)  # it is being transcribed
        staying.launch()
        eventually(partial(getattr, staying, "listening"), 60)
        assert ending.end(signal.SIGTERM) == 0, ending.tail()
        eventually(partial(gateway.is_done, call_id), 60)
    assert '"code": "CANCELLED"' in ending.tail()  # it was at work on it
    assert staying.results.read_text().split() == [call_id]


def _stage(name: str, folder: Path, seconds: float) -> StageProcess:
    folder.mkdir(exist_ok=True)
    return StageProcess(name, folder, seconds)
