"""Calls whose workflow stopped in a gateway that lives on: none stays `running` for good."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.gateway.conftest import Up, send
from tests.gateway.engines import Gate, eventually

SILENCE = 0.6  # seconds, in place of the 30 of an installation


@pytest.fixture
def alone(start: Callable[..., Up]) -> Up:
    """A gateway with one place for a call."""
    return start(takeover_seconds=SILENCE, max_concurrent=1)


@contextlib.contextmanager
def workflows(up: Up) -> Iterator[sa.Connection]:
    """The workflows' own tables."""
    engine = sa.create_engine(f"sqlite:///{up.data}/workflows.db")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_a_call_that_was_claimed_and_never_begun_is_analyzed(alone: Up) -> None:
    alone.engines.behaviors["transcribe"] = gate = Gate()
    first = send(alone)
    assert gate.reached.wait(10)
    second = send(alone)
    eventually(lambda: _claimed(alone) == 1)
    gate.opened.set()
    for call_id in (first, second):
        eventually(lambda call_id=call_id: _status(alone, call_id) == "done", 20)  # type: ignore[misc]
    assert alone.engines.ended == {"transcribe": 2, "diarize": 2, "score": 2}


def _claimed(up: Up) -> int:
    """Calls claimed, as after a claim whose next statement failed."""
    claim = "UPDATE workflow_status SET status = 'PENDING', executor_id = 'gateway'"
    with workflows(up) as tables:
        return tables.execute(sa.text(f"{claim} WHERE status = 'ENQUEUED'")).rowcount


def test_a_call_whose_steps_could_not_be_kept_goes_on_when_they_can(alone: Up) -> None:
    with workflows(alone) as tables:
        tables.execute(sa.text(_FULL))
    call_id = send(alone)
    eventually(lambda: alone.engines.ended["score"] == 1)
    time.sleep(2 * SILENCE)
    assert _status(alone, call_id) == "running"
    with workflows(alone) as tables:
        tables.execute(sa.text("DROP TRIGGER disk_full"))
    eventually(lambda: _status(alone, call_id) == "done", 20)
    assert alone.engines.ended == {"transcribe": 1, "diarize": 1, "score": 1}


def test_a_call_whose_kept_steps_are_not_ours_fails_and_says_so(start: Callable[..., Up]) -> None:
    up = start(takeover_seconds=SILENCE, max_concurrent=2)
    up.engines.behaviors["transcribe"] = gate = Gate()
    call_id = send(up)
    assert gate.reached.wait(10)
    with workflows(up) as tables:  # as a later version might leave it, and then a kill
        tables.execute(sa.text("UPDATE operation_outputs SET function_name = 'begin'"))
        tables.execute(sa.text("UPDATE workflow_status SET status = 'ENQUEUED', owner_xid = NULL"))
    end = up.finished(call_id)
    gate.opened.set()
    assert (end["status"], end["problem"]["code"]) == ("failed", "internal")


def test_a_call_at_work_is_left_in_peace_however_long_it_takes(alone: Up) -> None:
    alone.engines.behaviors["score"] = gate = Gate()
    call_id = send(alone)
    assert gate.reached.wait(10)
    time.sleep(3 * SILENCE)
    gate.opened.set()
    assert alone.finished(call_id)["status"] == "done"
    assert alone.engines.begun == {"transcribe": 1, "diarize": 1, "score": 1}


_FULL = """
CREATE TRIGGER disk_full BEFORE INSERT ON operation_outputs WHEN NEW.function_name = 'score'
BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END
"""


def _status(up: Up, call_id: str) -> str:
    return str(up.http.get(f"/v1/calls/{call_id}").json()["status"])
