"""Accepted calls are enqueued while nobody waits, and found again where that fails."""

from collections.abc import Callable
from typing import Any

import pytest

from services.gateway.call import Call
from services.gateway.handover import Handover
from services.gateway.workflow import Workflows
from tests.gateway.conftest import Up, send
from tests.gateway.engines import eventually


def test_calls_are_enqueued_in_their_order_and_a_failure_is_looked_after() -> None:
    seen: list[object] = []
    looked: list[str] = []

    def enqueue(call: Any) -> None:
        if call == "bad":
            raise OSError("away")
        seen.append(call)

    handover = Handover(enqueue, lambda: looked.append("soon"))
    handover.start()
    calls: list[Any] = ["one", "bad", "two"]
    for call in calls:
        handover.give(call)
    eventually(lambda: seen == ["one", "two"])
    handover.stop()
    assert looked == ["soon"]


def test_a_call_that_could_not_be_enqueued_is_analyzed_all_the_same(
    start: Callable[..., Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Workflows.enqueue
    failures = iter([True, False])

    def failing(self: Workflows, call: Call) -> None:
        if next(failures, False):
            raise OSError("away")
        whole(self, call)

    monkeypatch.setattr(Workflows, "enqueue", failing)
    up = start()
    call_id = send(up)  # accepted, though nobody could enqueue it
    assert up.finished(call_id)["status"] == "done"
