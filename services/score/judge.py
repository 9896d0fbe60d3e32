"""From findings, timing and opportunity to the outcome of a behavior."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callscope.rubric import ActPoints, AnswerPoints, Behavior, Opportunity, Penalty, Thresholds
from callscope.types import BehaviorScore, Evidence, Metrics, Outcome, Polarity, Role, Span, Timing
from services.score import talk
from services.score.events import Heard
from services.score.evidence import Grounds, quote
from services.score.explanation import explain, trial_note
from services.score.odds import moved
from services.score.points import (
    Spread,
    calibrated,
    combine,
    median,
    metric_points,
    outcome_of,
    outcome_probability,
    part_of,
)
from services.score.reading import FOUND, Exchange, Finding, Reading
from services.score.sentences import Sentence
from services.score.windows import resolve

__all__ = ["Case", "judge", "unscored"]

CALLED = 0.65  # from this probability something calls for an answer: who missed it is accused
SHOWN = 4  # sentences for one rule
UNMET = 2  # rules that are told
FULL = 100  # points


@dataclass(frozen=True, slots=True)
class Case:
    """All that a judgement rests on.

    `on_trial` are the rubric's own acts that were learned from few sentences, and from how many.
    """

    reading: Reading
    metrics: Metrics
    heard: Mapping[str, Heard]
    thresholds: Thresholds
    on_trial: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Look:
    """A behavior in its window: what the agent said there, and what the customer did before.

    `told` is what the customer said in the window.
    `openings` are the customer's sentences that called for the behavior, each with a turn of the
    agent after it inside the window, `unanswered` those whose next turn of the agent shows none
    of the acts; `chance` is the probability that there was an opening, even at `CALLED`. `left` is,
    for each rule about answers, how likely each turn of the customer's in the window is left
    without one, and the sentence that calls for it most. `late` tells that the agent's last turn
    began after it.
    """

    behavior: Behavior
    said: tuple[Finding, ...]
    told: tuple[Finding, ...]
    left: tuple[Sequence[tuple[float, Finding]], ...]
    openings: tuple[Finding, ...] = ()
    unanswered: tuple[Finding, ...] = ()
    chance: float = 1.0
    late: bool = False


def judge(behavior: Behavior, case: Case) -> BehaviorScore:
    """Judge a behavior of the detector `acts`."""
    span = resolve(behavior.window, case.reading, case.heard)
    if case.reading.agent_start is None:
        return unscored(behavior, Outcome.NOT_ASSESSABLE, 1.0, "No agent was heard.")
    if not case.reading.customer_heard:
        return unscored(behavior, Outcome.NOT_ASSESSABLE, 1.0, "No customer was heard.")
    if span is None:
        why = f"The call has no {behavior.window.after}, which the window begins with."
        return unscored(behavior, Outcome.NO_OPPORTUNITY, 1.0, why)
    unknown = [m.metric for m in behavior.metrics if talk.value(m.metric, case.metrics) is None]
    if unknown:
        untimed = case.metrics.timing is Timing.NONE
        lack = "has no times" if untimed else "is too short"
        why = f"The call {lack} to measure {', '.join(unknown)}."
        return unscored(behavior, Outcome.NOT_ASSESSABLE, 1.0, why)
    look = _look(behavior, case.reading, span)
    nothing = "Nothing the customer said in time called for it."
    wanted = behavior.opportunity
    if wanted is not None and wanted.needed and not look.openings:
        return unscored(behavior, Outcome.NO_OPPORTUNITY, 1 - look.chance, nothing)
    spread = combine(_parts(look, case.metrics))
    score = median(spread)
    outcome = outcome_of(score, case.thresholds)
    likely = outcome_probability(spread, outcome, case.thresholds)
    if outcome is Outcome.MISSED and wanted is not None and not look.openings:
        return unscored(behavior, Outcome.NO_OPPORTUNITY, (1 - look.chance) * likely, nothing)
    if wanted is not None and (wanted.needed or outcome is Outcome.MISSED):
        likely *= look.chance
    grounds = _grounds(look, case, outcome, score)
    return BehaviorScore(
        behavior=behavior.id,
        title=behavior.title,
        outcome=outcome,
        score=score,
        confidence=round(calibrated(likely), 4),
        weight=behavior.weight,
        evidence=grounds.evidence,
        explanation=explain(behavior, grounds, case.metrics, score)
        + trial_note(behavior, case.on_trial),
    )


def unscored(behavior: Behavior, outcome: Outcome, confidence: float, why: str) -> BehaviorScore:
    """A behavior without a score, and the reason."""
    return BehaviorScore(
        behavior=behavior.id,
        title=behavior.title,
        outcome=outcome,
        score=None,
        confidence=round(confidence, 4),
        weight=behavior.weight,
        evidence=(),
        explanation=why,
    )


def _look(behavior: Behavior, reading: Reading, span: Span) -> _Look:
    said = tuple(each for each in reading.by(Role.AGENT) if _starts_in(each, span))
    told = tuple(each for each in reading.by(Role.CUSTOMER) if _starts_in(each, span))
    exchanges = [*reading.exchanges()]
    inside = [each for each in exchanges if _starts_in(each[0][0], span)]
    left = tuple([*_left(rule, inside)] for rule in behavior.answers)
    wanted = behavior.opportunity
    if wanted is None:
        return _Look(behavior, said, told, left)
    # What was brought in time may be answered when the customer has finished.
    late = next((reply for _, reply in inside[-1:] if reply[0].sentence.start >= span.end), ())
    said += late
    answered_until = max((each.sentence.start for each in said), default=span.start)
    end = late[0].sentence.start if late else min(span.end, answered_until)
    around = Span(span.start - wanted.before, end)
    heard = [
        (each, each.best(wanted.any_of)[1])
        for each in reading.by(Role.CUSTOMER)
        if _starts_in(each, around)
    ]
    openings = tuple(each for each, probability in heard if probability >= CALLED)
    answered = _answered(behavior, exchanges, said)
    return _Look(
        behavior,
        said,
        told,
        left,
        openings,
        tuple(each for each in openings if each.sentence not in answered),
        moved(max((probability for _, probability in heard), default=0.0), CALLED),
        bool(late),
    )


def _answered(
    behavior: Behavior, exchanges: Sequence[Exchange], said: Sequence[Finding]
) -> set[Sentence]:
    """The customer's sentences after which the agent's next turn shows, in time, what counts."""
    shown = {
        each.sentence for each in said if any(_best(each, r)[1] >= FOUND for r in behavior.acts)
    }
    return {
        each.sentence
        for asked, reply in exchanges
        if any(answer.sentence in shown for answer in reply)
        for each in asked
    }


def _left(rule: AnswerPoints, exchanges: Sequence[Exchange]) -> Iterator[tuple[float, Finding]]:
    """How likely each turn of the customer is left without an answer, and what calls for one."""
    for asked, answer in exchanges:
        opening = max(asked, key=lambda each: each.best(rule.to)[1])
        answered = max(each.best(rule.any_of)[1] for each in answer)
        yield opening.best(rule.to)[1] * (1 - answered), opening


def _starts_in(finding: Finding, span: Span) -> bool:
    return span.start <= finding.sentence.start < span.end


def _parts(look: _Look, metrics: Metrics) -> Iterator[Spread]:
    for rule in look.behavior.acts:
        yield part_of(rule, [_best(finding, rule)[1] for finding in look.said])
    for penalty in look.behavior.penalties:
        yield part_of(penalty, [_best(each, penalty)[1] for each in (*look.said, *look.told)])
    for answers, left in zip(look.behavior.answers, look.left, strict=True):
        yield part_of(answers, [likely for likely, _ in left])
    for measured in look.behavior.metrics:
        value = talk.value(measured.metric, metrics)
        yield {metric_points(measured, value or 0.0): 1.0}


def _grounds(look: _Look, case: Case, outcome: Outcome, score: float) -> Grounds:
    behavior = look.behavior
    worth_most = sorted(behavior.acts, key=lambda rule: -rule.points)
    shown = _quotes(look.said, worth_most, Polarity.FOR)
    measured = {rule.metric for rule in behavior.metrics}
    return Grounds(
        shown=tuple(shown),
        against=tuple(_quotes((*look.said, *look.told), behavior.penalties, Polarity.AGAINST)),
        talked=tuple(talk.evidence(measured, case.metrics, case.reading)),
        missed=() if outcome is Outcome.DELIVERED else tuple(_missed(look)),
        late=look.late,
        lacking=() if outcome is Outcome.DELIVERED else tuple(_lacking(look, score)),
    )


def _lacking(look: _Look, score: float) -> Iterator[tuple[ActPoints, int]]:
    """The rules that would have made the score full, what costs most first, and what met them."""
    asked = {rule.any_of: rule for rule in sorted(look.behavior.acts, key=lambda each: each.count)}
    short = []
    for rule in asked.values():
        shown = sum(_best(each, rule)[1] >= FOUND for each in look.said)
        if shown < rule.count:
            short.append((rule.points * (rule.count - shown) / rule.count, rule, shown))
    told: list[ActPoints] = []
    for lost, rule, shown in sorted(short, key=lambda each: -each[0]):
        if score >= FULL or len(told) == UNMET:
            return
        if not any({*rule.any_of} <= {*other.any_of} for other in told):
            yield rule, shown
            told.append(rule)
        score += lost


def _missed(look: _Look) -> list[Evidence]:
    """What the customer said that called for an answer and got none, each sentence once."""
    wanted = look.behavior.opportunity
    rules = [] if wanted is None else [wanted]
    quoted = _quotes(look.unanswered, rules, Polarity.MISSED_OPPORTUNITY)
    left = [
        (likely, quote(opening, *opening.best(rule.to), Polarity.MISSED_OPPORTUNITY))
        for rule, turns in zip(look.behavior.answers, look.left, strict=True)
        for likely, opening in turns
        if likely >= FOUND
    ]
    for _, each in sorted(left, key=lambda pair: -pair[0])[:SHOWN]:
        if each.quote not in {other.quote for other in quoted}:
            quoted.append(each)
    return quoted


def _quotes(
    findings: Sequence[Finding],
    rules: Sequence[ActPoints | Penalty | Opportunity],
    polarity: Polarity,
) -> list[Evidence]:
    """For each rule its likeliest sentences, each sentence once, the first rule's first."""
    quoted: dict[int, Evidence] = {}
    for rule in rules:
        best = [(place, *_best(each, rule)) for place, each in enumerate(findings)]
        found = [each for each in best if each[2] >= FOUND and each[0] not in quoted]
        for place, act, probability in sorted(found, key=lambda each: -each[2])[:SHOWN]:
            quoted[place] = quote(findings[place], act, probability, polarity)
    return list(quoted.values())


def _best(finding: Finding, rule: ActPoints | Penalty | Opportunity) -> tuple[str, float]:
    """The likeliest act of the sentence for which the rule counts it."""
    unless = rule.unless if isinstance(rule, ActPoints) else ()
    return finding.best(rule.any_of, unless)
