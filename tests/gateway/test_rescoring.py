"""Calls judged again: new versions, what changed, in bulk, and after a crash."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from callscope.errors import CallNotFound, InvalidInput, NotFound, NotReady, RubricNotFound
from callscope.errors import Unavailable as Away
from callscope.v1 import gateway_pb2 as pb
from callscope.v1 import score_pb2
from services.gateway.audit import entries
from services.gateway.call import Problem, new_id
from services.gateway.erasure import Eraser
from services.gateway.journal import Journal
from services.gateway.ledger import Ledger
from services.gateway.query import CallQuery
from services.gateway.rescoring import queue
from services.gateway.rescoring.order import Order
from services.gateway.rescoring.queue import Orders
from tests.gateway.conftest import Up, gateway_settings, running, send
from tests.gateway.engines import TRANSCRIPT, Engines, Flaky, Gate, eventually
from tests.gateway.records import behavior, record
from tests.gateway.test_ledger import new_call

MINE, OTHERS = "mine", "others"
SALES = Order.read({"rubric": "sales"})
LEA = "key-1"


def rescored(up: Up, answer: Any) -> dict[str, Any]:
    """The order once there is no work left."""
    assert answer.status_code == 202, answer.text
    where = f"/v1/rescorings/{answer.json()['id']}"
    eventually(lambda: up.http.get(where).json()["status"] == "done", 20)
    found: dict[str, Any] = up.http.get(where).json()
    return found


def finished(up: Up) -> str:
    call_id = send(up)
    assert up.finished(call_id)["status"] == "done"
    return call_id


def test_another_rubric_makes_a_new_version_without_the_audio(up: Up) -> None:
    call_id = finished(up)
    up.engines.reset()
    order = rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "sales"}))
    assert (order["calls"], order["done"], order["failed"]) == (1, 1, 0)
    assert dict(up.engines.begun) == {"score": 1}  # nothing was listened to
    versions = up.http.get(f"/v1/calls/{call_id}/records").json()["versions"]
    assert [each["version"] for each in versions] == [1, 2]
    rubrics = [each["provenance"]["rubric"]["id"] for each in versions]
    assert rubrics == ["general", "sales"]
    for version, rubric in (({}, "sales"), ({"version": 1}, "general"), ({"version": 2}, "sales")):
        found = up.http.get(f"/v1/calls/{call_id}/record", params=version).json()
        assert found["provenance"]["rubric"]["id"] == rubric
    missing = up.http.get(f"/v1/calls/{call_id}/record", params={"version": 3})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    listed = up.http.get("/v1/calls", params={"rubric": "sales"}).json()["calls"]
    assert call_id in [call["id"] for call in listed]


def test_the_same_record_again_is_no_new_version(up: Up) -> None:
    call_id = finished(up)
    rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json={}))
    versions = up.http.get(f"/v1/calls/{call_id}/records").json()["versions"]
    assert [each["version"] for each in versions] == [1]


def test_from_the_audio_everything_is_made_anew(up: Up) -> None:
    call_id = finished(up)
    up.engines.reset()
    order = {"source": "audio", "transcribe_model": "larger", "rubric": "sales"}
    rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json=order))
    assert dict(up.engines.ended) == {"transcribe": 1, "diarize": 1, "score": 1}
    rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "general"}))
    assert up.engines.ended["transcribe"] == 1  # what was heard anew is what is kept now


def test_the_difference_says_what_changed_on_both_doors(up: Up) -> None:
    call_id = finished(up)
    early = up.http.get(f"/v1/calls/{call_id}/diff")
    assert (early.status_code, early.json()["code"]) == (404, "not_found")
    assert "rescore" in early.json()["remedy"]
    order = up.grpc.RescoreCall(
        pb.RescoreCallRequest(
            id=call_id,
            order=pb.RescoringOrder(rubric=score_pb2.RubricSource(name="sales")),
        )
    ).rescoring
    assert order.order.rubric.name == "sales"
    wanted = pb.GetRescoringRequest(id=order.id)
    eventually(
        lambda: up.grpc.GetRescoring(wanted).rescoring.status == pb.RESCORING_STATUS_DONE, 20
    )
    found = up.http.get(f"/v1/calls/{call_id}/diff").json()
    assert found["rubric_before"]["id"] == "general"
    assert found["rubric_after"]["id"] == "sales"
    answer = up.grpc.DiffRecords(pb.DiffRecordsRequest(id=call_id, before=2, after=1))
    assert answer.diff.rubric_after.id == "general"
    listed = up.grpc.ListRecords(pb.ListRecordsRequest(id=call_id)).versions
    assert [each.version for each in listed] == [1, 2]
    record = up.grpc.GetRecord(pb.GetRecordRequest(id=call_id, version=1)).record
    assert record.provenance.rubric.id == "general"


def test_in_bulk_all_that_pass_the_filters_are_judged(up: Up) -> None:
    chosen = {finished(up) for _ in range(3)}
    other = finished(up)
    newest = max(chosen | {other})
    assert newest == other
    first = min(chosen)
    began = up.http.get(f"/v1/calls/{first}").json()["created_at"]
    until = up.http.get(f"/v1/calls/{other}").json()["created_at"]
    body = {"rubric": "collections", "calls": {"since": began, "until": until}}
    order = rescored(up, up.http.post("/v1/rescorings", json=body))
    assert order["done"] == 3
    for call_id in (*chosen, other):
        versions = up.http.get(f"/v1/calls/{call_id}/records").json()["versions"]
        assert len(versions) == (1 if call_id == other else 2)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/calls/{done}/rescore", {"rubric": "nobodys"}, 404, "rubric_not_found"),
        ("/v1/calls/{done}/rescore", {"rubric": "a", "rubric_yaml": "b"}, 400, "invalid_input"),
        ("/v1/calls/{done}/rescore", {"transcribe_model": "base"}, 400, "invalid_input"),
        ("/v1/calls/{done}/rescore", {"source": "thin air"}, 400, "invalid_input"),
        ("/v1/calls/nobodys/rescore", {}, 404, "call_not_found"),
        ("/v1/rescorings", {"calls": {"agent": "nobody"}}, 400, "invalid_input"),
        ("/v1/rescorings", {"calls": {"status": "queued"}}, 400, "invalid_input"),
        ("/v1/rescorings", {"calls": {"outcome": "missed"}}, 400, "invalid_input"),
    ],
)
def test_an_order_that_cannot_be_met_is_refused(
    up: Up, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = up.http.post(path.format(done=finished(up)), json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_call_without_a_record_cannot_be_judged_again(up: Up) -> None:
    gate = up.engines.behaviors["transcribe"] = Gate()
    call_id = send(up)
    answer = up.http.post(f"/v1/calls/{call_id}/rescore", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    gate.opened.set()
    up.finished(call_id)


def test_a_service_that_is_away_is_waited_for_and_a_refusal_is_shown(up: Up) -> None:
    call_id = finished(up)
    up.engines.behaviors["score"] = Flaky(Away("score is away"), Away("score is away"))
    order = rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "sales"}))
    assert order["done"] == 1
    up.engines.behaviors["score"] = Flaky(RubricNotFound("there is no rubric general"))
    order = rescored(up, up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "general"}))
    assert (order["done"], order["failed"]) == (0, 1)
    (failure,) = order["failures"]
    assert (failure["call_id"], failure["problem"]["code"]) == (call_id, "rubric_not_found")


def test_what_is_left_of_an_order_can_be_called_off(up: Up) -> None:
    call_id = finished(up)
    gate = up.engines.behaviors["score"] = Gate()
    placed = up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "sales"}).json()
    assert gate.reached.wait(10)
    called_off = up.http.delete(f"/v1/rescorings/{placed['id']}").json()
    assert (called_off["status"], called_off["done"]) == ("cancelled", 0)
    gate.opened.set()
    time.sleep(0.3)
    assert len(up.http.get(f"/v1/calls/{call_id}/records").json()["versions"]) == 1
    with pytest.raises(grpc.RpcError) as raised:
        up.grpc.CancelRescoring(pb.CancelRescoringRequest(id="nobodys"))
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_gateway_that_starts_again_goes_on_with_the_orders(
    engines: Engines, tmp_path: Path
) -> None:
    idle = gateway_settings(tmp_path / "data", engines, rescore_concurrent=0)
    with running(idle, engines) as up:
        call_id = finished(up)
        placed = up.http.post(f"/v1/calls/{call_id}/rescore", json={"rubric": "sales"})
        assert placed.json()["status"] == "running"
    with running(gateway_settings(tmp_path / "data", engines), engines) as up:
        rescored(up, placed)
        assert len(up.http.get(f"/v1/calls/{call_id}/records").json()["versions"]) == 2


@pytest.fixture
def orders(engine: sa.Engine) -> Orders:
    return Orders(engine)


@pytest.fixture
def done(engine: sa.Engine) -> Callable[..., str]:
    """Enters a finished call."""

    def enter(tenant: str = MINE) -> str:
        new = replace(new_call(), tenant=tenant)
        Ledger(engine, str).add(new)
        Journal(engine, str).finish(new.id, record(new.id), consumed="score")
        return new.id

    return enter


def test_a_call_is_claimed_once_and_single_calls_before_bulk(
    orders: Orders, done: Callable[..., str]
) -> None:
    calls = [done() for _ in range(3)]
    orders.place(MINE, CallQuery.read({}), SALES, LEA)
    orders.place_one(MINE, calls[2], SALES, LEA)
    claims = [orders.claim() for _ in range(5)]
    assert [claim and claim.call_id for claim in claims] == [calls[2], *calls, None]
    assert len({claim.rescoring_id for claim in claims if claim}) == 2


def test_a_dead_workers_call_comes_up_again_and_its_own_result_is_not_kept(
    orders: Orders, done: Callable[..., str], monkeypatch: pytest.MonkeyPatch, engine: sa.Engine
) -> None:
    call_id = done()
    placed = orders.place_one(MINE, call_id, SALES, LEA)
    monkeypatch.setattr(queue, "_LEASE", timedelta(seconds=-1))
    dead = orders.claim()
    monkeypatch.undo()
    alive = orders.claim()
    assert dead is not None
    assert alive is not None
    assert alive.call_id == dead.call_id
    assert orders.claim() is None
    assert not orders.renew(dead)
    assert orders.renew(alive)
    new = record(call_id, rubric="sales", behaviors=(behavior("rapport", "missed", 1.0),))
    assert not orders.finish(dead, new)
    assert orders.finish(alive, new)
    assert not orders.finish(alive, new)
    ledger = Ledger(engine, str)
    assert [each.number for each in ledger.versions(MINE, call_id)] == [1, 2]
    assert ledger.record(MINE, call_id) == new
    assert orders.get(MINE, placed).done == 1


def test_orders_and_calls_of_another_tenant_do_not_exist(
    orders: Orders, done: Callable[..., str]
) -> None:
    mine, theirs = done(), done(OTHERS)
    with pytest.raises(CallNotFound):
        orders.place_one(MINE, theirs, SALES, LEA)
    placed = orders.place(MINE, CallQuery.read({}), SALES, LEA)
    assert orders.get(MINE, placed).calls == 1
    with pytest.raises(NotFound):
        orders.get(OTHERS, placed)
    with pytest.raises(NotFound):
        orders.cancel(OTHERS, placed, LEA)
    claim = orders.claim()
    assert claim is not None
    assert claim.call_id == mine
    assert orders.claim() is None


def test_a_deleted_call_takes_its_order_with_it(
    orders: Orders, done: Callable[..., str], eraser: Eraser
) -> None:
    call_id = done()
    placed = orders.place_one(MINE, call_id, SALES, LEA)
    claim = orders.claim()
    assert claim is not None
    eraser.erase(MINE, call_id, "operator")
    assert not orders.finish(claim, record(call_id))
    orders.fail(claim, Problem("internal", "x", "y"))
    assert orders.get(MINE, placed).status == "done"
    with pytest.raises(InvalidInput, match="no finished call"):
        orders.place(MINE, CallQuery.read({}), SALES, LEA)


def test_a_failed_claim_and_one_put_back_say_so(orders: Orders, done: Callable[..., str]) -> None:
    first, second = sorted((done(), done()))
    placed = orders.place(MINE, CallQuery.read({}), SALES, LEA)
    one, two = orders.claim(), orders.claim()
    assert one is not None
    assert two is not None
    orders.fail(one, Problem("internal", "x", "y"))
    orders.put_back(two, 0)
    shown = orders.get(MINE, placed)
    assert (shown.status, shown.failed) == ("running", 1)
    assert [failure.call_id for failure in shown.failures] == [first]
    again = orders.claim()
    assert again is not None
    assert (again.call_id, again.attempt) == (second, 2)


def test_what_was_heard_for_an_order_goes_with_it(
    orders: Orders, done: Callable[..., str], engine: sa.Engine
) -> None:
    journal = Journal(engine, str)
    failed, called_off = done(), done()
    audio = Order.read({"source": "audio"})
    for call_id in (failed, called_off):
        placed = orders.place_one(MINE, call_id, audio, LEA)
        claim = orders.claim()
        assert claim is not None
        assert claim.call_id == call_id
        journal.keep(call_id, "transcribe", TRANSCRIPT)
        journal.keep(call_id, claim.stage("transcribe"), TRANSCRIPT)
        orders.discard(claim)
        assert journal.has(call_id, claim.stage("transcribe"))  # it still is somebody's
        if call_id == failed:
            orders.fail(claim, Problem("internal", "x", "y"))
        else:
            orders.cancel(MINE, placed, LEA)
            orders.discard(claim)
        assert not journal.has(call_id, claim.stage("transcribe"))
        assert journal.has(call_id, "transcribe")


def test_the_audit_trail_says_who_had_what_judged_again(
    orders: Orders, done: Callable[..., str], engine: sa.Engine
) -> None:
    call_id, theirs = done(), done(OTHERS)
    orders.place_one(MINE, call_id, SALES, LEA)
    placed = orders.place(MINE, CallQuery.read({}), SALES, "key-2")
    orders.cancel(MINE, placed, "key-3")
    orders.cancel(MINE, placed, "key-3")  # there is nothing left to cancel
    with pytest.raises(CallNotFound):
        orders.place_one(MINE, theirs, SALES, LEA)
    assert [(each.actor, each.action, each.subject) for each in entries(engine, MINE, 10)] == [
        ("key-3", "cancel_rescoring", placed),
        ("key-2", "rescore_calls", placed),
        (LEA, "rescore_call", call_id),
    ]


def test_a_call_that_is_not_done_cannot_be_ordered(orders: Orders, engine: sa.Engine) -> None:
    new = replace(new_call(), id=new_id(), tenant=MINE)
    Ledger(engine, str).add(new)
    with pytest.raises(NotReady, match="queued"):
        orders.place_one(MINE, new.id, SALES, LEA)
