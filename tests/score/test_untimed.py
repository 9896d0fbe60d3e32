"""A conversation that was sent as text: what needs times is not judged, all else is."""

import re

import pytest

from callscope import dialogue
from callscope.pipeline import RubricSource
from callscope.transcripts import checked
from callscope.types import Outcome, Scorecard, Timing
from services.score.engine import ScoreEngine
from tests.score.test_engine import CALL, all_evidence

GENERAL = RubricSource(name="general")
ROLES = ("agent", "customer", "ivr")


def judged(engine: ScoreEngine, seconds: float | None = None) -> Scorecard:
    """The call as text, each utterance of so many seconds."""
    said = [
        {"speaker": role, "text": text}
        | ({} if seconds is None else {"start": at * seconds, "end": (at + 0.9) * seconds})
        for at, (role, text) in enumerate(CALL)
    ]
    people = [{"speaker": role, "role": role} for role in ROLES]
    talk = dialogue.read(checked({"utterances": said, "participants": people}))
    return engine.score(talk.utterances, talk.metrics, GENERAL, lambda _: None)


@pytest.fixture(scope="module")
def chat(engine: ScoreEngine) -> Scorecard:
    return judged(engine)


def test_what_needs_no_times_is_judged_as_in_a_call(chat: Scorecard) -> None:
    outcomes = {each.behavior: each.outcome for each in chat.behaviors}
    assert outcomes["empathy_opening"] is Outcome.DELIVERED
    assert outcomes["resolution"] is Outcome.DELIVERED
    assert chat.overall.score is not None


def test_what_is_measured_in_seconds_is_not_assessable(chat: Scorecard) -> None:
    listening = next(each for each in chat.behaviors if each.behavior == "active_listening")
    assert listening.outcome is Outcome.NOT_ASSESSABLE
    assert "no times" in listening.explanation
    assert listening.evidence == ()


def test_nothing_says_when(chat: Scorecard) -> None:
    evidence = all_evidence(chat)
    assert evidence
    assert {(each.start, each.end) for each in evidence} == {(None, None)}
    for found in chat.disclosures:
        assert (found.start, found.end, found.words_per_minute) == (None, None, None)
        assert (found.rushed, found.mumbled, found.interrupted) == (None, None, None)
    told = [each.explanation for each in chat.behaviors]
    told += [each.explanation for each in chat.disclosures]
    assert not any(re.search(r"\d:\d\d|seconds", each) for each in told), told


def test_a_window_of_seconds_is_one_of_words(chat: Scorecard) -> None:
    opening = next(each for each in chat.behaviors if each.behavior == "empathy_opening")
    assert opening.explanation.startswith("In the first 75 words ")


def test_with_times_to_the_utterance_all_but_speed_is_judged(engine: ScoreEngine) -> None:
    card = judged(engine, 4.0)
    outcomes = {each.behavior: each.outcome for each in card.behaviors}
    assert Outcome.NOT_ASSESSABLE not in outcomes.values()
    assert all(each.start is not None for each in all_evidence(card))
    for found in card.disclosures:
        assert (found.words_per_minute, found.rushed, found.mumbled) == (None, None, None)


def test_the_flags_are_the_metrics_own() -> None:
    talk = dialogue.read(checked({"utterances": [{"speaker": "a", "text": "Hello."}]}))
    assert talk.metrics.timing is Timing.NONE
