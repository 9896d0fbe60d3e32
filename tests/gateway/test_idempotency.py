"""The same key with the same submission is the same call; with anything else it is a conflict."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, noise
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
    ("seed", "fields", "what"),
    [
        (4, {}, "recording"),
        (3, {"language": "de"}, "options"),
        (3, {"metadata": '{"queue": "billing"}'}, "metadata"),
        (3, {"started_at": "2026-01-31T09:30:00Z"}, "start"),
    ],
)
def test_another_submission_with_the_same_key_is_a_conflict(
    up: Up, seed: int, fields: dict[str, str], what: str
) -> None:
    key = f"conflict-{what}"
    status, call_id = post(up, key, noise(seed=3))
    assert status == 202
    files = up.files()
    status, detail = post(up, key, noise(seed=seed), **fields)
    assert status == 409
    assert call_id in detail
    assert what in detail
    assert up.files() == files


def test_a_conflict_on_grpc_is_already_exists(up: Up) -> None:
    up.grpc.UploadCall(parts(noise(seed=5), idempotency_key="taken"))
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.UploadCall(parts(noise(seed=6), idempotency_key="taken"))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_without_a_key_each_upload_is_a_call(up: Up) -> None:
    ids = {up.upload(noise(seed=7)).json()["id"] for _ in range(2)}
    assert len(ids) == 2


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
