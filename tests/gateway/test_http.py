"""The REST door's manners: problem documents, ranges, forms, and what OpenAPI says."""

import asyncio
import dataclasses
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import openapi_spec_validator
import pytest

from callscope.errors import CallscopeError, Overloaded, Unavailable, error_classes
from services.gateway.access import OPERATOR, Caller
from services.gateway.call import Call
from services.gateway.desks import Desks
from services.gateway.http.app import build_app
from services.gateway.http.problems import ProblemBody
from tests.gateway.conftest import Up, noise, send


def problem(answer: httpx.Response) -> ProblemBody:
    assert answer.headers["content-type"] == "application/problem+json"
    body = ProblemBody.model_validate_json(answer.content)
    assert body.status == answer.status_code
    assert body.type == f"urn:callscope:problem:{body.code}"
    assert body.title
    assert body.detail
    assert body.remedy
    return body


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/calls", 404, "not_found"),
        ("PUT", "/v1/calls", 405, "method_not_allowed"),
        ("GET", "/v1/calls/nobodys", 404, "call_not_found"),
        ("GET", "/v1/calls/%00", 404, "call_not_found"),
        ("GET", "/v1/calls?page_size=0", 400, "invalid_input"),
        ("GET", "/v1/calls?page_size=many", 400, "invalid_input"),
        ("GET", "/v1/calls?status=lost", 400, "invalid_input"),
        ("GET", "/v1/calls?page_token=nonsense", 400, "invalid_input"),
        ("GET", "/v1/calls/nobodys/transcript?format=docx", 400, "invalid_input"),
    ],
)
def test_every_refusal_is_a_problem_document(
    up: Up, method: str, path: str, status: int, code: str
) -> None:
    answer = up.http.request(method, path)
    assert answer.status_code == status
    assert problem(answer).code == code


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/plain", b"hello"),
        ("", b"hello"),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"{}"),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"uri": 5}'),
        ("application/json", b'{"uri": "file:///a", "colour": "blue"}'),
        ("application/json", b'"' + bytes(2 << 20)),
        ("multipart/form-data", b"hello"),
        ("multipart/form-data; boundary=", b"hello"),
        ("multipart/form-data; boundary=cut", b"hello"),
        ("multipart/form-data; boundary=" + "b" * 500, b"hello"),
    ],
)
def test_a_body_that_carries_no_recording_is_refused(
    up: Up, content_type: str, content: bytes
) -> None:
    headers = {"content-type": content_type}
    answer = up.http.post("/v1/calls", content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert problem(answer).code == "invalid_input"


@pytest.mark.parametrize("announced", [True, False])
def test_whoever_sends_too_much_gets_to_read_why(up: Up, announced: bool) -> None:
    block = bytes(1 << 20)

    def blocks() -> Iterator[bytes]:
        yield from (block for _ in range(64))

    content: Any = block * 64 if announced else blocks()
    answer = up.http.post("/v1/calls", content=content, headers={"content-type": "audio/wav"})
    assert answer.status_code == 413
    assert problem(answer).code == "audio_too_large"
    assert up.http.get("/v1/calls").status_code == 200


@pytest.mark.parametrize("content_type", ["audio/wav", "application/json"])
def test_what_is_announced_as_too_large_is_refused_before_it_comes(
    up: Up, content_type: str
) -> None:
    head = f"POST /v1/calls HTTP/1.1\r\nHost: here\r\nContent-Type: {content_type}\r\n"
    with socket.create_connection(("127.0.0.1", up.settings.http_port), timeout=5) as connection:
        connection.sendall(f"{head}Content-Length: {1 << 34}\r\n\r\n".encode())
        assert connection.recv(12) in (b"HTTP/1.1 413", b"HTTP/1.1 400")


@dataclasses.dataclass
class Failing:
    """Raises its error whatever is asked of it."""

    error: Exception

    def get(self, _: Caller, __: str) -> Call:
        raise self.error


async def _anyone(_: str | None) -> Caller:
    return OPERATOR


def answer_of(error: Exception) -> httpx.Response:
    calls: Any = Failing(error)
    nothing: Any = None
    app = build_app(calls, Desks(nothing, nothing, nothing, nothing, nothing), _anyone, 1)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/v1/calls/x")

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", list(error_classes()), ids=lambda kind: kind.__name__)
def test_every_error_has_its_status_code_and_remedy(kind: type[CallscopeError]) -> None:
    answer = answer_of(kind("what is wrong", details={"field": "value"}))
    assert answer.status_code == kind.http_status
    body = problem(answer)
    assert (body.code, body.detail) == (kind.code, "what is wrong")
    assert body.details == {"field": "value"}


def test_an_unknown_error_tells_nothing() -> None:
    answer = answer_of(KeyError("secret"))
    assert answer.status_code == 500
    assert problem(answer).code == "internal"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(Overloaded("full", retry_after=2.5), "3"), (Unavailable("away"), "5")],
)
def test_what_can_pass_says_when_to_try_again(error: CallscopeError, seconds: str) -> None:
    assert answer_of(error).headers["retry-after"] == seconds


def test_openapi_is_valid_and_every_operation_has_an_example_and_its_errors(up: Up) -> None:
    document = up.http.get("/openapi.json").json()
    openapi_spec_validator.validate(document)
    names = [each["operationId"] for ms in document["paths"].values() for each in ms.values()]
    assert len(set(names)) == len(names)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert _has_example(document, operation), f"{method} {path}"
            errors = operation["responses"]["default"]["content"]["application/problem+json"]
            assert errors["schema"]["$ref"].endswith("/ProblemBody")
    assert document["components"]["schemas"]["ProblemBody"]["examples"]


def _has_example(document: Any, part: Any, depth: int = 8) -> bool:
    """Whether an example is anywhere in the part, or in what it refers to."""
    if isinstance(part, list):
        return any(_has_example(document, each, depth) for each in part)
    if not isinstance(part, dict) or depth == 0:
        return False
    if part.get("example") is not None or part.get("examples"):
        return True
    reference = part.get("$ref", "").removeprefix("#/components/schemas/")
    if reference and reference != "ProblemBody":
        return _has_example(document, document["components"]["schemas"][reference], depth - 1)
    return any(_has_example(document, each, depth) for each in part.values())


def test_the_examples_are_what_their_schemas_say(up: Up) -> None:
    document = up.http.get("/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", ()):
            whole = {**schema, "components": document["components"]}
            jsonschema.validate(example, whole)


def test_every_record_satisfies_the_schema_published(up: Up) -> None:
    call_id = send(up)
    up.finished(call_id)
    schema = up.http.get("/v1/schemas/record")
    assert schema.headers["content-type"] == "application/schema+json"
    jsonschema.validate(up.http.get(f"/v1/calls/{call_id}/record").json(), schema.json())


def test_openapi_describes_every_field_and_route(up: Up) -> None:
    document = up.http.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], path
            assert operation["description"], path
            assert "422" not in operation["responses"], f"{method} {path}: no answer looks so"
            assert "default" in operation["responses"]
    schemas = document["components"]["schemas"]
    for name in ("CallBody", "PageBody", "ProblemBody", "RecordingBody"):
        for field, schema in schemas[name]["properties"].items():
            assert schema["description"], f"{name}.{field}"
    content = document["paths"]["/v1/calls"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "application/json", "audio/*"} <= set(content)
    for field, schema in content["multipart/form-data"]["schema"]["properties"].items():
        assert schema["description"], field


def test_a_player_can_seek(up: Up) -> None:
    audio = noise()
    call_id = up.upload(audio).json()["id"]
    url = f"/v1/calls/{call_id}/audio"
    whole = up.http.get(url)
    assert whole.content == audio
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    part = up.http.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, audio[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(audio)}"
    outside = up.http.get(url, headers={"range": f"bytes={len(audio)}-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == f"bytes */{len(audio)}"


def test_every_reference_of_the_document_leads_somewhere(up: Up) -> None:
    document = up.http.get("/openapi.json").json()
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        place = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]
