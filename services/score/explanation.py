"""One sentence that says why, built from the facts of a judgement."""

from collections.abc import Mapping, Sequence

from callscope.rubric import Behavior
from callscope.types import Evidence, Metrics
from services.score import talk
from services.score.evidence import Grounds, clock, listed
from services.score.windows import describe

__all__ = ["explain", "points", "trial_note"]

NAMED = 3  # moments of one kind; the evidence has the rest


def explain(behavior: Behavior, grounds: Grounds, metrics: Metrics, score: float) -> str:
    """What was found for and against, what was missed, and what it adds up to."""
    found = _moments(grounds.shown) or "none of what is asked"
    facts = [f"the agent showed {found}"]
    if grounds.against:
        facts.append(f"against it {_moments(grounds.against)}")
    if grounds.missed:
        facts.append(f"left unanswered: the customer's {_moments(grounds.missed)}")
    facts += [
        talk.describe(rule.metric, number)
        for rule in behavior.metrics
        if (number := talk.value(rule.metric, metrics)) is not None
    ]
    return f"{describe(behavior.window)} {'; '.join(facts)}: {points(score)}."


def trial_note(behavior: Behavior, on_trial: Mapping[str, int]) -> str:
    """That the behavior rests on acts that have not proven themselves; empty where it does not."""
    named = [rule.any_of for rule in behavior.acts] + [rule.any_of for rule in behavior.penalties]
    acts = sorted({act for acts in named for act in acts if act in on_trial})
    if not acts:
        return ""
    return f" On trial: learned {listed(f'{a} from {on_trial[a]} sentences' for a in acts)}."


def points(score: float) -> str:
    """`64.5 of 100 points`; two digits after the point would feign a precision nobody has."""
    return f"{round(score, 1):g} of 100 points"


def _moments(evidence: Sequence[Evidence]) -> str:
    """`apology at 0:12 and 0:40 and understanding at 0:15`: the weightiest few, by time."""
    moments: dict[str, list[str]] = {}
    for each in sorted(evidence[:NAMED], key=lambda each: each.start):
        moments.setdefault(each.label.replace("_", " "), []).append(clock(each.start))
    names = [f"{label} at {listed(times)}" for label, times in moments.items()]
    return listed(names) if names else ""
