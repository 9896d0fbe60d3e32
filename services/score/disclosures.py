"""Disclosures, element by element: what was said, where, whether in time, and what is missing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callscope.conversation.spans import total, union
from callscope.pipeline import Progress
from callscope.rubric import Deadline, Disclosure, Element
from callscope.types import DisclosureResult, DisclosureStatus, Evidence, Polarity, Span
from services.score.events import Heard
from services.score.evidence import clock, in_order, quote, quote_words
from services.score.passages import CLEAR, Passage, PassageFinder

__all__ = ["GIVEN", "check_disclosures"]

GIVEN = 0.60
"""Match from which an element counts as said; measured: recall .95, no false alarm in 1,600."""

Passages = tuple[Passage | None, ...]

NEARLY = 0.50  # a match that is worth a closer look
STEEPNESS = 20.0  # of the probability that an element was said, around GIVEN


@dataclass(frozen=True, slots=True)
class _Check:
    """A disclosure, the best passage for each of its elements, and the events it hangs on."""

    disclosure: Disclosure
    passages: Passages
    required: bool
    heard: Mapping[str, Heard]

    @property
    def given(self) -> list[tuple[Element, Passage]]:
        return [
            (element, passage)
            for element, passage in zip(self.disclosure.elements, self.passages, strict=True)
            if passage is not None and passage.match >= GIVEN
        ]


def check_disclosures(
    disclosures: Sequence[Disclosure],
    finder: PassageFinder,
    heard: Mapping[str, Heard],
    progress: Progress,
) -> tuple[DisclosureResult, ...]:
    """Check every disclosure, in the order given."""
    agent_start = finder.reading.agent_start
    if agent_start is None:
        return tuple(_unheard(disclosure) for disclosure in disclosures)
    required = [all(event in heard for event in each.required_when) for each in disclosures]
    said = [tuple(map(finder.in_sentences, each.elements)) for each in disclosures]
    said = _refined(disclosures, required, said, finder, progress)
    return tuple(
        _result(_Check(*each, heard), agent_start)
        for each in zip(disclosures, said, required, strict=True)
    )


def _refined(
    disclosures: Sequence[Disclosure],
    required: Sequence[bool],
    said: Sequence[Passages],
    finder: PassageFinder,
    progress: Progress,
) -> list[Passages]:
    """Windows for what is not clear from whole sentences, where it matters.

    It matters where the disclosure is required, or where some of it was nearly said.
    """
    unclear = [
        (place, part)
        for place, passages in enumerate(said)
        if required[place] or any(each and each.match >= NEARLY for each in passages)
        for part, passage in enumerate(passages)
        if passage is None or passage.match < CLEAR
    ]
    elements = [disclosures[place].elements[part] for place, part in unclear]
    windows = finder.in_windows(elements, progress)
    refined = [list(passages) for passages in said]
    for (place, part), window in zip(unclear, windows, strict=True):
        sentence = refined[place][part]
        if window is not None and (sentence is None or window.match > sentence.match):
            refined[place][part] = window
    return [tuple(passages) for passages in refined]


def _unheard(disclosure: Disclosure) -> DisclosureResult:
    return DisclosureResult(
        disclosure=disclosure.id,
        title=disclosure.title,
        status=DisclosureStatus.NOT_REQUIRED,
        coverage=None,
        missing_elements=(),
        start=None,
        end=None,
        on_time=None,
        words_per_minute=None,
        confidence=0.0,
        evidence=(),
        explanation="No agent was heard, so there was nobody to say it.",
    )


def _result(check: _Check, agent_start: float) -> DisclosureResult:
    given = check.given
    said = {element.id for element, _ in given}
    missing = tuple(e.id for e in check.disclosure.elements if e.id not in said)
    status = _status(check, missing)
    if status is DisclosureStatus.NOT_REQUIRED:
        given, missing = [], ()
    passages = [passage for _, passage in given]
    on_time = _on_time(check.disclosure.deadline, passages, check.heard, agent_start)
    return DisclosureResult(
        disclosure=check.disclosure.id,
        title=check.disclosure.title,
        status=status,
        coverage=(
            None
            if status is DisclosureStatus.NOT_REQUIRED
            else round(len(given) / len(check.passages), 4)
        ),
        missing_elements=missing,
        start=min((passage.start for passage in passages), default=None),
        end=max((passage.end for passage in passages), default=None),
        on_time=on_time,
        words_per_minute=_speed(passages),
        confidence=_confidence(check, status),
        evidence=_evidence(check, given, status),
        explanation=_explain(check, status, missing, passages, on_time),
    )


def _status(check: _Check, missing: Sequence[str]) -> DisclosureStatus:
    if not missing:  # said, though nothing called for it: that is worth showing too
        return DisclosureStatus.DELIVERED
    if not check.required:
        return DisclosureStatus.NOT_REQUIRED
    if len(missing) == len(check.passages):
        return DisclosureStatus.MISSING
    return DisclosureStatus.PARTIAL


def _on_time(
    deadline: Deadline | None,
    passages: Sequence[Passage],
    heard: Mapping[str, Heard],
    agent_start: float,
) -> bool | None:
    if deadline is None or not passages:
        return None
    begun = min(passage.start for passage in passages)
    if deadline.seconds is not None:
        return begun <= agent_start + deadline.seconds
    event = heard.get(deadline.before or "")
    return event is None or begun <= event.start


def _speed(passages: Sequence[Passage]) -> float | None:
    """Words per minute over the passages; what two of them share counts once."""
    words = {(word.start, word.end, word.text) for passage in passages for word in passage.words}
    seconds = total(union(Span(passage.start, passage.end) for passage in passages))
    return round(60 * len(words) / seconds, 1) if seconds > 0 else None


def _probability(passage: Passage | None) -> float:
    """That an element was said, from its best match."""
    if passage is None:
        return 0.01
    return 1 / (1 + math.exp(-STEEPNESS * (passage.match - GIVEN)))


def _confidence(check: _Check, status: DisclosureStatus) -> float:
    """That the status is right, elements taken as independent."""
    chances = [_probability(passage) for passage in check.passages]
    everything, nothing = math.prod(chances), math.prod(1 - chance for chance in chances)
    calls = 1.0
    if check.required:
        calls = math.prod(_called_for(check.heard[e]) for e in check.disclosure.required_when)
    likely = {
        DisclosureStatus.DELIVERED: everything,
        DisclosureStatus.MISSING: nothing * calls,
        DisclosureStatus.PARTIAL: (1 - everything - nothing) * calls,
        DisclosureStatus.NOT_REQUIRED: 1 - everything,
    }
    return round(min(1.0, max(0.0, likely[status])), 4)


def _called_for(heard: Heard) -> float:
    return 1 / (1 + math.exp(-STEEPNESS * (heard.probability - 0.5)))


def _evidence(
    check: _Check, given: Sequence[tuple[Element, Passage]], status: DisclosureStatus
) -> tuple[Evidence, ...]:
    found = [
        quote_words(
            passage.utterance,
            passage.words,
            element.id,
            round(_probability(passage), 4),
            Polarity.FOR,
        )
        for element, passage in given
    ]
    if status in (DisclosureStatus.MISSING, DisclosureStatus.PARTIAL):
        for event in check.disclosure.required_when:
            heard = check.heard[event]
            found.append(
                quote(heard.finding, event, heard.probability, Polarity.MISSED_OPPORTUNITY)
            )
    return in_order(found)


def _explain(
    check: _Check,
    status: DisclosureStatus,
    missing: Sequence[str],
    passages: Sequence[Passage],
    on_time: bool | None,
) -> str:
    title = check.disclosure.title
    reasons = [check.heard[e].event.title for e in check.disclosure.required_when if check.required]
    because = f" (called for: {', '.join(reasons)})" if reasons else ""
    if status is DisclosureStatus.NOT_REQUIRED:
        return f"{title}: nothing in the call called for it."
    if status is DisclosureStatus.MISSING:
        return f"{title}: not said{because}."
    at = clock(min(passage.start for passage in passages))
    late = ", too late" if on_time is False else ""
    if status is DisclosureStatus.PARTIAL:
        return f"{title}: said in part at {at}{late}; missing: {', '.join(missing)}{because}."
    return f"{title}: said in full at {at}{late}."
