"""Conversations to judge, written as lines; readings of them with given probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np

from callscope.pipeline import RubricSource
from callscope.types import (
    DisclosureResult,
    Metrics,
    ParticipantMetrics,
    Role,
    Utterance,
    Word,
)
from services.score.engine import ScoreEngine
from services.score.reading import Finding, Reading
from services.score.sentences import split

WORD = 0.25  # seconds
GAP = 0.05  # seconds between words
TURN = 0.5  # seconds between turns

Line = tuple[str, str]
"""Who ("agent", "customer", "ivr") and what they say."""


def conversation(lines: Sequence[Line], start: float = 1.0) -> tuple[Utterance, ...]:
    """One utterance a line, one after the other."""
    utterances: list[Utterance] = []
    at = start
    for speaker, text in lines:
        words: list[Word] = []
        for word in text.split():
            words.append(Word(word, round(at, 3), round(at + WORD, 3), 0.9, 0))
            at += WORD + GAP
        utterances.append(
            Utterance(
                index=len(utterances),
                speaker=speaker,
                role=Role(speaker),
                role_confidence=1.0,
                start=words[0].start,
                end=words[-1].end,
                words=tuple(words),
            )
        )
        at += TURN
    return tuple(utterances)


def talk(
    interruptions: int = 0, backchannels: int = 0, latency: float | None = 0.5, heard: float = 60.0
) -> Metrics:
    """The metrics of a call in which each party talks for a minute."""

    def of(role: Role, by: int, nods: int) -> ParticipantMetrics:
        return ParticipantMetrics(role, heard, 0.5, 150, 150.0, 20.0, latency, by, nods)

    parties = (of(Role.AGENT, interruptions, backchannels), of(Role.CUSTOMER, 0, 0))
    return Metrics(parties, 1.0, 0.01, 0.0, 0.0, (), (), (), ())


def reading(utterances: Sequence[Utterance], found: Mapping[int, Mapping[str, float]]) -> Reading:
    """A conversation with given probabilities: `found` by the place of the sentence."""
    sentences = split(utterances)
    return Reading(
        tuple(utterances),
        tuple(Finding(each, found.get(place, {})) for place, each in enumerate(sentences)),
        np.zeros((len(sentences), 1), dtype=np.float32),
    )


def disclosed(
    engine: ScoreEngine, name: str, lines: Sequence[Line], rubric: str = "general"
) -> DisclosureResult:
    """What a shipped rubric says of one disclosure in a conversation."""
    card = engine.score(conversation(lines), talk(), RubricSource(name=rubric), lambda _: None)
    return next(each for each in card.disclosures if each.disclosure == name)
