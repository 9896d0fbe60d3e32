"""The conversation in numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from callscope.conversation import holds, spans
from callscope.conversation.speech import Speech
from callscope.conversation.turntaking import interruptions, longest_monologue, response_latency
from callscope.types import (
    Backchannel,
    Interruption,
    Metrics,
    ParticipantMetrics,
    Role,
    Span,
    Timing,
    Utterance,
)

__all__ = ["count", "measure"]

LONG_SILENCE = 3.0
"""Seconds of silence from which it is listed."""


def measure(
    utterances: Sequence[Utterance],
    speech: Sequence[Speech],
    duration: float,
    roles: Iterable[Role],
) -> Metrics:
    """Count a conversation.

    Args:
        utterances: in order of start.
        speech: for each utterance the stretches in which it was spoken.
        duration: of the recording, in seconds.
        roles: whose numbers are wanted even where they say nothing.
    """
    held = holds.find(utterances, speech)
    call = _Call(utterances, speech, held, interruptions(utterances, speech))
    busy = spans.union(span for each in speech for span in each)
    taken = spans.intersection(spans.union((*busy, *held)), (Span(0.0, duration),))
    silence = duration - spans.total(taken)
    return Metrics(
        participants=call.participants({each.role for each in utterances} | set(roles)),
        silence=silence,
        silence_share=silence / duration if duration > 0 else 0.0,
        hold=spans.total(held),
        overtalk=call.overtalk(),
        long_silences=_long_silences(busy, held),
        holds=held,
        interruptions=call.cuts,
        backchannels=tuple(
            Backchannel(by=each.role, start=each.start, end=each.end, utterance=each.index)
            for each in utterances
            if each.backchannel
        ),
    )


def count(utterances: Sequence[Utterance], roles: Iterable[Role]) -> Metrics:
    """Count a conversation of which no times are known: its words, and nothing else."""
    present = {each.role for each in utterances} | set(roles)
    return Metrics(
        participants=tuple(
            ParticipantMetrics(
                role=role,
                talk=None,
                talk_share=None,
                words=sum(len(each.words) for each in utterances if each.role is role),
                words_per_minute=None,
                longest_monologue=None,
                response_latency=None,
                interruptions=None,
                backchannels=None,
            )
            for role in Role
            if role in present
        ),
        silence=None,
        silence_share=None,
        hold=None,
        overtalk=None,
        long_silences=(),
        holds=(),
        interruptions=(),
        backchannels=(),
        timing=Timing.NONE,
    )


def _long_silences(busy: Sequence[Span], held: Sequence[Span]) -> tuple[Span, ...]:
    """Silences between the first and the last words of the call, holds left out."""
    pauses = [Span(before.end, after.start) for before, after in pairwise(busy)]
    quiet = spans.difference(pauses, held)
    return tuple(span for span in quiet if span.duration >= LONG_SILENCE)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call and what happened in it, to be counted by role."""

    utterances: Sequence[Utterance]
    speech: Sequence[Speech]
    held: tuple[Span, ...]
    cuts: tuple[Interruption, ...]

    def participants(self, present: set[Role]) -> tuple[ParticipantMetrics, ...]:
        """The numbers of each role; the shares are of what people said."""
        talk = {role: self._seconds(role) for role in present}
        people = sum(seconds for role, seconds in talk.items() if role is not Role.IVR)
        return tuple(
            self._participant(role, talk[role], people) for role in Role if role in present
        )

    def _seconds(self, role: Role) -> float:
        pairs = zip(self.utterances, self.speech, strict=True)
        return spans.total(
            spans.union(span for each, spoken in pairs if each.role is role for span in spoken)
        )

    def _participant(self, role: Role, talk: float, people: float) -> ParticipantMetrics:
        own = [each for each in self.utterances if each.role is role]
        words = sum(len(each.words) for each in own)
        return ParticipantMetrics(
            role=role,
            talk=talk,
            talk_share=talk / people if people > 0 and role is not Role.IVR else None,
            words=words,
            words_per_minute=60.0 * words / talk if talk > 0 else None,
            longest_monologue=longest_monologue(self.utterances, self.speech, role),
            response_latency=response_latency(self.utterances, self.speech, role, self.held),
            interruptions=sum(cut.by is role for cut in self.cuts),
            backchannels=sum(each.backchannel for each in own),
        )

    def overtalk(self) -> float:
        """Seconds in which at least two speak."""
        by_speaker: dict[str, list[Span]] = {}
        for each, spoken in zip(self.utterances, self.speech, strict=True):
            by_speaker.setdefault(each.speaker, []).extend(spoken)
        voices = [spans.union(spoken) for spoken in by_speaker.values()]
        return spans.total(
            spans.union(
                span
                for i, one in enumerate(voices)
                for other in voices[i + 1 :]
                for span in spans.intersection(one, other)
            )
        )
