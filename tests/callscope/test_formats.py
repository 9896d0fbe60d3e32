"""Records in other tools' formats, read by those tools' parsers."""

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import webvtt
from pyannote.database.util import load_rttm

from callscope.errors import InvalidInput
from callscope.formats import CAPTION_LETTERS, CAPTION_SECONDS, FORMATS, render
from callscope.types import CallRecord, Participant, Role

Make = Callable[[Sequence[tuple[int, float, str]]], CallRecord]
CALL = [
    (0, 0.5, "Thank you for calling Tom & Son, how can I help you?"),
    (1, 4.2, "The <b>total</b> is wrong."),
    (0, 6.0, "I see. " + "Let me look at that for you. " * 12),
    (1, 9.0, "Mm-hmm."),
    (1, 3700.0, "Bye."),
]


@pytest.fixture
def record(make_record: Make) -> CallRecord:
    return make_record(CALL)


def test_vtt_has_the_words_and_the_speakers(record: CallRecord) -> None:
    captions = webvtt.from_string(render(record, "vtt")).captions
    assert [(each.voice, each.text) for each in captions[:2]] == [
        ("Agent", "Thank you for calling Tom &amp; Son, how can I help you?"),
        ("Customer", "The &lt;b&gt;total&lt;/b&gt; is wrong."),
    ]
    assert captions[0].start == "00:00:00.500"
    assert captions[-1].start == "01:01:40.000"
    assert [each.start for each in captions] == sorted(each.start for each in captions)


@pytest.mark.parametrize("form", ["vtt", "srt"])
def test_captions_are_short_and_lose_nothing(make_record: Make, tmp_path: Path, form: str) -> None:
    record = make_record([CALL[0], *CALL[2:]])
    file = tmp_path / f"call.{form}"
    file.write_text(render(record, form), encoding="utf-8")
    captions = (webvtt.read if form == "vtt" else webvtt.from_srt)(str(file)).captions
    texts = [re.sub("^(Agent|Customer): ", "", html.unescape(each.text)) for each in captions]
    assert max(map(len, texts)) <= CAPTION_LETTERS
    for each in captions:
        assert 0 <= each.end_in_seconds - each.start_in_seconds <= CAPTION_SECONDS + 1  # whole ones
    said = " ".join(each.text for each in record.utterances)
    assert sorted(" ".join(texts).split()) == sorted(said.split())


def test_srt_is_numbered_and_names_the_speaker(record: CallRecord) -> None:
    blocks = render(record, "srt").split("\n\n")
    assert blocks[0] == (
        "1\n00:00:00,500 --> 00:00:04,050\n"
        "Agent: Thank you for calling Tom & Son, how can I help you?"
    )
    assert [block.strip().split("\n")[0] for block in blocks] == [
        str(number) for number in range(1, len(blocks) + 1)
    ]


def test_txt_is_the_dialogue_by_role(record: CallRecord) -> None:
    lines = render(record, "txt").splitlines()
    assert lines[:2] == [
        "[00:00] Agent: Thank you for calling Tom & Son, how can I help you?",
        "[00:04] Customer: The <b>total</b> is wrong.",
    ]
    assert lines[-1] == "[61:40] Customer: Bye."


def test_speakers_of_one_role_are_numbered(record: CallRecord) -> None:
    second = replace(record.utterances[-1], speaker="channel_2", role=Role.AGENT)
    transferred = replace(record, utterances=(*record.utterances[:-1], second))
    lines = render(transferred, "txt").splitlines()
    assert lines[0].startswith("[00:00] Agent 1: ")
    assert lines[-1] == "[61:40] Agent 2: Bye."


def test_rttm_has_every_utterance(record: CallRecord, tmp_path: Path) -> None:
    named = replace(record, recording=replace(record.recording, id="call 7"))
    file = tmp_path / "call.rttm"
    file.write_text(render(named, "rttm"), encoding="utf-8")
    (annotation,) = load_rttm(file).values()  # type: ignore[no-untyped-call]
    assert annotation.uri == "call_7"
    tracks = [
        (round(segment.start, 3), label)
        for segment, _, label in annotation.itertracks(yield_label=True)
    ]
    assert tracks == [(round(each.start, 3), each.speaker) for each in record.utterances]


@pytest.mark.parametrize("form", FORMATS)
def test_a_call_without_words_renders(make_record: Make, form: str) -> None:
    empty = make_record([])
    assert render(empty, form) == render(empty, form)


def test_an_unknown_format_is_refused_with_the_known_ones(record: CallRecord) -> None:
    with pytest.raises(InvalidInput, match="docx") as refused:
        render(record, "docx")
    assert "json, vcon, rttm, vtt, srt, txt" in refused.value.remedy


def vcon(record: CallRecord) -> dict[str, object]:
    content: dict[str, object] = json.loads(render(record, "vcon"))
    return content


def with_recording(record: CallRecord, **changes: object) -> CallRecord:
    return replace(record, recording=replace(record.recording, **changes))  # type: ignore[arg-type]


def test_participants_of_one_kind_are_no_longer_named(record: CallRecord) -> None:
    named = with_recording(record, metadata={"agent": "Ann"})
    twice = replace(
        named, participants=(*named.participants, Participant("channel_2", Role.AGENT, 0.9, None))
    )
    assert vcon(named)["parties"] == [
        {"type": "person", "role": "agent", "name": "Ann", "validation": "none"},
        {"type": "person", "role": "customer"},
    ]
    assert "Ann" not in json.dumps(vcon(twice)["parties"])
