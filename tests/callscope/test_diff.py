"""What changed between two records of a call, and why."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callscope.diff import diff
from callscope.errors import InvalidInput
from callscope.types import CallRecord, ModelInfo, RubricRef
from tests.gateway.records import behavior, disclosure, judged, record, said

CALL = "01980a4e-2f7c-7c7d-9d52-0a6f3f0c8b11"


def made(**changes: Any) -> CallRecord:
    return record(CALL, **changes)


def test_a_record_and_itself_are_the_same() -> None:
    one = made(behaviors=(behavior("rapport", "missed", 10.0, "hi"),), **judged(10.0, "unsure"))
    found = diff(one, one)
    assert found.same
    assert found.causes == ()


def test_a_behavior_judged_otherwise_says_from_what_to_what_and_why() -> None:
    before = made(behaviors=(behavior("rapport", "missed", 10.0),), **judged(10.0))
    after = made(behaviors=(behavior("rapport", "delivered", 90.0, "Thank you."),), **judged(90.0))
    sales = RubricRef("sales", "2", "9" * 64)
    after = replace(after, provenance=replace(after.provenance, rubric=sales))
    found = diff(before, after)
    (change,) = found.behaviors
    assert change.before is not None
    assert change.after is not None
    assert (change.before.outcome, change.after.outcome) == ("missed", "delivered")
    assert [each.quote for each in change.gained] == ["Thank you."]
    assert change.lost == ()
    assert change.reasons == (
        "evidence gained: 1",
        "the rubric: general 1 (333333333333) became sales 2 (999999999999)",
    )
    assert (found.overall_before.score, found.overall_after.score) == (10.0, 90.0)
    assert not found.same


def test_a_behavior_that_only_one_rubric_has_is_named() -> None:
    one, other = made(behaviors=(behavior("rapport", "missed", 10.0),)), made()
    (gone,) = diff(one, other).behaviors
    (come,) = diff(other, one).behaviors
    assert (gone.after, gone.reasons) == (None, ("the older rubric has it, the newer has not",))
    assert (come.before, come.reasons) == (None, ("the newer rubric has it, the older has not",))


def test_another_weight_is_a_change_and_another_confidence_alone_is_none() -> None:
    one = behavior("rapport", "missed", 10.0)
    weighed, surer = replace(one, weight=10.0), replace(one, confidence=0.99, score=10.001)
    (change,) = diff(made(behaviors=(one,)), made(behaviors=(weighed,))).behaviors
    assert change.reasons == ("its weight: 50 became 10",)
    assert diff(made(behaviors=(one,)), made(behaviors=(surer,))).same


def test_disclosures_and_reasons_for_review_are_compared() -> None:
    before = made(disclosures=(disclosure("recording", "missing", None),), **judged(None, "quiet"))
    late = disclosure("recording", "delivered", False, "This call is recorded.")
    after = made(disclosures=(late,), **judged(None, "late"))
    found = diff(before, after)
    (change,) = found.disclosures
    assert change.after is not None
    assert (change.after.status, change.after.on_time) == ("delivered", False)
    assert change.reasons == ("evidence gained: 1",)
    assert (found.review_reasons_gained, found.review_reasons_lost) == (("late",), ("quiet",))


def test_other_models_and_other_words_are_causes() -> None:
    before, heard = made(), made(utterances=said("Hello?"))
    models = (ModelInfo("transcribe", "larger", "7" * 64), *before.provenance.models[1:])
    after = replace(heard, provenance=replace(heard.provenance, models=models))
    found = diff(before, after)
    (change,) = found.models
    assert change.stage == "transcribe"
    assert change.after == models[0]
    assert found.words_changed
    assert found.causes == (
        "a model of transcribe: made-up (111111111111) became larger (777777777777)",
        "the words heard, or who said them",
    )
    assert found.same  # nothing is judged otherwise


def test_evidence_at_the_same_seconds_is_the_same_however_it_is_written() -> None:
    one = behavior("rapport", "missed", 10.0, "thank you")
    other = behavior("rapport", "partial", 50.0, "Thank you!")
    (change,) = diff(made(behaviors=(one,)), made(behaviors=(other,))).behaviors
    assert (change.gained, change.lost) == ((), ())


def test_records_of_two_recordings_are_not_compared() -> None:
    other = made()
    other = replace(other, recording=replace(other.recording, sha256="cd" * 32))
    with pytest.raises(InvalidInput, match="different recordings"):
        diff(made(), other)


_BEHAVIORS = st.lists(
    st.builds(
        behavior,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["delivered", "missed"]),
        st.sampled_from([10.0, 90.0]),
        st.sampled_from(["hi", "ho"]),
    ),
    unique_by=lambda each: each.behavior,
)


@given(_BEHAVIORS, _BEHAVIORS)
def test_backwards_is_the_same_with_before_and_after_exchanged(one: Any, other: Any) -> None:
    before, after = made(behaviors=tuple(one)), made(behaviors=tuple(other))
    there = {change.behavior: change for change in diff(before, after).behaviors}
    back = {change.behavior: change for change in diff(after, before).behaviors}
    assert there.keys() == back.keys()
    for name, change in there.items():
        assert (change.before, change.gained) == (back[name].after, back[name].lost)
