"""What changed between two records of one call, and why: pure, for the same two records the same.

A judgement is compared with the one of the same name. Evidence is the same where it has the same
label and polarity and its seconds overlap: another recognizer may write words differently, and
time them anew. In a conversation without times it is the same where it has the same words.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from callscope.errors import InvalidInput
from callscope.types import (
    BehaviorScore,
    CallRecord,
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    ModelInfo,
    Outcome,
    OverallScore,
    RubricRef,
)

__all__ = [
    "BehaviorChange",
    "BehaviorVerdict",
    "DisclosureChange",
    "DisclosureVerdict",
    "ModelChange",
    "RecordDiff",
    "diff",
]

T = TypeVar("T", BehaviorScore, DisclosureResult)


@dataclass(frozen=True, slots=True)
class BehaviorVerdict:
    """A behavior's judgement, without what it rests on."""

    outcome: Outcome
    score: float | None  # 0-100
    confidence: float
    weight: float


@dataclass(frozen=True, slots=True)
class BehaviorChange:
    """A behavior that is judged otherwise; None where that rubric does not judge it."""

    behavior: str
    title: str
    before: BehaviorVerdict | None
    after: BehaviorVerdict | None
    gained: tuple[Evidence, ...]
    lost: tuple[Evidence, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisclosureVerdict:
    """What became of a disclosure, without what that rests on."""

    status: DisclosureStatus
    coverage: float | None  # 0-1
    on_time: bool | None
    missing_elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisclosureChange:
    """A disclosure that is found otherwise; None where that rubric does not ask for it."""

    disclosure: str
    title: str
    before: DisclosureVerdict | None
    after: DisclosureVerdict | None
    gained: tuple[Evidence, ...]
    lost: tuple[Evidence, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A model of a stage that came, went, or has other files."""

    stage: str
    before: ModelInfo | None
    after: ModelInfo | None


@dataclass(frozen=True, slots=True)
class RecordDiff:
    """From one record of a call to another.

    `causes` are what can make judgements differ: rubric, models, software, the words heard.
    """

    rubric_before: RubricRef
    rubric_after: RubricRef
    models: tuple[ModelChange, ...]
    words_changed: bool
    causes: tuple[str, ...]
    overall_before: OverallScore
    overall_after: OverallScore
    behaviors: tuple[BehaviorChange, ...]
    disclosures: tuple[DisclosureChange, ...]
    review_reasons_gained: tuple[str, ...]
    review_reasons_lost: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all judgements are the same, whatever made them."""
        judged = self.behaviors or self.disclosures or self.overall_before != self.overall_after
        return not (judged or self.review_reasons_gained or self.review_reasons_lost)


def diff(before: CallRecord, after: CallRecord) -> RecordDiff:
    """What `after` says otherwise than `before`.

    Raises:
        InvalidInput: they are of two recordings.
    """
    if before.recording.sha256 != after.recording.sha256:
        raise InvalidInput(
            "the two records are of different recordings",
            remedy="Compare two versions of one call's record.",
        )
    models = tuple(_models(before.provenance.models, after.provenance.models))
    words_changed = _spoken(before) != _spoken(after)
    causes = tuple(_causes(before, after, models, words_changed))
    reasons_before, reasons_after = before.review.reasons, after.review.reasons
    return RecordDiff(
        rubric_before=before.provenance.rubric,
        rubric_after=after.provenance.rubric,
        models=models,
        words_changed=words_changed,
        causes=causes,
        overall_before=before.overall,
        overall_after=after.overall,
        behaviors=tuple(_behaviors(before, after, causes)),
        disclosures=tuple(_disclosures(before, after, causes)),
        review_reasons_gained=tuple(r for r in reasons_after if r not in reasons_before),
        review_reasons_lost=tuple(r for r in reasons_before if r not in reasons_after),
    )


def _models(before: Sequence[ModelInfo], after: Sequence[ModelInfo]) -> Iterator[ModelChange]:
    """Per stage, those that only one side has, paired in order."""
    for stage in dict.fromkeys(model.stage for model in (*before, *after)):
        gone = [model for model in before if model.stage == stage and model not in after]
        come = [model for model in after if model.stage == stage and model not in before]
        for at in range(max(len(gone), len(come))):
            yield ModelChange(
                stage,
                gone[at] if at < len(gone) else None,
                come[at] if at < len(come) else None,
            )


def _spoken(record: CallRecord) -> list[tuple[str, str]]:
    return [(utterance.role, utterance.text) for utterance in record.utterances]


def _causes(
    before: CallRecord, after: CallRecord, models: Sequence[ModelChange], words_changed: bool
) -> Iterator[str]:
    old, new = before.provenance, after.provenance
    if old.rubric.digest != new.rubric.digest:
        yield f"the rubric: {_rubric(old.rubric)} became {_rubric(new.rubric)}"
    for change in models:
        yield f"a model of {change.stage}: {_model(change.before)} became {_model(change.after)}"
    if words_changed:
        yield "the words heard, or who said them"
    if old.software_version != new.software_version:
        yield f"the software: {old.software_version} became {new.software_version}"


def _rubric(rubric: RubricRef) -> str:
    return f"{rubric.id} {rubric.version} ({rubric.digest[:12]})"


def _model(model: ModelInfo | None) -> str:
    return "none" if model is None else f"{model.name} ({model.digest[:12]})"


def _behaviors(
    before: CallRecord, after: CallRecord, causes: tuple[str, ...]
) -> Iterator[BehaviorChange]:
    for old, new in _pairs(before.behaviors, after.behaviors, lambda each: each.behavior):
        was, now = _behavior(old), _behavior(new)
        if _shown(was) == _shown(now):
            continue
        named = new or old
        assert named is not None  # noqa: S101 - a pair has one at least
        gained, lost = _evidence(old, new)
        reasons = _reasons(old, new, gained, lost)
        if was and now and was.weight != now.weight:
            reasons += (f"its weight: {was.weight:g} became {now.weight:g}",)
        yield BehaviorChange(named.behavior, named.title, was, now, gained, lost, reasons + causes)


def _disclosures(
    before: CallRecord, after: CallRecord, causes: tuple[str, ...]
) -> Iterator[DisclosureChange]:
    for old, new in _pairs(before.disclosures, after.disclosures, lambda each: each.disclosure):
        was, now = _disclosure(old), _disclosure(new)
        if was == now:
            continue
        named = new or old
        assert named is not None  # noqa: S101 - a pair has one at least
        gained, lost = _evidence(old, new)
        reasons = _reasons(old, new, gained, lost) + causes
        yield DisclosureChange(named.disclosure, named.title, was, now, gained, lost, reasons)


def _behavior(judged: BehaviorScore | None) -> BehaviorVerdict | None:
    if judged is None:
        return None
    return BehaviorVerdict(judged.outcome, judged.score, judged.confidence, judged.weight)


def _shown(verdict: BehaviorVerdict | None) -> object:
    """What a reader would call the judgement: another confidence alone is no other one."""
    if verdict is None:
        return None
    score = None if verdict.score is None else round(verdict.score, 1)
    return verdict.outcome, score, verdict.weight


def _disclosure(found: DisclosureResult | None) -> DisclosureVerdict | None:
    if found is None:
        return None
    coverage = None if found.coverage is None else round(found.coverage, 4)
    return DisclosureVerdict(found.status, coverage, found.on_time, found.missing_elements)


def _pairs(
    before: Sequence[T], after: Sequence[T], name: Callable[[T], str]
) -> Iterator[tuple[T | None, T | None]]:
    """The judgements of one name, in the newer record's order; those that are gone last."""
    old = {name(each): each for each in before}
    for new in after:
        yield old.pop(name(new), None), new
    for gone in old.values():
        yield gone, None


def _evidence(old: T | None, new: T | None) -> tuple[tuple[Evidence, ...], tuple[Evidence, ...]]:
    """What the newer judgement rests on and the older does not, and the other way round."""
    before = () if old is None else old.evidence
    after = () if new is None else new.evidence
    return _missing(after, before), _missing(before, after)


def _missing(these: Sequence[Evidence], those: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(each for each in these if not any(_same(each, other) for other in those))


def _same(one: Evidence, other: Evidence) -> bool:
    if (one.label, one.polarity) != (other.label, other.polarity):
        return False
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return (one.utterance, one.quote) == (other.utterance, other.quote)
    overlap = one.start < other.end and other.start < one.end
    return overlap or (one.start, one.end) == (other.start, other.end)


def _reasons(
    old: T | None, new: T | None, gained: Sequence[Evidence], lost: Sequence[Evidence]
) -> tuple[str, ...]:
    if old is None:
        return ("the newer rubric has it, the older has not",)
    if new is None:
        return ("the older rubric has it, the newer has not",)
    counts = {"gained": len(gained), "lost": len(lost)}
    return tuple(f"evidence {how}: {count}" for how, count in counts.items() if count)
