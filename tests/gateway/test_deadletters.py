"""Calls that were given up: seen with their reasons at both doors, and retried on demand."""

from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result

from callscope.errors import CallNotFound, Conflict, InvalidRubric, UndecodableAudio
from callscope.v1 import gateway_pb2 as pb
from services.__main__ import cli
from services.gateway import audit, database
from tests.gateway.conftest import Up, send
from tests.gateway.engines import Flaky, eventually


@pytest.fixture(autouse=True)
def _none_is_left(up: Up) -> None:
    """Each test begins without dead letters."""
    for call in up.http.get("/v1/deadletters", params={"page_size": 500}).json()["calls"]:
        up.http.delete(f"/v1/calls/{call['id']}")


def failing(up: Up, stage: str = "score", error: Exception | None = None) -> str:
    """A call that has failed in that stage, which would succeed now."""
    up.engines.behaviors[stage] = Flaky(error or InvalidRubric("no such thing"))
    call_id = send(up)
    assert up.finished(call_id)["status"] == "failed"
    return call_id


def listed(up: Up, **params: Any) -> list[str]:
    rest = [each["id"] for each in up.http.get("/v1/deadletters", params=params).json()["calls"]]
    grpc = up.grpc.ListDeadLetters(pb.ListDeadLettersRequest(**params)).calls
    assert [each.id for each in grpc] == rest
    return rest


def test_what_failed_is_listed_with_its_reason_and_stage(up: Up) -> None:
    first = failing(up)
    second = failing(up, "transcribe", UndecodableAudio("damaged"))
    assert listed(up) == [second, first]
    assert listed(up, page_size=1) == [second]
    assert listed(up, page_token=second) == [first]
    assert listed(up, code="invalid_rubric") == [first]
    (shown, _) = up.grpc.ListDeadLetters(pb.ListDeadLettersRequest()).calls
    assert (shown.problem.code, shown.problem.stage) == ("undecodable_audio", "transcribe")


def test_a_retried_call_goes_on_at_the_stage_that_failed(up: Up) -> None:
    call_id = failing(up)
    answer = up.http.post(f"/v1/calls/{call_id}/retry")
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["problem"]) == ("queued", None)
    assert up.finished(call_id)["status"] == "done"
    assert up.engines.begun == {"transcribe": 1, "diarize": 1, "score": 2}
    assert listed(up) == []


def test_what_fails_again_is_a_dead_letter_again(up: Up) -> None:
    call_id = failing(up)
    up.engines.behaviors["score"] = Flaky(InvalidRubric("still"))
    assert up.grpc.RetryCall(pb.RetryCallRequest(id=call_id)).call.id == call_id
    assert up.finished(call_id)["problem"]["message"] == "still"
    assert listed(up) == [call_id]
    up.grpc.RetryCall(pb.RetryCallRequest(id=call_id))
    assert up.finished(call_id)["status"] == "done"


def test_all_are_retried_or_those_with_one_problem(up: Up) -> None:
    rubrics = [failing(up) for _ in range(3)]
    audio = failing(up, "transcribe", UndecodableAudio("damaged"))
    answer = up.http.post("/v1/deadletters/retry", params={"code": "invalid_rubric"})
    assert (answer.status_code, answer.json()) == (202, {"retried": 3})
    assert {up.finished(call_id)["status"] for call_id in rubrics} == {"done"}
    assert listed(up) == [audio]
    assert up.grpc.RetryDeadLetters(pb.RetryDeadLettersRequest()).retried == 1
    assert up.finished(audio)["status"] == "done"
    engine = database.connect(up.settings.database_urls()[0])
    trail = audit.entries(engine, "default", 100, subject=audio)
    engine.dispose()
    assert [(each.actor, each.action) for each in trail] == [("operator", "retry_call")]


def test_only_what_failed_is_retried(up: Up) -> None:
    call_id = send(up)
    assert up.finished(call_id)["status"] == "done"
    answer = up.http.post(f"/v1/calls/{call_id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.RetryCall(pb.RetryCallRequest(id=call_id))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert up.http.post("/v1/calls/nobodys/retry").status_code == 404


def command(up: Up, *arguments: str) -> Result:
    environment = {"CALLSCOPE_DATA_DIR": str(up.data), "COLUMNS": "80"}
    return CliRunner().invoke(cli, ["deadletters", *arguments], env=environment)


def test_the_command_line_lists_and_retries_beside_a_running_gateway(up: Up) -> None:
    calls = [failing(up) for _ in range(3)]
    shown = command(up, "list").stdout
    assert all(call_id in shown for call_id in calls)
    assert "invalid_rubric" in shown
    assert "no such thing" in shown
    assert InvalidRubric.default_remedy in shown
    one = command(up, "retry", calls[0])
    assert one.exit_code == 0, one.output
    assert up.finished(calls[0])["status"] == "done"
    rest = command(up, "retry", "--all", "--code", "invalid_rubric")
    assert "2 calls" in rest.stdout
    eventually(lambda: listed(up) == [])
    assert {up.finished(call_id)["status"] for call_id in calls} == {"done"}


def test_the_command_line_says_what_it_needs(up: Up) -> None:
    assert command(up, "retry").exit_code == 2
    assert type(command(up, "retry", "nobodys").exception) is CallNotFound
    call_id = send(up)
    up.finished(call_id)
    assert type(command(up, "retry", call_id).exception) is Conflict
    assert "0 calls" in command(up, "retry", "--all", "--tenant", "other").stdout
