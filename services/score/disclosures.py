"""Disclosures, element by element: what was said, where, how, and what is missing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callscope.pipeline import Progress
from callscope.rubric import Disclosure, Element
from callscope.types import (
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    Metrics,
    Polarity,
    Role,
    Span,
    Timing,
)
from services.score.delivery import Delivery, Setting, delivery
from services.score.events import Hearing, called_for
from services.score.evidence import clock, in_order, listed, quote, quote_words
from services.score.passages import CLEAR, GIVEN, Passage, PassageFinder, Wanted, likelihood
from services.score.points import DISCLOSURES, calibrated

__all__ = ["check_disclosures"]

Passages = tuple[Passage | None, ...]
Place = tuple[int, int]
"""Of a disclosure in the rubric, and of an element in the disclosure."""

NEARLY = 0.50  # a match that is worth a closer look
CLOSE = 20.0  # seconds between an element and the one it counts only with
APART = 15.0  # seconds; what takes longer was not said in one go
NOT_SAID = 0.01  # probability of an element of which nothing was found


@dataclass(frozen=True, slots=True)
class _Check:
    """A disclosure and the best passage for each of its elements.

    `called` is the probability that the events it hangs on have happened.
    """

    disclosure: Disclosure
    passages: Passages
    required: bool
    called: float

    @property
    def given(self) -> list[tuple[Element, Passage]]:
        pairs = zip(self.disclosure.elements, self.passages, strict=True)
        return [(element, each) for element, each in pairs if each is not None and _given(each)]

    @property
    def spoken(self) -> list[Passage]:
        """What is given of it by the agent."""
        return [passage for _, passage in self.given if not passage.volunteered]


def check_disclosures(
    disclosures: Sequence[Disclosure],
    finder: PassageFinder,
    hearing: Hearing,
    metrics: Metrics,
    progress: Progress,
) -> tuple[DisclosureResult, ...]:
    """Check every disclosure, in the order given."""
    agent_start = finder.reading.agent_start
    if agent_start is None:
        return tuple(_unheard(disclosure) for disclosure in disclosures)
    required = [called_for(each, hearing.heard) for each in disclosures]
    called = [math.prod(hearing.chances[e] for e in each.required_when) for each in disclosures]
    said = _said(disclosures, required, finder, progress)
    checks = [_Check(*each) for each in zip(disclosures, said, required, called, strict=True)]
    begun = {
        each.disclosure.id: min(passage.start for passage in spoken)
        for each in checks
        if (spoken := each.spoken)
    }
    setting = Setting(agent_start, metrics, hearing, begun)
    return tuple(_result(each, setting) for each in checks)


def _given(passage: Passage | None) -> bool:
    return passage is not None and passage.match >= GIVEN


def _said(
    disclosures: Sequence[Disclosure],
    required: Sequence[bool],
    finder: PassageFinder,
    progress: Progress,
) -> list[Passages]:
    """The best passage of each element: first of those that stand alone, then of the others."""
    places = [(d, e) for d, each in enumerate(disclosures) for e in range(len(each.elements))]
    element = {(d, e): disclosures[d].elements[e] for d, e in places}
    called = {place: required[place[0]] and not element[place].commonplace for place in places}
    alone = {
        place: Wanted(element[place], called=called[place])
        for place in places
        if not element[place].only_with
    }
    found = _found(alone, required, finder, lambda done: progress(done / 2))
    dependent: dict[Place, Wanted] = {}
    for place in places:
        base = next(
            (p for p in alone if p[0] == place[0] and element[p].id == element[place].only_with),
            None,
        )
        passage = found[base] if base is not None else None
        if passage is not None and _given(passage):
            near = Span(passage.start - CLOSE, passage.end + CLOSE)
            dependent[place] = Wanted(element[place], near, called[place])
    found |= _found(dependent, required, finder, lambda done: progress(0.5 + done / 2))
    said = [
        tuple(found.get((d, e)) for e in range(len(each.elements)))
        for d, each in enumerate(disclosures)
    ]
    read = [_read_out(*each, finder) for each in zip(disclosures, said, strict=True)]
    return [_volunteered(*each, finder) for each in zip(disclosures, read, required, strict=True)]


def _read_out(disclosure: Disclosure, said: Passages, finder: PassageFinder) -> Passages:
    """What was not found by itself, in the script where that was read out."""
    if disclosure.script is None or all(map(_given, said)):
        return said
    script = finder.read_out(disclosure.script)
    return said if script is None else tuple(p if _given(p) else script for p in said)


def _volunteered(
    disclosure: Disclosure, said: Passages, required: bool, finder: PassageFinder
) -> Passages:
    """What the customer told unasked: it need not be asked."""
    if not required:
        return said
    return tuple(
        _sooner(passage, finder.volunteered(element) if element.volunteered else None)
        for element, passage in zip(disclosure.elements, said, strict=True)
    )


def _sooner(passage: Passage | None, told: Passage | None) -> Passage | None:
    """What the customer told, unless the agent asked before."""
    if told is None or (passage is not None and _given(passage) and passage.start <= told.start):
        return passage
    return told


def _found(
    wanted: Mapping[Place, Wanted],
    required: Sequence[bool],
    finder: PassageFinder,
    progress: Progress,
) -> dict[Place, Passage | None]:
    """Sentences, then windows for what is not clear from whole sentences, where it matters.

    It matters where the disclosure is required, or where some of it was nearly said.
    """
    found = {place: finder.in_sentences(each) for place, each in wanted.items()}
    nearly = {place[0] for place, each in found.items() if each and each.match >= NEARLY}
    unclear = [
        place
        for place, each in found.items()
        if (required[place[0]] or place[0] in nearly)
        and (each is None or each.match < _clear(wanted[place].element, required[place[0]]))
    ]
    windows = finder.in_windows([wanted[place] for place in unclear], progress)
    for place, window in zip(unclear, windows, strict=True):
        sentence = found[place]
        if window is not None and (sentence is None or window.match > sentence.match):
            found[place] = window
    for place in unclear:
        if not _given(found[place]):
            found[place] = finder.put_right(wanted[place]) or found[place]
    return found


def _clear(element: Element, required: bool) -> float:
    """From which match no windows are needed.

    A sentence that a cue speaks for is quoted whole, unless it takes a clear match to count at all.
    """
    return GIVEN if required and element.cues else CLEAR


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


def _result(check: _Check, setting: Setting) -> DisclosureResult:
    given = check.given
    said = {element.id for element, _ in given}
    missing = tuple(e for e in check.disclosure.elements if e.id not in said)
    status = _status(check, missing)
    required = status is not DisclosureStatus.NOT_REQUIRED
    if not required:
        given, missing = [], ()
    how = delivery(check.disclosure, check.spoken if required else [], setting)
    return DisclosureResult(
        disclosure=check.disclosure.id,
        title=check.disclosure.title,
        status=status,
        coverage=round(len(given) / len(check.passages), 4) if required else None,
        missing_elements=tuple(element.id for element in missing),
        start=how.start,
        end=how.end,
        on_time=how.on_time,
        words_per_minute=how.words_per_minute,
        confidence=_confidence(check, status),
        evidence=_evidence(check, given, status, how, setting),
        explanation=_explain(check, status, missing, how, setting),
        in_order=how.in_order,
        rushed=how.rushed,
        interrupted=how.interrupted,
        mumbled=how.mumbled,
    )


def _status(check: _Check, missing: Sequence[Element]) -> DisclosureStatus:
    if not check.required:  # said all the same, and clearly, it is worth showing
        clear = all(each is not None and each.match >= CLEAR for each in check.passages)
        return DisclosureStatus.DELIVERED if clear else DisclosureStatus.NOT_REQUIRED
    if not missing:
        return DisclosureStatus.DELIVERED
    if len(missing) == len(check.passages):
        return DisclosureStatus.MISSING
    return DisclosureStatus.PARTIAL


def _probability(passage: Passage | None) -> float:
    """That an element was said."""
    return NOT_SAID if passage is None else likelihood(passage.match)


def _confidence(check: _Check, status: DisclosureStatus) -> float:
    """How often such a status is right; elements are taken as independent."""
    chances = [_probability(passage) for passage in check.passages]
    everything, nothing = math.prod(chances), math.prod(1 - chance for chance in chances)
    likely = {
        DisclosureStatus.DELIVERED: everything,
        DisclosureStatus.MISSING: nothing * check.called,
        DisclosureStatus.PARTIAL: (1 - everything - nothing) * check.called,
        DisclosureStatus.NOT_REQUIRED: 1 - check.called,
    }
    found = min(1.0, max(0.0, likely[status]))
    if status is DisclosureStatus.NOT_REQUIRED:
        return round(found, 4)
    return round(calibrated(found, DISCLOSURES), 4)


def _evidence(
    check: _Check,
    given: Sequence[tuple[Element, Passage]],
    status: DisclosureStatus,
    how: Delivery,
    setting: Setting,
) -> tuple[Evidence, ...]:
    """Where each element was said.

    With what called for it where some was not, and with what it should have come before.
    """
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
            heard = setting.hearing.heard[event]
            by_customer = heard.finding.sentence.role is Role.CUSTOMER
            polarity = Polarity.MISSED_OPPORTUNITY if by_customer else Polarity.AGAINST
            found.append(quote(heard.finding, event, heard.probability, polarity))
    late = how.passed
    if late is not None:
        probability = round(late.probability, 4)
        against = quote(late.finding, late.event.id, probability, Polarity.AGAINST)
        if all((each.label, each.quote) != (against.label, against.quote) for each in found):
            found.append(against)
    return in_order(found)


def _explain(
    check: _Check,
    status: DisclosureStatus,
    missing: Sequence[Element],
    how: Delivery,
    setting: Setting,
) -> str:
    title = check.disclosure.title
    if status is DisclosureStatus.NOT_REQUIRED:
        return f"{title}: nothing in the call called for it."
    heard = setting.hearing.heard
    reasons = [heard[e].event.title for e in check.disclosure.required_when if check.required]
    because = f" (called for: {', '.join(reasons)})" if reasons else ""
    if how.start is None:
        return f"{title}: not said{because}."
    timed = setting.metrics.timing is not Timing.NONE
    said = " " + ", ".join([*([_when(how.start, how.end)] if timed else []), *how.flaws(timed)])
    said = said.rstrip()
    if status is DisclosureStatus.PARTIAL:
        lacking = listed(f"{each.id} (such as “{each.wordings[0]}”)" for each in missing)
        return f"{title}: said in part{said}; missing: {lacking}{because}."
    return f"{title}: said in full{said}."


def _when(start: float, end: float | None) -> str:
    """One time for what was said in one go: halves of it may be minutes apart."""
    if end is None or end - start < APART:
        return f"at {clock(start)}"
    return f"between {clock(start)} and {clock(end)}"
