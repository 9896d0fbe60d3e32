"""Who takes the floor, and how: interruptions, latencies, monologues.

Terms follow Sacks, Schegloff & Jefferson, "A simplest systematics for the organization of
turn-taking for conversation" (1974), and for overlap Schegloff, "Overlapping talk and the
organization of turn-taking for conversation" (2000): most overlap is no interruption. Listeners
come in a little early where a turn is about to end, and back channels run beside a turn without
claiming it.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from callscope.conversation import spans
from callscope.conversation.speech import Speech
from callscope.types import Interruption, Role, Span, Utterance

__all__ = ["interruptions", "longest_monologue", "response_latency"]

LEAST_OVERLAP = 0.25
"""Seconds both talk, at least: shorter overlaps are turns that change places smoothly (their
length centers on a quarter of a second: Heldner & Edlund, 2010)."""

YIELDS_WITHIN = 1.5
"""Seconds within which the interrupted stops; who talks on was not interrupted."""

SAME_START = 0.3
"""Who start within this many seconds of each other have started together."""

MONOLOGUE_PAUSE = 3.0
"""A silence of this many seconds ends a monologue."""


def interruptions(
    utterances: Sequence[Utterance], speech: Sequence[Speech]
) -> tuple[Interruption, ...]:
    """Utterances that start while another is spoken, and take the floor from it.

    `speech` holds, for each utterance, the spans in which it was spoken (its pauses apart).
    """
    found: list[Interruption] = []
    latest: dict[str, int] = {}  # by speaker: the utterance that may still run
    for i, utterance in enumerate(utterances):
        if not claims_floor(utterance):
            continue
        victims = [
            (overlap, j)
            for speaker, j in latest.items()
            if speaker != utterance.speaker
            and (overlap := _takes_floor(speech[i], speech[j])) is not None
        ]
        if victims:
            overlap, j = max(victims)
            found.append(
                Interruption(
                    by=utterance.role,
                    of=utterances[j].role,
                    start=speech[i][0].start,
                    overlap=overlap,
                    utterance=utterance.index,
                    interrupted=utterances[j].index,
                )
            )
        latest[utterance.speaker] = i
    return tuple(found)


def claims_floor(utterance: Utterance) -> bool:
    """Whether this is a person's talk and no back channel."""
    return not utterance.backchannel and utterance.role is not Role.IVR


def _takes_floor(mine: Speech, theirs: Speech) -> float | None:
    """Seconds of overlap where `mine` takes the floor from `theirs`, else None."""
    start, end = mine[0].start, mine[-1].end
    starts_inside = theirs[0].start + SAME_START < start < theirs[-1].end
    yields = theirs[-1].end <= min(start + YIELDS_WITHIN, end)
    if not starts_inside or not yields:
        return None
    overlap = spans.total(spans.intersection(mine, theirs))
    return overlap if overlap >= LEAST_OVERLAP else None


def response_latency(
    utterances: Sequence[Utterance],
    speech: Sequence[Speech],
    role: Role,
    holds: Sequence[Span],
) -> float | None:
    """Median seconds from another's end to this role's start; 0 for a start before the end.

    Changes of speaker with a hold between do not count. None where the role never answers.
    """
    floor = [i for i, utterance in enumerate(utterances) if claims_floor(utterance)]
    latencies = [
        max(0.0, speech[i][0].start - speech[j][-1].end)
        for j, i in pairwise(floor)
        if utterances[i].role is role
        and utterances[i].speaker != utterances[j].speaker
        and not spans.touching(holds, speech[j][-1].end, speech[i][0].start)
    ]
    return median(latencies) if latencies else None


def longest_monologue(
    utterances: Sequence[Utterance], speech: Sequence[Speech], role: Role
) -> float:
    """Seconds of the role's longest run that no other's talk and no long silence breaks."""
    longest = 0.0
    speaker, start, end = "", 0.0, 0.0
    for utterance, spoken in zip(utterances, speech, strict=True):
        if utterance.backchannel:
            continue
        if utterance.speaker != speaker or spoken[0].start - end >= MONOLOGUE_PAUSE:
            speaker, start, end = utterance.speaker, spoken[0].start, spoken[0].start
        end = max(end, spoken[-1].end)
        if utterance.role is role:
            longest = max(longest, end - start)
    return longest
