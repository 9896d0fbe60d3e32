"""vCons of others, read or refused with a reason; and our own, which come back."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import InvalidInput
from callscope.transcripts import checked
from callscope.types import CallRecord, Role, Timing
from callscope.vcon import to_vcon
from callscope.vcon_reading import read_vcon
from tests.callscope.test_transcripts import CHAT, record, with_times

Make = Callable[[Sequence[tuple[int, float, str]]], CallRecord]
SOUND = b"RIFF and so on"
UUID = "01980a4e-2f7c-8c7d-9d52-0a6f3f0c8b11"


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def vcon(*dialogs: Any, **fields: Any) -> dict[str, Any]:
    return {
        "vcon": "0.4.0",
        "uuid": UUID,
        "created_at": "2026-01-31T09:30:00Z",
        "parties": [
            {"role": "customer", "tel": "+4930123"},
            {"role": "agent", "name": "Anna", "type": "person"},
        ],
        "dialog": list(dialogs),
        **fields,
    }


def recording(**fields: Any) -> dict[str, Any]:
    return {"type": "recording", "start": "2026-01-31T09:30:00Z", "parties": [0, 1], **fields}


def message(author: int, body: str, **fields: Any) -> dict[str, Any]:
    said = {"type": "text", "parties": [author, 1 - author], "body": body, "encoding": "none"}
    return {**said, "start": "2026-01-31T09:30:00Z", **fields}


def test_an_inline_recording_is_read() -> None:
    inline = recording(
        body=b64(SOUND), encoding="base64url", filename="a.wav", originator=0,
        content_hash=f"sha512-{b64(hashlib.sha512(SOUND).digest())}",
    )  # fmt: skip
    call = read_vcon(json.dumps(vcon(inline)))
    assert call.text is None
    assert call.audio is not None
    assert (call.audio.data, call.audio.uri, call.audio.file_name) == (SOUND, None, "a.wav")
    assert call.audio.hashes == {"sha512": hashlib.sha512(SOUND).digest()}
    assert (call.audio.channels, call.audio.agent_channel) == (2, 1)
    assert call.uuid == UUID
    assert call.started_at == "2026-01-31T09:30:00Z"
    assert call.metadata == {"customer": "+4930123", "agent": "Anna", "direction": "inbound"}


def test_a_linked_recording_is_handed_on_and_not_fetched() -> None:
    call = read_vcon(vcon(recording(url="http://169.254.169.254/latest")))
    assert call.audio is not None
    assert (call.audio.uri, call.audio.data) == ("http://169.254.169.254/latest", None)


def test_texts_are_a_conversation_without_times() -> None:
    call = read_vcon(vcon(message(0, "My parcel is lost."), message(1, "I'm sorry.")))
    assert call.audio is None
    assert call.text is not None
    assert call.text.timing is Timing.NONE
    assert [(each.speaker, each.text) for each in call.text.utterances] == [
        ("party_0", "My parcel is lost."),
        ("party_1", "I'm sorry."),
    ]
    assert [each.role for each in call.text.participants] == [Role.CUSTOMER, Role.AGENT]
    assert [each.bot for each in call.text.participants] == [None, False]


def test_texts_that_say_when_and_for_how_long_have_times() -> None:
    later = "2026-01-31T10:30:04.500+01:00"
    call = read_vcon(
        vcon(message(0, "Hi.", duration=2), message(1, "Hello.", start=later, duration=1))
    )
    assert call.text is not None
    assert [(each.start, each.end) for each in call.text.utterances] == [(0, 2), (4.5, 5.5)]


@pytest.mark.parametrize("chat", [CHAT, with_times(CHAT)], ids=["untimed", "timed"])
def test_a_text_of_ours_comes_back(chat: dict[str, Any]) -> None:
    ours = record(checked(chat))
    ours = replace(ours, recording=replace(ours.recording, started_at="2026-01-31T09:30:00+01:00"))
    call = read_vcon(to_vcon(ours))
    again = record(checked(call.text))
    assert [(each.role, each.text) for each in again.utterances] == [
        (each.role, each.text) for each in ours.utterances
    ]
    assert again.metrics == ours.metrics
    assert [(each.role, bool(each.bot)) for each in again.participants] == [
        (each.role, bool(each.bot)) for each in ours.participants
    ]
    assert call.started_at is not None
    assert call.started_at.startswith("2026-01-31T09:30:00")


def test_a_call_of_ours_whose_audio_stays_home_comes_back_as_its_transcript(
    make_record: Make,
) -> None:
    ours = make_record([(0, 0.5, "Thank you for calling."), (1, 2.0, "Hi there.")])
    call = read_vcon(to_vcon(ours))
    assert call.audio is None
    assert call.text is not None
    assert [each.text for each in call.text.utterances] == [each.text for each in ours.utterances]
    assert [each.start for each in call.text.utterances] == [0.5, 2.0]
    assert call.started_at is None  # 1970 stands for what nobody knows
    linked = read_vcon(to_vcon(ours, url="https://calls.example.com/a.wav"))
    assert linked.audio is not None
    assert linked.audio.uri == "https://calls.example.com/a.wav"
    assert linked.audio.hashes == {"sha256": bytes.fromhex(ours.recording.sha256)}
    assert (linked.audio.channels, linked.audio.agent_channel) == (2, 0)


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        ("nonsense", "no JSON", "JSON"),
        ("[]", "no JSON object", "one vCon"),
        ({}, "no version", "vcon"),
        ({"ciphertext": "x", "recipients": []}, "encrypted", "Decrypt"),
        ({"payload": "x", "signatures": []}, "signed", "Verify"),
        (vcon(vcon="1.0"), "syntax '1.0'", "0.4.0"),
        (vcon(group=[{"uuid": UUID}]), "group", "each"),
        (vcon(critical=["hologram"]), "hologram", "without"),
        (vcon(), "neither audio", "dialog"),
        (vcon(recording()), "neither audio", "body or url"),
        (vcon({"type": "transfer"}), "neither audio", "dialog"),
        (vcon(recording(url="a"), recording(url="b")), "2 recordings", "each"),
        (vcon(recording(body="x!", encoding="base64url")), "dialog.0: body", "docs/vcon.md"),
        (vcon(recording(body="x", encoding="none")), "base64url", "docs/vcon.md"),
        (vcon(recording(url="a", content_hash="md5-abc")), "'md5'", "docs/vcon.md"),
        (vcon(recording(url="a", content_hash="sha256-abc")), "no sha256", "docs/vcon.md"),
        (vcon(message(0, "x", start="yesterday")), "dialog.0: start", "docs/vcon.md"),
        (vcon(message(0, "x", mediatype="text/html")), "'text/html'", "docs/vcon.md"),
        (vcon(message(0, "x", parties=[7])), "names no party", "docs/vcon.md"),
        (vcon(message(0, " ")), "utterances.0.text", "docs/api.md"),
        (vcon("hello"), "dialog.0: no object", "docs/vcon.md"),
        (vcon(dialog={}, parties=4), "parties: no array", "draft"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_remedy(
    content: Any, problem: str, remedy: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_vcon(content)
    assert problem in caught.value.message
    assert remedy in caught.value.remedy


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["vcon", "parties", "dialog", "analysis", "uuid"]), JSON),
    st.dictionaries(
        st.sampled_from(["type", "body", "encoding", "parties", "originator", "start", "url",
                         "duration", "content_hash", "mediatype", "filename"]),
        JSON | st.sampled_from(["text", "recording", "none", "base64url"]),
    ),
)  # fmt: skip
def test_whatever_comes_is_read_or_refused(fields: dict[str, Any], dialog: dict[str, Any]) -> None:
    for content in (fields, {"vcon": "0.4.0", **fields}, vcon(dialog)):
        with contextlib.suppress(InvalidInput):
            read_vcon(content)
