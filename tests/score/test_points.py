"""The arithmetic of scores, and the probability of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.acts import AgentAct, CustomerAct
from callscope.rubric import ActPoints, AnswerPoints, MetricPoints, Penalty, Thresholds
from callscope.types import Outcome
from services.score.points import (
    Rule,
    calibrated,
    combine,
    median,
    metric_points,
    outcome_of,
    outcome_probability,
    part_of,
)

ANY = (AgentAct.APOLOGY,)
THRESHOLDS = Thresholds(delivered=70, partial=35)
SIXTY = {60.0: 1.0}

probabilities = st.lists(st.floats(0, 1), max_size=12)
rules = st.one_of(
    st.builds(ActPoints, st.just(ANY), st.integers(0, 100), st.integers(1, 5)),
    st.builds(
        AnswerPoints,
        st.just((CustomerAct.PROBLEM,)),
        st.just(ANY),
        st.integers(0, 100),
        st.integers(1, 5),
    ),
    st.builds(Penalty, st.just(ANY), st.integers(0, 100), st.integers(0, 100)),
)


def test_points_come_in_full_at_the_count_and_in_proportion_below() -> None:
    rule = ActPoints(ANY, points=60, count=3)
    counts = [median(part_of(rule, [0.9] * found)) for found in range(5)]
    assert counts == [0, 20, 40, 60, 60]


def test_penalties_add_up_to_their_limit() -> None:
    rule = Penalty(ANY, points=30, at_most=70)
    full = {100.0: 1.0}
    points = [median(combine([full, part_of(rule, [0.9] * found)])) for found in range(4)]
    assert points == [100, 70, 40, 30]


def test_points_for_answers_fall_with_each_turn_that_gets_none() -> None:
    rule = AnswerPoints((CustomerAct.PROBLEM,), ANY, points=60, none_at=3)
    points = [median(part_of(rule, [0.9] * left)) for left in range(5)]
    assert points == pytest.approx([60, 40, 20, 0, 0])


def test_an_act_counts_from_one_half() -> None:
    rule = ActPoints(ANY, points=100)
    assert median(part_of(rule, [0.4999])) == 0
    assert median(part_of(rule, [0.5])) == 100


def test_several_doubtful_sentences_are_worth_what_they_are_together() -> None:
    rule = ActPoints(ANY, points=90, count=3)
    assert median(part_of(rule, [0.45])) == 0
    assert median(part_of(rule, [0.45] * 3)) == 30


@pytest.mark.parametrize(("value", "points"), [(0, 40), (1, 20), (2, 0), (5, 0), (-1, 40)])
def test_a_metric_gives_points_on_a_straight_line(value: float, points: float) -> None:
    rule = MetricPoints("interruptions_per_minute", points=40, full_at=0, none_at=2)
    assert metric_points(rule, value) == points


def test_a_metric_may_be_better_when_higher() -> None:
    rule = MetricPoints("backchannels_per_minute", points=10, full_at=4, none_at=0)
    assert metric_points(rule, 3) == 7.5


@pytest.mark.parametrize(
    ("score", "outcome"),
    [(100, "delivered"), (70, "delivered"), (69.99, "partial"), (35, "partial"), (34, "missed")],
)
def test_thresholds_decide_the_outcome(score: float, outcome: str) -> None:
    assert outcome_of(score, THRESHOLDS) == outcome


def test_confidence_is_the_probability_of_the_outcome() -> None:
    spread = combine([part_of(ActPoints(ANY, points=100), [0.8])])
    assert median(spread) == 100
    assert outcome_probability(spread, Outcome.DELIVERED, THRESHOLDS) == pytest.approx(0.8)
    assert outcome_probability(spread, Outcome.MISSED, THRESHOLDS) == pytest.approx(0.2)


def test_independent_parts_multiply() -> None:
    spread = combine(
        [
            part_of(ActPoints(ANY, points=50), [0.8]),
            part_of(ActPoints(ANY, points=50), [0.5]),
        ]
    )
    assert spread == pytest.approx({0.0: 0.1, 50.0: 0.5, 100.0: 0.4})


def test_many_unlikely_sentences_do_not_make_a_likely_one() -> None:
    spread = combine([part_of(ActPoints(ANY, points=100), [0.05] * 200)])
    assert outcome_probability(spread, Outcome.MISSED, THRESHOLDS) == pytest.approx(0.95)


@given(st.lists(st.tuples(rules, probabilities), max_size=5))
def test_the_score_is_possible_and_the_spread_adds_up_to_one(
    parts: list[tuple[Rule, list[float]]],
) -> None:
    spread = combine(part_of(*part) for part in parts)
    assert median(spread) in spread
    assert 0 <= median(spread) <= 100
    assert sum(spread.values()) == pytest.approx(1)
    assert all(0 <= each <= 100 for each in spread)
    assert sum(
        outcome_probability(spread, outcome, THRESHOLDS)
        for outcome in (Outcome.DELIVERED, Outcome.PARTIAL, Outcome.MISSED)
    ) == pytest.approx(1)


@given(probabilities, st.floats(0.5, 1), rules)
def test_one_more_act_never_hurts_and_one_more_fault_never_helps(
    found: list[float], more: float, rule: Rule
) -> None:
    before, after = (
        median(combine([SIXTY, part_of(rule, each)])) for each in (found, [*found, more])
    )
    assert after >= before if isinstance(rule, ActPoints) else after <= before
    assert min(before, after) >= 0


@given(st.lists(st.sampled_from([0.0, 1.0]), max_size=8), rules)
def test_where_all_is_certain_the_score_is(found: list[float], rule: Rule) -> None:
    spread = combine([SIXTY, part_of(rule, found)])
    assert spread[median(spread)] == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_what_is_likelier_is_trusted_more_and_never_wholly(likely: list[float]) -> None:
    trusted = [calibrated(each) for each in sorted(likely)]
    assert trusted == sorted(trusted)
    assert 0 < trusted[0] <= trusted[-1] < 1


def test_sums_over_sentences_are_surer_than_they_are_right() -> None:
    assert 0.6 < calibrated(0.8) < 0.8
    assert 0.8 < calibrated(0.95) < 0.95
