"""Conversations sent as text, and vCons, are calls like any other: through every door."""

import base64
import hashlib
import json
from typing import Any

import grpc
import httpx
import pytest

from callscope.errors import Unavailable
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import types_pb2
from tests.gateway.conftest import Up, noise
from tests.gateway.engines import Engines, Flaky

_count = iter(range(10_000))


def chat(**fields: Any) -> dict[str, Any]:
    """Another one each time."""
    return {
        "participants": [
            {"speaker": "lea", "role": "agent", "bot": True},
            {"speaker": "visitor", "role": "customer"},
        ],
        "utterances": [
            {"speaker": "visitor", "text": f"Parcel {next(_count)} never arrived."},
            {"speaker": "lea", "text": "I'm sorry about that."},
        ],
        **fields,
    }


def vcon(*dialogs: dict[str, Any]) -> dict[str, Any]:
    number = next(_count)
    return {
        "vcon": "0.4.0",
        "uuid": f"01980a4e-2f7c-8c7d-9d52-{number:012x}",
        "parties": [{"role": "agent", "name": "anna"}, {"role": "customer"}],
        "dialog": list(dialogs),
    }


def message(author: int, body: str) -> dict[str, Any]:
    start = "2026-01-31T09:30:00Z"
    return {"type": "text", "start": start, "parties": [author], "body": body, "encoding": "none"}


def recording(**fields: Any) -> dict[str, Any]:
    return {"type": "recording", "start": "2026-01-31T09:30:00Z", "parties": [0, 1], **fields}


def inline(audio: bytes, **fields: Any) -> dict[str, Any]:
    body = base64.urlsafe_b64encode(audio).decode()
    return recording(body=body, encoding="base64url", **fields)


def post(up: Up, **body: Any) -> httpx.Response:
    return up.http.post("/v1/calls", json=body)


def done(up: Up, answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    call_id: str = answer.json()["id"]
    assert up.finished(call_id)["status"] == "done"
    return call_id


def test_a_chat_becomes_a_record_without_anything_being_listened_to(
    up: Up, engines: Engines
) -> None:
    answer = post(up, transcript=chat(language="en"), metadata={"queue": "chat-17"})
    call_id = done(up, answer)
    described = answer.json()["recording"]
    nothing = ("uri", "duration", "sample_rate", "channels", "codec")
    assert [described[name] for name in nothing] == [None] * 5
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    assert record["layout"] == "none"
    assert record["language"] == "en"
    assert record["metrics"]["timing"] == "none"
    assert record["metrics"]["silence"] is None
    assert [(each["role"], each["start"]) for each in record["utterances"]] == [
        ("customer", None),
        ("agent", None),
    ]
    assert [each["bot"] for each in record["participants"]] == [True, None]
    assert [each["stage"] for each in record["provenance"]["models"]] == ["score"]
    assert dict(engines.begun) == {"score": 1}


def test_a_text_is_listed_searched_exported_and_erased_like_a_call(up: Up) -> None:
    said = chat()
    call_id = done(up, post(up, transcript=said, metadata={"queue": "chat-18"}))
    listed = up.http.get("/v1/calls", params={"queue": "chat-18"}).json()["calls"]
    assert [each["id"] for each in listed] == [call_id]
    words = said["utterances"][0]["text"].rstrip(".")
    found = up.http.get("/v1/calls", params={"text": f'"{words}"'}).json()["calls"]
    assert call_id in [each["id"] for each in found]
    whole = {"from": "2000-01-01T00:00:00Z", "to": "2999-01-01T00:00:00Z"}
    for form in ("jsonl", "csv", "parquet"):
        export = up.http.get("/v1/exports", params={"format": form, **whole})
        assert export.is_success, export.text
        assert call_id.encode() in export.content
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    assert up.http.get(f"/v1/calls/{call_id}").status_code == 404


def test_the_transcript_of_a_text_is_given_in_the_forms_that_need_no_times(up: Up) -> None:
    call_id = done(up, post(up, transcript=chat()))
    path = f"/v1/calls/{call_id}/transcript"
    plain = up.http.get(path, params={"format": "txt"}).text
    assert "Agent: I'm sorry about that." in plain
    assert "[" not in plain
    assert up.http.get(path).json()["utterances"][0]["words"][0]["start"] is None
    for form in ("vtt", "srt"):
        answer = up.http.get(path, params={"format": form})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
        assert "txt" in answer.json()["remedy"]


def test_a_text_has_no_recording_to_hear(up: Up) -> None:
    call_id = done(up, post(up, transcript=chat()))
    for path, params in (("audio", {}), ("clip", {"start": 0, "end": 1})):
        answer = up.http.get(f"/v1/calls/{call_id}/{path}", params=params)
        assert (answer.status_code, answer.json()["code"]) == (404, "audio_not_found")
        assert "sent as text" in answer.json()["detail"]
    with pytest.raises(grpc.RpcError) as caught:
        up.grpc.GetClip(pb.GetClipRequest(id=call_id, start=0, end=1))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    again = up.http.post(f"/v1/calls/{call_id}/rescore", json={"source": "audio"})
    assert (again.status_code, again.json()["code"]) == (404, "audio_not_found")


def test_a_text_is_judged_again_from_what_was_said(up: Up) -> None:
    call_id = done(up, post(up, transcript=chat()))
    order = up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "sales"}).json()
    while order["status"] == "running":
        order = up.http.get(f"/v1/rescorings/{order['id']}").json()
    assert (order["done"], order["failed"]) == (1, 0)
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    assert record["provenance"]["rubric"]["id"] == "sales"
    assert up.http.get(f"/v1/calls/{call_id}/diff").is_success


def test_the_same_text_is_the_same_call_and_a_key_is_for_one(up: Up) -> None:
    said = chat()
    first = done(up, post(up, transcript=said))
    assert post(up, transcript=said).json()["id"] == first
    other = post(up, transcript=said, metadata={"queue": "other"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    key = {"Idempotency-Key": "chat-1"}
    one = up.http.post("/v1/calls", json={"transcript": chat()}, headers=key)
    two = up.http.post("/v1/calls", json={"transcript": chat()}, headers=key)
    assert (one.status_code, two.status_code) == (202, 409)


def test_captions_and_plain_text_are_taken_in(up: Up) -> None:
    bodies = {
        "text/vtt": f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Agent>Hello {next(_count)}.</v>\n",
        "application/x-subrip": f"1\n00:00:01,000 --> 00:00:02,000\nAgent: Hi {next(_count)}.\n",
        "text/plain; charset=utf-8": f"Agent: Hello {next(_count)}.\nCustomer: Hi.\n",
    }
    for media_type, content in bodies.items():
        header = {"content-type": media_type}
        answer = up.http.post("/v1/calls?rubric=sales", content=content.encode(), headers=header)
        record = up.http.get(f"/v1/calls/{done(up, answer)}/record").json()
        assert record["utterances"][0]["role"] == "agent"
        assert record["provenance"]["rubric"]["id"] == "sales"


def test_a_transcript_with_times_makes_captions(up: Up) -> None:
    said = chat()
    for at, each in enumerate(said["utterances"]):
        each |= {"start": at * 5.0, "end": at * 5.0 + 4}
    answer = post(up, transcript=said)
    assert answer.json()["recording"]["duration"] == 9.0
    captions = up.http.get(f"/v1/calls/{done(up, answer)}/transcript", params={"format": "vtt"})
    assert "00:00:05.000 --> 00:00:09.000" in captions.text


def test_timed_words_keep_their_times_on_both_ways_in(up: Up) -> None:
    said = f"Hello {next(_count)}."
    words = [
        {"text": word, "start": 2.0 + i, "end": 2.5 + i} for i, word in enumerate(said.split())
    ]
    utterance = {"speaker": "a", "text": said, "words": words}
    people = [{"speaker": "a", "role": "agent"}]
    call_id = done(up, post(up, transcript={"participants": people, "utterances": [utterance]}))
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    assert record["metrics"]["timing"] == "words"
    assert [word["start"] for word in record["utterances"][0]["words"]] == [2.0, 3.0]
    text = types_pb2.TextConversation(
        participants=[{"speaker": "a", "role": types_pb2.ROLE_AGENT}], utterances=[utterance]
    )
    same = up.grpc.SubmitCall(pb.SubmitCallRequest(transcript=text))
    assert same.call.id == call_id


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "no uri"),
        ({"uri": "s3://a/b", "transcript": {}}, "uri and transcript"),
        ({"transcript": {"utterances": []}}, "no utterance"),
        ({"transcript": "Agent: Hi."}, "transcript"),
        ({"transcript": chat(), "agent_channel": 0}, "agent_channel"),
        ({"transcript": chat(), "hotwords": ["x"]}, "hotwords"),
        ({"transcript": chat(), "colour": "red"}, "colour"),
        ({"vcon": {"ciphertext": ""}}, "encrypted"),
        ({"vcon": 4}, "no JSON object"),
    ],
)
def test_what_is_no_conversation_is_refused_and_leaves_nothing(
    up: Up, body: dict[str, Any], problem: str
) -> None:
    before = up.http.get("/v1/calls").json()
    answer = up.http.post("/v1/calls", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert problem in answer.json()["detail"]
    assert answer.json()["remedy"]
    assert up.http.get("/v1/calls").json() == before


def test_grpc_takes_the_same(up: Up) -> None:
    text = types_pb2.TextConversation(
        participants=[{"speaker": "a", "role": types_pb2.ROLE_AGENT}],
        utterances=[{"speaker": "a", "text": f"Hello {next(_count)}."}],
    )
    sent = up.grpc.SubmitCall(pb.SubmitCallRequest(transcript=text, metadata={"agent": "a-17"}))
    assert not sent.call.recording.HasField("codec")
    assert up.finished(sent.call.id)["status"] == "done"
    record = up.grpc.GetRecord(pb.GetRecordRequest(id=sent.call.id)).record
    assert record.metrics.timing == types_pb2.TIMING_NONE
    assert not record.utterances[0].HasField("start")
    assert not record.metrics.HasField("silence")
    same = up.grpc.SubmitCall(pb.SubmitCallRequest(transcript=text, metadata={"agent": "a-17"}))
    assert same.call.id == sent.call.id
    content = json.dumps(vcon(message(1, "Hi."), message(0, "Hello.")))
    packed = up.grpc.SubmitCall(pb.SubmitCallRequest(vcon=content))
    assert up.finished(packed.call.id)["status"] == "done"
    for wrong in (
        pb.SubmitCallRequest(transcript=types_pb2.TextConversation()),
        pb.SubmitCallRequest(vcon="{}"),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            up.grpc.SubmitCall(wrong)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_text_survives_failing_stages_and_is_retried(up: Up, engines: Engines) -> None:
    engines.behaviors["score"] = Flaky(Unavailable("away"), Unavailable("away"))
    done(up, post(up, transcript=chat()))
    assert engines.begun["score"] == 3


def test_a_vcon_with_an_inline_recording_becomes_a_call_of_that_audio(up: Up) -> None:
    audio = noise()
    digest = base64.urlsafe_b64encode(hashlib.sha512(audio).digest()).decode().rstrip("=")
    sent = vcon(inline(audio, content_hash=f"sha512-{digest}", originator=1, filename="a.wav"))
    answer = post(up, vcon=sent, metadata={"queue": "billing"})
    call_id = done(up, answer)
    body = answer.json()
    assert body["recording"]["sha256"] == hashlib.sha256(audio).hexdigest()
    assert body["recording"]["started_at"] == "2026-01-31T09:30:00Z"
    assert body["recording"]["metadata"] == {
        "agent": "anna",
        "direction": "inbound",
        "queue": "billing",
    }
    assert body["external_id"] == sent["uuid"]
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    roles = {each["channel"]: each["role"] for each in record["participants"]}
    assert roles == {0: "agent", 1: "customer"}  # as the vCon's parties lie on the channels
    assert up.http.get(f"/v1/calls/{call_id}/audio").content == audio
    assert post(up, vcon=sent, metadata={"queue": "billing"}).json()["id"] == call_id


def test_a_vcon_sent_as_its_own_media_type_is_the_same(up: Up) -> None:
    content = json.dumps(vcon(message(1, "My card is lost."), message(0, "I'm sorry.")))
    header = {"content-type": "application/vcon+json"}
    answer = up.http.post("/v1/calls?rubric=sales", content=content, headers=header)
    record = up.http.get(f"/v1/calls/{done(up, answer)}/record").json()
    assert [each["role"] for each in record["utterances"]] == ["customer", "agent"]
    assert record["provenance"]["rubric"]["id"] == "sales"


def test_a_recording_that_is_not_the_one_promised_is_refused(up: Up) -> None:
    other = base64.urlsafe_b64encode(hashlib.sha256(b"other").digest()).decode().rstrip("=")
    before = up.files()
    answer = post(up, vcon=vcon(inline(noise(), content_hash=f"sha256-{other}")))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_audio")
    assert up.files() == before


def test_a_linked_recording_is_read_where_any_uri_may_be_and_nowhere_else(up: Up) -> None:
    (root,) = up.settings.audio_roots
    audio = noise()
    (root / "linked.wav").write_bytes(audio)
    digest = base64.urlsafe_b64encode(hashlib.sha256(audio).digest()).decode().rstrip("=")
    link = (root / "linked.wav").as_uri()
    done(up, post(up, vcon=vcon(recording(url=link, content_hash=f"sha256-{digest}"))))
    for uri in (
        "http://127.0.0.1:1/a.wav",
        "https://example.com/a.wav",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        f"{root.as_uri()}/../passwd",
    ):
        answer = post(up, vcon=vcon(recording(url=uri)))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_uri"), uri


def test_a_text_goes_out_as_vcon_and_comes_in_again(up: Up) -> None:
    call_id = done(up, post(up, transcript=chat(), started_at="2026-01-31T09:30:00Z"))
    out = up.http.get(f"/v1/calls/{call_id}/vcon").json()
    again = done(up, post(up, vcon=out))
    assert again != call_id
    before, after = (up.http.get(f"/v1/calls/{each}/record").json() for each in (call_id, again))
    assert [each["text"] for each in after["utterances"]] == [
        each["text"] for each in before["utterances"]
    ]
    assert after["metrics"] == before["metrics"]
    assert after["recording"]["started_at"] == "2026-01-31T09:30:00Z"
