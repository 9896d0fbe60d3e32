"""One sentence that says why, built from the facts of a judgement."""

from collections.abc import Mapping, Sequence

from callscope.rubric import ActPoints, Behavior
from callscope.types import Evidence, Metrics, Timing
from services.score import talk
from services.score.evidence import Grounds, clock, in_order, listed
from services.score.windows import describe

__all__ = ["explain", "points", "trial_note"]

NAMED = 3  # moments of one kind; the evidence has the rest
CHOICES = 2  # acts of which a rule asks for any


def explain(behavior: Behavior, grounds: Grounds, metrics: Metrics, score: float) -> str:
    """What was found for and against, what was missed, and what it adds up to."""
    timed = metrics.timing is not Timing.NONE
    found = _moments(grounds.shown, timed) or "none of what is asked"
    facts = [f"the agent showed {found}"]
    if grounds.against:
        facts.append(f"against it {_moments(grounds.against, timed)}")
    if grounds.lacking:
        facts.append(f"lacking: {listed(_wanted(*each) for each in grounds.lacking)}")
    if grounds.missed:
        facts.append(f"left unanswered: the customer's {_moments(grounds.missed, timed)}")
    facts += [
        talk.describe(rule.metric, number)
        for rule in behavior.metrics
        if (number := talk.value(rule.metric, metrics)) is not None
    ]
    window = describe(behavior.window, metrics.timing)
    if grounds.late:
        window += " and in the next turn"
    return f"{window} {'; '.join(facts)}: {points(score)}."


def trial_note(behavior: Behavior, on_trial: Mapping[str, int]) -> str:
    """That the behavior rests on acts that have not proven themselves; empty where it does not."""
    kinds = (behavior.acts, behavior.answers, behavior.penalties)
    named = [rule.any_of for rules in kinds for rule in rules]
    acts = sorted({act for acts in named for act in acts if act in on_trial})
    if not acts:
        return ""
    return f" On trial: learned {listed(f'{a} from {on_trial[a]} sentences' for a in acts)}."


def points(score: float) -> str:
    """`64.5 of 100 points`; two digits after the point would feign a precision nobody has."""
    return f"{round(score, 1):g} of 100 points"


def _wanted(rule: ActPoints, shown: int) -> str:
    """`follow up (1 of 2)`."""
    names = " or ".join(map(_spoken, rule.any_of[:CHOICES]))
    more = " or the like" if len(rule.any_of) > CHOICES else ""
    return names + more + (f" ({shown} of {rule.count})" if shown else "")


def _spoken(act: str) -> str:
    return act.replace("_", " ")


def _moments(evidence: Sequence[Evidence], timed: bool) -> str:
    """`apology at 0:12 and 0:40 and understanding at 0:15`: the weightiest few, by time."""
    moments: dict[str, list[str]] = {}
    for each in in_order(evidence[:NAMED]):
        times = moments.setdefault(_spoken(each.label), [])
        if timed and each.start is not None:
            times.append(clock(each.start))
    names = [f"{label} at {listed(at)}" if at else label for label, at in moments.items()]
    return listed(names) if names else ""
