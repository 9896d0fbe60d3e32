"""kill -9 while recordings arrive in the bucket and events go out: nothing twice, nothing lost."""

import json
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from minio import Minio

from services.gateway import database
from services.gateway.tables import ArrivalRow, DeliveryRow, WebhookRow
from tests.gateway.conftest import noise
from tests.gateway.engines import Engines, eventually
from tests.gateway.processes import GatewayProcess
from tests.gateway.receivers import receiving
from tests.gateway.test_inbound import inbox, put, settings_of
from tests.gateway.test_webhooks import SETTINGS

__all__ = ["inbox"]  # a fixture

COUNT, KILLS = 24, 2


def test_every_object_is_one_call_and_every_call_is_told_whatever_is_killed(
    engines: Engines, bucket: dict[str, str], inbox: Minio, tmp_path: Path
) -> None:
    settings = {**SETTINGS, **settings_of(bucket, inbound_listen=True), "inbound_sweep_seconds": 1}
    # A process of its own has its settings from the environment, the shared ones too.
    gateway = GatewayProcess(tmp_path / "data", engines.targets, **settings)
    moments = random.Random(7)  # noqa: S311
    with receiving() as receiver:
        gateway.start()
        try:
            hook = {"url": receiver.url, "events": ["callscope.call.done"]}
            assert gateway.client.post("/v1/webhooks", json=hook).status_code == 201
            for round_ in range(KILLS + 1):
                for number in range(round_, COUNT, KILLS + 1):
                    put(inbox, f"in/{number}.wav", noise(0.1))
                if round_ < KILLS:
                    time.sleep(moments.uniform(0.05, 0.8))
                    gateway.end(signal.SIGKILL)
                    _let_leases_run_out(tmp_path / "data/callscope.db")
                    gateway.start()
            eventually(lambda: len(_told(receiver.got)) == COUNT, 60)
            calls = gateway.client.get("/v1/calls", params={"page_size": 500}).json()["calls"]
            arrivals = gateway.client.get("/v1/arrivals", params={"page_size": 500}).json()
        finally:
            gateway.end(signal.SIGKILL)
            gateway.client.close()
    assert Counter(call["status"] for call in calls) == {"done": COUNT}
    assert Counter(each["state"] for each in arrivals["arrivals"]) == {"taken": COUNT}
    assert {each["call_id"] for each in arrivals["arrivals"]} == {call["id"] for call in calls}
    assert set(_told(receiver.got)) == {call["id"] for call in calls}
    # An event may come twice, under one id; no call has two.
    assert all(len(ids) == 1 for ids in _told(receiver.got).values())


def _told(got: list[tuple[dict[str, str], bytes]]) -> dict[str, set[str]]:
    """The events' ids by call."""
    told: dict[str, set[str]] = {}
    for headers, body in list(got):
        told.setdefault(json.loads(body)["subject"], set()).add(headers["webhook-id"])
    return told


def _let_leases_run_out(file: Path) -> None:
    engine = database.connect(f"sqlite:///{file}")
    past = datetime.now(UTC) - timedelta(seconds=1)
    with engine.begin() as connection:
        connection.execute(sa.update(ArrivalRow).values(due_at=past))
        connection.execute(sa.update(DeliveryRow).values(due_at=past))
        connection.execute(sa.update(WebhookRow).values(paused_until=None))
    engine.dispose()
