"""The engine as a whole: what it answers, and what it promises about it."""

from collections.abc import Sequence

import pytest

from callscope.errors import Cancelled, InvalidRubric, RubricNotFound
from callscope.pipeline import RubricSource
from callscope.types import (
    DisclosureStatus,
    Evidence,
    Outcome,
    Polarity,
    Scorecard,
    Utterance,
)
from services.score.engine import ScoreEngine
from tests.score.conversations import Line, conversation, talk

GENERAL = RubricSource(name="general")
CALL: list[Line] = [
    ("ivr", "Your call is important to us. Please hold."),
    ("agent", "Thank you for calling Oakfield Water, this is Tariq. How can I help you today?"),
    ("customer", "Hi. A pipe burst under my street and my cellar is flooded. I'm so upset."),
    ("agent", "Oh no, that must be so upsetting. May I have your account number?"),
    ("customer", "It's eight eight one four. When will somebody come?"),
    ("agent", "When did the water start to come in?"),
    ("customer", "Around six this morning."),
    (
        "agent",
        "So it's been coming in since six. Have I got that right? "
        "I've put your street at the top of the list. "
        "A technician will be with you by noon today.",
    ),
    ("customer", "Thank you."),
    (
        "agent",
        "So to sum up, there's been water in your kitchen since six, and somebody comes by noon. "
        "Is there anything else I can help you with?",
    ),
]


def score(engine: ScoreEngine, lines: Sequence[Line]) -> Scorecard:
    return engine.score(conversation(lines), talk(), GENERAL, lambda _: None)


@pytest.fixture(scope="module")
def card(engine: ScoreEngine) -> Scorecard:
    return score(engine, CALL)


def all_evidence(card: Scorecard) -> list[Evidence]:
    return [
        *(e for behavior in card.behaviors for e in behavior.evidence),
        *(e for disclosure in card.disclosures for e in disclosure.evidence),
    ]


def test_a_good_call_is_judged_good(card: Scorecard) -> None:
    outcomes = {each.behavior: each.outcome for each in card.behaviors}
    assert outcomes["empathy_opening"] is Outcome.DELIVERED
    assert outcomes["active_listening"] is Outcome.DELIVERED
    assert outcomes["resolution"] is Outcome.DELIVERED
    assert card.overall.score is not None
    assert card.overall.score > 60


def test_the_overall_score_is_the_weighted_mean_of_what_was_scored(card: Scorecard) -> None:
    scored = [each for each in card.behaviors if each.score is not None]
    weight = sum(each.weight for each in scored)
    mean = sum((each.score or 0) * each.weight for each in scored) / weight
    assert card.overall.score == pytest.approx(mean, abs=0.01)


def test_every_quote_is_in_the_transcript_at_its_seconds(card: Scorecard) -> None:
    utterances = conversation(CALL)
    evidence = all_evidence(card)
    assert len(evidence) > 10
    for each in evidence:
        words = utterances[each.utterance].words
        assert each.start is not None
        assert each.end is not None
        inside = [w.text for w in words if each.start <= w.start and w.end <= each.end]
        assert " ".join(inside) == each.quote


def test_what_was_missed_quotes_the_customer(engine: ScoreEngine) -> None:
    cold: list[Line] = [*CALL[1:3], ("agent", "Account number?"), *CALL[4:]]
    card = score(engine, cold)
    opening = card.behaviors[0]
    assert opening.outcome is Outcome.MISSED
    missed = [e for e in opening.evidence if e.polarity is Polarity.MISSED_OPPORTUNITY]
    assert [e.utterance for e in missed] == [1] * len(missed) != []


def test_the_same_call_gives_the_same_scorecard(engine: ScoreEngine, card: Scorecard) -> None:
    assert repr(score(engine, CALL)) == repr(card)


def test_a_call_judged_before_leaves_no_trace(engine: ScoreEngine, card: Scorecard) -> None:
    score(engine, [("agent", "Something else entirely."), ("customer", "My cat is ill.")])
    assert repr(score(engine, CALL)) == repr(card)


@pytest.mark.parametrize("lines", [[], [("customer", "Hello? Is anybody there?")]])
def test_without_an_agent_nothing_is_guessed(engine: ScoreEngine, lines: list[Line]) -> None:
    card = score(engine, lines)
    assert {each.outcome for each in card.behaviors} == {Outcome.NOT_ASSESSABLE}
    assert {each.status for each in card.disclosures} == {DisclosureStatus.NOT_REQUIRED}
    assert all_evidence(card) == []
    assert card.overall.score is None
    assert card.review.needed


def test_an_agent_alone_is_judged_by_the_disclosures_only(engine: ScoreEngine) -> None:
    card = score(engine, CALL[1:2])
    scored = [each.behavior for each in card.behaviors if each.score is not None]
    assert scored == ["disclosure_delivery"]
    assert "No customer was heard" in card.review.reasons[0]


def test_what_the_customer_says_is_no_behavior_of_the_agents(engine: ScoreEngine) -> None:
    """The good agent's words in the customer's mouth, and an agent who only listens."""
    warm = [text for speaker, text in CALL if speaker == "agent"]
    lines: list[Line] = [("agent", "Oakfield Water.")]
    for text in warm:
        lines += [("customer", text), ("agent", "Mm, go on.")]
    card = score(engine, lines)
    shown = [each for each in all_evidence(card) if each.polarity is Polarity.FOR]
    told = [each.label for each in shown if lines[each.utterance][0] == "customer"]
    assert {*told} <= {"person"}  # a name may be volunteered
    outcomes = {each.outcome for each in card.behaviors}
    assert not outcomes & {Outcome.DELIVERED, Outcome.PARTIAL}, card.behaviors


def test_an_utterance_without_words_is_no_obstacle(engine: ScoreEngine) -> None:
    utterances: list[Utterance] = list(conversation(CALL))
    last = utterances[-1]
    utterances.append(
        Utterance(len(utterances), "agent", last.role, 1.0, last.end, last.end + 1, ())
    )
    card = engine.score(utterances, talk(), GENERAL, lambda _: None)
    assert card.behaviors[0].outcome is Outcome.DELIVERED


def test_doubtful_judgements_go_to_review_with_the_reason(engine: ScoreEngine) -> None:
    text = "\n".join(
        [
            *(
                "id: strict",
                'version: "1"',
                "title: Strict",
                "thresholds: {review_confidence: 1.0}",
            ),
            *("behaviors:", "  - id: warmth", "    title: Warmth", "    question: Any?"),
            *("    weight: 100", "    acts: [{any_of: [rapport], points: 100}]"),
        ]
    )
    source = RubricSource(yaml=text)
    card = engine.score(conversation(CALL), talk(), source, lambda _: None)
    (reason,) = card.review.reasons
    assert reason.startswith("Warmth: ")
    assert "below 100%" in reason


def test_a_failing_behavior_fails_the_call_whatever_the_mean(engine: ScoreEngine) -> None:
    lines: list[Line] = [
        ("agent", "I'm calling about the nine hundred dollars you owe."),
        ("customer", "I see."),
    ]
    source = RubricSource(name="collections")
    card = engine.score(conversation(lines), talk(), source, lambda _: None)
    assert card.overall.auto_fail == "mini_miranda"
    assert any(
        "Mini-Miranda: missing, which fails the call" in reason for reason in card.review.reasons
    )


def test_progress_only_grows_and_ends_at_one(engine: ScoreEngine) -> None:
    seen: list[float] = []
    engine.score(conversation(CALL), talk(), GENERAL, seen.append)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)


def test_what_progress_raises_stops_the_work(engine: ScoreEngine) -> None:
    def stop(done: float) -> None:
        raise Cancelled(f"enough at {done}")

    with pytest.raises(Cancelled):
        engine.score(conversation(CALL), talk(), GENERAL, stop)


def test_an_unknown_rubric_lists_the_known_ones(engine: ScoreEngine) -> None:
    source = RubricSource(name="mystery")
    with pytest.raises(RubricNotFound, match="collections, general, sales"):
        engine.score((), talk(), source, lambda _: None)


def test_an_unsound_rubric_is_refused(engine: ScoreEngine) -> None:
    with pytest.raises(InvalidRubric):
        engine.score((), talk(), RubricSource(yaml="id: x"), lambda _: None)
