"""Webhooks: what is told, to whom, how it is signed, and how patiently it is sent."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from callscope.errors import UndecodableAudio
from callscope.v1 import gateway_pb2 as pb
from services.gateway import database
from services.gateway.tables import DeliveryRow, WebhookRow
from tests.gateway.conftest import Up, free_port, gateway_settings, noise, running, send
from tests.gateway.counts import Change
from tests.gateway.engines import Engines, Flaky, eventually
from tests.gateway.processes import GatewayProcess
from tests.gateway.receivers import Receiver, receiving

OPEN: dict[str, Any] = {
    "webhook_networks": ("127.0.0.0/8", "::1/128"),
    "webhook_timeout": 0.5,
    "webhook_retry_seconds": 0.05,
    "webhook_attempts": 4,
    "public_url": "https://calls.example.com",
}


SETTINGS = {
    name: ",".join(value) if isinstance(value, tuple) else value for name, value in OPEN.items()
}
"""The same as the environment says it."""


@pytest.fixture(scope="module")
def telling_up(all_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    settings = gateway_settings(tmp_path_factory.mktemp("telling") / "data", all_engines, **OPEN)
    with running(settings, all_engines) as up:
        yield up


@pytest.fixture
def up(telling_up: Up, engines: Engines) -> Iterator[Up]:
    """The gateway that these tests share, without the webhooks of others."""
    assert telling_up.engines is engines
    yield telling_up
    for webhook in telling_up.http.get("/v1/webhooks").json()["webhooks"]:
        telling_up.http.delete(f"/v1/webhooks/{webhook['id']}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def hook(up: Up, receiver: Receiver, **body: Any) -> dict[str, Any]:
    answer = up.http.post("/v1/webhooks", json={"url": receiver.url, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def deliveries(up: Up, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = up.http.get(f"/v1/webhooks/{webhook['id']}/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["deliveries"])


def settled(up: Up, webhook: dict[str, Any]) -> dict[str, Any]:
    """The newest delivery, once nothing more will be tried."""

    def over() -> bool:
        known = deliveries(up, webhook)
        return bool(known) and known[0]["state"] != "pending"

    eventually(over)
    return deliveries(up, webhook)[0]


def test_a_finished_call_is_told_once_signed_and_without_words(up: Up, receiver: Receiver) -> None:
    webhook = hook(up, receiver)
    answer = up.upload(noise(), external_id="pbx-1", metadata='{"customer": "Ada Lovelace"}')
    call_id = answer.json()["id"]
    eventually(lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    event = Verifier(webhook["secret"]).verify(body, headers)
    assert event == {
        "specversion": "1.0",
        "id": headers["webhook-id"],
        "source": "https://calls.example.com",
        "type": "callscope.call.done",
        "time": event["time"],
        "datacontenttype": "application/json",
        "subject": call_id,
        "data": {
            "call_id": call_id,
            "external_id": "pbx-1",
            "status": "done",
            "links": {
                "call": f"https://calls.example.com/v1/calls/{call_id}",
                "record": f"https://calls.example.com/v1/calls/{call_id}/record",
                "transcript": f"https://calls.example.com/v1/calls/{call_id}/transcript",
            },
        },
    }
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert settled(up, webhook)["state"] == "delivered"
    assert len(receiver.got) == 1


def test_a_new_version_of_a_record_is_told_and_the_same_record_is_not(
    up: Up, receiver: Receiver
) -> None:
    call_id = send(up)
    up.finished(call_id)
    hook(up, receiver, events=["callscope.call.rescored"])
    for rubric in ("general", "sales"):  # by the same rubric, the record is the same
        placed = up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": rubric}).json()
        order = f"/v1/rescorings/{placed['id']}"
        eventually(lambda order=order: up.http.get(order).json()["status"] == "done")  # type: ignore[misc]
    eventually(lambda: len(receiver.got) == 1)
    data = json.loads(receiver.got[0][1])["data"]
    assert (data["call_id"], data["status"], data["record_version"]) == (call_id, "rescored", 2)
    assert data["links"]["record"].endswith(f"{call_id}/record")


def test_a_call_that_was_sent_as_text_is_told_like_any(up: Up, receiver: Receiver) -> None:
    hook(up, receiver)
    said = {"utterances": [{"speaker": "a", "text": "Hello, and told."}]}
    call_id = up.http.post("/v1/calls", json={"transcript": said}).json()["id"]
    eventually(lambda: len(receiver.got) == 1)
    event = json.loads(receiver.got[0][1])
    assert (event["type"], event["subject"]) == ("callscope.call.done", call_id)
    assert b"Hello" not in receiver.got[0][1]


def test_a_signature_does_not_fit_another_body_or_secret(up: Up, receiver: Receiver) -> None:
    webhook = hook(up, receiver)
    send(up)
    eventually(lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    for secret, content in ((webhook["secret"], body + b" "), ("whsec_" + "A" * 43 + "=", body)):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(content, headers)


def test_a_failed_and_an_erased_call_are_told_to_who_asked(
    up: Up, receiver: Receiver, engines: Engines
) -> None:
    hook(up, receiver, events=["callscope.call.failed", "callscope.call.erased"])
    up.finished(send(up))
    engines.behaviors["transcribe"] = Flaky(UndecodableAudio("damaged"))
    call_id = send(up)
    eventually(lambda: len(receiver.got) == 1)
    failed = json.loads(receiver.got[0][1])
    assert failed["type"] == "callscope.call.failed"
    assert failed["data"]["problem"] == "undecodable_audio"
    up.http.delete(f"/v1/calls/{call_id}")
    eventually(lambda: len(receiver.got) == 2)
    erased = json.loads(receiver.got[1][1])
    assert (erased["subject"], erased["data"]["status"]) == (call_id, "erased")
    assert "links" not in erased["data"]


def test_a_receiver_that_fails_gets_the_same_event_again_until_it_takes_it(
    up: Up, receiver: Receiver
) -> None:
    webhook = hook(up, receiver)
    receiver.statuses = [500, 503]
    send(up)
    delivery = settled(up, webhook)
    assert delivery["state"] == "delivered"
    assert [each["status"] for each in delivery["attempts"]] == [500, 503, 204]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert up.http.get(f"/v1/webhooks/{webhook['id']}").json()["failures"] == 0


def test_a_receiver_that_never_takes_it_is_given_up_and_retried_on_demand(
    up: Up, receiver: Receiver
) -> None:
    given_up = Change("callscope_webhook_deliveries_total", outcome="given_up")
    failed = Change("callscope_webhook_attempts_total", outcome="failed")
    webhook = hook(up, receiver)
    receiver.statuses = [500] * 4
    send(up)
    delivery = settled(up, webhook)
    assert delivery["state"] == "failed"
    assert (failed(), given_up()) == (4, 1)
    assert len(delivery["attempts"]) == 4
    assert delivery["due_at"] is None
    path = f"/v1/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry"
    assert up.http.post(path).status_code == 202
    eventually(lambda: deliveries(up, webhook)[0]["state"] == "delivered")


def test_a_slow_receiver_is_cut_off_and_holds_up_nobody_else(up: Up, receiver: Receiver) -> None:
    receiver.delay = 3.0
    slow = hook(up, receiver)
    with receiving() as quick:
        hook(up, quick)
        for _ in range(6):
            up.finished(send(up))
        eventually(lambda: len(quick.got) == 6, 4)
    first = deliveries(up, slow)[-1]["attempts"]
    assert first[0]["error"] == "no answer in time"
    assert first[0]["seconds"] < 1.5


def test_a_receiver_that_comes_back_gets_what_it_missed(up: Up) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook"
    webhook = up.http.post("/v1/webhooks", json={"url": url}).json()
    calls = {send(up) for _ in range(3)}
    eventually(lambda: len(deliveries(up, webhook)) == 3)
    eventually(lambda: any(each["attempts"] for each in deliveries(up, webhook)))
    with receiving(port) as receiver:
        eventually(lambda: len(receiver.got) >= 3, 20)
        assert {json.loads(body)["subject"] for _, body in receiver.got} == calls
        states = {each["state"] for each in deliveries(up, webhook)}
        eventually(lambda: states <= {"delivered", "pending"})


def test_while_a_secret_rotates_both_sign(up: Up, receiver: Receiver) -> None:
    webhook = hook(up, receiver)
    rotated = up.http.post(f"/v1/webhooks/{webhook['id']}/rotate", json={"overlap_hours": 1})
    ping = f"/v1/webhooks/{webhook['id']}/ping"
    assert up.http.post(ping).status_code == 202
    eventually(lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    for secret in (webhook["secret"], rotated.json()["secret"]):
        assert Verifier(secret).verify(body, headers)["type"] == "callscope.ping"
    last = up.http.post(f"/v1/webhooks/{webhook['id']}/rotate", json={"overlap_hours": 0}).json()
    assert up.http.post(ping).status_code == 202
    eventually(lambda: len(receiver.got) == 2)
    headers, body = receiver.got[1]
    Verifier(last["secret"]).verify(body, headers)
    for secret in (webhook["secret"], rotated.json()["secret"]):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(body, headers)


def test_a_receiver_that_is_gone_for_good_is_told_nothing_more(up: Up, receiver: Receiver) -> None:
    webhook = hook(up, receiver)
    receiver.statuses = [410]
    send(up)
    eventually(lambda: not up.http.get(f"/v1/webhooks/{webhook['id']}").json()["active"])
    up.finished(send(up))
    assert len(deliveries(up, webhook)) == 1
    assert up.http.patch(f"/v1/webhooks/{webhook['id']}", json={"active": True}).json()["active"]
    eventually(lambda: deliveries(up, webhook)[0]["state"] == "delivered")


def test_grpc_offers_the_same(up: Up, receiver: Receiver) -> None:
    made = up.grpc.CreateWebhook(pb.CreateWebhookRequest(url=receiver.url))
    webhook_id = made.webhook.id
    assert len(made.webhook.events) == 4
    assert [each.id for each in up.grpc.ListWebhooks(pb.ListWebhooksRequest()).webhooks] == [
        webhook_id
    ]
    secret = up.grpc.RotateWebhookSecret(pb.RotateWebhookSecretRequest(id=webhook_id)).secret
    up.grpc.PingWebhook(pb.PingWebhookRequest(id=webhook_id))
    eventually(lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    for key in (made.secret, secret):
        Verifier(key).verify(body, headers)
    listing = pb.ListDeliveriesRequest(webhook_id=webhook_id, state=pb.DELIVERY_STATE_DELIVERED)
    eventually(lambda: len(up.grpc.ListDeliveries(listing).deliveries) == 1)
    (delivery,) = up.grpc.ListDeliveries(listing).deliveries
    assert delivery.attempts[0].status == 204
    assert delivery.event_id == headers["webhook-id"]
    retry = pb.RetryDeliveryRequest(webhook_id=webhook_id, delivery_id=delivery.id)
    assert up.grpc.RetryDelivery(retry).delivery.state == pb.DELIVERY_STATE_PENDING
    eventually(lambda: len(receiver.got) == 2)
    change = pb.UpdateWebhookRequest(id=webhook_id, active=False)
    assert not up.grpc.UpdateWebhook(change).webhook.active
    assert not up.grpc.GetWebhook(pb.GetWebhookRequest(id=webhook_id)).webhook.active
    up.grpc.DeleteWebhook(pb.DeleteWebhookRequest(id=webhook_id))
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.GetWebhook(pb.GetWebhookRequest(id=webhook_id))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_secret_is_shown_once(up: Up, receiver: Receiver) -> None:
    secret = hook(up, receiver)["secret"]
    assert secret not in up.http.get("/v1/webhooks").text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "https://10.0.0.1/x"}, 403, "forbidden_uri"),
        ({"url": "http://8.8.8.8/x"}, 403, "forbidden_uri"),
        ({"url": "ftp://example.com"}, 400, "invalid_input"),
        ({"url": "http://127.0.0.1:1/", "events": ["callscope.ping"]}, 400, "invalid_input"),
        ({"url": "http://127.0.0.1:1/", "events": []}, 400, "invalid_input"),
        ({"url": "http://127.0.0.1:1/", "events": ["call.done"]}, 400, "invalid_input"),
        ({}, 400, "invalid_input"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(
    up: Up, body: dict[str, Any], status: int, code: str
) -> None:
    answer = up.http.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert up.http.get("/v1/webhooks").json()["webhooks"] == []


def test_a_webhook_that_is_not_there_is_not_found(up: Up, receiver: Receiver) -> None:
    webhook = hook(up, receiver)
    assert up.http.delete(f"/v1/webhooks/{webhook['id']}").status_code == 204
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/ping"),
        ("GET", "/deliveries"),
        ("POST", f"/deliveries/{webhook['id']}/retry"),
    ):
        body: Any = {} if method == "PATCH" else None
        answer = up.http.request(method, f"/v1/webhooks/{webhook['id']}{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (method, path)


def test_an_event_survives_kill_9_between_the_record_and_its_delivery(
    engines: Engines, tmp_path: Path
) -> None:
    port = free_port()
    gateway = GatewayProcess(tmp_path / "data", engines.targets, **SETTINGS)
    gateway.start()
    try:
        # Nobody answers there yet.
        url = f"http://127.0.0.1:{port}/hook"
        webhook = gateway.client.post("/v1/webhooks", json={"url": url}).json()
        files = {"audio": ("a.wav", noise())}
        call_id = gateway.client.post("/v1/calls", files=files).json()["id"]
        call = f"/v1/calls/{call_id}"
        eventually(lambda: gateway.client.get(call).json()["status"] == "done")
        gateway.end(signal.SIGKILL)
        # As if the lease of what was being sent had just run out.
        engine = database.connect(f"sqlite:///{tmp_path}/data/callscope.db")
        with engine.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(sa.update(DeliveryRow).values(due_at=past))
            connection.execute(sa.update(WebhookRow).values(paused_until=None))
        engine.dispose()
        with receiving(port) as receiver:
            gateway.start()
            eventually(lambda: len(receiver.got) == 1, 20)
            headers, body = receiver.got[0]
    finally:
        gateway.end(signal.SIGKILL)
        gateway.client.close()
    event = Verifier(webhook["secret"]).verify(body, headers)
    assert (event["type"], event["subject"]) == ("callscope.call.done", call_id)
