"""Labeled calls that are only written: how they are read and compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.calls import PACE, Call, figures, read
from callscope.types import (
    BehaviorScore,
    DisclosureResult,
    DisclosureStatus,
    Outcome,
    OverallScore,
    Review,
    Role,
    RubricRef,
    Scorecard,
)

WRITTEN = """
id: 01_example
rubric: general
turns:
  - agent: "Oakfield Water, this call is recorded."
  - customer: "Hi. There's a leak in my street, and nobody has come."
  - agent: "I'm sorry. Which street is it?"
outcomes: {rapport: missed, discovery: partial}
disclosures: {recording: late, payment_authorization: missing, apr: missing}
"""


@pytest.fixture
def call(tmp_path: Path) -> Call:
    path = tmp_path / "01_example.yaml"
    path.write_text(WRITTEN, encoding="utf-8")
    return read(path)


def behavior(name: str, outcome: Outcome, confidence: float) -> BehaviorScore:
    return BehaviorScore(name, name, outcome, 50.0, confidence, 20, (), "")


def disclosure(name: str, status: DisclosureStatus, on_time: bool | None) -> DisclosureResult:
    return DisclosureResult(name, name, status, 1.0, (), 1.0, 2.0, on_time, 150.0, 0.9, (), "")


CARD = Scorecard(
    RubricRef("general", "1", "0"),
    (behavior("rapport", Outcome.MISSED, 0.9), behavior("discovery", Outcome.MISSED, 0.5)),
    (
        disclosure("recording", DisclosureStatus.DELIVERED, on_time=False),
        disclosure("payment_auth", DisclosureStatus.NOT_REQUIRED, on_time=None),
        disclosure("identity", DisclosureStatus.PARTIAL, on_time=None),
    ),
    OverallScore(50.0, None),
    Review(needed=True, reasons=("Discovery: missed is only 50% sure, below 60%.",)),
    (),
)


def test_words_get_the_times_of_ordinary_speech(call: Call) -> None:
    first, second, third = call.utterances
    assert [each.role for each in call.utterances] == [Role.AGENT, Role.CUSTOMER, Role.AGENT]
    assert first.end - first.start == pytest.approx(len(first.words) / PACE, abs=0.1)
    assert first.end < second.start < second.end < third.start


def test_outcomes_are_compared_with_the_labels(call: Call) -> None:
    found = figures([call], [CARD])["behaviors"]
    assert found["rapport"]["exact"] == 1.0
    assert found["discovery"]["wrong"] == ["01_example: partial judged missed"]
    assert found["all"]["exact"] == 0.5


def test_late_is_told_from_delivered_and_what_no_rubric_asks_for_is_left_out(call: Call) -> None:
    found = figures([call], [CARD])["disclosures"]
    assert found["expected"] == 2
    assert found["wrong"] == ["01_example payment_auth: missing judged not_required"]
    assert found["not_expected"] == ["01_example identity: partial"]


def test_review_says_how_right_the_sure_ones_are(call: Call) -> None:
    found = figures([call, call], [CARD, replace(CARD, review=Review(needed=False, reasons=()))])
    assert found["review"]["share_of_calls"] == 0.5
    assert found["review"]["right_by_confidence"]["0.9 to 1.0"] == [1.0, 2]


def test_only_agent_and_customer_speak(tmp_path: Path) -> None:
    path = tmp_path / "02.yaml"
    path.write_text(WRITTEN.replace("- customer:", "- caller:"), encoding="utf-8")
    with pytest.raises(KeyError, match="caller"):
        read(path)
