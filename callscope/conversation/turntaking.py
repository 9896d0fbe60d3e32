"""Who takes the floor, and how: interruptions, latencies, monologues.

Terms follow Sacks, Schegloff & Jefferson, "A simplest systematics for the organization of
turn-taking for conversation" (1974), and for overlap Schegloff, "Overlapping talk and the
organization of turn-taking for conversation" (2000): most overlap is no interruption. Listeners
come in a little early where a turn is about to end, and back channels run beside a turn without
claiming it.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from callscope.conversation import spans
from callscope.conversation.overlap import Speech
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
    utterances: Sequence[Utterance], role: Role, holds: Sequence[Span]
) -> float | None:
    """Median seconds from another's end to this role's start; 0 for a start before the end.

    Changes of speaker with a hold between do not count. None where the role never answers.
    """
    latencies = [
        max(0.0, answer.start - before.end)
        for before, answer in _changes(utterances)
        if answer.role is role
        and not any(before.end <= hold.start and hold.end <= answer.start for hold in holds)
    ]
    return median(latencies) if latencies else None


def _changes(utterances: Sequence[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    """Neighboring utterances of different people, back channels left out."""
    floor = [utterance for utterance in utterances if claims_floor(utterance)]
    for before, after in pairwise(floor):
        if before.speaker != after.speaker:
            yield before, after


def longest_monologue(utterances: Sequence[Utterance], role: Role) -> float:
    """Seconds of the role's longest run that no other's talk and no long silence breaks."""
    longest = 0.0
    run: Span | None = None
    speaker = None
    for utterance in utterances:
        if utterance.backchannel:
            continue
        continues = (
            run is not None
            and utterance.speaker == speaker
            and utterance.start - run.end < MONOLOGUE_PAUSE
        )
        start = run.start if run is not None and continues else utterance.start
        end = max(run.end, utterance.end) if run is not None and continues else utterance.end
        run, speaker = Span(start, end), utterance.speaker
        if utterance.role is role:
            longest = max(longest, run.duration)
    return longest
