"""The dialogue stage as a whole: channel maps, doubts, the sample call."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callscope import dialogue
from callscope.errors import UnknownChannel
from callscope.types import (
    ChannelFinding,
    ChannelLayout,
    ChannelReport,
    Diarization,
    Role,
    Transcript,
)

Heard = tuple[Transcript, Diarization]
Line = tuple[int, float, str]
Call = Callable[[Sequence[Line]], Heard]

AGENT, CUSTOMER = 0, 1
CALL: list[Line] = [
    (AGENT, 0.5, "Thank you for calling Acme, this is Bo. How can I help you today?"),
    (CUSTOMER, 5.5, "Hi, I was charged twice this month and my rent check bounced."),
    (AGENT, 9.5, "I'm sorry to hear that. Can I have your account number, please?"),
    (CUSTOMER, 13.5, "It's five five oh, three one two."),
]


def build(heard: Heard, agent_channel: int | None = None) -> dialogue.Conversation:
    return dialogue.build(*heard, heard[0].duration, agent_channel)


def swapped(lines: Sequence[Line]) -> list[Line]:
    return [(1 - who, start, text) for who, start, text in lines]


def with_findings(heard: Heard, *findings: ChannelFinding) -> Heard:
    transcript, diarization = heard
    report = replace(diarization.channels[-1], findings=findings)
    return transcript, replace(diarization, channels=(*diarization.channels[:-1], report))


def test_a_two_party_call_has_its_parties_by_channel(two_party: Call) -> None:
    call = build(two_party(CALL))
    assert [(each.speaker, each.role, each.channel) for each in call.participants] == [
        ("channel_0", Role.AGENT, 0),
        ("channel_1", Role.CUSTOMER, 1),
    ]
    assert all(0.9 < each.role_confidence < 1.0 for each in call.participants)
    assert [each.index for each in call.utterances] == [0, 1, 2, 3]
    assert [each.text for each in call.utterances] == [text for _, _, text in CALL]
    assert call.doubts == ()


def test_a_mono_call_has_its_parties_by_first_word(mono: Call) -> None:
    call = build(mono(swapped(CALL)))
    assert [(each.speaker, each.role, each.channel) for each in call.participants] == [
        ("speaker_1", Role.AGENT, None),
        ("speaker_0", Role.CUSTOMER, None),
    ]


def test_a_given_channel_makes_roles_certain(two_party: Call) -> None:
    call = build(two_party(CALL), agent_channel=AGENT)
    assert [(each.role, each.role_confidence) for each in call.participants] == [
        (Role.AGENT, 1.0),
        (Role.CUSTOMER, 1.0),
    ]
    assert {each.role_confidence for each in call.utterances} == {1.0}


def test_a_map_that_the_words_contradict_is_kept_and_doubted(two_party: Call) -> None:
    call = build(two_party(CALL), agent_channel=CUSTOMER)
    assert [each.role for each in call.participants] == [Role.CUSTOMER, Role.AGENT]
    assert [each.findings for each in call.channels] == [(ChannelFinding.SWAPPED,)] * 2
    assert call.doubts == ("The words suggest that channel 1 is the customer's, not the agent's.",)


def test_a_map_that_the_words_say_nothing_about_is_believed(two_party: Call) -> None:
    call = build(two_party([(0, 0.0, "Good morning."), (1, 2.0, "Good morning.")]), agent_channel=1)
    assert [each.role for each in call.participants] == [Role.CUSTOMER, Role.AGENT]
    assert [each.findings for each in call.channels] == [(), ()]
    assert call.doubts == ()


@pytest.mark.parametrize("channel", [-1, 2])
def test_a_channel_that_does_not_exist_is_refused(two_party: Call, channel: int) -> None:
    with pytest.raises(UnknownChannel, match=rf"given as {channel}, but .* 2 channels"):
        build(two_party(CALL), agent_channel=channel)


def test_a_mono_recording_has_one_channel(mono: Call) -> None:
    with pytest.raises(UnknownChannel, match=r"1 channel$"):
        build(mono(CALL), agent_channel=1)


def test_a_map_for_parties_on_one_channel_says_nothing_and_is_doubted(mono: Call) -> None:
    call = build(mono(CALL), agent_channel=0)
    assert [each.role for each in call.participants] == [Role.AGENT, Role.CUSTOMER]
    assert call.doubts == (
        "The agent's channel was given, but the parties share a channel; "
        "the roles were told from the words.",
    )


def test_unclear_roles_are_unknown_and_doubted(two_party: Call) -> None:
    call = build(two_party([(0, 0.0, "It is raining here again."), (1, 3.0, "Here it is dry.")]))
    assert {each.role for each in call.utterances} == {Role.UNKNOWN}
    assert call.doubts == (
        "It is unclear whether channel_0 is the agent or the customer (50% sure).",
    )


@pytest.mark.parametrize(
    ("finding", "doubt"),
    [
        (ChannelFinding.DEAD, "Channel 1 is dead, so a party may be missing."),
        (ChannelFinding.LEAKING, "Channel 1 carries the other party's voice as well."),
    ],
)
def test_sick_channels_are_doubted(two_party: Call, finding: ChannelFinding, doubt: str) -> None:
    assert build(with_findings(two_party(CALL), finding)).doubts == (doubt,)


@pytest.mark.parametrize("layout", ["two_party", "mono"])
def test_a_call_without_words_is_empty_and_doubted(
    request: pytest.FixtureRequest, layout: str
) -> None:
    call = build(request.getfixturevalue(layout)([]))
    assert call.utterances == ()
    assert call.doubts == ("No speech was recognized.",)
    assert call.metrics.silence_share == 1.0


def test_live_speech_starts_after_announcements_and_listening(two_party: Call) -> None:
    call = build(
        two_party(
            [
                (AGENT, 0.0, "Thank you for calling Acme."),
                (AGENT, 3.5, "Your call is important to us. Please listen carefully."),
                (CUSTOMER, 9.0, "Hello, I am in some kind of queue here and it is"),
                (AGENT, 10.5, "Mm-hmm."),
                *[(who, start + 20.0, text) for who, start, text in CALL],
            ]
        )
    )
    assert [each.role for each in call.utterances[:4]] == [
        Role.IVR,
        Role.IVR,
        Role.CUSTOMER,
        Role.AGENT,
    ]
    assert call.utterances[3].backchannel
    assert dialogue.live_start(call.utterances) == 20.5
    assert dialogue.live_start(call.utterances, Role.CUSTOMER) == 9.0
    assert dialogue.live_start(call.utterances[:2]) is None


def test_exchanging_the_channels_exchanges_the_roles(two_party: Call) -> None:
    one, other = build(two_party(CALL)), build(two_party(swapped(CALL)))
    assert [each.role for each in one.utterances] == [each.role for each in other.utterances]
    assert one.metrics == other.metrics


@pytest.mark.parametrize("layout", ChannelLayout)
def test_the_sample_call_is_understood(
    sample: Path, truth_call: Callable[..., Any], layout: ChannelLayout
) -> None:
    heard, truth = truth_call(sample, layout)
    call = build(heard)
    assert {each.speaker[-1]: each.role.value for each in call.participants} == truth["channels"]
    assert call.doubts == ()
    if layout is ChannelLayout.TWO_PARTY:
        said = [each for each in call.utterances if not each.backchannel]
        told = [turn for turn in truth["turns"] if not turn["backchannel"]]
        assert " ".join(each.text for each in said if each.role is Role.AGENT) == " ".join(
            turn["text"] for turn in told if turn["speaker"] == "agent"
        )


def test_a_dead_channel_leaves_the_other(mono: Call) -> None:
    transcript, diarization = mono([line for line in CALL if line[0] == AGENT])
    reports = (ChannelReport(0, -20.0), ChannelReport(1, None, (ChannelFinding.DEAD,)))
    call = build((transcript, replace(diarization, channels=reports)), agent_channel=0)
    assert [each.role for each in call.participants] == [Role.AGENT]
    assert len(call.doubts) == 2
