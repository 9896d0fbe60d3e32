"""A recording through all four services over the network, by REST and by gRPC."""

import json
import re
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from callscope.v1 import gateway_pb2, gateway_pb2_grpc
from tests.e2e.collector import Collector
from tests.e2e.conftest import Up
from tests.repo.test_monitoring import QUERIES, SHOWN


@pytest.fixture(scope="module")
def uploaded(up: Up, sample: Path) -> Any:
    """The sample call, sent over REST and watched until it is done."""
    with (sample / "stereo.flac").open("rb") as audio:
        answer = httpx.post(
            f"{up.http}/v1/calls",
            files={"audio": ("stereo.flac", audio)},
            data={"metadata": json.dumps({"agent": "a-17", "queue": "billing"})},
            timeout=30,
        )
    assert answer.status_code == 202, answer.text
    call = answer.json()
    states = []
    with httpx.stream("GET", f"{up.http}/v1/calls/{call['id']}/events", timeout=120) as events:
        for line in events.iter_lines():
            if line.startswith("data:"):
                states.append(json.loads(line.removeprefix("data:")))
    assert states[-1]["status"] == "done", states[-1]
    return call


def test_an_upload_becomes_a_record_with_its_metadata(up: Up, uploaded: Any) -> None:
    record = httpx.get(f"{up.http}/v1/calls/{uploaded['id']}/record").json()
    assert record["recording"]["id"] == uploaded["id"]
    assert record["recording"]["metadata"] == {"agent": "a-17", "queue": "billing"}
    assert record["utterances"]
    assert len(record["behaviors"]) == 6


def test_grpc_serves_the_same_record(up: Up, uploaded: Any) -> None:
    with grpc.insecure_channel(up.grpc) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        record = stub.GetRecord(gateway_pb2.GetRecordRequest(id=uploaded["id"])).record
        listed = stub.ListCalls(gateway_pb2.ListCallsRequest()).calls
    rest = httpx.get(f"{up.http}/v1/calls/{uploaded['id']}/record").json()
    assert [u.speaker for u in record.utterances] == [u["speaker"] for u in rest["utterances"]]
    assert uploaded["id"] in [call.id for call in listed]


def test_an_upload_over_grpc_is_watched_to_its_end(up: Up, sample: Path) -> None:
    def parts() -> Any:
        yield gateway_pb2.UploadCallRequest(
            header=gateway_pb2.UploadHeader(
                options=gateway_pb2.CallOptions(language="en"), metadata={"queue": "mono"}
            )
        )
        with (sample / "mono.wav").open("rb") as audio:
            while chunk := audio.read(1 << 16):
                yield gateway_pb2.UploadCallRequest(chunk=chunk)

    with grpc.insecure_channel(up.grpc) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        call = stub.UploadCall(parts(), timeout=30).call
        changes = [
            update.call
            for update in stub.WatchCall(gateway_pb2.WatchCallRequest(id=call.id), timeout=120)
        ]
    assert changes[-1].status == gateway_pb2.CALL_STATUS_DONE, changes[-1].problem
    done = [change.progress for change in changes]
    assert done == sorted(done)


def test_a_bad_recording_is_refused_the_same_way_on_both_doors(up: Up) -> None:
    rest = httpx.post(f"{up.http}/v1/calls", files={"audio": ("a.wav", b"no audio at all" * 9)})
    assert rest.status_code == 415
    assert rest.headers["content-type"] == "application/problem+json"
    problem = rest.json()
    with grpc.insecure_channel(up.grpc) as channel:
        stub = gateway_pb2_grpc.GatewayStub(channel)
        parts = (
            gateway_pb2.UploadCallRequest(header=gateway_pb2.UploadHeader()),
            gateway_pb2.UploadCallRequest(chunk=b"no audio at all" * 9),
        )
        with pytest.raises(grpc.RpcError) as refused:
            stub.UploadCall(iter(parts))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == problem["detail"]
    assert problem["code"] == "undecodable_audio"
    assert problem["remedy"]


def test_a_calls_trace_has_its_id_and_every_stage(
    up: Up, uploaded: Any, collector: Collector
) -> None:
    trace_id = uploaded["id"].replace("-", "")
    deadline = time.monotonic() + 30  # spans are sent in batches, every few seconds
    while not (spans := {span.name: span for span in collector.of(trace_id)}).get("call"):
        assert time.monotonic() < deadline, f"no root among {sorted(spans)}"
        time.sleep(0.2)
    whole = spans["call"]
    assert whole.parent_span_id == b""
    for stage, rpc in {
        "transcribe": "Transcriber/Transcribe",
        "diarize": "Diarizer/Diarize",
        "score": "Scorer/Score",
    }.items():
        served = spans[f"callscope.v1.{rpc}"]
        assert spans[stage].parent_span_id == whole.span_id
        assert served.parent_span_id == spans[stage].span_id
        assert whole.start_time_unix_nano <= spans[stage].start_time_unix_nano
        assert served.start_time_unix_nano < served.end_time_unix_nano
    record = httpx.get(f"{up.http}/v1/calls/{uploaded['id']}/record").json()
    said = {word["text"] for each in record["utterances"] for word in each["words"]}
    sent = {
        attribute.value.string_value for span in spans.values() for attribute in span.attributes
    }
    assert not said & sent


def test_log_lines_of_a_calls_work_name_its_trace(up: Up, uploaded: Any) -> None:
    lines = [json.loads(line) for line in up.log.read_text().splitlines() if line[:1] == "{"]
    of_call = [line for line in lines if line.get("call_id") == uploaded["id"]]
    assert of_call
    assert {line.get("trace_id") for line in of_call} == {uploaded["id"].replace("-", "")}


def test_metrics_carry_the_contracts_names_and_no_ids(up: Up, uploaded: Any) -> None:
    text = httpx.get(f"{up.metrics}/metrics").text
    for name in (
        "callscope_calls_total",
        "callscope_queue_depth",
        "callscope_stage_seconds",
        "callscope_stage_audio_seconds_total",
        "callscope_inflight",
        "callscope_model_info",
        "grpc_server_handled_total",
    ):
        assert name in text
    for stage in ("transcribe", "diarize", "score"):
        heard = re.search(rf'stage_audio_seconds_total\{{stage="{stage}"\}} (\S+)', text)
        assert heard is not None, stage
        assert float(heard[1]) > uploaded["recording"]["duration"] * 0.9
    assert uploaded["id"] not in text


def test_every_query_of_rules_and_dashboards_answers_once_a_call_was_scraped(
    prometheus: httpx.Client, uploaded: Any
) -> None:
    assert uploaded

    def ask(query: str) -> Any:
        answer = prometheus.get("/api/v1/query", params={"query": query})
        assert answer.status_code == httpx.codes.OK, f"{query}: {answer.text}"
        return answer.json()["data"]["result"]

    deadline = time.monotonic() + 60
    while not ask('callscope_calls_total{outcome="done"} > 0'):
        assert time.monotonic() < deadline, "the services' metrics were not scraped"
        time.sleep(0.5)
    for query in QUERIES:
        ask(query)
    while empty := [query for query in SHOWN if not ask(query)]:
        assert time.monotonic() < deadline, f"nothing to show: {empty}"
        time.sleep(1)
    assert ask('ALERTS{alertstate="firing"}') == []


def test_logs_carry_no_customer_words(up: Up, uploaded: Any) -> None:
    record = httpx.get(f"{up.http}/v1/calls/{uploaded['id']}/record").json()
    log = up.log.read_text()
    spoken = [u["text"] for u in record["utterances"] if len(u["words"]) > 3]
    assert spoken
    assert not [text for text in spoken if text in log]


def test_sigterm_ends_it_and_leaves_no_unfinished_file(up: Up, uploaded: Any) -> None:
    began = time.monotonic()
    assert up.stop() == 0
    assert time.monotonic() - began < 45
    assert not list(up.data.rglob("*.part"))
    assert not list(up.data.rglob("*.tmp"))
    assert uploaded["id"]
