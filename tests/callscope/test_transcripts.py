"""Conversations that come as text: every form is read, and what is wrong is named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope import dialogue, transcripts
from callscope.errors import InvalidInput
from callscope.record import from_json, json_schema, to_dict, to_json
from callscope.transcripts import checked, digest, read
from callscope.types import (
    CallRecord,
    ChannelLayout,
    OverallScore,
    Provenance,
    Recording,
    Review,
    Role,
    RubricRef,
    TextConversation,
    Timing,
)
from callscope.wire import from_proto, published, to_proto

CHAT = {
    "participants": [
        {"speaker": "lea", "role": "agent", "bot": True},
        {"speaker": "visitor", "role": "customer"},
    ],
    "utterances": [
        {"speaker": "visitor", "text": "My parcel never arrived."},
        {"speaker": "lea", "text": "I'm sorry about that.\nMay I have its number?"},
        {"speaker": "visitor", "text": "417"},
    ],
    "language": "en",
}
TIMED = [(0.0, 2.0), (2.5, 6.0), (6.5, 7.0)]
VTT = """\
WEBVTT - a call

NOTE nothing of this is said
by anybody

greeting
00:01.000 --> 00:03.000 align:start
<v Agent>Thank you for calling &amp; holding,</v>

00:03.200 --> 00:05.000
<v Agent>this is <i>Anna</i>.</v>

00:03.500 --> 00:04.100
<v Customer>Mm-hmm.</v>

01:00:06.000 --> 01:00:08.000
<v Customer>My card is lost.</v>
"""
SRT = "1\r\n00:00:01,000 --> 00:00:03,000\r\nAgent: Hello.\r\n\r\n2\r\n00:00:04,000 --> 00:00:05,000\r\nCustomer: Hi.\r\n"  # noqa: E501


def with_times(chat: dict[str, Any]) -> dict[str, Any]:
    said = [
        {**each, "start": start, "end": end}
        for each, (start, end) in zip(chat["utterances"], TIMED, strict=True)
    ]
    return {**chat, "utterances": said}


def with_words(chat: dict[str, Any]) -> dict[str, Any]:
    """The chat spoken at two words a second from 1 s on, with a second between two utterances."""
    said, at = [], 1.0
    for each in chat["utterances"]:
        words = [
            {"text": word, "start": at + i / 2, "end": at + i / 2 + 0.4}
            for i, word in enumerate(each["text"].split())
        ]
        said.append({**each, "words": words})
        at = words[-1]["end"] + 1.0
    return {**chat, "utterances": said}


def record(text: TextConversation) -> CallRecord:
    talk = dialogue.read(text)
    return CallRecord(
        schema_version="1.1",
        recording=Recording("call-7", None, digest(text), text.duration, None, None, None),
        language=text.language,
        layout=ChannelLayout.NONE,
        channels=(),
        participants=talk.participants,
        utterances=talk.utterances,
        metrics=talk.metrics,
        behaviors=(),
        disclosures=(),
        overall=OverallScore(None, None),
        review=Review(False, ()),
        provenance=Provenance("0.1.0", (), RubricRef("general", "1", "c" * 64), digest(text)),
    )


def test_a_chat_has_roles_words_and_no_times() -> None:
    talk = dialogue.read(checked(CHAT))
    assert [(each.role, each.text) for each in talk.utterances] == [
        (Role.CUSTOMER, "My parcel never arrived."),
        (Role.AGENT, "I'm sorry about that. May I have its number?"),
        (Role.CUSTOMER, "417"),
    ]
    assert [(each.speaker, each.role_confidence, each.bot) for each in talk.participants] == [
        ("lea", 1.0, True),
        ("visitor", 1.0, None),
    ]
    metrics = talk.metrics
    assert metrics.timing is Timing.NONE
    assert [(each.role, each.words) for each in metrics.participants] == [
        (Role.AGENT, 9),
        (Role.CUSTOMER, 5),
    ]
    for each in metrics.participants:
        assert (each.talk, each.talk_share, each.response_latency) == (None, None, None)
        assert (each.words_per_minute, each.interruptions, each.backchannels) == (None, None, None)
    assert (metrics.silence, metrics.hold, metrics.overtalk) == (None, None, None)
    assert talk.doubts == ()


def test_a_record_without_times_shows_none_and_comes_back() -> None:
    chat = record(checked(CHAT))
    shown = to_dict(chat)
    for utterance in shown["utterances"]:
        for each in (utterance, *utterance["words"]):
            assert (each["start"], each["end"]) == (None, None)
    assert shown["recording"]["duration"] is None
    assert from_json(to_json(chat)) == chat
    assert to_json(from_json(to_json(chat))) == to_json(chat)
    message = published(chat)
    for said in message.utterances:
        assert not any(each.HasField("start") or each.HasField("end") for each in said.words)
        assert not said.HasField("start")
    assert from_proto(CallRecord, to_proto(chat)) == chat


def test_the_records_schema_allows_for_no_times() -> None:
    for kind in ("Utterance", "Word", "Evidence"):
        start = json_schema()["$defs"][kind]["properties"]["start"]
        assert {"type": "null"} in start["anyOf"]


def test_a_transcript_with_times_is_measured_to_the_utterance() -> None:
    talk = dialogue.read(checked(with_times(CHAT)))
    agent, customer = talk.metrics.participants
    assert talk.metrics.timing is Timing.UTTERANCES
    assert agent.talk == 3.5
    assert customer.talk == 2.5
    assert agent.response_latency == 0.5
    assert talk.metrics.silence == pytest.approx(1.0)
    said = talk.utterances[1]
    assert {(word.start, word.end) for word in said.words} == {(2.5, 6.0)}
    shown = to_dict(record(checked(with_times(CHAT))))
    assert shown["utterances"][1]["start"] == 2.5


def test_a_transcript_with_timed_words_is_measured_like_a_recording() -> None:
    sent = with_words(CHAT)
    sent["utterances"][1]["words"][2]["probability"] = 0.4
    text = checked(sent)
    assert [each.start for each in text.utterances] == pytest.approx([1.0, 3.9, 9.3])
    assert [each.end for each in text.utterances] == pytest.approx([2.9, 8.3, 9.7])
    talk = dialogue.read(text)
    assert talk.metrics.timing is Timing.WORDS
    assert talk.metrics.participants[0].response_latency == pytest.approx(1.0)
    heard = talk.utterances[1].words
    assert [word.start for word in heard] == [pytest.approx(3.9 + i / 2) for i in range(9)]
    assert [word.probability for word in heard[:4]] == [1.0, 1.0, 0.4, 1.0]
    assert from_proto(TextConversation, to_proto(text)) == text
    assert checked(text) == text
    assert digest(text) != digest(checked(CHAT))


def test_the_digest_of_a_text_without_timed_words_is_what_it_was_before_there_were_any() -> None:
    """A text that is sent once more after an update is the call that it was."""
    before = {
        digest(checked(CHAT)): "000448ca7510ece2e0ad5673b52696b2b69df3580e18a43917a83aaee200981f",
        digest(
            checked(with_times(CHAT))
        ): "e89d896346e309e9dd2d5a23ad9459782e77cc73e9d68ad381b1b673f4621ffc",
    }
    assert list(before) == list(before.values())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([("Hello", 0, 1), ("there", 1, 2)], "not those of its text"),
        ([("Hello", 0, 1)], "not those of its text"),
        ([("Hello", 2, 3), ("you", 1, 2)], "order of their times"),
        ([("Hello", 1, 0), ("you", 1, 2)], "ends before it starts"),
        ([("Hello you", 0, 1)], "words.0.text"),
    ],
)
def test_words_that_do_not_fit_are_named(words: list[tuple[str, int, int]], problem: str) -> None:
    timed = [{"text": text, "start": start, "end": end} for text, start, end in words]
    with pytest.raises(InvalidInput, match=problem):
        checked({"utterances": [{"speaker": "a", "text": "Hello you", "words": timed}]})


def test_words_have_times_in_every_utterance_or_in_none() -> None:
    sent = with_words(CHAT)
    del sent["utterances"][2]["words"]
    with pytest.raises(InvalidInput, match="utterance 2 has no times"):
        checked(sent)
    sent["utterances"][2].update(start=9, end=10)
    with pytest.raises(InvalidInput, match="utterance 2 has no words"):
        checked(sent)


def test_roles_that_nobody_gave_are_told_from_the_words() -> None:
    lines = [
        ("a", "Thank you for calling Northwind, my name is Anna, how may I help you today?"),
        ("b", "I'd like to cancel my subscription, my account number is 417."),
        ("a", "May I have your date of birth to verify your account?"),
        ("b", "Ninth of May."),
        ("a", "Is there anything else I can help you with today?"),
    ]
    said = [{"speaker": who, "text": text} for who, text in lines]
    talk = dialogue.read(checked({"utterances": said}))
    assert {each.speaker: each.role for each in talk.participants} == {
        "a": Role.AGENT,
        "b": Role.CUSTOMER,
    }
    assert all(each.role_confidence < 1.0 for each in talk.participants)


def test_a_given_role_outweighs_the_words() -> None:
    said = [{"speaker": "menu", "text": "Press one for billing."}, {"speaker": "x", "text": "Hi."}]
    people = [{"speaker": "menu", "role": "ivr", "bot": True}, {"speaker": "x", "role": "customer"}]
    talk = dialogue.read(checked({"utterances": said, "participants": people}))
    assert [each.role for each in talk.utterances] == [Role.IVR, Role.CUSTOMER]


def test_captions_are_read_and_those_of_one_flow_are_one_utterance() -> None:
    text = read(VTT.encode(), "vtt")
    assert [(each.speaker, each.text, each.start, each.end) for each in text.utterances] == [
        ("Agent", "Thank you for calling & holding, this is Anna.", 1.0, 5.0),
        ("Customer", "Mm-hmm.", 3.5, 4.1),
        ("Customer", "My card is lost.", 3606.0, 3608.0),
    ]
    talk = dialogue.read(text)
    assert [each.role for each in talk.participants] == [Role.AGENT, Role.CUSTOMER]
    assert [each.backchannel for each in talk.utterances] == [False, True, False]


def test_words_of_joined_captions_keep_the_times_of_their_own() -> None:
    """Else a notice would seem to come before what the caption before it tells of."""
    captions = (
        "00:10.000 --> 00:13.000\nAgent: I'm so sorry. Let me open your account.\n\n"
        "00:14.000 --> 00:19.000\nAgent: This call is recorded.\n"
    )
    talk = dialogue.read(read(captions.encode(), "vtt"))
    (said,) = talk.utterances
    assert (said.start, said.end) == (10.0, 19.0)
    times = [(word.start, word.end) for word in said.words]
    assert times == [(10.0, 13.0)] * 8 + [(14.0, 19.0)] * 4
    assert talk.metrics.timing is Timing.UTTERANCES


def test_captions_out_of_order_are_not_joined() -> None:
    captions = (
        "00:10.000 --> 00:13.000\nAgent: Later.\n\n00:01.000 --> 00:02.000\nAgent: Earlier.\n"
    )
    text = read(captions.encode(), "vtt")
    assert [each.text for each in text.utterances] == ["Later.", "Earlier."]


def test_subrip_is_read() -> None:
    text = read(SRT.encode(), "srt")
    assert [(each.speaker, each.text, each.end) for each in text.utterances] == [
        ("Agent", "Hello.", 3.0),
        ("Customer", "Hi.", 5.0),
    ]


def test_plain_text_is_read_without_times() -> None:
    text = read("\ufeff[00:12] Agent: Hello,\nhow are you?\n\nBot 2: Hi: yes.\n".encode(), "txt")
    assert [(each.speaker, each.text, each.start) for each in text.utterances] == [
        ("Agent", "Hello, how are you?", None),
        ("Bot 2", "Hi: yes.", None),
    ]
    assert [(each.role, each.bot) for each in text.participants] == [
        (Role.AGENT, None),
        (None, True),
    ]


@pytest.mark.parametrize(
    ("content", "form", "problem"),
    [
        (b"{}", "json", "utterances: Field required"),
        (b'{"utterances": []}', "json", "no utterance"),
        (b"[" * 100_000, "json", "no JSON"),
        (b'{"utterances": [{"speaker": "a", "text": " "}]}', "json", "utterances.0.text"),
        (b'{"utterances": [{"speaker": "a", "text": "\\ud800"}]}', "json", "utterances.0.text"),
        (b'{"utterances": [{"speaker": "a", "text": "x\\u0000"}]}', "json", "utterances.0.text"),
        (b'{"utterances": [{"speaker": "a", "text": "x", "start": 1}]}', "json", "or neither"),
        (
            b'{"utterances": [{"speaker": "a", "text": "x", "start": 2, "end": 1}]}',
            "json",
            "ends before it starts",
        ),
        (
            b'{"utterances": [{"speaker": "a", "text": "x", "start": 1, "end": 2},'
            b' {"speaker": "a", "text": "x"}]}',
            "json",
            "utterance 1 has no times",
        ),
        (b'{"utterances": [{"speaker": "a", "text": "x", "start": NaN}]}', "json", "start"),
        (b"\xff", "txt", "byte 0"),
        (b"Hello there\n", "txt", "line 1"),
        (b"", "txt", "empty"),
        (b"nothing", "vtt", "no captions"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello there\n", "vtt", "caption 1"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nAgent: Hello\n", "vtt", "caption 1 ends before"),
        (b"{}", "docx", "'docx'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_remedy(
    content: bytes, form: str, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        read(content, form)
    assert caught.value.remedy


def test_more_than_a_call_can_have_is_refused() -> None:
    line = {"speaker": "a", "text": "word " * 150}
    with pytest.raises(InvalidInput, match="words"):
        checked({"utterances": [line] * 2000})
    many = [{"speaker": f"s{i}", "text": "x"} for i in range(transcripts.MAX_SPEAKERS + 1)]
    with pytest.raises(InvalidInput, match="speakers"):
        checked({"utterances": many})
    with pytest.raises(InvalidInput, match="utterances"):
        checked({"utterances": [{"speaker": "a", "text": "x"}] * (transcripts.MAX_UTTERANCES + 1)})


def test_a_thousand_faults_are_told_in_a_few_words() -> None:
    with pytest.raises(InvalidInput) as caught:
        checked({"utterances": [{"speaker": "a", "text": "secret", "x": 1}] * 1000})
    assert len(caught.value.message) < 1000
    assert "secret" not in caught.value.message


@given(st.binary(max_size=200), st.sampled_from(sorted(transcripts.FORMS)))
def test_whatever_comes_is_read_or_refused(content: bytes, form: str) -> None:
    try:
        text = read(content, form)
    except InvalidInput:
        return
    dialogue.read(text)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(min_size=1, max_size=30)), min_size=1))
def test_nothing_that_was_said_is_lost(lines: list[tuple[str, str]]) -> None:
    content = {"utterances": [{"speaker": who, "text": said} for who, said in lines]}
    try:
        text = checked(json.loads(json.dumps(content)))
    except InvalidInput:
        return
    talk = dialogue.read(text)
    said = [(who, said.split()) for who, said in lines]
    assert [(each.speaker, each.text.split()) for each in talk.utterances] == said
    for before, after in zip(talk.utterances, talk.utterances[1:], strict=False):
        assert before.end <= after.start  # the reading clock keeps the order
    written = to_json(record(text))
    assert to_json(from_json(written)) == written  # which rounds what a role's words add up to
