"""From an accepted recording to its record, through both doors."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from callscope.v1 import gateway_pb2 as pb
from tests.gateway.conftest import Up, noise
from tests.gateway.engines import Gate, eventually


def parts(audio: bytes, chunk: int = 1 << 16, **header: Any) -> Iterator[pb.UploadCallRequest]:
    yield pb.UploadCallRequest(header=pb.UploadHeader(**header))
    for at in range(0, len(audio), chunk):
        yield pb.UploadCallRequest(chunk=audio[at : at + chunk])


def upload_form(up: Up, audio: bytes) -> str:
    answer = up.upload(audio, metadata='{"agent": "a-17"}', language="en", agent_channel="1")
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/calls/{answer.json()['id']}"
    return str(answer.json()["id"])


def upload_raw(up: Up, audio: bytes) -> str:
    answer = up.http.post(
        "/v1/calls",
        content=audio,
        headers={"content-type": "audio/wav"},
        params={"metadata": '{"agent": "a-17"}', "language": "en", "agent_channel": 1},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def upload_grpc(up: Up, audio: bytes) -> str:
    options = pb.CallOptions(language="en", agent_channel=1)
    answer = up.grpc.UploadCall(parts(audio, options=options, metadata={"agent": "a-17"}))
    return str(answer.call.id)


def submit_rest(up: Up, audio: bytes) -> str:
    body = {
        "uri": dropped(up, audio),
        "metadata": {"agent": "a-17"},
        "language": "en",
        "agent_channel": 1,
    }
    answer = up.http.post("/v1/calls", json=body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def submit_grpc(up: Up, audio: bytes) -> str:
    request = pb.SubmitCallRequest(
        uri=dropped(up, audio),
        options=pb.CallOptions(language="en", agent_channel=1),
        metadata={"agent": "a-17"},
    )
    return str(up.grpc.SubmitCall(request).call.id)


def dropped(up: Up, audio: bytes) -> str:
    """A file where the gateway may read, gone again as soon as the call is accepted."""
    file = up.settings.audio_roots[0] / "call.wav"
    file.write_bytes(audio)
    return file.as_uri()


@pytest.mark.parametrize("send", [upload_form, upload_raw, upload_grpc, submit_rest, submit_grpc])
def test_every_way_in_gives_the_same_record(up: Up, send: Any) -> None:
    audio = noise()
    call_id = send(up, audio)
    for file in up.settings.audio_roots[0].iterdir():
        file.unlink()  # what was sent by URI has been copied
    end = up.finished(call_id)
    assert end["status"] == "done", end
    record = up.http.get(f"/v1/calls/{call_id}/record").json()
    assert record["recording"]["id"] == call_id
    assert record["recording"]["metadata"] == {"agent": "a-17"}
    assert record["provenance"]["audio_sha256"] == end["recording"]["sha256"]
    assert record["provenance"]["rubric"]["id"] == "general"
    assert [u["role"] for u in record["utterances"]] == ["customer", "agent"]
    assert up.http.get(f"/v1/calls/{call_id}/audio").content == audio


def test_a_recording_that_is_cut_off_is_taken_for_what_is_there_and_noted(up: Up) -> None:
    gate = up.engines.behaviors["transcribe"] = Gate()
    call = up.upload(noise(8.0)[: 44 + 3 * 32_000]).json()
    assert call["recording"]["duration"] == 3.0
    (note,) = call["notes"]
    assert (note["source"], note["fact"]) == ("recording", "duration")
    assert "promises 8.0 seconds, and 3.0 are there" in note["reason"]
    gate.opened.set()
    end = up.finished(call["id"])
    record = up.http.get(f"/v1/calls/{call['id']}/record").json()
    assert end["recording"]["duration"] == record["recording"]["duration"]  # what was decoded


def test_both_doors_show_the_same_call_and_record(up: Up) -> None:
    call_id = upload_form(up, noise())
    rest = up.finished(call_id)
    call = up.grpc.GetCall(pb.GetCallRequest(id=call_id)).call
    assert call.status == pb.CALL_STATUS_DONE
    assert call.recording.sha256 == rest["recording"]["sha256"]
    assert call.created_at.ToJsonString().rstrip("Z") == rest["created_at"].rstrip("Z")
    record = up.grpc.GetRecord(pb.GetRecordRequest(id=call_id)).record
    spoken = up.http.get(f"/v1/calls/{call_id}/transcript").json()["utterances"]
    assert [u.speaker for u in record.utterances] == [u["speaker"] for u in spoken]


def test_events_tell_the_whole_way_in_order_and_end(up: Up) -> None:
    gates = {stage: Gate() for stage in ("transcribe", "score")}
    up.engines.behaviors.update(gates)
    call_id = upload_form(up, noise())
    gates["transcribe"].opened.set()
    assert gates["score"].reached.wait(10)
    gates["score"].opened.set()
    seen = up.follow(call_id)
    order = ["queued", "running", "done"]
    places = [order.index(each["status"]) for each in seen]
    assert places == sorted(places)
    assert places[-1] == order.index("done")
    done = [each["progress"] for each in seen]
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_events_resume_with_the_state_as_it_is(up: Up) -> None:
    gate = Gate()
    up.engines.behaviors["score"] = gate
    call_id = upload_form(up, noise())
    assert gate.reached.wait(10)
    with up.http.stream("GET", f"/v1/calls/{call_id}/events") as events:
        first = next(line for line in events.iter_lines() if line.startswith("data: "))
    assert json.loads(first[6:])["stage"] == "score"
    assert json.loads(first[6:])["progress"] >= 0.9
    gate.opened.set()
    assert up.finished(call_id)["status"] == "done"
    assert [each["status"] for each in up.follow(call_id)] == ["done"]


def test_watching_over_grpc_ends_with_the_call(up: Up) -> None:
    gate = Gate()
    up.engines.behaviors["diarize"] = gate
    call_id = upload_grpc(up, noise())
    watch = up.grpc.WatchCall(pb.WatchCallRequest(id=call_id), timeout=20)
    first = next(watch).call
    assert first.status in (pb.CALL_STATUS_QUEUED, pb.CALL_STATUS_RUNNING)
    gate.opened.set()
    rest = [update.call for update in watch]
    assert rest[-1].status == pb.CALL_STATUS_DONE
    assert rest[-1].progress == 1.0


def test_a_stage_at_work_is_named_and_the_record_not_ready(up: Up) -> None:
    gate = Gate()
    up.engines.behaviors["transcribe"] = gate
    call_id = upload_form(up, noise())
    assert gate.reached.wait(10)
    eventually(lambda: up.http.get(f"/v1/calls/{call_id}").json()["progress"] >= 0.6)
    call = up.http.get(f"/v1/calls/{call_id}").json()
    assert (call["status"], call["stage"]) == ("running", "transcribe")
    answer = up.http.get(f"/v1/calls/{call_id}/record")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.GetRecord(pb.GetRecordRequest(id=call_id))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    gate.opened.set()
    up.finished(call_id)


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("json", "application/json", "{"),
        ("vtt", "text/vtt", "WEBVTT"),
        ("srt", "application/x-subrip", "1\n"),
        ("txt", "text/plain", "[00:00] "),
    ],
)
def test_the_transcript_comes_in_the_usual_forms(
    up: Up, form: str, media_type: str, begins: str
) -> None:
    call_id = upload_form(up, noise())
    up.finished(call_id)
    answer = up.http.get(f"/v1/calls/{call_id}/transcript", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.text.startswith(begins)
    assert "Hello." in answer.text


def test_a_call_is_served_as_vcon_at_both_doors(up: Up) -> None:
    call_id = upload_form(up, noise())
    up.finished(call_id)
    answer = up.http.get(f"/v1/calls/{call_id}/vcon")
    assert answer.headers["content-type"] == "application/vcon+json"
    vcon = answer.json()
    assert vcon["vcon"] == "0.4.0"
    assert [party["role"] for party in vcon["parties"]] == ["customer", "agent"]
    assert json.loads(up.grpc.GetVcon(pb.GetVconRequest(id=call_id)).vcon) == vcon


def test_pages_are_newest_first_and_new_calls_do_not_shift_them(up: Up) -> None:
    mine = [upload_form(up, noise(0.1)) for _ in range(5)]
    first = up.http.get("/v1/calls", params={"page_size": 2}).json()
    assert [call["id"] for call in first["calls"]] == [mine[4], mine[3]]
    later = upload_form(up, noise(0.1))
    request = pb.ListCallsRequest(page_size=2, page_token=first["next_page_token"])
    second = up.grpc.ListCalls(request)
    assert [call.id for call in second.calls] == [mine[2], mine[1]]
    seen, token = [], None
    while token != "":
        page = up.grpc.ListCalls(pb.ListCallsRequest(page_size=3, page_token=token))
        seen += [call.id for call in page.calls]
        token = page.next_page_token
    assert seen == sorted(set(seen), reverse=True)
    assert seen[0] == later
    for call_id in mine:
        up.finished(call_id)


def test_calls_are_listed_by_where_they_stand(up: Up) -> None:
    gate = Gate()
    up.engines.behaviors["transcribe"] = gate
    call_id = upload_form(up, noise())
    assert gate.reached.wait(10)
    running = up.http.get("/v1/calls", params={"status": "running"}).json()["calls"]
    assert [call["id"] for call in running] == [call_id]
    answer = up.grpc.ListCalls(
        pb.ListCallsRequest(filter=pb.CallFilter(status=pb.CALL_STATUS_DONE), page_size=500)
    )
    assert call_id not in [call.id for call in answer.calls]
    gate.opened.set()
    up.finished(call_id)


def test_a_deleted_call_leaves_nothing(up: Up) -> None:
    kept = up.files()
    call_id = upload_form(up, noise())
    up.finished(call_id)
    assert up.files() != kept
    assert up.http.delete(f"/v1/calls/{call_id}").status_code == 204
    assert up.files() == kept
    for path in ("", "/record", "/transcript", "/audio", "/events"):
        answer = up.http.get(f"/v1/calls/{call_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "call_not_found")
    with pytest.raises(grpc.RpcError) as refused:
        up.grpc.DeleteCall(pb.DeleteCallRequest(id=call_id))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_deleting_a_running_call_stops_its_stages_and_tells_who_watches(up: Up) -> None:
    up.engines.behaviors.update(transcribe=Gate(), diarize=(at_work := Gate()))
    call_id = upload_form(up, noise())
    assert at_work.reached.wait(10)
    watch = up.grpc.WatchCall(pb.WatchCallRequest(id=call_id), timeout=20)
    next(watch)
    up.grpc.DeleteCall(pb.DeleteCallRequest(id=call_id))
    assert [update.call.status for update in watch][-1] == pb.CALL_STATUS_CANCELLED
    eventually(lambda: up.engines.stopped == {"transcribe": 1, "diarize": 1})
    assert up.http.get(f"/v1/calls/{call_id}").status_code == 404
