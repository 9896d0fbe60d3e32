"""The conversation in numbers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from callscope.conversation import holds, spans
from callscope.conversation.overlap import Speech
from callscope.conversation.turntaking import interruptions, longest_monologue, response_latency
from callscope.types import (
    Backchannel,
    Interruption,
    Metrics,
    ParticipantMetrics,
    Role,
    Span,
    Utterance,
)

__all__ = ["measure"]

LONG_SILENCE = 3.0
"""Seconds of silence from which it is listed."""

_ROLES = (Role.AGENT, Role.CUSTOMER, Role.IVR, Role.UNKNOWN)


def measure(
    utterances: Sequence[Utterance],
    duration: float,
    speech: Sequence[Speech],
    roles: Iterable[Role],
) -> Metrics:
    """Count a conversation.

    Args:
        utterances: in order of start.
        duration: of the recording, in seconds.
        speech: for each utterance the stretches in which it was spoken.
        roles: whose numbers are wanted even where they say nothing.
    """
    held = holds.find(utterances)
    busy = spans.union(span for each in speech for span in each)
    cuts = interruptions(utterances, speech)
    silence = max(0.0, duration - spans.total(_clip(spans.union((*busy, *held)), duration)))
    present = {each.role for each in utterances} | set(roles)
    return Metrics(
        participants=_participants(utterances, speech, held, cuts, present),
        silence=silence,
        silence_share=min(1.0, silence / duration) if duration > 0 else 0.0,
        hold=spans.total(held),
        overtalk=_overtalk(utterances, speech),
        long_silences=_long_silences(busy, held),
        holds=held,
        interruptions=cuts,
        backchannels=tuple(
            Backchannel(by=each.role, start=each.start, end=each.end, utterance=each.index)
            for each in utterances
            if each.backchannel
        ),
    )


def _clip(stretches: Sequence[Span], duration: float) -> tuple[Span, ...]:
    return spans.intersection(stretches, (Span(0.0, duration),))


def _participants(
    utterances: Sequence[Utterance],
    speech: Sequence[Speech],
    held: Sequence[Span],
    cuts: Sequence[Interruption],
    present: set[Role],
) -> tuple[ParticipantMetrics, ...]:
    talk = {
        role: spans.total(
            spans.union(
                span
                for each, stretches in zip(utterances, speech, strict=True)
                if each.role is role
                for span in stretches
            )
        )
        for role in present
    }
    parties = sum(seconds for role, seconds in talk.items() if role is not Role.IVR)
    return tuple(
        _participant(role, utterances, talk, parties, held, cuts)
        for role in _ROLES
        if role in present
    )


def _participant(
    role: Role,
    utterances: Sequence[Utterance],
    talk: Mapping[Role, float],
    parties: float,
    held: Sequence[Span],
    cuts: Sequence[Interruption],
) -> ParticipantMetrics:
    own = [each for each in utterances if each.role is role]
    words = sum(len(each.words) for each in own)
    seconds = talk[role]
    return ParticipantMetrics(
        role=role,
        talk=seconds,
        talk_share=seconds / parties if parties > 0 and role is not Role.IVR else None,
        words=words,
        words_per_minute=60.0 * words / seconds if seconds > 0 else None,
        longest_monologue=longest_monologue(utterances, role),
        response_latency=response_latency(utterances, role, held),
        interruptions=sum(cut.by is role for cut in cuts),
        backchannels=sum(each.backchannel for each in own),
    )


def _overtalk(utterances: Sequence[Utterance], speech: Sequence[Speech]) -> float:
    """Seconds in which at least two speak."""
    by_speaker: dict[str, list[Span]] = {}
    for each, stretches in zip(utterances, speech, strict=True):
        by_speaker.setdefault(each.speaker, []).extend(stretches)
    voices = [spans.union(stretches) for stretches in by_speaker.values()]
    both = [
        span
        for i, one in enumerate(voices)
        for other in voices[i + 1 :]
        for span in spans.intersection(one, other)
    ]
    return spans.total(spans.union(both))


def _long_silences(busy: Sequence[Span], held: Sequence[Span]) -> tuple[Span, ...]:
    """Silences between the first and the last words of the call, holds left out."""
    pauses = [Span(a.end, b.start) for a, b in pairwise(busy)]
    quiet = spans.difference(pauses, held)
    return tuple(span for span in quiet if span.duration >= LONG_SILENCE)
