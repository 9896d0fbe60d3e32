"""docker-compose.yml as it runs; tools/containers/check-compose.sh starts it for these tests."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from minio import Minio

from tests.repo.deployment import compose
from tests.repo.test_monitoring import QUERIES

pytestmark = pytest.mark.skipif(
    "CALLSCOPE_COMPOSE" not in os.environ,
    reason="needs docker-compose.yml running: tools/containers/check-compose.sh",
)

GATEWAY = "http://127.0.0.1:8080"
PROMETHEUS = "http://127.0.0.1:9090"
SERVICES = {"gateway", "transcribe", "diarize", "score"}


def wait_for(what: str, seconds: float, attempt: Any) -> Any:
    """What `attempt` returns once it is true; it may raise while things start."""
    until = time.monotonic() + seconds
    while True:
        try:
            if found := attempt():
                return found
        except httpx.HTTPError:
            pass
        assert time.monotonic() < until, f"no {what} after {seconds} s"
        time.sleep(1)


def prometheus(query: str) -> list[Any]:
    answer = httpx.get(f"{PROMETHEUS}/api/v1/query", params={"query": query}, timeout=20)
    assert answer.status_code == 200, f"{query}: {answer.text}"
    found: list[Any] = answer.json()["data"]["result"]
    return found


@pytest.fixture(scope="module")
def record(sample: Path) -> Any:
    """The record of the sample call, which was put into the bucket and sent by its URI."""
    settings = compose()["services"]["minio"]["environment"]
    store = Minio(
        "127.0.0.1:9000",
        access_key=settings["MINIO_ROOT_USER"],
        secret_key=settings["MINIO_ROOT_PASSWORD"],
        secure=False,
    )
    store.fput_object(
        bucket_name="calls", object_name="sample.flac", file_path=str(sample / "stereo.flac")
    )
    wait_for("gateway", 240, lambda: httpx.get(f"{GATEWAY}/v1/calls").status_code == 200)
    sent = httpx.post(f"{GATEWAY}/v1/calls", json={"uri": "s3://calls/sample.flac"}, timeout=30)
    assert sent.status_code == 202, sent.text
    url = f"{GATEWAY}/v1/calls/{sent.json()['id']}"

    def ended() -> Any:
        call = httpx.get(url).json()
        return call if call["status"] in ("done", "failed") else None

    call = wait_for("record", 300, ended)
    assert call["status"] == "done", call
    return httpx.get(f"{url}/record").json()


def test_a_call_in_the_bucket_becomes_a_record(record: Any) -> None:
    assert {utterance["role"] for utterance in record["utterances"]} == {"agent", "customer"}
    assert len(record["behaviors"]) == 6
    assert {model["stage"] for model in record["provenance"]["models"]} == SERVICES - {"gateway"}


def test_prometheus_has_scraped_every_service(record: Any) -> None:
    assert record
    done = wait_for("metrics", 90, lambda: prometheus('callscope_calls_total{outcome="done"} > 0'))
    assert done
    up = {each["metric"]["service"] for each in prometheus('up{job="callscope"} == 1')}
    assert up == SERVICES


def test_every_query_of_rules_and_dashboards_answers(record: Any) -> None:
    assert record
    wait_for("metrics", 90, lambda: prometheus('callscope_calls_total{outcome="done"} > 0'))
    for query in QUERIES:
        prometheus(query)


def test_the_pages_of_the_overview_have_something_to_show(record: Any) -> None:
    assert record
    for metric in (
        "callscope_queue_depth",
        "callscope_call_seconds_count",
        "callscope_stage_seconds_count",
        "callscope_stage_audio_seconds_total",
        "callscope_model_info",
        "grpc_server_handled_total",
        "process_cpu_seconds_total",
    ):
        assert wait_for(metric, 60, lambda name=metric: prometheus(name))


def test_no_alert_fires_on_a_healthy_system(record: Any) -> None:
    assert record
    assert prometheus('ALERTS{alertstate="firing"}') == []
