"""Records as JSON: stable, valid, and read back."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.errors import InvalidInput
from callscope.record import from_json, json_schema, to_dict, to_json
from callscope.types import CallRecord, Role, Word

Make = Callable[[Sequence[tuple[int, float, str]]], CallRecord]
LINES = [(0, 0.5, "Thank you for calling."), (1, 2.0, "Hi, my bill is \u201cwrong\u201d.")]


@pytest.fixture
def record(make_record: Make) -> CallRecord:
    return make_record(LINES)


def test_a_record_survives_json(record: CallRecord) -> None:
    text = to_json(record)
    assert to_json(from_json(text)) == text
    assert from_json(text).utterances[1].text == record.utterances[1].text
    assert from_json(text.encode()) == from_json(text)


def test_enums_are_lower_case_words_and_utterances_have_text(record: CallRecord) -> None:
    content = json.loads(to_json(record))
    assert content["layout"] == "two_party"
    assert content["behaviors"][0]["outcome"] == "delivered"
    assert [each["text"] for each in content["utterances"]] == [text for *_, text in LINES]
    assert content["utterances"][0]["words"][0] == {
        "text": "Thank",
        "start": 0.5,
        "end": 0.75,
        "probability": 0.9,
        "channel": 0,
    }


def test_what_is_absent_is_null(record: CallRecord) -> None:
    content = to_dict(record)
    assert content["recording"]["started_at"] is None
    assert content["overall"]["auto_fail"] is None


def test_every_record_satisfies_the_published_schema(make_record: Make) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    for lines in (LINES, []):
        check.validate(json.loads(to_json(make_record(lines))))
    broken = to_dict(make_record(LINES))
    del broken["utterances"][0]["text"]
    assert not check.is_valid(broken)


def test_keys_come_in_the_order_of_the_types_and_metadata_sorted(record: CallRecord) -> None:
    shuffled = replace(
        record, recording=replace(record.recording, metadata={"queue": "a", "agent": "b"})
    )
    content = to_dict(shuffled)
    assert list(content)[:4] == ["schema_version", "recording", "language", "layout"]
    assert list(content["recording"]["metadata"]) == ["agent", "queue"]


@given(st.floats(0, 1e5), st.floats(0, 1))
def test_seconds_have_milliseconds_and_other_numbers_four_digits(
    make_record: Make, time: float, probability: float
) -> None:
    base = make_record(LINES)
    word = Word("a", time, time, probability, 0)
    said = replace(base.utterances[0], start=time, role_confidence=probability, words=(word,))
    content = json.loads(to_json(replace(base, utterances=(said,))))
    utterance = content["utterances"][0]
    assert utterance["start"] == utterance["words"][0]["start"] == round(time, 3)
    assert utterance["role_confidence"] == round(probability, 4)
    assert to_json(from_json(json.dumps(content))) == json.dumps(
        content, ensure_ascii=False, indent=2
    )


def test_a_zero_is_never_negative(record: CallRecord) -> None:
    text = to_json(replace(record, metrics=replace(record.metrics, silence=-0.00001)))
    assert "-0.0" not in text


def test_a_number_that_is_none_is_an_error_not_json(record: CallRecord) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(replace(record, metrics=replace(record.metrics, silence=float("nan"))))


@pytest.mark.parametrize(
    ("text", "place"),
    [("{}", "schema_version"), ("no", "the text"), ("[]", "the text"), ("", "the text")],
)
def test_what_is_no_record_is_refused_with_the_place(text: str, place: str) -> None:
    with pytest.raises(InvalidInput, match=f"no call record: {place}"):
        from_json(text)


def test_a_wrong_value_is_refused_with_its_place(record: CallRecord) -> None:
    content = to_dict(record)
    content["utterances"][1]["role"] = "boss"
    with pytest.raises(InvalidInput, match=r"utterances\.1\.role"):
        from_json(json.dumps(content))


def test_another_major_version_is_refused_and_a_minor_one_is_read(record: CallRecord) -> None:
    content = to_dict(record)
    with pytest.raises(InvalidInput, match=r"schema version 2\.0"):
        from_json(json.dumps(content | {"schema_version": "2.0"}))
    newer = content | {"schema_version": "1.9", "mood": "fine"}
    assert from_json(json.dumps(newer)).utterances[0].role is Role.AGENT
