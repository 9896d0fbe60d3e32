"""The arithmetic of scores: points for what was found, and how likely each score is.

A score is the sum of its parts, between 0 and 100:

- acts: `points` in full once `count` sentences show one of the acts, in proportion below;
- answers: `points` in full while nothing of the customer's is left unanswered, in proportion less
  for each turn that is, none at `none_at`;
- metrics: `points` in full at `full_at`, none at `none_at`, on a straight line between;
- penalties: `points` off for each sentence that shows one of the acts, `at_most` in all.

How surely a sentence shows an act, or a turn is left unanswered, is a probability. The
probabilities, taken as independent, give each possible sum its own, and each outcome the total of
its sums. The score is the median: as likely too high as too low. Sentences are not independent,
though: the confidence in an outcome is how often such a total was right.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import ceil, isclose

from callscope.rubric import ActPoints, AnswerPoints, MetricPoints, Penalty, Thresholds
from callscope.types import Outcome
from services.score.odds import log_odds, logistic

__all__ = [
    "DISCLOSURES",
    "OUTCOMES",
    "Rule",
    "Spread",
    "calibrated",
    "combine",
    "median",
    "metric_points",
    "outcome_of",
    "outcome_probability",
    "part_of",
]

Spread = Mapping[float, float]
"""Points, and the probability of each."""

Rule = ActPoints | AnswerPoints | Penalty
"""What gives or takes points for something that is counted."""

# Platt scaling of the log-odds of outcomes and of disclosures' statuses. Of 1,300 outcomes in 260
# calls that heads had not learned from (0.92, -0.22) fits best; of 1,200 in 240 that nothing was
# placed on, these leave a calibration error of .03 and .04. Statuses: 402, in 181 calls.
OUTCOMES, DISCLOSURES = (0.9, -0.2), (0.7, 1.0)
SUREST = 0.995  # that a sum is taken for
MILLIONTH = 1e-6
FAINT = 1e-6  # a sum that is less likely is left out: most are
HALF = 0.5 - 1e-9  # of a probability that was added up


def part_of(rule: Rule, probabilities: Sequence[float]) -> Spread:
    """The points of one rule, from the probabilities of its acts in each sentence.

    Of an `AnswerPoints`, from those that each turn is left unanswered. Only the likeliest that can
    matter are spread out: hundreds of unlikely ones would add up to a certainty that nobody has.
    """
    likeliest = sorted(probabilities, reverse=True)[: _needed(rule)]
    spread: defaultdict[float, float] = defaultdict(float)
    for count, probability in enumerate(_count_spread(likeliest)):
        spread[_points(rule, count)] += probability
    return dict(spread)


def metric_points(rule: MetricPoints, value: float) -> float:
    """The points for a metric's value."""
    share = (value - rule.none_at) / (rule.full_at - rule.none_at)
    return rule.points * min(1.0, max(0.0, share))


def combine(parts: Iterable[Spread]) -> Spread:
    """The scores of several parts together, kept between 0 and 100."""
    spread = {0: 1.0}  # in millionths of a point, whose sums are the same in any order
    for part in parts:
        if part.keys() == {0.0}:
            continue
        added = [(round(more / MILLIONTH), likely) for more, likely in part.items()]
        sums: defaultdict[int, float] = defaultdict(float)
        for score, probability in spread.items():
            for more, likely in added:
                both = probability * likely
                if both > FAINT:
                    sums[score + more] += both
        spread = dict(sums)
    clipped: defaultdict[float, float] = defaultdict(float)
    kept = sum(spread.values())
    for score, probability in spread.items():
        # Only the whole is rounded to what is told: three thirds are 100, not 99.99.
        clipped[round(min(100.0, max(0.0, score * MILLIONTH)), 2)] += probability / kept
    return dict(clipped)


def median(spread: Spread) -> float:
    """The score that is as likely too high as too low; of two the better one."""
    scores = sorted(spread, reverse=True)
    above = accumulate(spread[score] for score in scores)
    return next(score for score, share in zip(scores, above, strict=True) if share >= HALF)


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
