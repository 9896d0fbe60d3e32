"""How sure the behavior that disclosures decide is of its outcome."""

from dataclasses import replace

import pytest

from callscope import rubric
from callscope.rubric import Thresholds
from callscope.types import (
    BehaviorScore,
    DisclosureResult,
    DisclosureStatus,
    Outcome,
    Scorecard,
)
from services.score.judge import Case
from services.score.library import SHIPPED
from services.score.scorecard import assemble
from tests.score.conversations import conversation, reading, talk

GENERAL = rubric.load((SHIPPED / "general.yaml").read_text(encoding="utf-8"))
CASE = Case(
    reading(conversation([("agent", "Good morning."), ("customer", "Hello there.")]), {}),
    talk(),
    {},
    Thresholds(),
)
COVERAGE = {"delivered": 1.0, "partial": 0.5, "missing": 0.0}


def told(status: str, confidence: float) -> DisclosureResult:
    return DisclosureResult(
        disclosure="recording",
        title="Call recording notice",
        status=DisclosureStatus(status),
        coverage=COVERAGE[status],
        missing_elements=(),
        start=1.0,
        end=2.0,
        on_time=True,
        words_per_minute=150.0,
        confidence=confidence,
        evidence=(),
        explanation="",
    )


def card(
    *results: DisclosureResult, case: Case = CASE, required_when: tuple[str, ...] = ()
) -> Scorecard:
    """The scorecard of results; the last is of a disclosure that is `required_when`."""
    *others, last = GENERAL.disclosures[: len(results)]
    asked = (
        *(replace(each, required_when=()) for each in others),
        replace(last, required_when=required_when),
    )
    return assemble(replace(GENERAL, disclosures=asked), case, results, ())


def judged(
    *results: DisclosureResult, case: Case = CASE, required_when: tuple[str, ...] = ()
) -> BehaviorScore:
    behaviors = card(*results, case=case, required_when=required_when).behaviors
    return next(each for each in behaviors if each.behavior == "disclosure_delivery")


def test_one_disclosure_is_as_sure_as_its_status() -> None:
    assert judged(told("delivered", 0.8)).confidence == pytest.approx(0.8)


def test_one_doubtful_disclosure_of_four_hardly_matters() -> None:
    sure = [told("delivered", 0.95)] * 3
    score = judged(*sure, told("delivered", 0.55))
    assert score.outcome is Outcome.DELIVERED
    assert score.confidence > 0.9


def test_where_one_step_would_change_the_outcome_doubt_counts() -> None:
    score = judged(told("delivered", 0.9), told("partial", 0.6))
    assert score.outcome is Outcome.DELIVERED
    assert score.confidence < 0.85


def test_three_of_three_are_all_of_them() -> None:
    """The shares, rounded one by one, add up to 99.99."""
    strict = replace(CASE, thresholds=Thresholds(delivered=100))
    score = judged(*[told("delivered", 0.95)] * 3, case=strict)
    assert (score.outcome, score.score) == (Outcome.DELIVERED, 100)
    assert score.confidence == pytest.approx(0.95**3, abs=1e-4)


def test_reviews_tell_how_sure_a_status_is_in_whole_percent() -> None:
    """Rounded down: 100 * 0.29 is 28.999..., and 49.99% is not the 50% of the line."""
    reasons = card(told("delivered", 0.29), told("delivered", 0.4999)).review.reasons
    assert reasons == (
        "Call recording notice: delivered is only 29% sure, below 50%.",
        "Call recording notice: delivered is only 49% sure, below 50%.",
    )


def test_what_nothing_called_for_makes_up_for_nothing() -> None:
    score = judged(told("missing", 0.9), told("delivered", 0.9), required_when=("account",))
    assert (score.outcome, score.score) == (Outcome.MISSED, 0)
    assert score.explanation.startswith("0 of 1 required disclosure given in full")
    alone = judged(told("delivered", 0.6), required_when=("account",))
    assert (alone.outcome, alone.score) == (Outcome.NO_OPPORTUNITY, None)
