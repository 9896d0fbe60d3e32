"""kill -9 of the gateway and of each service at random moments, again and again."""

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.gateway.conftest import noise
from tests.gateway.engines import eventually
from tests.gateway.processes import GatewayProcess, Process, StageProcess

CALLS = 50
PLACES = 4  # calls at the same time: no kill can interrupt more
STAGES = ("transcribe", "diarize", "score")


class Landscape:
    """A gateway and its three services, each a process that may die at any moment."""

    def __init__(self, folder: Path, seconds: float = 0.3) -> None:
        self.stages = {stage: StageProcess(stage, folder, seconds) for stage in STAGES}
        self.gateway = GatewayProcess(
            folder / "data",
            {f"{stage}_target": process.target for stage, process in self.stages.items()},
            max_concurrent=PLACES,
            stage_attempts=1000,
            retry_seconds=0.1,
            retry_seconds_max=1,
        )

    @property
    def everyone(self) -> Sequence[Process]:
        return (self.gateway, *self.stages.values())

    def start(self) -> None:
        for each in self.everyone:
            each.launch()
        self.gateway.ready()

    def close(self) -> None:
        for each in self.everyone:
            each.close()

    def results(self, stage: str) -> Counter[str]:
        """How often the stage gave each call's result."""
        return Counter(self.stages[stage].results.read_text().split())

    def count(self, query: str, file: str = "callscope.db") -> int:
        engine = sa.create_engine(f"sqlite:///{self.gateway.data}/{file}")
        with engine.connect() as connection:
            found = connection.scalar(sa.text(query))
        engine.dispose()
        return int(found or 0)


def accepted(landscape: Landscape, number: int) -> str:
    """Send recording `number` until it is accepted, as a telephone system would."""
    audio, header = noise(0.2, seed=number), {"Idempotency-Key": f"recording-{number}"}
    deadline = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = landscape.gateway.client.post(
                "/v1/calls", files={"audio": audio}, headers=header
            )
            if answer.status_code == 202:
                return str(answer.json()["id"])
            assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, landscape.gateway.tail()
        time.sleep(0.1)


def killing(
    landscape: Landscape, calls: Sequence[str], over: threading.Event, kills: Counter[str]
) -> None:
    """Kill one of those at work at a random moment, start it again, and so on.

    A process has its turn again when it has done some work since: on a slow machine they would
    else do nothing but start.
    """
    chance = random.Random(5)  # noqa: S311 - moments, no secrets
    done: dict[Process, Callable[[], int]] = {landscape.gateway: lambda: len(calls)}
    for stage, process in landscape.stages.items():
        done[process] = lambda stage=stage: landscape.results(stage).total()  # type: ignore[misc]
    due = dict.fromkeys(done, 3)
    while not over.wait(chance.uniform(0.05, 0.5)):
        for each in done:
            assert each.alive, each.tail()
        ready = [each for each in done if each.listening and done[each]() >= due[each]]
        if ready:
            victim = chance.choice(ready)
            due[victim] = done[victim]() + chance.randint(10, 20)
            victim.end(signal.SIGKILL)
            kills[type(victim).__name__] += 1
            over.wait(chance.uniform(0.0, 0.5))
            victim.launch()


@pytest.fixture
def landscape(tmp_path: Path) -> Iterator[Landscape]:
    landscape = Landscape(tmp_path)
    try:
        landscape.start()
        yield landscape
    finally:
        landscape.close()


@pytest.mark.timeout(600)
def test_every_accepted_call_has_one_record_whoever_dies(landscape: Landscape) -> None:
    over, kills = threading.Event(), Counter[str]()
    calls: list[str] = []
    records = "SELECT count(*) FROM records"
    killer = threading.Thread(target=killing, args=(landscape, calls, over, kills))
    killer.start()
    try:
        for number in range(CALLS):
            calls.append(accepted(landscape, number))
            time.sleep(0.2)  # or one life of the gateway would see them all
        eventually(lambda: landscape.count(records) == CALLS, 300)
    finally:
        over.set()
        killer.join()
    assert len(set(calls)) == CALLS
    assert kills["GatewayProcess"] >= 2
    assert kills["StageProcess"] >= 4
    landscape.gateway.ready()
    assert landscape.count(records) == CALLS
    assert landscape.count("SELECT count(DISTINCT call_id) FROM records") == CALLS
    assert landscape.count("SELECT count(*) FROM calls WHERE status = 'done'") == CALLS
    for call_id in calls:
        assert landscape.gateway.client.get(f"/v1/calls/{call_id}/record").status_code == 200

    for stage in STAGES:
        results = landscape.results(stage)
        assert set(results) == set(calls)
        # A result is made again only where somebody died between its making and its keeping.
        assert results.total() - CALLS <= kills.total() * PLACES
    unfinished = "SELECT count(*) FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
    eventually(lambda: landscape.count(unfinished, "workflows.db") == 0)
    kept = {path.name for path in (landscape.gateway.data / "blobs").rglob("*") if path.is_file()}
    assert kept == set(calls)
    assert list((landscape.gateway.data / "incoming/gateway").iterdir()) == []


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_service_finished_is_not_done_again_when_another_dies(
    landscape: Landscape, stage: str
) -> None:
    call_id = accepted(landscape, 1)
    others = [each for each in STAGES if each != stage]
    eventually(lambda: landscape.results("transcribe").total() == 1, 60)
    landscape.stages[stage].end(signal.SIGKILL)
    landscape.stages[stage].launch()
    eventually(lambda: landscape.gateway.is_done(call_id), 60)
    for each in others:
        assert landscape.results(each) == {call_id: 1}
