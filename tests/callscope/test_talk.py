"""The conversation in numbers: who talked, who waited, who cut in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope import dialogue
from callscope.conversation.spans import difference, intersection, total, touching, union
from callscope.types import (
    ChannelLayout,
    ChannelReport,
    Diarization,
    Metrics,
    ModelInfo,
    ParticipantMetrics,
    Role,
    Span,
    Transcript,
    Turn,
    Word,
)

Heard = tuple[Transcript, Diarization]
Call = Callable[[Sequence[tuple[int, float, str]]], Heard]


def metrics(heard: Heard) -> Metrics:
    """Of a call whose agent is on channel 0."""
    transcript, diarization = heard
    return dialogue.build(transcript, diarization, transcript.duration, agent_channel=0).metrics


def of(found: Metrics, role: Role) -> ParticipantMetrics:
    return next(each for each in found.participants if each.role is role)


def test_talk_is_counted_by_words_with_short_gaps_bridged(two_party: Call) -> None:
    found = metrics(two_party([(0, 1.0, "one two three four"), (1, 5.0, "one two")]))
    agent, customer = of(found, Role.AGENT), of(found, Role.CUSTOMER)
    assert agent.talk == pytest.approx(1.15)
    assert customer.talk == pytest.approx(0.55)
    assert agent.talk_share == pytest.approx(1.15 / 1.7)
    assert agent.words_per_minute == pytest.approx(60 * 4 / 1.15)
    assert (agent.words, customer.words) == (4, 2)
    assert found.silence == pytest.approx(6.55 - 1.7)
    assert found.silence_share == pytest.approx((6.55 - 1.7) / 6.55)
    assert found.overtalk == 0.0


def test_long_silences_lie_between_words_and_begin_at_three_seconds(two_party: Call) -> None:
    found = metrics(two_party([(0, 9.0, "Let me look."), (0, 12.85, "Yes."), (1, 15.0, "Good.")]))
    (silence,) = found.long_silences
    assert (silence.start, silence.end) == pytest.approx((9.85, 12.85))


@pytest.mark.parametrize(
    ("notice", "after", "held"),
    [
        ("I'll put you on a short hold.", "So it was a fault.", True),
        ("Hold.", "Nobody is available.", True),
        ("Let me see.", "Thanks for waiting. It was a fault.", True),
        ("Give me a few seconds.", "So it was a fault.", False),
        ("My colleague is on it.", "You can hold the old phone.", False),
    ],
)
def test_a_hold_is_announced_or_thanked_for(
    two_party: Call, notice: str, after: str, held: bool
) -> None:
    found = metrics(two_party([(1, 0.0, "My phone."), (0, 2.0, notice), (0, 16.0, after)]))
    (quiet,) = found.holds if held else found.long_silences
    assert (quiet.start, quiet.end) == pytest.approx((1.95 + 0.3 * len(notice.split()), 16.0))
    assert len(found.holds) + len(found.long_silences) == 1
    assert found.hold == pytest.approx(16.0 - quiet.start if held else 0.0)


def test_twenty_seconds_without_a_word_are_a_hold(two_party: Call) -> None:
    found = metrics(two_party([(1, 0.0, "My phone."), (0, 2.0, "So."), (1, 23.0, "Hello?")]))
    assert [round(hold.duration, 2) for hold in found.holds] == [20.75]


def test_what_the_customer_says_meanwhile_is_no_hold(two_party: Call) -> None:
    found = metrics(
        two_party([(0, 0.0, "Please hold."), (1, 1.0, "Okay."), (0, 12.0, "Thanks for holding.")])
    )
    assert found.holds == (Span(1.25, 12.0),)


def test_an_announcement_during_hold_belongs_to_the_hold(two_party: Call) -> None:
    found = metrics(
        two_party(
            [
                (1, 0.0, "My phone is dead and I need it."),
                (0, 3.0, "Okay, please hold."),
                (0, 9.0, "Your call is important to us."),
                (0, 20.0, "Thanks for holding."),
            ]
        )
    )
    (hold,) = found.holds
    assert (hold.start, hold.end) == pytest.approx((3.85, 20.0))
    assert of(found, Role.IVR).words == 6
    assert of(found, Role.IVR).talk_share is None


def test_an_interruption_takes_the_floor(two_party: Call) -> None:
    found = metrics(
        two_party(
            [
                (1, 0.0, "I already called last week and they told me that"),
                (0, 2.5, "Sir, your name?"),
            ]
        )
    )
    (cut,) = found.interruptions
    assert (cut.by, cut.of, cut.start) == (Role.AGENT, Role.CUSTOMER, 2.5)
    assert (cut.utterance, cut.interrupted) == (1, 0)
    assert cut.overlap == pytest.approx(2.95 - 2.5)
    assert of(found, Role.AGENT).interruptions == 1
    assert of(found, Role.CUSTOMER).interruptions == 0


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (2.8, "Sir, your name?"),  # a little early, as listeners are
        (1.0, "Sir, your name?"),  # tries, and the other goes on
        (0.1, "Sir, give me your name and your number now please."),  # starts with the other
        (2.0, "Mm-hmm."),  # listens
        (3.2, "Sir, your name?"),  # waits
    ],
)
def test_other_overlap_is_no_interruption(two_party: Call, start: float, text: str) -> None:
    found = metrics(
        two_party([(1, 0.0, "I already called last week and they told me that"), (0, start, text)])
    )
    assert found.interruptions == ()


def test_backchannels_are_listed_and_do_not_break_a_monologue(two_party: Call) -> None:
    found = metrics(
        two_party(
            [
                (1, 0.0, "It came on Monday and then"),
                (0, 1.0, "Mm-hmm."),
                (1, 2.0, "it just stopped."),
                (0, 4.0, "I see it here."),
            ]
        )
    )
    (listening,) = found.backchannels
    assert (listening.by, listening.start, listening.end) == (Role.AGENT, 1.0, 1.25)
    assert of(found, Role.CUSTOMER).longest_monologue == pytest.approx(2.85)
    assert of(found, Role.AGENT).backchannels == 1
    assert of(found, Role.AGENT).longest_monologue == pytest.approx(1.15)


def test_latency_is_the_median_wait_for_this_role(two_party: Call) -> None:
    found = metrics(
        two_party(
            [
                (0, 0.0, "Your name?"),
                (1, 1.0, "Ann Bell."),
                (0, 4.0, "Your number?"),
                (1, 4.8, "Seven."),
                (0, 5.3, "Thank you for that, please hold."),
                (0, 40.0, "Thanks for holding."),
                (1, 41.0, "Sure thing."),
            ]
        )
    )
    assert of(found, Role.CUSTOMER).response_latency == pytest.approx(0.25)
    assert of(found, Role.AGENT).response_latency == pytest.approx((2.45 + 0.25) / 2)


def test_on_one_channel_the_diarizers_overlap_shows_who_cut_in() -> None:
    words = [Word(f"w{i}", 0.3 * i, 0.3 * i + 0.25, 0.9, 0) for i in range(10)]
    reply = [Word(f"v{i}", 3.0 + 0.3 * i, 3.25 + 0.3 * i, 0.9, 0) for i in range(6)]
    turns = (Turn("speaker_0", 0.0, 3.0), Turn("speaker_1", 2.4, 4.8))
    reports = (ChannelReport(0, -20.0),)
    transcript = Transcript(6.0, "en", 1.0, (*words, *reply), (), ModelInfo("t", "t", "0"))
    call = dialogue.build(transcript, Diarization(ChannelLayout.MONO, turns, reports), 6.0)
    (cut,) = call.metrics.interruptions
    assert (cut.utterance, cut.interrupted, cut.start) == (1, 0, 2.4)
    assert call.metrics.overtalk == pytest.approx(0.55, abs=0.06)


def test_a_call_without_words_has_zeros(two_party: Call) -> None:
    found = metrics(two_party([]))
    assert (found.silence, found.silence_share) == (1.0, 1.0)
    assert (found.hold, found.overtalk) == (0.0, 0.0)
    for each in found.participants:
        assert (each.talk, each.talk_share, each.words) == (0.0, None, 0)
        assert (each.words_per_minute, each.response_latency) == (None, None)


SOME_SPANS = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.001, 10)).map(lambda s: Span(s[0], s[0] + s[1]))
).map(union)


@given(SOME_SPANS, SOME_SPANS)
def test_time_is_neither_lost_nor_doubled(one: tuple[Span, ...], other: tuple[Span, ...]) -> None:
    both = total(intersection(one, other))
    assert total(union((*one, *other))) == pytest.approx(total(one) + total(other) - both)
    assert total(difference(one, other)) == pytest.approx(total(one) - both)
    assert intersection(one, other) == intersection(other, one)


@given(SOME_SPANS, st.floats(0, 50), st.floats(0.001, 10))
def test_touching_spans_are_those_with_common_time(
    spans: tuple[Span, ...], start: float, length: float
) -> None:
    end = start + length
    expected = [span for span in spans if span.end > start and span.start < end]
    assert list(touching(spans, start, end)) == expected


LINES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.floats(0, 80),
        st.sampled_from(["okay.", "please hold", "how can I help you?", "my card is gone", "so"]),
    ),
    max_size=12,
)


def known(number: float | None) -> float:
    assert number is not None
    return number


@given(LINES)
def test_the_numbers_of_a_call_agree(two_party: Call, lines: list[tuple[int, float, str]]) -> None:
    heard = two_party(lines)
    duration = heard[0].duration
    found = metrics(heard)
    talk = [known(each.talk) for each in found.participants]
    busy = sum(talk) - known(found.overtalk)
    assert busy + known(found.hold) + known(found.silence) == pytest.approx(duration)
    assert 0.0 <= known(found.silence_share) <= 1.0
    shares = [each.talk_share for each in found.participants if each.talk_share is not None]
    assert not shares or sum(shares) == pytest.approx(1.0)
    assert sum(each.words for each in found.participants) == len(heard[0].words)
    assert len(found.backchannels) == sum(known(each.backchannels) for each in found.participants)
    assert len(found.interruptions) == sum(known(each.interruptions) for each in found.participants)
    assert known(found.overtalk) <= min(talk) + 1e-9
    for hold in found.holds:
        assert not intersection((hold,), found.long_silences)


def test_interruptions_backchannels_and_holds_of_the_sample_call(
    sample: Path, truth_call: Callable[..., Any]
) -> None:
    heard, truth = truth_call(sample, ChannelLayout.TWO_PARTY)
    assert events(metrics(heard)) == true_events(truth)


@pytest.mark.shared
def test_events_of_all_synthetic_calls_are_found_and_no_others(
    shared_data: Path, truth_call: Callable[..., Any]
) -> None:
    for path in sorted(shared_data.glob("synth/*/truth.json")):
        heard, truth = truth_call(path.parent, ChannelLayout.TWO_PARTY)
        found = metrics(heard)
        assert events(found) == true_events(truth), path.parent.name
        for each in found.participants:
            assert each.talk == pytest.approx(truth["talk_s"][each.role.value], abs=0.1)


def events(found: Metrics) -> dict[str, list[tuple[str, int]]]:
    """What happened, by whom, to the second (a hold's music begins a second late, at most)."""
    return {
        "interruptions": [(each.by.value, int(each.start)) for each in found.interruptions],
        "backchannels": [(each.by.value, int(each.start)) for each in found.backchannels],
        "holds": [("", round(each.end / 4)) for each in found.holds],
        "long_silences": [("", int(each.start)) for each in found.long_silences],
    }


def true_events(truth: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    return {
        "interruptions": [(each["by"], int(each["start"])) for each in truth["interruptions"]],
        "backchannels": [(each["speaker"], int(each["start"])) for each in truth["backchannels"]],
        "holds": [("", round((each["end"] + 0.9) / 4)) for each in truth["holds"]],
        "long_silences": [("", int(each["start"])) for each in truth["long_silences"]],
    }
