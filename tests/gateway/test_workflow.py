"""What becomes of a call whose stages fail."""

import logging
from collections.abc import Callable

import pytest

from callscope.errors import (
    DeadlineExceeded,
    InvalidRubric,
    Overloaded,
    Unavailable,
    UndecodableAudio,
)
from tests.gateway.conftest import Up, send
from tests.gateway.engines import Flaky, Gate, eventually


@pytest.mark.parametrize(
    "error",
    [Unavailable("away"), Overloaded("full", retry_after=1), DeadlineExceeded("late")],
    ids=["unavailable", "overloaded", "deadline"],
)
def test_what_can_pass_is_tried_again_and_the_rest_not(up: Up, error: Exception) -> None:
    up.engines.behaviors["diarize"] = Flaky(error, error)
    end = up.finished(send(up))
    assert end["status"] == "done", end
    assert up.engines.begun["diarize"] == 3
    assert up.engines.begun["transcribe"] == 1
    assert up.engines.begun["score"] == 1


def test_what_keeps_failing_fails_the_call_with_its_problem(up: Up) -> None:
    up.engines.behaviors["score"] = Flaky(*[Overloaded("away for good")] * 100)
    call_id = send(up)
    end = up.finished(call_id)
    assert end["status"] == "failed"
    assert end["problem"]["code"] == "overloaded"
    assert end["problem"]["message"] == "away for good"
    assert end["problem"]["remedy"]
    assert up.engines.begun["score"] == up.settings.stage_attempts
    answer = up.http.get(f"/v1/calls/{call_id}/record")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    assert "away for good" in answer.json()["detail"]


def test_a_deadline_is_not_missed_more_than_thrice(up: Up) -> None:
    up.engines.behaviors["score"] = Flaky(*[DeadlineExceeded("late")] * 100)
    assert up.finished(send(up))["problem"]["code"] == "deadline_exceeded"
    assert up.engines.begun["score"] == 3


@pytest.mark.parametrize("stage", ["transcribe", "diarize", "score"])
def test_a_permanent_error_fails_the_call_at_once(up: Up, stage: str) -> None:
    error = InvalidRubric("no such thing", remedy="Mend it.")
    up.engines.behaviors[stage] = Flaky(error)
    end = up.finished(send(up))
    assert end["status"] == "failed"
    assert end["problem"] == {
        "code": "invalid_rubric",
        "message": "no such thing",
        "remedy": "Mend it.",
        "stage": stage,
    }
    assert up.engines.begun[stage] == 1


def test_a_stage_that_fails_for_good_stops_the_other(up: Up) -> None:
    other = Gate()

    def fail(_: Callable[[float], None]) -> None:
        assert other.reached.wait(10)
        raise UndecodableAudio("damaged throughout")

    up.engines.behaviors.update(transcribe=fail, diarize=other)
    end = up.finished(send(up))
    assert end["problem"]["code"] == "undecodable_audio"
    eventually(lambda: up.engines.stopped == {"transcribe": 1, "diarize": 1})
    assert up.engines.begun["score"] == 0


def test_a_bug_in_a_service_shows_no_insides(up: Up) -> None:
    up.engines.behaviors["score"] = Flaky(KeyError("secret"))
    end = up.finished(send(up))
    assert end["problem"]["code"] == "internal"
    assert "secret" not in str(end)


def test_logs_name_the_stage_and_the_error(up: Up, caplog: pytest.LogCaptureFixture) -> None:
    up.engines.behaviors["score"] = Flaky(InvalidRubric("no such thing"))
    with caplog.at_level(logging.WARNING):
        up.finished(send(up))
    lines = [line for line in caplog.records if line.name == "services.gateway.workflow"]
    assert [(line.__dict__["stage"], line.__dict__["error"]) for line in lines] == [
        ("score", "invalid_rubric")
    ]
