"""docker-compose.yml as it runs; tools/containers/check-compose.sh starts it for these tests."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from minio import Minio

from tests.repo.deployment import compose
from tests.repo.test_monitoring import MONITORING, QUERIES, SHOWN

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
    """The record of the sample call, which was put into the bucket; nobody else was told."""
    settings = compose()["services"]["minio"]["environment"]
    store = Minio(
        "127.0.0.1:9000",
        access_key=settings["MINIO_ROOT_USER"],
        secret_key=settings["MINIO_ROOT_PASSWORD"],
        secure=False,
    )
    wait_for("gateway", 240, lambda: httpx.get(f"{GATEWAY}/v1/calls").status_code == 200)
    store.fput_object(
        bucket_name="calls", object_name="sample.flac", file_path=str(sample / "stereo.flac")
    )

    def ended() -> Any:
        for call in httpx.get(f"{GATEWAY}/v1/calls").json()["calls"]:
            if call["status"] in ("done", "failed"):
                return call
        return None

    call = wait_for("record", 300, ended)
    assert call["status"] == "done", call
    (arrival,) = httpx.get(f"{GATEWAY}/v1/arrivals").json()["arrivals"]
    assert (arrival["name"], arrival["call_id"]) == ("sample.flac", call["id"])
    return httpx.get(f"{GATEWAY}/v1/calls/{call['id']}/record").json()


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


def test_every_panel_and_recording_rule_has_something_to_show(record: Any) -> None:
    assert record
    for query in SHOWN:
        wait_for(query, 150, lambda query=query: prometheus(query))


def test_prometheus_answers_where_grafana_is_told_to_ask(record: Any) -> None:
    assert record
    (source,) = yaml.safe_load((MONITORING / "grafana/datasources.yml").read_text("utf-8"))[
        "datasources"
    ]
    ask = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=9).status)"
    address = f"{source['url']}/api/v1/query?query=up"
    done = subprocess.run(
        ["podman-compose", "exec", "-T", "gateway", "python", "-c", ask, address],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "200", done.stderr


def test_no_alert_fires_on_a_healthy_system(record: Any) -> None:
    assert record
    assert prometheus('ALERTS{alertstate="firing"}') == []
