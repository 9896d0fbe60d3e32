"""What is refused at the door, the same way at each, and what is left of it: nothing."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, noise
from tests.gateway.engines import eventually
from tests.gateway.test_flow import parts

GRPC_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ALREADY_EXISTS,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
}


@pytest.fixture(autouse=True)
def _nothing_is_left(up: Up) -> Iterator[None]:
    """Every test here ends with the recordings and calls there were before."""
    files, calls = up.files(), len(up.http.get("/v1/calls").json()["calls"])
    yield
    eventually(lambda: up.files() == files)
    assert len(up.http.get("/v1/calls").json()["calls"]) == calls


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("audio", "status", "code"),
    [
        (b"", 422, "empty_audio"),
        (b"This is no recording at all.\n" * 40, 415, "undecodable_audio"),
        (noise()[:30], 415, "undecodable_audio"),
        (noise(0), 422, "empty_audio"),
        (noise(0.5, channels=3), 422, "unsupported_audio"),
        (noise(60) + bytes(1 << 20), 413, "audio_too_large"),
    ],
    ids=["empty", "text", "truncated-header", "zero-seconds", "three-channels", "oversize"],
)
def test_bad_audio_is_refused_alike_at_every_door(
    up: Up, audio: bytes, status: int, code: str
) -> None:
    file = up.settings.audio_roots[0] / "bad.wav"
    file.write_bytes(audio)
    answers = [
        up.upload(audio),
        up.http.post("/v1/calls", content=audio, headers={"content-type": "audio/wav"}),
        up.http.post("/v1/calls", json={"uri": file.as_uri()}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["remedy"]
    errors = [
        refused(lambda: up.grpc.UploadCall(parts(audio))),
        refused(lambda: up.grpc.SubmitCall(pb.SubmitCallRequest(uri=file.as_uri()))),
    ]
    for error in errors:
        assert error.code() is GRPC_STATUS[status]
    assert {answer.json()["detail"] for answer in answers[:2]} == {errors[0].details()}


@pytest.mark.parametrize(
    ("uri", "status", "code"),
    [
        ("file:///etc/passwd", 403, "forbidden_uri"),
        ("{root}/../data/callscope.db", 403, "forbidden_uri"),
        ("{root}/%2e%2e/data/callscope.db", 403, "forbidden_uri"),
        ("{root}/missing.wav", 404, "audio_not_found"),
        ("s3://somebodys/call.wav", 403, "forbidden_uri"),
        ("http://169.254.169.254/latest", 403, "forbidden_uri"),
        ("call.wav", 403, "forbidden_uri"),
    ],
)
def test_a_uri_outside_what_may_be_read_is_refused(
    up: Up, uri: str, status: int, code: str
) -> None:
    uri = uri.format(root=up.settings.audio_roots[0].as_uri())
    answer = up.http.post("/v1/calls", json={"uri": uri})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    error = refused(lambda: up.grpc.SubmitCall(pb.SubmitCallRequest(uri=uri)))
    assert error.code() is GRPC_STATUS[status]
    assert error.details() == answer.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "options", "status", "code"),
    [
        ({"agent_channel": "2"}, {"agent_channel": 2}, 400, "unknown_channel"),
        ({"agent_channel": "-1"}, {"agent_channel": -1}, 400, "invalid_input"),
        ({"language": "English"}, {"language": "English"}, 400, "invalid_input"),
        ({"rubric": "nobodys"}, {"rubric": {"name": "nobodys"}}, 404, "rubric_not_found"),
        (
            {"min_speakers": "3", "max_speakers": "2"},
            {"min_speakers": 3, "max_speakers": 2},
            400,
            "invalid_input",
        ),
        ({"transcribe_model": "\x00"}, {"transcribe_model": "\x00"}, 400, "invalid_input"),
    ],
)
def test_wrong_options_are_refused_alike_at_both_doors(
    up: Up, fields: dict[str, str], options: dict[str, Any], status: int, code: str
) -> None:
    answer = up.upload(noise(), **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    error = refused(lambda: up.grpc.UploadCall(parts(noise(), options=pb.CallOptions(**options))))
    assert error.code() is GRPC_STATUS[status]
    assert error.details() == answer.json()["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": "no JSON"},
        {"metadata": '["a list"]'},
        {"metadata": '{"queue": 5}'},
        {"metadata": '{"": "nameless"}'},
        {"metadata": '{"queue": "\\u0000"}'},
        {"metadata": '{"queue": "\\ud800"}'},
        {"metadata": "[" * 100_000},
        {"metadata": '{"queue": "%s"}' % ("q" * 1025)},
        {"started_at": "yesterday"},
        {"started_at": "2026-01-31T09:30:00"},
        {"started_at": "2026-02-31T09:30:00Z"},
        {"hotwords": ",".join(["word"] * 201)},
        {"agent_channel": "left"},
        {"rubric": "general", "rubric_yaml": "id: mine"},
        {"colour": "blue"},
    ],
)
def test_what_does_not_parse_is_refused_and_never_guessed(up: Up, fields: dict[str, str]) -> None:
    answer = up.upload(noise(), **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    named = {place.partition(".")[0] for place in answer.json()["details"]}
    assert named <= {*fields, "request"}


@pytest.mark.parametrize("key", ["", "with space", "k" * 256, "ключ"])
def test_an_idempotency_key_that_cannot_be_one_is_refused(up: Up, key: str) -> None:
    header = {b"Idempotency-Key": key.encode()}
    answer = up.http.post("/v1/calls", files={"audio": noise()}, headers=header)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    error = refused(lambda: up.grpc.UploadCall(parts(noise(), idempotency_key=key)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [pb.UploadCallRequest(chunk=b"RIFF")],
        [pb.UploadCallRequest()],
        [pb.UploadCallRequest(header=pb.UploadHeader())] * 2,
        [
            pb.UploadCallRequest(header=pb.UploadHeader()),
            pb.UploadCallRequest(chunk=bytes((1 << 20) + 1)),
        ],
    ],
    ids=["nothing", "no-header", "empty-part", "two-headers", "large-chunk"],
)
def test_an_upload_out_of_order_is_refused(up: Up, messages: list[pb.UploadCallRequest]) -> None:
    error = refused(lambda: up.grpc.UploadCall(iter(messages)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_upload_cut_off_on_grpc_leaves_nothing(up: Up) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def half() -> Iterator[pb.UploadCallRequest]:
        yield from parts(noise(5))
        begun.set()
        go_on.wait(10)

    call = up.grpc.UploadCall.future(half())
    assert begun.wait(5)
    eventually(lambda: _arriving(up) == 1)
    call.cancel()
    go_on.set()
    eventually(lambda: _arriving(up) == 0)


def test_an_upload_cut_off_on_http_leaves_nothing(up: Up) -> None:
    port = up.settings.http_port
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /v1/calls HTTP/1.1\r\nHost: here\r\nContent-Type: audio/wav\r\n"
            b"Content-Length: 100000\r\n\r\n" + noise(1)[:10_000]
        )
        eventually(lambda: _arriving(up) == 1)
    eventually(lambda: _arriving(up) == 0)


def test_a_form_that_breaks_off_is_refused(up: Up) -> None:
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n' + noise()
    )
    answer = up.http.post(
        "/v1/calls", content=body, headers={"content-type": "multipart/form-data; boundary=cut"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def _arriving(up: Up) -> int:
    return len(list((up.data / "incoming/gateway").iterdir()))
