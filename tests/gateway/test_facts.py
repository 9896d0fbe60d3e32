"""Facts about a call: read from every source, weighed, and reported where they cannot be read."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import InvalidInput
from services.gateway.details import Details
from services.gateway.facts import (
    Clock,
    NamePattern,
    Said,
    Source,
    combine,
    said_by_object,
    said_by_sidecar,
    sidecar_names,
)
from services.gateway.submission import Submission
from services.gateway.texts import Note

PATTERN = NamePattern(
    r"(.*/)?(?P<agent>[^_/]+)_(?P<queue>[^_]+)_(?P<started_at>[^.]+)(_(?P<direction>in|out))?\.wav"
)
BERLIN = Clock("%d.%m.%Y %H:%M:%S", ZoneInfo("Europe/Berlin"))


def asked(**fields: Any) -> Submission:
    return Submission.read(fields)


def test_the_stronger_source_wins_fact_by_fact() -> None:
    said = [
        PATTERN.read("2026/a-1_billing_20260131T093000Z.wav"),
        said_by_sidecar(b'{"agent": "a-2", "metadata": {"team": "north"}, "agent_channel": 1}'),
        said_by_object({"X-Amz-Meta-Team": "south", "etag": "x"}),
        Said(Source.DETAILS, {"queue": "sales", "customer": "c-9"}),
    ]
    whole = combine(asked(metadata={"customer": "c-1"}), said, Clock())
    assert whole.metadata == {
        "customer": "c-1",
        "team": "south",
        "agent": "a-2",
        "queue": "sales",
    }
    assert whole.started_at == "2026-01-31T09:30:00+00:00"
    assert whole.agent_channel == 1
    assert whole.notes == ()


def test_what_cannot_be_read_is_noted_and_the_next_source_is_taken() -> None:
    said = [
        said_by_sidecar(
            b'{"started_at": "yesterday", "agent_channel": "left", "tags": ["a"], "\\ud800": 1}'
        ),
        PATTERN.read("a-1_billing_20260131T093000Z.wav"),
    ]
    whole = combine(asked(), said, Clock())
    assert whole.started_at == "2026-01-31T09:30:00+00:00"
    assert whole.agent_channel is None
    assert [(note.source, note.fact) for note in whole.notes] == [
        ("sidecar", "started_at"),
        ("sidecar", "agent_channel"),
        ("sidecar", "tags"),
        ("sidecar", None),
    ]
    assert not any("yesterday" in note.reason for note in whole.notes)


def test_the_request_itself_is_kept_whatever_the_sources_say() -> None:
    request = asked(rubric_yaml="id: mine", started_at="2026-01-31T09:30:00+01:00")
    said = [said_by_sidecar(b'{"rubric": "sales", "started_at": "2025-01-01T00:00:00Z"}')]
    whole = combine(request, said, Clock())
    assert (whole.rubric, whole.rubric_yaml) == (None, "id: mine")
    assert whole.started_at == "2026-01-31T09:30:00+01:00"


def test_a_name_that_does_not_match_is_noted() -> None:
    whole = combine(asked(), [PATTERN.read("recording (1).wav")], Clock())
    assert whole.notes == (Note(source="name", reason="the name does not match the pattern"),)
    assert whole.metadata == {}


@pytest.mark.parametrize("pattern", ["(", "call-[0-9]+"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match="pattern"):
        NamePattern(pattern)


@pytest.mark.parametrize(
    ("text", "clock", "moment"),
    [
        ("2026-01-31T09:30:00+01:00", Clock(), "2026-01-31T09:30:00+01:00"),
        ("20260131T093000Z", Clock(), "2026-01-31T09:30:00+00:00"),
        ("2026-01-31 09:30", BERLIN, "2026-01-31T09:30:00+01:00"),
        ("31.07.2026 09:30:00", BERLIN, "2026-07-31T09:30:00+02:00"),
    ],
)
def test_times_are_read_on_the_clock_they_were_written_by(
    text: str, clock: Clock, moment: str
) -> None:
    assert clock.read(text) == moment


@pytest.mark.parametrize(
    ("text", "clock", "reason"),
    [
        ("2026-01-31T09:30:00", Clock(), "without an offset"),
        ("20260131", BERLIN, "neither"),
        ("2026-13-31T09:30:00Z", Clock(), "no ISO 8601 time"),
        ("25.10.2026 02:30:00", BERLIN, "repeats"),  # twice, an hour apart
        ("29.03.2026 02:30:00", BERLIN, "skips"),
    ],
)
def test_a_time_that_would_be_a_guess_is_refused(text: str, clock: Clock, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        clock.read(text)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"{" * 5000, b" " * (300 << 10)])
def test_a_sidecar_that_is_none_is_noted(content: bytes) -> None:
    (note,) = said_by_sidecar(content).notes
    assert note.source == "sidecar"
    assert note.fact is None


def test_object_metadata_is_decoded_as_mail_headers_are() -> None:
    said = said_by_object({"x-amz-meta-agent": "=?UTF-8?B?SsO8cmdlbg==?=", "x-amz-meta-q": "%=?"})
    assert said.facts == {"agent": "Jürgen", "q": "%=?"}


def test_a_sidecar_stands_beside_its_recording() -> None:
    assert sidecar_names("a.b/call.wav") == ("a.b/call.wav.json", "a.b/call.json")
    assert sidecar_names("call") == ("call.json", "call.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=80), st.text())
def test_no_facts_whatever_cost_the_recording(facts: dict[str, Any], name: str) -> None:
    said = [Said(Source.SIDECAR, facts), PATTERN.read(name), said_by_object({"x-amz-meta-a": name})]
    whole = combine(asked(metadata={"agent": "a"}), said, BERLIN)
    assert whole.metadata["agent"] == "a"
    assert len(whole.metadata) <= 64


def table(tmp_path: Path, text: str, key: str = "file") -> Details:
    path = tmp_path / "details.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return Details.load(path, key)


@pytest.mark.parametrize("name", ["in/a.wav", "a.wav", "deep/er/a.wav"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_details_are_found_by_path_name_or_stem(tmp_path: Path, name: str, delimiter: str) -> None:
    text = 'file,agent,queue\n"a",a-17,\nb.wav,a-18,sales\n'.replace(",", delimiter)
    assert table(tmp_path, text).of(name).facts == {"agent": "a-17"}


def test_details_that_contradict_or_lack_a_row_are_noted(tmp_path: Path) -> None:
    details = table(tmp_path, "file,agent\na.wav,x\na.wav,y\nb.wav,z\nb.wav,z\n")
    assert [note.reason for note in details.of("a.wav").notes] == ["several rows that differ"]
    assert [note.reason for note in details.of("c.wav").notes] == ["no row for this recording"]
    assert details.of("b.wav").facts == {"agent": "z"}


def test_details_without_the_key_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column 'name'"):
        table(tmp_path, "file,agent\n", key="name")
