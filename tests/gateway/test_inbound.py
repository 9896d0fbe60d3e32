"""Recordings put into a bucket: each taken in once, however it came to be known."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from minio import Minio
from minio.notificationconfig import NotificationConfig, QueueConfig

from callscope.errors import InvalidInput
from callscope.v1 import gateway_pb2 as pb
from services.gateway import database
from services.gateway.inbound.place import Found, created
from services.gateway.tables import ArrivalRow
from tests.gateway.conftest import (
    BUCKET_TOKEN,
    Up,
    gateway_settings,
    noise,
    running,
)
from tests.gateway.engines import Engines, eventually

HOUR = 3600.0  # the sweep is not what a test waits for


@pytest.fixture
def inbox(bucket: dict[str, str]) -> Iterator[Minio]:
    """An empty bucket named inbox."""
    client = Minio(bucket["s3_endpoint"], "callscope", "callscope-test", secure=False)
    client.make_bucket(bucket_name="inbox")
    yield client
    for item in client.list_objects(bucket_name="inbox", recursive=True):
        client.remove_object(bucket_name="inbox", object_name=str(item.object_name))
    client.remove_bucket(bucket_name="inbox")


def settings_of(bucket: dict[str, str], **values: Any) -> dict[str, Any]:
    s3 = {name: value for name, value in bucket.items() if name != "bucket"}
    return {
        **s3,
        "inbound_bucket": "inbox",
        "inbound_prefix": "in/",
        "inbound_listen": False,
        "inbound_sweep_seconds": HOUR,
        **values,
    }


def put(inbox: Minio, name: str, content: bytes, **metadata: str) -> None:
    inbox.put_object(
        bucket_name="inbox",
        object_name=name,
        data=io.BytesIO(content),
        length=len(content),
        metadata=dict(metadata),
    )


def arrivals(up: Up, **query: Any) -> list[dict[str, Any]]:
    answer = up.http.get("/v1/arrivals", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["arrivals"])


def calls(up: Up) -> list[dict[str, Any]]:
    return list(up.http.get("/v1/calls").json()["calls"])


def settled(up: Up, count: int) -> list[dict[str, Any]]:
    """The arrivals, once there are so many and none is waiting; oldest first."""

    def over() -> bool:
        known = arrivals(up)
        return len(known) == count and all(each["state"] != "pending" for each in known)

    eventually(over, 20)
    return arrivals(up)[::-1]


def notify(up: Up, name: str, etag: str, token: str = BUCKET_TOKEN) -> Any:
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "inbox"}, "object": {"key": name, "eTag": etag}},
    }
    return up.http.post(
        "/v1/bucket-events",
        json={"Records": [record]},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_what_lies_in_the_bucket_at_the_start_is_taken_in_with_its_facts(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    audio = noise()
    put(inbox, "in/billing/a-17_20260131T093000Z.wav", audio, **{"customer-id": "c-9"})
    put(
        inbox,
        "in/billing/a-17_20260131T093000Z.json",
        b'{"queue": "sales", "agent_channel": 1, "started_at": "noon"}',
    )
    put(inbox, "elsewhere/x.wav", noise())
    put(inbox, "in/notes.txt", b"no recording")
    pattern = r"in/(?P<queue>[^/]+)/(?P<agent>[^_]+)_(?P<started_at>[^.]+)\.wav"
    up = start(**settings_of(bucket, name_pattern=pattern))
    (arrival,) = settled(up, 1)
    assert arrival["state"] == "taken"
    call = up.finished(arrival["call_id"])
    assert call["recording"]["metadata"] == {
        "customer_id": "c-9",
        "queue": "sales",
        "agent": "a-17",
    }
    assert call["recording"]["started_at"] == "2026-01-31T09:30:00+00:00"
    assert [(note["source"], note["fact"]) for note in call["notes"]] == [("sidecar", "started_at")]
    assert up.http.get(f"/v1/calls/{call['id']}/audio").content == audio
    assert [each["id"] for each in calls(up)] == [call["id"]]


def test_a_vcon_and_a_transcript_in_the_bucket_are_calls(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    said = [
        {"type": "text", "parties": [at], "body": body, "encoding": "none"}
        for at, body in enumerate(("Hello.", "My card is lost."))
    ]
    vcon = {"vcon": "0.4.0", "parties": [{"role": "agent"}, {"role": "customer"}], "dialog": said}
    put(inbox, "in/a.vcon", json.dumps(vcon).encode())
    put(inbox, "in/b.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>Hi.</v>\n", queue="q-7")
    put(inbox, "in/c.vcon", b"{}")
    up = start(**settings_of(bucket, inbound_suffixes=".vcon,.vtt"))
    found = {each["name"]: each for each in settled(up, 3)}
    assert found["in/c.vcon"]["state"] == "refused"
    assert "no vCon" in found["in/c.vcon"]["problem"]["message"]
    for name, roles in (("in/a.vcon", ["agent", "customer"]), ("in/b.vtt", ["agent"])):
        call = up.finished(found[name]["call_id"])
        assert call["status"] == "done"
        record = up.http.get(f"/v1/calls/{call['id']}/record").json()
        assert [each["role"] for each in record["utterances"]] == roles
    assert call["recording"]["metadata"] == {"queue": "q-7"}


def test_a_notification_by_webhook_takes_an_object_in(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio, notified_port: int
) -> None:
    up = start(**settings_of(bucket, http_port=notified_port, inbound_token=BUCKET_TOKEN))
    config = QueueConfig(
        queue="arn:minio:sqs::PRIMARY:webhook",
        events=["s3:ObjectCreated:*"],
        config_id="callscope",
        prefix_filter_rule=None,
    )
    inbox.set_bucket_notification(
        bucket_name="inbox", config=NotificationConfig(queue_config_list=[config])
    )
    put(inbox, "in/Jürgen & co+1.wav", noise())
    (arrival,) = settled(up, 1)
    assert (arrival["name"], arrival["state"]) == ("in/Jürgen & co+1.wav", "taken")


def test_listening_to_the_bucket_takes_an_object_in_and_ends_with_the_gateway(
    engines: Engines, bucket: dict[str, str], inbox: Minio, tmp_path: Path
) -> None:
    settings = gateway_settings(
        tmp_path / "data", engines, **settings_of(bucket, inbound_listen=True)
    )
    with running(settings, engines) as up:
        count = 0

        def heard() -> bool:
            # The line may not stand yet; what is put before it does is not heard of.
            nonlocal count
            count += 1
            put(inbox, f"in/{count}.wav", noise(0.1))
            return any(each["state"] == "taken" for each in arrivals(up))

        eventually(heard, 20)


def test_the_same_object_is_one_call_however_often_it_is_named(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    put(inbox, "in/a.wav", noise())
    up = start(**settings_of(bucket, inbound_token=BUCKET_TOKEN, inbound_sweep_seconds=0.1))
    (arrival,) = settled(up, 1)
    for _ in range(3):
        assert notify(up, "in/a.wav", arrival["version"]).status_code == 204
    put(inbox, "in/b.wav", noise())
    settled(up, 2)
    assert len(calls(up)) == 2


def test_what_arrived_while_the_gateway_was_down_is_taken_in_once(
    engines: Engines, bucket: dict[str, str], inbox: Minio, tmp_path: Path
) -> None:
    settings = gateway_settings(tmp_path / "data", engines, **settings_of(bucket))
    put(inbox, "in/before.wav", noise())
    with running(settings, engines) as up:
        settled(up, 1)
    put(inbox, "in/meanwhile.wav", noise())
    with running(settings, engines) as up:
        assert [each["name"] for each in settled(up, 2)] == ["in/before.wav", "in/meanwhile.wav"]
        assert len(calls(up)) == 2


def test_an_object_that_was_taken_in_a_moment_before_the_end_is_not_taken_in_again(
    engines: Engines, bucket: dict[str, str], inbox: Minio, tmp_path: Path
) -> None:
    settings = gateway_settings(tmp_path / "data", engines, **settings_of(bucket))
    put(inbox, "in/a.wav", noise())
    with running(settings, engines) as up:
        (arrival,) = settled(up, 1)
    _forget_that_it_was_taken(settings.database_urls()[0])
    put(inbox, "in/a.json", b'{"agent": "known only now"}')
    with running(settings, engines) as up:
        (again,) = settled(up, 1)
        assert (again["state"], again["call_id"]) == ("taken", arrival["call_id"])
        assert len(calls(up)) == 1


def _forget_that_it_was_taken(url: str) -> None:
    engine = database.connect(url)
    with engine.begin() as connection:
        connection.execute(
            sa.update(ArrivalRow).values(
                state="pending", call_id=None, due_at=datetime(2026, 1, 1, tzinfo=UTC)
            )
        )
    engine.dispose()


def test_what_cannot_be_taken_in_is_refused_with_its_reason_and_retried_on_demand(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    put(inbox, "in/bad.wav", b"This is no recording.\n" * 40)
    put(inbox, "in/other.wav", noise())
    put(inbox, "in/other.json", b'{"rubric": "nobodys"}')
    up = start(**settings_of(bucket))
    settled(up, 2)
    refused = {each["name"]: each for each in arrivals(up, state="refused")}
    assert refused["in/bad.wav"]["problem"]["code"] == "undecodable_audio"
    other = refused["in/other.wav"]
    assert other["problem"]["code"] == "rubric_not_found"
    put(inbox, "in/other.json", b"{}")
    assert up.http.post(f"/v1/arrivals/{other['id']}/retry").status_code == 202
    eventually(lambda: len(arrivals(up, state="taken")) == 1)
    listed = up.grpc.ListArrivals(pb.ListArrivalsRequest(state=pb.ARRIVAL_STATE_REFUSED)).arrivals
    assert [(each.name, each.problem.code) for each in listed] == [
        ("in/bad.wav", "undecodable_audio")
    ]
    retried = up.grpc.RetryArrival(pb.RetryArrivalRequest(id=listed[0].id)).arrival
    assert retried.state == pb.ARRIVAL_STATE_PENDING
    again = up.http.post(f"/v1/arrivals/{other['id']}/retry")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


def test_a_recording_waits_for_its_sidecar_where_it_must_have_one(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    put(inbox, "in/a.wav", noise())
    up = start(
        **settings_of(
            bucket, inbound_sidecar="required", inbound_token=BUCKET_TOKEN, retry_seconds=60
        )
    )
    eventually(lambda: bool(arrivals(up)) and arrivals(up)[0]["attempts"] == 1)
    assert calls(up) == []
    put(inbox, "in/a.wav.json", b'{"agent": "a-17"}')
    notify(up, "in/a.wav.json", "whatever")
    settled(up, 1)
    (call,) = calls(up)
    assert call["recording"]["metadata"] == {"agent": "a-17"}


def test_an_object_that_is_gone_or_replaced_is_not_waited_for(
    start: Callable[..., Up], bucket: dict[str, str], inbox: Minio
) -> None:
    up = start(**settings_of(bucket, inbound_token=BUCKET_TOKEN))
    notify(up, "in/never.wav", "ab" * 16)
    put(inbox, "in/new.wav", noise())
    notify(up, "in/new.wav", "cd" * 16)
    states = {each["state"] for each in settled(up, 3)}
    assert states == {"gone", "taken"}
    assert len(calls(up)) == 1


@pytest.mark.usefixtures("inbox")
@pytest.mark.parametrize(
    ("token", "sent"), [("right", "wrong"), ("right", "right2"), (None, "None")]
)
def test_a_notification_without_the_token_is_refused(
    start: Callable[..., Up], bucket: dict[str, str], token: str | None, sent: str
) -> None:
    up = start(**settings_of(bucket, inbound_token=token))
    answer = notify(up, "in/a.wav", "ab" * 16, sent)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert arrivals(up) == []


def test_a_gateway_without_an_inbound_bucket_says_so(up: Up) -> None:
    answer = notify(up, "in/a.wav", "ab" * 16)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": "no"},
        {"Records": [{}]},
        {"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": None}]},
        {"Records": [{"eventName": "x", "s3": {"bucket": {"name": "inbox"}, "object": {}}}]},
    ],
)
def test_what_is_no_bucket_event_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="bucket event"):
        list(created(event, "inbox"))


def test_events_of_other_kinds_and_buckets_are_passed_over() -> None:
    def record(kind: str, bucket: str, key: str) -> dict[str, Any]:
        item = {"key": key, "eTag": "e"}
        return {"eventName": kind, "s3": {"bucket": {"name": bucket}, "object": item}}

    event = {
        "Records": [
            record("s3:ObjectRemoved:Delete", "inbox", "a.wav"),
            record("s3:ObjectCreated:Put", "other", "b.wav"),
            record("ObjectCreated:CompleteMultipartUpload", "inbox", "c+d%2Fe.wav"),
            record("s3:ObjectCreated:Put", "inbox", "x" * 1025),
        ]
    }
    assert list(created(json.loads(json.dumps(event)), "inbox")) == [Found("c d/e.wav", "e")]
