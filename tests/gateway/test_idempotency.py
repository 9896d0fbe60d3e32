"""What was sent before is the same call, by its key, its id or itself; changed it is a conflict."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from callscope.errors import InvalidInput
from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, noise
from tests.gateway.engines import Flaky
from tests.gateway.test_flow import parts


def post(up: Up, key: str, audio: bytes, **fields: str) -> tuple[int, str]:
    answer = up.http.post(
        "/v1/calls",
        files={"audio": ("call.wav", audio)},
        data=fields,
        headers={"Idempotency-Key": key},
    )
    body = answer.json()
    return answer.status_code, body["id"] if answer.status_code == 202 else body["detail"]


def test_the_same_submission_again_is_the_same_call(up: Up) -> None:
    audio = noise(seed=2)
    first = post(up, "again", audio, language="en")
    files = up.files()
    assert post(up, "again", audio, language="en") == first
    upload = parts(audio, options=pb.CallOptions(language="en"), idempotency_key="again")
    assert up.grpc.UploadCall(upload).call.id == first[1]
    up.finished(first[1])
    assert post(up, "again", audio, language="en") == first
    assert up.files() == files
    assert up.engines.begun["transcribe"] == 1


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "recording"),
        ({"language": "de"}, "language"),
        ({"metadata": '{"queue": "billing"}'}, "metadata.queue"),
        ({"started_at": "2026-01-31T09:30:00Z"}, "started_at"),
        ({"external_id": "pbx-9"}, "external_id"),
    ],
)
def test_another_submission_with_the_same_key_is_a_conflict(
    up: Up, fields: dict[str, str], what: str
) -> None:
    key, audio = f"conflict-{what}", noise()
    status, call_id = post(up, key, audio)
    assert status == 202
    files = up.files()
    status, detail = post(up, key, audio if fields else noise(), **fields)
    assert status == 409
    assert detail.endswith(f"call {call_id}, which differs in its {what}")
    assert up.files() == files


def test_a_conflict_on_grpc_is_already_exists(up: Up) -> None:
    up.grpc.UploadCall(parts(noise(seed=5), idempotency_key="taken"))
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.UploadCall(parts(noise(seed=6), idempotency_key="taken"))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_without_a_key_the_same_recording_is_the_same_call(up: Up) -> None:
    audio = noise()
    first = up.upload(audio, language="en").json()["id"]
    files = up.files()
    assert up.upload(audio, language="en").json()["id"] == first
    assert post(up, "a-key-of-its-own", audio, language="en") == (202, first)
    assert up.grpc.UploadCall(parts(audio, options=pb.CallOptions(language="en"))).call.id == first
    assert up.files() == files


def test_a_known_recording_with_other_facts_is_a_conflict_that_says_so(up: Up) -> None:
    audio = noise()
    first = up.upload(audio, metadata='{"queue": "billing"}').json()["id"]
    answer = up.upload(audio, metadata='{"queue": "sales"}', language="en")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (
        answer.json()["detail"]
        == f"the recording is that of call {first}, which differs in its language, metadata.queue"
    )
    assert "external_id" in answer.json()["remedy"]


def test_an_id_of_its_own_makes_a_recording_another_call(up: Up) -> None:
    audio = noise()
    ids = [up.upload(audio, external_id=each).json()["id"] for each in ("pbx-1", "pbx-2", "pbx-1")]
    assert ids[0] == ids[2] != ids[1]
    assert up.upload(audio).json()["id"] == ids[0]  # without an id it is the first of them
    assert up.http.get(f"/v1/calls/{ids[1]}").json()["external_id"] == "pbx-2"


def test_the_same_id_with_another_recording_is_a_conflict_that_says_so(up: Up) -> None:
    call_id = up.upload(noise(), external_id="pbx-7").json()["id"]
    files = up.files()
    answer = up.upload(noise(), external_id="pbx-7")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (
        answer.json()["detail"]
        == f"the external id is that of call {call_id}, which differs in its recording"
    )
    assert up.files() == files


def by_form(up: Up, audio: bytes, **fields: str) -> str:
    return str(up.upload(audio, **fields).json()["id"])


def by_key(up: Up, audio: bytes, **fields: str) -> str:
    return post(up, f"again-{hash(audio)}", audio, **fields)[1]


def by_id(up: Up, audio: bytes, **fields: str) -> str:
    return by_form(up, audio, external_id=f"pbx-{hash(audio)}", **fields)


def by_grpc(up: Up, audio: bytes, **fields: str) -> str:
    options = pb.CallOptions(language=fields["language"])
    return str(up.grpc.UploadCall(parts(audio, options=options)).call.id)


@pytest.mark.parametrize("send", [by_form, by_key, by_id, by_grpc])
def test_a_call_that_failed_starts_anew_as_it_is_sent_now(up: Up, send: Callable[..., str]) -> None:
    for call in up.http.get("/v1/calls").json()["calls"]:
        up.finished(call["id"])  # or it would fail in this one's stead
    up.engines.reset()
    audio = noise()
    up.engines.behaviors["score"] = Flaky(InvalidInput("the model knows no German"))
    first = send(up, audio, language="de")
    assert up.finished(first)["status"] == "failed"
    files = up.files()
    assert send(up, audio, language="de") == first  # nothing else is asked for
    assert up.finished(first)["status"] == "failed"
    assert send(up, audio, language="en") == first
    end = up.finished(first)
    assert (end["status"], end["problem"]) == ("done", None)
    assert up.engines.begun == {"transcribe": 2, "diarize": 2, "score": 2}
    assert up.files() == files


def test_many_at_once_without_a_key_are_one_call(up: Up) -> None:
    audio = noise()
    kept = len(up.files())
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: up.upload(audio).json()["id"], range(16)))
    assert len(ids) == 1
    assert len(up.files()) == kept + 1


def test_many_at_once_with_one_key_are_one_call(up: Up) -> None:
    audio = noise(seed=8)
    kept = len(up.files())
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(lambda _: post(up, "at-once", audio), range(16)))
    assert len(answers) == 1
    assert answers.pop()[0] == 202
    assert len(up.files()) == kept + 1


def test_a_deleted_call_frees_its_key(up: Up) -> None:
    _, call_id = post(up, "freed", noise(seed=9))
    up.finished(call_id)
    up.http.delete(f"/v1/calls/{call_id}")
    status, other = post(up, "freed", noise(seed=10))
    assert status == 202
    assert other != call_id
