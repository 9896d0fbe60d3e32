"""How a statement was delivered: in time, in order, at what speed, how clearly, and undisturbed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from callscope.conversation.spans import total, union
from callscope.rubric import Deadline, Disclosure
from callscope.types import Metrics, Role, Span, Timing
from services.score.events import Heard, Hearing
from services.score.evidence import clock
from services.score.passages import Passage

__all__ = ["Delivery", "Setting", "delivery"]

TIMED = 8  # words; the times of fewer are too rough to call them rushed
DOUBTED = 0.5  # mean probability of its words below which a passage is mumbled


@dataclass(frozen=True, slots=True)
class Setting:
    """The call around a statement; `begun` says when disclosures were first spoken, by id."""

    agent_start: float
    metrics: Metrics
    hearing: Hearing
    begun: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The facts, each None where there is nothing to say, in the words of `DisclosureResult`.

    `passed` is what it should have come before and did not.
    """

    start: float | None = None
    end: float | None = None
    on_time: bool | None = None
    in_order: bool | None = None
    words_per_minute: float | None = None
    rushed: bool | None = None
    interrupted: bool | None = None
    mumbled: bool | None = None
    passed: Heard | None = None

    def flaws(self, timed: bool) -> list[str]:
        """What was wrong with it, in words; with times, if there are any to tell."""
        flaws = {
            self._late(timed): self.on_time is False,
            "out of order": self.in_order is False,
            f"rushed ({self.words_per_minute or 0:.0f} words a minute)": self.rushed,
            "while the customer cut in": self.interrupted,
            "unclearly": self.mumbled,
        }
        return [words for words, found in flaws.items() if found]

    def _late(self, timed: bool) -> str:
        if self.passed is None:
            return "too late"
        when = f", {clock(self.passed.start)}" if timed else ""
        return f"too late (after {self.passed.event.title}{when})"


def delivery(disclosure: Disclosure, passages: Sequence[Passage], setting: Setting) -> Delivery:
    """The facts about what was said of a disclosure: `passages` in the order of its elements."""
    if not passages:
        return Delivery()
    words = {(word.start, word.end, word.text): word for each in passages for word in each.words}
    timing = setting.metrics.timing
    # Only a recognizer times and doubts each word.
    seconds = total(union(Span(each.start, each.end) for each in passages))
    speed = round(60 * len(words) / seconds, 1) if seconds > 0 and timing is Timing.WORDS else None
    passed = _passed(disclosure.deadline, passages, setting.hearing)
    doubt = fmean(word.probability for word in words.values()) if timing is Timing.WORDS else None
    start = min(each.start for each in passages)
    return Delivery(
        start=start,
        end=max(each.end for each in passages),
        on_time=_on_time(disclosure.deadline, passages, passed, setting),
        in_order=_in_order(disclosure, passages, start, setting.begun),
        words_per_minute=speed,
        rushed=None if speed is None or len(words) < TIMED else speed > disclosure.rushed_above,
        interrupted=None
        if timing is Timing.NONE
        else any(_cut(each, setting.metrics) for each in passages),
        mumbled=None if doubt is None else doubt < DOUBTED,
        passed=passed,
    )


def _said(deadline: Deadline, passages: Sequence[Passage]) -> Passage:
    """With which words it was begun, or all of it said where the deadline asks for that."""
    return sorted(passages, key=lambda each: each.order)[-1 if deadline.complete else 0]


def _passed(
    deadline: Deadline | None, passages: Sequence[Passage], hearing: Hearing
) -> Heard | None:
    """The event that it should have come before and did not."""
    if deadline is None or deadline.before is None:
        return None
    return hearing.before(deadline.before, _said(deadline, passages))


def _on_time(
    deadline: Deadline | None, passages: Sequence[Passage], passed: Heard | None, setting: Setting
) -> bool | None:
    """Whether it was said soon enough; None where that is not asked, or nothing has times."""
    if deadline is None:
        return None
    if deadline.seconds is None:
        return passed is None
    if setting.metrics.timing is Timing.NONE:
        return None
    return _said(deadline, passages).start <= setting.agent_start + deadline.seconds


def _in_order(
    disclosure: Disclosure, passages: Sequence[Passage], start: float, begun: Mapping[str, float]
) -> bool | None:
    """One that must come before and was not said at all is missing, not out of order."""
    if not disclosure.ordered and not disclosure.after:
        return None
    before = all(begun.get(name, start) <= start for name in disclosure.after)
    return before and (
        not disclosure.ordered or all(a.start <= b.start for a, b in pairwise(passages))
    )


def _cut(passage: Passage, metrics: Metrics) -> bool:
    """Whether the customer took the floor while the passage was spoken."""
    return any(
        cut.of is Role.AGENT
        and cut.interrupted == passage.utterance
        and passage.start <= cut.start <= passage.end
        for cut in metrics.interruptions
    )
