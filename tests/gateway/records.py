"""Made-up records, as varied as lists and differences need them."""

from dataclasses import replace
from typing import Any

from callscope import dialogue
from callscope.pipeline import assemble
from callscope.types import (
    BehaviorScore,
    CallRecord,
    DisclosureResult,
    DisclosureStatus,
    Evidence,
    Outcome,
    OverallScore,
    Polarity,
    Recording,
    Review,
    Role,
    Utterance,
    Word,
)
from tests.gateway.engines import DIARIZATION, TRANSCRIPT, scorecard


def record(call_id: str, rubric: str = "general", **changes: Any) -> CallRecord:
    """A record of a call whose two parties said a few words."""
    recording = Recording(call_id, None, "ab" * 32, 2.0, 8000, 2, "pcm_s16le")
    talk = dialogue.build(TRANSCRIPT, DIARIZATION, 2.0, 0)
    made = assemble(recording, TRANSCRIPT, DIARIZATION, talk, scorecard(rubric))
    return replace(made, **changes)


def behavior(name: str, outcome: str, score: float | None, *quotes: str) -> BehaviorScore:
    return BehaviorScore(
        name, name.title(), Outcome(outcome), score, 0.8, 50.0, tuple(map(_evidence, quotes)), "So."
    )


def disclosure(name: str, status: str, on_time: bool | None, *quotes: str) -> DisclosureResult:
    return DisclosureResult(
        disclosure=name,
        title=name.title(),
        status=DisclosureStatus(status),
        coverage=None if status == "not_required" else 0.5,
        missing_elements=(),
        start=None,
        end=None,
        on_time=on_time,
        words_per_minute=None,
        confidence=0.9,
        evidence=tuple(map(_evidence, quotes)),
        explanation="So.",
    )


def said(*texts: str) -> tuple[Utterance, ...]:
    """Utterances of agent and customer in turn, a second each."""
    return tuple(
        Utterance(
            index=at,
            speaker=f"channel_{at % 2}",
            role=(Role.AGENT, Role.CUSTOMER)[at % 2],
            role_confidence=1.0,
            start=float(at),
            end=at + 1.0,
            words=tuple(Word(word, at + 0.1, at + 0.9, 0.9, at % 2) for word in text.split()),
        )
        for at, text in enumerate(texts)
    )


def judged(score: float | None, *reasons: str) -> dict[str, Any]:
    """The overall score, and why a person should look at it."""
    return {"overall": OverallScore(score, None), "review": Review(bool(reasons), reasons)}


def _evidence(quote: str) -> Evidence:
    return Evidence(0, 0.1, 0.5, quote, "act", 0.9, Polarity.FOR)
