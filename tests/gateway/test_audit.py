"""The audit trail as admins read it, through both doors."""

import pytest

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, send


def deleted(up: Up) -> str:
    call_id = send(up)
    up.finished(call_id)
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    return call_id


def test_what_was_done_is_listed_latest_first_and_page_by_page(up: Up) -> None:
    calls = [deleted(up) for _ in range(3)]
    first = up.http.get("/v1/audit", params={"page_size": 2}).json()
    rest = up.http.get("/v1/audit", params={"page_token": first["next_page_token"]}).json()
    seen = [*first["entries"], *rest["entries"]]
    assert [each["subject"] for each in seen if each["action"] == "delete_call"] == calls[::-1]
    assert {each["actor"] for each in seen} == {"operator"}
    assert rest["next_page_token"] is None
    by_rpc = up.grpc.ListAudit(pb.ListAuditRequest(page_size=2))
    assert [each.id for each in by_rpc.entries] == [each["id"] for each in first["entries"]]
    assert by_rpc.next_page_token == first["next_page_token"]


def test_what_was_done_to_one_thing_is_found(up: Up) -> None:
    call_id = deleted(up)
    found = up.http.get("/v1/audit", params={"subject": call_id}).json()["entries"]
    assert [each["action"] for each in found] == ["delete_call"]
    assert len(up.grpc.ListAudit(pb.ListAuditRequest(subject=call_id)).entries) == 1


@pytest.mark.parametrize("query", ["page_size=0", "page_size=501", "page_token=x"])
def test_a_page_that_cannot_be_is_refused(up: Up, query: str) -> None:
    answer = up.http.get(f"/v1/audit?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
