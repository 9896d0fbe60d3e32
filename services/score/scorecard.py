"""The scorecard: every behavior and disclosure judged, the call as a whole, and what to review."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import floor

from callscope.rubric import Behavior, Disclosure, Rubric
from callscope.types import (
    BehaviorScore,
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    ModelInfo,
    Outcome,
    OverallScore,
    Review,
    Scorecard,
)
from services.score.events import called_for
from services.score.evidence import in_order, listed
from services.score.explanation import points
from services.score.judge import Case, judge, unscored
from services.score.points import Spread, combine, outcome_of, outcome_probability

__all__ = ["assemble", "fatal", "overall", "review", "without_times"]

MISPLACED = 0.5  # share of a disclosure's worth that is left when it is late or out of order


def assemble(
    rubric: Rubric,
    case: Case,
    disclosures: tuple[DisclosureResult, ...],
    models: tuple[ModelInfo, ...],
) -> Scorecard:
    """Judge every behavior and put the results together."""
    behaviors = tuple(
        _by_disclosures(behavior, rubric.disclosures, disclosures, case)
        if behavior.detector == "disclosures"
        else judge(behavior, case)
        for behavior in rubric.behaviors
    )
    total = overall(rubric, behaviors, disclosures)
    reasons = tuple(review(rubric, behaviors, disclosures, case))
    return Scorecard(
        rubric=rubric.ref,
        behaviors=behaviors,
        disclosures=disclosures,
        overall=total,
        review=Review(needed=bool(reasons), reasons=reasons),
        models=models,
    )


def without_times(card: Scorecard) -> Scorecard:
    """The scorecard of a conversation that has no times: where its evidence is, and not when."""
    return replace(
        card,
        behaviors=tuple(replace(each, evidence=_untimed(each.evidence)) for each in card.behaviors),
        disclosures=tuple(
            replace(each, start=None, end=None, evidence=_untimed(each.evidence))
            for each in card.disclosures
        ),
    )


def _untimed(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(replace(each, start=None, end=None) for each in evidence)


def _by_disclosures(
    behavior: Behavior,
    rules: Sequence[Disclosure],
    results: Sequence[DisclosureResult],
    case: Case,
) -> BehaviorScore:
    """The mean worth of the disclosures that were required.

    What was said though nothing called for it is shown, and makes up for nothing that was.
    """
    if case.reading.agent_start is None:
        return unscored(behavior, Outcome.NOT_ASSESSABLE, 1.0, "No agent was heard.")
    judged = zip(rules, results, strict=True)
    required = [result for rule, result in judged if called_for(rule, case.heard)]
    if not required:
        why = "Nothing in the call called for a disclosure."
        unsaid = [each for each in results if each.status is DisclosureStatus.NOT_REQUIRED]
        confidence = min((each.confidence for each in unsaid), default=1.0)
        return unscored(behavior, Outcome.NO_OPPORTUNITY, confidence, why)
    score = round(sum(map(_worth, required)) / len(required), 2)
    spread = combine(_spread(each, len(required)) for each in required)
    outcome = outcome_of(score, case.thresholds)
    evidence: list[Evidence] = [each for result in required for each in result.evidence]
    return BehaviorScore(
        behavior=behavior.id,
        title=behavior.title,
        outcome=outcome,
        score=score,
        confidence=round(outcome_probability(spread, outcome, case.thresholds), 4),
        weight=behavior.weight,
        evidence=in_order(evidence),
        explanation=f"{_counted(required)}: {points(score)}.",
    )


def _worth(result: DisclosureResult) -> float:
    worth = 100 * (result.coverage or 0.0)
    return worth * MISPLACED if _misplaced(result) else worth


def _misplaced(result: DisclosureResult) -> bool:
    """Whether it was said too late or out of order."""
    return False in (result.on_time, result.in_order)


def _spread(result: DisclosureResult, required: int) -> Spread:
    """Its share of the score, and how likely: a status that is wrong is wrong by one step."""
    found, doubt = _worth(result) / required, 1 - result.confidence
    full = (MISPLACED if _misplaced(result) else 1.0) * 100 / required
    if result.status is DisclosureStatus.PARTIAL:
        return {found: result.confidence, full: doubt / 2, 0.0: doubt / 2}
    return {found: result.confidence, full / 2: doubt}


def _counted(required: Sequence[DisclosureResult]) -> str:
    """`1 of 2 required disclosures given in full and in time; missing: Payment authorization`."""
    groups = [
        (word, [r.title for r in required if r.status is status])
        for word, status in (
            ("in part", DisclosureStatus.PARTIAL),
            ("missing", DisclosureStatus.MISSING),
        )
    ]
    late = [r.title for r in required if _misplaced(r)]
    full = sum(r.status is DisclosureStatus.DELIVERED and not _misplaced(r) for r in required)
    whole = f"{len(required)} required disclosure{'s' if len(required) > 1 else ''}"
    parts = [f"{full} of {whole} given in full and in time"]
    parts += [
        f"{word}: {listed(titles)}"
        for word, titles in [*groups, ("late or out of order", late)]
        if titles
    ]
    return "; ".join(parts)


def overall(
    rubric: Rubric, behaviors: Sequence[BehaviorScore], disclosures: Sequence[DisclosureResult]
) -> OverallScore:
    """The weighted mean of the behaviors that have a score, and what fails the call outright."""
    scored = [(each.score, each.weight) for each in behaviors if each.score is not None]
    weight = sum(weight for _, weight in scored)
    mean = round(sum(s * w for s, w in scored) / weight, 2) if weight > 0 else None
    failed = fatal(rubric, behaviors, disclosures)
    return OverallScore(score=mean, auto_fail=failed[0].id if failed else None)


def fatal(
    rubric: Rubric, behaviors: Sequence[BehaviorScore], disclosures: Sequence[DisclosureResult]
) -> list[Behavior | Disclosure]:
    """What fails the call whatever the score: a fatal behavior missed, or disclosure not made."""
    judged = zip(rubric.behaviors, behaviors, strict=True)
    said = zip(rubric.disclosures, disclosures, strict=True)
    return [
        *(rule for rule, each in judged if rule.auto_fail and each.outcome is Outcome.MISSED),
        *(
            rule
            for rule, each in said
            if rule.auto_fail and each.status is DisclosureStatus.MISSING
        ),
    ]


def review(
    rubric: Rubric,
    behaviors: Sequence[BehaviorScore],
    disclosures: Sequence[DisclosureResult],
    case: Case,
) -> Iterator[str]:
    """Why a person should look at the call, one sentence each."""
    if case.reading.agent_start is None:
        yield "No agent was heard, so nothing could be assessed."
        return
    if not case.reading.customer_heard:
        yield "No customer was heard, so the agent's behavior could not be assessed."
    for rule in fatal(rubric, behaviors, disclosures):
        yield f"{rule.title}: missing, which fails the call whatever the score."
    line = rubric.thresholds.review_confidence
    judged = [(each.title, each.outcome.value, each.confidence) for each in behaviors]
    judged += [(each.title, each.status.value, each.confidence) for each in disclosures]
    for title, verdict, confidence in judged:
        if confidence < line:
            words = verdict.replace("_", " ")
            # Rounded, it could be the line itself; but 100 * 0.29 is 28.999...
            sure = floor(round(100 * confidence, 2))
            yield f"{title}: {words} is only {sure}% sure, below {line:.0%}."
