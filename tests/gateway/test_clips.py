"""The seconds a judgement rests on can be heard."""

import io
import threading
import wave
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from callscope.audio import AudioLimits, decode
from callscope.errors import InvalidInput, NotFound, Overloaded
from callscope.v1 import gateway_pb2 as pb
from services.gateway.clips import Booths, ClipRequest, StoredFile
from tests.gateway.conftest import Up, noise, send
from tests.gateway.engines import eventually
from tests.gateway.records import behavior, disclosure, record

CALL = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"


def test_seconds_are_heard_with_a_little_around_them_on_both_doors(up: Up) -> None:
    call_id = send(up)
    up.finished(call_id)
    answer = up.http.get(f"/v1/calls/{call_id}/clip?start=0.5&end=1&context=0.25")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content)) as heard:
        assert (heard.getnchannels(), heard.getnframes()) == (2, 16000)
    wanted = pb.GetClipRequest(id=call_id, start=0.5, end=1, context=0.25)
    assert up.grpc.GetClip(wanted).content == answer.content
    opus = up.grpc.GetClip(
        pb.GetClipRequest(id=call_id, start=0, end=2, format=pb.CLIP_FORMAT_OPUS)
    )
    assert (opus.content[:4], opus.media_type) == (b"OggS", "audio/ogg")


def test_one_party_is_heard_on_their_channel_alone(up: Up) -> None:
    audio = noise()
    call_id = up.upload(audio, agent_channel="0").json()["id"]
    up.finished(call_id)
    whole = decode(io.BytesIO(audio), AudioLimits()).samples
    found = up.http.get(f"/v1/calls/{call_id}/record").json()["participants"]
    for party in found:
        url = f"/v1/calls/{call_id}/clip?start=0&end=2&voice={party['role']}"
        heard = decode(io.BytesIO(up.http.get(url).content), AudioLimits()).samples
        assert abs(heard[0][500:-500] - whole[party["channel"]][500:-500]).max() < 0.001
    assert {party["role"] for party in found} == {"agent", "customer"}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "invalid_input"),
        ("start=1", 400, "invalid_input"),
        ("start=1&end=1", 200, ""),  # and the second around it
        ("start=1&end=1&context=0", 400, "invalid_input"),
        ("start=0&end=70", 400, "invalid_input"),
        ("start=9&end=10", 400, "invalid_input"),
        ("start=nan&end=10", 400, "invalid_input"),
        ("start=0&end=1&behavior=rapport", 400, "invalid_input"),
        ("behavior=rapport", 404, "not_found"),
        ("start=0&end=1&format=mp3", 400, "invalid_input"),
    ],
)
def test_what_cannot_be_heard_is_refused_and_said(
    up: Up, query: str, status: int, code: str
) -> None:
    call_id = send(up)
    up.finished(call_id)
    answer = up.http.get(f"/v1/calls/{call_id}/clip?{query}")
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["code"] == code


def test_evidence_is_where_the_record_says() -> None:
    made = record(
        CALL,
        behaviors=(behavior("rapport", "missed", 1.0, "one", "two"),),
        disclosures=(disclosure("recording", "delivered", True, "three"),),
    )
    wanted: tuple[dict[str, Any], ...] = (
        {"behavior": "rapport", "evidence": 1}, {"disclosure": "recording"},
    )  # fmt: skip
    for fields in wanted:
        section = ClipRequest.read({**fields, "context": 0.05}).section(made)
        assert (round(section.start, 3), round(section.end, 3)) == (0.05, 0.55)
    with pytest.raises(NotFound, match="2 pieces"):
        ClipRequest.read({"behavior": "rapport", "evidence": 2}).section(made)
    with pytest.raises(NotFound, match="nothing of identity"):
        ClipRequest.read({"disclosure": "identity"}).section(made)


def test_voices_on_one_channel_are_not_told_apart() -> None:
    made = record(CALL, participants=())
    with pytest.raises(InvalidInput, match="no channel alone"):
        ClipRequest.read({"start": 0, "end": 1, "voice": "agent"}).section(made)


def test_a_stored_recording_reads_like_a_file() -> None:
    content = bytes(range(256)) * 40

    def read(start: int, length: int) -> Iterator[bytes]:
        for at in range(start, start + length, 100):
            yield content[at : min(at + 100, start + length)]

    stored = io.BufferedReader(StoredFile(read, len(content)), 64)
    plain = io.BytesIO(content)
    for offset, whence, size in (
        (0, 0, 10),
        (5, 1, 500),
        (-300, 2, 1000),
        (99999, 0, 5),
        (3, 0, -1),
    ):
        assert stored.seek(offset, whence) == plain.seek(offset, whence)
        assert stored.read(size) == plain.read(size)


def test_few_clips_are_cut_at_once_and_a_crowd_is_told_to_come_back() -> None:
    booths, most = Booths(1), Counter[str]()

    def cut() -> None:
        try:
            with booths.place():
                most["inside"] += 1
                opened.wait(5)
                most["inside"] -= 1
        except Overloaded:
            most["refused"] += 1

    opened = threading.Event()
    crowd = [threading.Thread(target=cut) for _ in range(12)]
    for each in crowd:
        each.start()
    eventually(lambda: most["refused"] == 3)  # one is inside, and eight wait
    assert most["inside"] == 1
    opened.set()
    for each in crowd:
        each.join()
    with booths.place():  # there is room again
        assert most["inside"] == 0
