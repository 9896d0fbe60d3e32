"""What benches of judged calls share: conversations of known words, and how scorecards agree."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from callscope.dialogue import build
from callscope.types import (
    ChannelLayout,
    ChannelReport,
    Diarization,
    Metrics,
    ModelInfo,
    Scorecard,
    Transcript,
    Turn,
    Utterance,
    Word,
)
from training import metrics as measures

__all__ = ["Conversation", "agreement", "conversation", "mistake", "review", "share"]

Conversation = tuple[tuple[Utterance, ...], Metrics]

SHOWN = ("delivered", "partial")


def conversation(words: Iterable[Word], turns: Iterable[Turn], seconds: float) -> Conversation:
    """What words and turns make on two channels, the agent on the first, heard without mistakes."""
    made = build(
        Transcript(
            seconds,
            "en",
            1.0,
            tuple(sorted(words, key=lambda word: (word.start, word.channel))),
            (),
            ModelInfo("transcribe", "truth", ""),
        ),
        Diarization(
            ChannelLayout.TWO_PARTY,
            tuple(sorted(turns, key=lambda turn: turn.start)),
            (ChannelReport(0, -20.0), ChannelReport(1, -20.0)),
        ),
        seconds,
        agent_channel=0,
    )
    return made.utterances, made.metrics


def agreement(pairs: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """F1 of shown (delivered or partial) against not, and exact outcomes; expected ones first."""
    f1 = measures.f1([a in SHOWN for a, _ in pairs], [b in SHOWN for _, b in pairs])
    return {
        **{key: round(value, 3) for key, value in f1.items()},
        "exact": share(sum(a == b for a, b in pairs), len(pairs)),
    }


def review(cards: Sequence[Scorecard]) -> dict[str, Any]:
    """How many calls go to a person, and why."""
    reasons = Counter(reason.partition(":")[0] for card in cards for reason in card.review.reasons)
    return {
        "share_of_calls": share(sum(card.review.needed for card in cards), len(cards)),
        "reasons": dict(reasons.most_common()),
    }


def mistake(call: str, expected: str, found: str) -> str:
    """What was judged otherwise than expected, for people."""
    return f"{call}: {expected} judged {found}"


def share(part: float, whole: int) -> float | None:
    """Of nothing there is none."""
    return round(part / whole, 4) if whole else None
