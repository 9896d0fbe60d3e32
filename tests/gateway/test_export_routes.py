"""Exports over REST and gRPC: what was made in a stretch of time, once, and whole."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import pyarrow.parquet as pq
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, gateway_settings, noise, running
from tests.gateway.engines import Engines


@pytest.fixture(scope="module")
def up(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    settings = gateway_settings(tmp_path_factory.mktemp("exports") / "data", all_engines)
    with running(settings, all_engines) as up:
        yield up


@pytest.fixture(scope="module")
def calls(up: Up) -> list[tuple[str, datetime]]:
    """Calls, and a moment when each was finished and the next not begun."""
    made = []
    for number in range(3):
        answer = up.upload(noise(0.2), external_id=f"pbx-{number}", metadata='{"agent": "ä"}')
        up.finished(answer.json()["id"])
        made.append((answer.json()["id"], datetime.now(UTC)))
    return made


def over_rest(up: Up, form: str, **query: str) -> bytes:
    answer = up.http.get("/v1/exports", params={"format": form, **query})
    assert answer.status_code == 200, answer.text
    assert form in answer.headers["content-disposition"]
    return answer.content


def over_grpc(up: Up, form: str, **times: str) -> bytes:
    request = pb.ExportRecordsRequest(format=getattr(pb, f"EXPORT_FORMAT_{form.upper()}"))
    for name, text in times.items():
        stamp = Timestamp()
        stamp.FromDatetime(datetime.fromisoformat(text))
        getattr(request, name).CopyFrom(stamp)
    return b"".join(piece.chunk for piece in up.grpc.ExportRecords(request))


Export = Callable[..., bytes]
EITHER = pytest.mark.parametrize("export", [over_rest, over_grpc])


@EITHER
def test_each_form_has_every_call(
    up: Up, calls: list[tuple[str, datetime]], export: Export
) -> None:
    ids = [call_id for call_id, _ in calls]
    lines = [json.loads(line) for line in export(up, "jsonl").splitlines()]
    assert [line["call_id"] for line in lines] == ids
    assert [line["external_id"] for line in lines] == ["pbx-0", "pbx-1", "pbx-2"]
    assert lines[0]["record"] == up.http.get(f"/v1/calls/{ids[0]}/record").json()
    table = list(csv.DictReader(io.StringIO(export(up, "csv").decode())))
    assert [row["call_id"] for row in table] == ids
    assert {row["agent"] for row in table} == {"ä"}
    parquet = pq.read_table(io.BytesIO(export(up, "parquet"))).to_pylist()
    assert [row["call_id"] for row in parquet] == ids


@EITHER
def test_stretches_of_time_that_touch_have_each_record_once(
    up: Up, calls: list[tuple[str, datetime]], export: Export
) -> None:
    bounds = [
        "2020-01-01T00:00:00+00:00",
        *(moment.isoformat() for _, moment in calls),
    ]
    found = []
    for since, until in itertools.pairwise(bounds):
        lines = export(up, "jsonl", **{"from": since, "to": until}).splitlines()
        found.append([json.loads(line)["call_id"] for line in lines])
    assert found == [[call_id] for call_id, _ in calls]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert export(up, "jsonl", **{"from": tomorrow}) == b""


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xml"},
        {"from": "yesterday"},
        {"from": "2026-01-31T00:00:00"},
        {"from": "2026-02-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"},
    ],
)
def test_an_export_that_cannot_be_is_refused_before_it_begins(
    up: Up, query: dict[str, Any]
) -> None:
    answer: httpx.Response = up.http.get("/v1/exports", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input"), answer.text


def test_a_form_that_is_none_is_refused_over_grpc(up: Up) -> None:
    unknown: Any = 9
    with pytest.raises(grpc.RpcError) as refused:
        list(up.grpc.ExportRecords(pb.ExportRecordsRequest(format=unknown)))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
