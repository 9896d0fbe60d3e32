"""The report a QA manager reads, from a record written by hand."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from callscope.types import (
    BehaviorScore,
    CallRecord,
    ChannelLayout,
    ChannelReport,
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    Metrics,
    Outcome,
    OverallScore,
    Participant,
    ParticipantMetrics,
    Polarity,
    Provenance,
    Recording,
    Review,
    Role,
    RubricRef,
    Span,
    Utterance,
    Word,
)
from services.report import clock, report


@pytest.fixture
def record() -> CallRecord:
    words = tuple(
        Word(text, 61 + i, 61.5 + i, 0.9, 0) for i, text in enumerate(["[Hello]", "Ann."])
    )
    evidence = Evidence(0, 61.0, 62.5, "[Hello] Ann.", "greeting_name", 0.9, Polarity.FOR)
    missed = replace(evidence, quote="I am scared.", polarity=Polarity.MISSED_OPPORTUNITY)
    rubric = RubricRef("general", "1", "c" * 64)
    return CallRecord(
        schema_version="1.0",
        recording=Recording("x", "file:///a/call.wav", "a" * 64, 125.0, 8000, 2, "pcm_mulaw"),
        language="en",
        layout=ChannelLayout.TWO_PARTY,
        channels=(ChannelReport(0, -20.0), ChannelReport(1, None)),
        participants=(Participant("channel_0", Role.AGENT, 0.97, 0),),
        utterances=(Utterance(0, "channel_0", Role.AGENT, 0.97, 61.0, 62.5, words),),
        metrics=Metrics(
            participants=(ParticipantMetrics(Role.AGENT, 1.5, 1.0, 2, 80.0, 1.5, None, 3, 4),),
            silence=20.0,
            silence_share=0.16,
            hold=8.0,
            overtalk=0.5,
            long_silences=(),
            holds=(Span(70.0, 78.0),),
            interruptions=(),
            backchannels=(),
        ),
        behaviors=(
            BehaviorScore(
                "rapport", "Rapport", Outcome.PARTIAL, 55.0, 0.81, 10, (evidence, missed), "Why."
            ),
            BehaviorScore(
                "discovery",
                "Discovery",
                Outcome.NO_OPPORTUNITY,
                None,
                0.7,
                10,
                (),
                "Nothing to ask.",
            ),
        ),
        disclosures=(
            DisclosureResult(
                disclosure="recording",
                title="Call recording",
                status=DisclosureStatus.DELIVERED,
                coverage=1.0,
                missing_elements=(),
                start=4.0,
                end=8.0,
                on_time=True,
                words_per_minute=180.0,
                confidence=0.9,
                evidence=(),
                explanation="Said in full.",
            ),
        ),
        overall=OverallScore(55.0, "mini_miranda"),
        review=Review(True, ("The agent's role is unclear.",)),
        provenance=Provenance("0.1.0", (), rubric, "a" * 64),
    )


def printed(record: CallRecord) -> str:
    console = Console(file=io.StringIO(), width=100)
    report(record, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_the_report_shows_every_judgement_with_its_quotes_and_minutes(record: CallRecord) -> None:
    text = printed(record)
    for part in (
        "call.wav",
        "55/100",
        "failed by mini_miranda",
        "01:01  Agent",
        "[Hello] Ann.",  # brackets are words here, not markup
        "partial",
        "+ 01:01 “[Hello] Ann.”",
        "! 01:01 “I am scared.”",
        "no opportunity",
        "on time",
        "180 words/min",
        "hold 8 s (01:10-01:18)",
        "The agent's role is unclear.",
    ):
        assert part in text


def test_what_is_unknown_is_a_dash_and_never_a_zero(record: CallRecord) -> None:
    unscored = replace(record, overall=OverallScore(None, None), language=None)
    text = printed(unscored)
    assert "Overall not assessable" in text
    assert "language -" in text
    latency = next(line for line in text.splitlines() if line.startswith("Agent  "))
    assert " - " in latency


def test_a_call_that_needs_no_review_says_so(record: CallRecord) -> None:
    assert "No review needed." in printed(replace(record, review=Review(False, ())))


def test_lines_end_with_their_words_and_long_titles_keep_their_distance(
    record: CallRecord,
) -> None:
    title = "Empathy in the first 30 seconds"
    long = replace(record.behaviors[0], title=title, explanation="Word by word. " * 20)
    lines = printed(replace(record, behaviors=(long,))).splitlines()
    assert [line for line in lines if line.endswith(" ")] == []
    assert any(line.startswith(f"{title} partial") for line in lines)


def test_weight_that_took_no_part_in_the_overall_score_is_told(record: CallRecord) -> None:
    rapport, discovery = record.behaviors
    unjudged = replace(discovery, outcome=Outcome.NOT_ASSESSABLE, weight=15)
    shown = printed(replace(record, behaviors=(rapport, unjudged), review=Review(False, ())))
    assert "Overall 55/100, of 40% of the weight" in shown
    assert "Not assessable: Discovery (weight 15 of 25)\nNo review needed." in shown
    assert "of the weight" not in printed(replace(record, behaviors=(rapport,)))


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, "00:00"), (59.9, "00:59"), (3661, "61:01")])
def test_the_clock_counts_minutes(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_what_was_not_called_for_takes_one_line(record: CallRecord) -> None:
    (said,) = record.disclosures
    others = tuple(
        replace(said, title=title, status=DisclosureStatus.NOT_REQUIRED, explanation="Nothing.")
        for title in ("Mini-Miranda", "Right to cancel")
    )
    shown = printed(replace(record, disclosures=(said, *others)))
    assert "Not called for: Mini-Miranda, Right to cancel" in shown
    assert "Nothing." not in shown.partition("Disclosures")[2]


def test_flaws_of_a_disclosure_are_named(record: CallRecord) -> None:
    (said,) = record.disclosures
    flawed = replace(said, in_order=False, rushed=True, interrupted=True, mumbled=True)
    shown = printed(replace(record, disclosures=(flawed,)))
    assert "out of order rushed interrupted mumbled" in " ".join(shown.split())


def test_a_quote_for_two_things_is_printed_once(record: CallRecord) -> None:
    behavior = record.behaviors[0]
    first = behavior.evidence[0]
    twice = replace(behavior, evidence=(first, replace(first, label="rapport")))
    shown = printed(replace(record, behaviors=(twice,)))
    assert shown.count("“[Hello] Ann.”") == 1
    assert "greeting name, rapport" in shown
