"""Records as vCon: what draft-ietf-vcon-vcon-core-03 asks for, checked by hand."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from callscope.record import to_dict
from callscope.types import CallRecord, ChannelFinding, ChannelLayout, ChannelReport, Role
from callscope.vcon import UNKNOWN_TIME, to_vcon

Make = Callable[[Sequence[tuple[int, float, str]]], CallRecord]
LINES = [(0, 0.5, "Thank you for calling."), (1, 2.0, "Hi.")]
HTTPS = "https://calls.example.com/recordings/a%20b.wav"


@pytest.fixture
def record(make_record: Make) -> CallRecord:
    return make_record(LINES)


def recorded(record: CallRecord, **changes: Any) -> CallRecord:
    return replace(record, recording=replace(record.recording, **changes))


def check(text: str) -> dict[str, Any]:
    """Assert what the draft says MUST be, and return the vCon."""
    vcon: dict[str, Any] = json.loads(text)
    assert vcon["vcon"] == "0.4.0"
    uuid = UUID(vcon["uuid"])
    assert (uuid.version, uuid.variant) == (8, RFC_4122)
    datetime.fromisoformat(vcon["created_at"])
    known = range(len(vcon["parties"]))
    for dialog in vcon["dialog"]:
        assert dialog["type"] == "recording"
        datetime.fromisoformat(dialog["start"])
        for party in flat(dialog["parties"]):
            assert party is None or party in known
        assert ("url" in dialog) == ("content_hash" in dialog)
        assert dialog.get("url", HTTPS).startswith("https://")
        assert re.fullmatch(r"sha256-[\w-]{43}", dialog.get("content_hash", "sha256-" + "a" * 43))
        assert "body" not in dialog
    for analysis in vcon["analysis"]:
        assert analysis["type"] in {"report", "transcript"}
        assert analysis["vendor"] == "callscope"
        assert analysis["encoding"] == "json"
        assert analysis["dialog"] in range(len(vcon["dialog"]))
    return vcon


def flat(parties: list[Any]) -> list[Any]:
    return [index for each in parties for index in (each if isinstance(each, list) else [each])]


def test_a_vcon_holds_the_transcript_and_the_judgement(record: CallRecord) -> None:
    transcript, report = check(to_vcon(record))["analysis"]
    assert transcript["body"]["utterances"][0] == {
        "party": 0,
        "role": "agent",
        "start": 0.5,
        "end": 1.65,
        "text": "Thank you for calling.",
        "backchannel": False,
    }
    assert report["body"]["behaviors"] == to_dict(record)["behaviors"]
    assert report["body"]["provenance"]["audio_sha256"] == record.recording.sha256


def test_the_same_record_gives_the_same_vcon_and_another_call_another_id(
    record: CallRecord,
) -> None:
    assert to_vcon(record) == to_vcon(record)
    other = recorded(record, id="another")
    assert check(to_vcon(record))["uuid"] != check(to_vcon(other))["uuid"]


def test_the_recording_is_referenced_only_where_it_can_be_fetched(record: CallRecord) -> None:
    local = check(to_vcon(recorded(record, uri="file:///srv/calls/a%20b.wav")))["dialog"][0]
    assert local["filename"] == "a b.wav"
    assert "srv" not in json.dumps(local)
    public = check(to_vcon(recorded(record, uri=HTTPS)))["dialog"][0]
    assert public["url"] == HTTPS
    digest = base64.urlsafe_b64decode(public["content_hash"].removeprefix("sha256-") + "=")
    assert digest.hex() == record.recording.sha256
    served = check(to_vcon(record, url="https://api.example.com/v1/calls/7/audio"))["dialog"][0]
    assert served["url"] == "https://api.example.com/v1/calls/7/audio"


def test_dates_are_the_calls_own_where_known(record: CallRecord) -> None:
    unknown = check(to_vcon(record))
    assert unknown["created_at"] == unknown["dialog"][0]["start"] == UNKNOWN_TIME
    started = "2026-03-04T05:06:07Z"
    known = check(to_vcon(recorded(record, started_at=started)))
    assert known["created_at"] == known["dialog"][0]["start"] == started
    milliseconds = int(known["uuid"].replace("-", "")[:12], 16)
    assert milliseconds == datetime.fromisoformat(started).timestamp() * 1000
    later = check(to_vcon(record, created_at="2026-05-06T07:08:09Z"))
    assert later["created_at"] == "2026-05-06T07:08:09Z"


def test_a_date_that_is_none_does_not_stop_the_export(record: CallRecord) -> None:
    assert json.loads(to_vcon(recorded(record, started_at="yesterday")))["uuid"].startswith("0000")


@pytest.mark.parametrize(
    ("channels", "dead", "parties"),
    [(1, (), [0, 1]), (2, (), [[0, 1], [0, 1]]), (2, (1,), [[0, 1], None])],
)
def test_parties_lie_on_channels_as_measured(
    record: CallRecord, channels: int, dead: tuple[int, ...], parties: list[Any]
) -> None:
    mono = replace(
        recorded(record, channels=channels),
        layout=ChannelLayout.MONO,
        participants=tuple(replace(each, channel=None) for each in record.participants),
        channels=tuple(
            ChannelReport(i, None, (ChannelFinding.DEAD,) if i in dead else ())
            for i in range(channels)
        ),
    )
    assert check(to_vcon(mono))["dialog"][0]["parties"] == parties
    assert check(to_vcon(record))["dialog"][0]["parties"] == [0, 1]


@pytest.mark.parametrize(
    ("direction", "originator"), [("inbound", 1), ("outbound", None), ("", None)]
)
def test_the_caller_is_the_originator(
    record: CallRecord, direction: str, originator: int | None
) -> None:
    call = recorded(record, metadata={"direction": direction})
    assert check(to_vcon(call))["dialog"][0].get("originator") == originator


def test_a_recorded_voice_is_a_bot(record: CallRecord) -> None:
    machine = replace(record.participants[0], role=Role.IVR)
    call = replace(record, participants=(machine, record.participants[1]))
    assert check(to_vcon(call))["parties"][0] == {"type": "bot", "role": "ivr"}
