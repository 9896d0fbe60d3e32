"""One sentence that says why, built from the facts of a judgement."""

from collections.abc import Iterable, Sequence

from callscope.rubric import Behavior
from callscope.types import Evidence, Metrics, Polarity
from services.score import talk
from services.score.evidence import clock
from services.score.windows import describe

__all__ = ["explain", "listed"]

NAMED = 3  # moments of one kind; the evidence has the rest


def explain(
    behavior: Behavior, evidence: Sequence[Evidence], metrics: Metrics, score: float
) -> str:
    """What was found for and against, what was missed, and what it adds up to."""
    facts = [_found(evidence)]
    against = _moments(evidence, Polarity.AGAINST)
    if against:
        facts.append(f"against it {against}")
    missed = _moments(evidence, Polarity.MISSED_OPPORTUNITY)
    if missed:
        facts.append(f"unanswered by it the customer's {missed}")
    numbers = [
        talk.describe(rule.metric, number)
        for rule in behavior.metrics
        if (number := talk.value(rule.metric, metrics)) is not None
    ]
    return f"{describe(behavior.window)}, {'; '.join((*facts, *numbers))}: {score:g} of 100 points."


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _found(evidence: Sequence[Evidence]) -> str:
    found = _moments(evidence, Polarity.FOR)
    return f"the agent showed {found}" if found else "the agent showed none of what is asked"


def _moments(evidence: Sequence[Evidence], polarity: Polarity) -> str:
    """`apology at 0:12 and understanding at 0:15`, the likeliest first few in order of time."""
    chosen = [each for each in evidence if each.polarity is polarity]
    likeliest = sorted(chosen, key=lambda each: -each.probability)[:NAMED]
    moments = [
        f"{each.label.replace('_', ' ')} at {clock(each.start)}"
        for each in sorted(likeliest, key=lambda each: each.start)
    ]
    return listed(moments) if moments else ""
