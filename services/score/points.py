"""The arithmetic of scores: points for what was found, and how likely each score is.

A score is the sum of its parts, between 0 and 100:

- acts: `points` in full once `count` sentences show one of the acts, in proportion below;
- answers: `points` in full while nothing of the customer's is left unanswered, in proportion less
  for each turn that is, none at `none_at`;
- metrics: `points` in full at `full_at`, none at `none_at`, on a straight line between;
- penalties: `points` off for each sentence that shows one of the acts, `at_most` in all.

A sentence shows an act, and a turn is left unanswered, from probability 0.5. The same
probabilities, taken as independent, give each possible score its probability, and each outcome the
sum over its scores. Sentences are not independent, though: the confidence in an outcome is how
often such a sum was right.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, isclose

from callscope.rubric import ActPoints, AnswerPoints, MetricPoints, Penalty, Thresholds
from callscope.types import Outcome
from services.score.odds import log_odds, logistic
from services.score.reading import FOUND

__all__ = [
    "DISCLOSURES",
    "OUTCOMES",
    "Part",
    "Rule",
    "Spread",
    "calibrated",
    "combine",
    "metric_points",
    "outcome_of",
    "outcome_probability",
    "part_of",
]

Spread = Mapping[float, float]
"""Points, and the probability of each."""

Part = tuple[float, Spread]
"""The points counted, and their spread."""

Rule = ActPoints | AnswerPoints | Penalty
"""What gives or takes points for something that is counted."""

# Platt scaling of the log-odds of outcomes and of disclosures' statuses, fitted on 882 and 402 of
# them in 181 calls that others labeled.
OUTCOMES, DISCLOSURES = (0.65, -0.4), (0.7, 1.0)
SUREST = 0.995  # that a sum is taken for


def part_of(rule: Rule, probabilities: Sequence[float]) -> Part:
    """The points of one rule, from the probabilities of its acts in each sentence.

    Of an `AnswerPoints`, from those that each turn is left unanswered.

    Only the likeliest sentences that can matter are spread out: hundreds of unlikely ones would
    add up to a certainty that nobody has.
    """
    found = sum(probability >= FOUND for probability in probabilities)
    likeliest = sorted(probabilities, reverse=True)[: _needed(rule)]
    counts = _count_spread(likeliest)
    spread: defaultdict[float, float] = defaultdict(float)
    for count, probability in enumerate(counts):
        spread[_points(rule, count)] += probability
    return _points(rule, found), dict(spread)


def metric_points(rule: MetricPoints, value: float) -> float:
    """The points for a metric's value."""
    share = (value - rule.none_at) / (rule.full_at - rule.none_at)
    return rule.points * min(1.0, max(0.0, share))


def combine(parts: Iterable[Part]) -> Part:
    """The score of several parts together, kept between 0 and 100."""
    total, spread = 0.0, {0.0: 1.0}
    for points, each in parts:
        total += points
        sums: defaultdict[float, float] = defaultdict(float)
        for score, probability in spread.items():
            for more, likely in each.items():
                sums[round(score + more, 2)] += probability * likely
        spread = dict(sums)
    clipped: defaultdict[float, float] = defaultdict(float)
    for score, probability in spread.items():
        clipped[_clip(score)] += probability
    return _clip(round(total, 2)), dict(clipped)


def outcome_of(score: float, thresholds: Thresholds) -> Outcome:
    """Delivered, partial or missed."""
    if score >= thresholds.delivered:
        return Outcome.DELIVERED
    return Outcome.PARTIAL if score >= thresholds.partial else Outcome.MISSED


def outcome_probability(spread: Spread, outcome: Outcome, thresholds: Thresholds) -> float:
    """The probability of an outcome."""
    total = sum(p for score, p in spread.items() if outcome_of(score, thresholds) is outcome)
    return 1.0 if isclose(total, 1.0) else total


def calibrated(probability: float, scaling: tuple[float, float] = OUTCOMES) -> float:
    """How often a judgement of that probability was right."""
    slope, shift = scaling
    return logistic(slope * log_odds(probability, 1 - SUREST, SUREST) + shift)


def _needed(rule: Rule) -> int:
    """The count beyond which no more matters."""
    match rule:
        case ActPoints():
            return rule.count
        case AnswerPoints():
            return rule.none_at
        case Penalty():
            return ceil(rule.at_most / rule.points) if rule.points else 0


def _points(rule: Rule, count: int) -> float:
    match rule:
        case ActPoints():
            return rule.points * min(1.0, count / rule.count)
        case AnswerPoints():
            return rule.points * max(0.0, 1 - count / rule.none_at)
        case Penalty():
            return -min(rule.at_most, rule.points * count)


def _count_spread(probabilities: Sequence[float]) -> list[float]:
    """The probability of 0, 1, 2 ... of independent events (Poisson binomial)."""
    counts = [1.0]
    for probability in probabilities:
        missed = [share * (1 - probability) for share in counts] + [0.0]
        met = [0.0] + [share * probability for share in counts]
        counts = [a + b for a, b in zip(missed, met, strict=True)]
    return counts


def _clip(score: float) -> float:
    return min(100.0, max(0.0, score))
