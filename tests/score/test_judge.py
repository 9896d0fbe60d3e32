"""From probabilities, timing and opportunity to outcomes, without any model."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from callscope.acts import AgentAct, CustomerAct
from callscope.rubric import (
    ActPoints,
    AnswerPoints,
    Behavior,
    Event,
    MetricPoints,
    Opportunity,
    Penalty,
    Thresholds,
    Window,
)
from callscope.types import BehaviorScore, Metrics, Outcome, Polarity
from services.score.events import Heard
from services.score.judge import CALLED, Case, judge
from services.score.odds import moved
from services.score.points import calibrated
from services.score.reading import Finding, Reading
from services.score.sentences import Sentence, split
from tests.score.conversations import Line, conversation, reading, talk

EMPATHY = Behavior(
    id="empathy",
    title="Empathy",
    question="Was there any?",
    weight=100,
    window=Window(first_seconds=30),
    opportunity=Opportunity((CustomerAct.EMOTION, CustomerAct.PROBLEM)),
    acts=(
        ActPoints((AgentAct.UNDERSTANDING,), points=100),
        ActPoints((AgentAct.APOLOGY,), points=50),
    ),
    penalties=(Penalty((AgentAct.DISMISSIVE,), points=60),),
)
CALL: tuple[Line, ...] = (
    ("agent", "Hello, how can I help?"),
    ("customer", "My phone is broken."),
    ("agent", "What is your number?"),
    ("customer", "Five five five."),
)
PROBLEM = {1: {"problem": 0.9}}


def case(read: Reading, metrics: Metrics | None = None, **heard: Heard) -> Case:
    return Case(read, metrics or talk(), heard, Thresholds())


def judged(
    found: Mapping[int, Mapping[str, float]],
    behavior: Behavior = EMPATHY,
    lines: tuple[Line, ...] = CALL,
    metrics: Metrics | None = None,
) -> BehaviorScore:
    return judge(behavior, case(reading(conversation(lines), found), metrics))


def test_the_act_in_the_window_delivers() -> None:
    score = judged({**PROBLEM, 2: {"understanding": 0.8}})
    assert (score.outcome, score.score) == (Outcome.DELIVERED, 100)
    assert score.confidence == pytest.approx(calibrated(0.8), abs=1e-4)
    (evidence,) = score.evidence
    assert (evidence.quote, evidence.label) == ("What is your number?", "understanding")
    assert evidence.polarity is Polarity.FOR


def test_what_is_not_delivered_says_what_lacked() -> None:
    asked = replace(
        EMPATHY,
        acts=(
            ActPoints((AgentAct.FOLLOW_UP, AgentAct.RECAP, AgentAct.PROPOSAL), points=60, count=3),
            ActPoints((AgentAct.APOLOGY,), points=20),
            ActPoints((AgentAct.RAPPORT,), points=30),
        ),
    )
    half = judged({**PROBLEM, 2: {"recap": 0.95}}, asked)
    assert "lacking: follow up or recap or the like (1 of 3) and rapport: " in half.explanation
    assert "lacking: understanding: " in judged({**PROBLEM, 2: {"apology": 0.95}}).explanation
    assert "lacking" not in judged({**PROBLEM, 2: {"understanding": 0.95}}).explanation


def test_what_lacks_is_named_once() -> None:
    either = ActPoints((AgentAct.RAPPORT, AgentAct.APOLOGY), points=45, count=3)
    one, other = ActPoints((AgentAct.RAPPORT,), points=20), ActPoints((AgentAct.RECAP,), points=10)
    asked = replace(EMPATHY, acts=(either, one, other))
    lacking = judged({**PROBLEM, 2: {"apology": 0.95}}, asked).explanation
    assert "lacking: rapport or apology (1 of 3) and recap: " in lacking


def test_what_the_customer_does_may_be_held_against_the_agent() -> None:
    heard = replace(EMPATHY, penalties=(Penalty((CustomerAct.SAID_BEFORE,), points=60),))
    score = judged({**PROBLEM, 2: {"understanding": 0.95}, 3: {"said_before": 0.95}}, heard)
    assert (score.outcome, score.score) == (Outcome.PARTIAL, 40)
    (against,) = [each for each in score.evidence if each.polarity is Polarity.AGAINST]
    assert (against.quote, against.label) == ("Five five five.", "said_before")


def test_half_the_points_are_partial() -> None:
    assert judged({**PROBLEM, 2: {"apology": 0.9}}).outcome is Outcome.PARTIAL


def test_a_missed_opportunity_quotes_the_customer() -> None:
    score = judged(PROBLEM)
    assert (score.outcome, score.score) == (Outcome.MISSED, 0)
    (evidence,) = score.evidence
    assert evidence.polarity is Polarity.MISSED_OPPORTUNITY
    assert (evidence.quote, evidence.utterance) == ("My phone is broken.", 1)
    assert "problem at 0:03" in score.explanation


def test_an_opportunity_that_was_answered_is_not_quoted_as_missed() -> None:
    """Of two, the second got an answer: only the first was missed."""
    lines: tuple[Line, ...] = (*CALL[:3], ("customer", "I'm so worried."), ("agent", "I see why."))
    score = judged({**PROBLEM, 3: {"emotion": 0.9}, 4: {"apology": 0.9}}, lines=lines)
    assert score.outcome is Outcome.PARTIAL
    missed = [e for e in score.evidence if e.polarity is Polarity.MISSED_OPPORTUNITY]
    assert [each.quote for each in missed] == ["My phone is broken."]


def test_replies_are_found_without_comparing_every_two_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []
    equal = Finding.__eq__

    def counted(self: Finding, other: object) -> bool:
        compared.append(self)
        return equal(self, other)

    monkeypatch.setattr(Finding, "__eq__", counted)
    problems = {place: {"problem": 0.9} for place in range(200)}
    assert judged(problems, replace(EMPATHY, window=Window()), CALL * 50).outcome is Outcome.MISSED
    assert len(compared) <= 200


def test_an_answer_after_the_window_is_none() -> None:
    lines: tuple[Line, ...] = (*CALL[:2], ("agent", "word " * 95 + "so."), ("agent", "I see why."))
    places = {each.text: place for place, each in enumerate(_sentences(lines))}
    score = judged({**PROBLEM, places["I see why."]: {"understanding": 0.9}}, lines=lines)
    assert score.outcome is Outcome.MISSED
    assert [each.quote for each in score.evidence] == ["My phone is broken."]


def test_the_last_share_counts_from_the_agents_first_words() -> None:
    late = replace(EMPATHY, window=Window(last_share=0.6), opportunity=None)
    assert judged({0: {"understanding": 0.9}}, late).outcome is Outcome.MISSED
    assert judged({2: {"understanding": 0.9}}, late).outcome is Outcome.DELIVERED


def test_confidence_in_a_miss_needs_a_sure_opportunity() -> None:
    sure = judged({1: {"problem": 0.9}}).confidence
    assert sure == pytest.approx(calibrated(moved(0.9, CALLED)), abs=1e-4)


def test_without_an_opportunity_there_is_no_score() -> None:
    score = judged({1: {"problem": 0.3}})
    assert (score.outcome, score.score, score.evidence) == (Outcome.NO_OPPORTUNITY, None, ())
    assert score.confidence == pytest.approx(1 - moved(0.3, CALLED), abs=1e-4)


def test_an_opportunity_that_nobody_answers_any_more_is_none() -> None:
    late = (*CALL[:1], ("customer", "well " * 95 + "so."), ("customer", "It hurts."))
    opening = len(_sentences(late)) - 1
    assert judged({opening: {"emotion": 0.9}}, lines=late).outcome is Outcome.NO_OPPORTUNITY


@pytest.mark.parametrize(
    ("shown", "outcome"), [({}, Outcome.MISSED), ({"understanding": 0.9}, Outcome.DELIVERED)]
)
def test_what_was_brought_in_time_is_answered_in_the_next_turn(
    shown: dict[str, float], outcome: Outcome
) -> None:
    late = (*CALL[:1], ("customer", "well " * 95 + "so."), ("customer", "It hurts."), CALL[2])
    *_, opening, reply = range(len(_sentences(late)))
    score = judged({opening: {"emotion": 0.9}, reply: shown}, lines=late)
    assert score.outcome is outcome
    assert score.explanation.startswith("In the first 30 seconds and in the next turn the agent")


def test_without_a_needed_opportunity_nothing_is_delivered() -> None:
    wanted = Opportunity((CustomerAct.EMOTION,), needed=True)
    score = judged({2: {"understanding": 0.9}}, replace(EMPATHY, opportunity=wanted))
    assert score.outcome is Outcome.NO_OPPORTUNITY


def test_the_act_delivers_even_where_the_opportunity_was_not_found() -> None:
    assert judged({2: {"understanding": 0.9}}).outcome is Outcome.DELIVERED


def test_the_act_counts_only_inside_the_window() -> None:
    more: tuple[Line, ...] = (("agent", "Noted."), ("customer", "And?"), ("agent", "I see why."))
    talkative = (*CALL, ("customer", "word " * 100), *more)
    places = {each.text: i for i, each in enumerate(_sentences(talkative))}
    score = judged({**PROBLEM, places["I see why."]: {"understanding": 0.9}}, lines=talkative)
    assert score.outcome is Outcome.MISSED


def test_the_window_begins_with_the_agents_live_words() -> None:
    waiting: tuple[Line, ...] = (("ivr", "please hold " * 60), *CALL)
    first = len(_sentences(waiting[:1]))
    found = {first + 1: {"problem": 0.9}, first + 2: {"understanding": 0.9}}
    assert judged(found, lines=waiting).outcome is Outcome.DELIVERED


def test_a_sentence_that_is_also_something_else_need_not_count() -> None:
    ours = replace(EMPATHY, acts=(replace(EMPATHY.acts[0], unless=("stock_phrase",)),))
    stock = {**PROBLEM, 2: {"understanding": 0.9, "stock_phrase": 0.95}}
    assert judged(stock).outcome is Outcome.DELIVERED
    score = judged(stock, ours)
    assert score.outcome is Outcome.MISSED
    assert {each.polarity for each in score.evidence} == {Polarity.MISSED_OPPORTUNITY}


def test_an_offense_costs_points_and_is_quoted_against() -> None:
    score = judged({**PROBLEM, 2: {"understanding": 0.9, "dismissive": 0.9}})
    assert (score.outcome, score.score) == (Outcome.PARTIAL, 40)
    assert {each.polarity for each in score.evidence} == {Polarity.FOR, Polarity.AGAINST}


ANSWERS = Behavior(
    id="answers",
    title="Answers",
    question="Is everything answered?",
    weight=100,
    answers=(
        AnswerPoints(
            (CustomerAct.PROBLEM, CustomerAct.QUESTION),
            (AgentAct.INFORMATION,),
            points=100,
            none_at=2,
        ),
    ),
)
ASKED = {1: {"problem": 0.9}, 3: {"question": 0.9}}
LINES: tuple[Line, ...] = (*CALL, ("agent", "It opens at nine."), ("customer", "Does it?"))


def test_what_is_answered_in_the_next_turn_costs_nothing() -> None:
    score = judged(
        {**ASKED, 2: {"information": 0.9}, 4: {"information": 0.9}}, ANSWERS, lines=LINES
    )
    assert (score.outcome, score.score, score.evidence) == (Outcome.DELIVERED, 100, ())


def test_what_is_left_unanswered_costs_points_and_is_quoted() -> None:
    score = judged({**ASKED, 4: {"information": 0.9}}, ANSWERS, lines=LINES)
    assert (score.outcome, score.score) == (Outcome.PARTIAL, 50)
    (evidence,) = score.evidence
    assert (evidence.quote, evidence.label) == ("My phone is broken.", "problem")
    assert evidence.polarity is Polarity.MISSED_OPPORTUNITY


def test_a_machine_answers_for_nobody() -> None:
    lines: tuple[Line, ...] = (CALL[0], CALL[1], ("ivr", "Please hold."), *CALL[1:])
    found = {1: {"problem": 0.9}, 4: {"information": 0.9}}
    assert judged(found, ANSWERS, lines=lines).score == 100


def test_what_nobody_had_the_time_to_answer_is_not_held_against_them() -> None:
    score = judged({5: {"question": 0.9}}, ANSWERS, lines=LINES)
    assert score.score == 100


def test_what_a_backchannel_says_is_no_act() -> None:
    utterances = [*conversation(CALL)]
    utterances[2] = replace(utterances[2], backchannel=True)
    found = {**PROBLEM, 2: {"understanding": 0.9}}
    assert judge(EMPATHY, case(reading(utterances, found))).outcome is Outcome.NO_OPPORTUNITY


def test_a_call_without_an_agent_is_not_assessable() -> None:
    score = judged(PROBLEM, lines=(CALL[1], CALL[1], CALL[3]))
    assert (score.outcome, score.score, score.evidence) == (Outcome.NOT_ASSESSABLE, None, ())


def test_a_call_without_a_customer_is_not_assessable() -> None:
    assert judged({}, lines=CALL[:1]).outcome is Outcome.NOT_ASSESSABLE


def test_an_empty_call_is_not_assessable() -> None:
    assert judged({}, lines=()).outcome is Outcome.NOT_ASSESSABLE


LISTENING = replace(
    EMPATHY,
    window=Window(),
    opportunity=None,
    acts=(ActPoints((AgentAct.REFLECTION,), points=60),),
    metrics=(MetricPoints("interruptions_per_minute", points=40, full_at=0, none_at=2),),
    penalties=(),
)


def test_timing_counts() -> None:
    found = {2: {"reflection": 0.9}}
    scores = [judged(found, LISTENING, metrics=talk(interruptions=n)).score for n in range(4)]
    assert scores == [100, 80, 60, 60]


def test_a_metric_that_the_call_does_not_have_is_not_guessed() -> None:
    slow = replace(
        LISTENING,
        metrics=(MetricPoints("response_latency", points=40, full_at=1, none_at=5),),
    )
    score = judged({2: {"reflection": 0.9}}, slow, metrics=talk(latency=None))
    assert score.outcome is Outcome.NOT_ASSESSABLE
    assert "response_latency" in score.explanation


def test_a_window_after_an_event_waits_for_it() -> None:
    after = replace(EMPATHY, window=Window(after="payment", seconds=30))
    read = reading(conversation(CALL), {**PROBLEM, 0: {"understanding": 0.9}})
    assert judge(after, case(read)).outcome is Outcome.NO_OPPORTUNITY
    heard = Heard(Event("payment", "a payment"), read.findings[1], 1.0)
    assert judge(after, case(read, payment=heard)).outcome is Outcome.MISSED


def test_the_last_seconds_count_back_from_the_end() -> None:
    closing = replace(EMPATHY, window=Window(last_seconds=4), opportunity=None)
    lines = (*CALL, ("agent", "Goodbye then."))
    assert judged({4: {"understanding": 0.9}}, closing, lines).outcome is Outcome.DELIVERED
    assert judged({0: {"understanding": 0.9}}, closing, lines).outcome is Outcome.MISSED


@pytest.mark.parametrize("window", [Window(), Window(last_seconds=60), Window(last_share=0.9)])
def test_a_last_message_without_length_is_inside_the_window(window: Window) -> None:
    """As chats send it, which stamp a message with one moment."""
    *before, last = conversation((*CALL, ("agent", "Goodbye.")))
    moment = replace(last, end=last.start, words=(replace(last.words[0], end=last.start),))
    read = reading([*before, moment], {4: {"understanding": 0.9}})
    whole = replace(EMPATHY, window=window, opportunity=None)
    assert judge(whole, case(read)).outcome is Outcome.DELIVERED


def _sentences(lines: tuple[Line, ...]) -> tuple[Sentence, ...]:
    return split(conversation(lines))
