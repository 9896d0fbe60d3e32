"""When each utterance was spoken, to the second, overlaps included.

With a channel per party the words say it. On a shared channel a recognizer writes down one voice
at a time, so words never overlap; there the diarizer's overlapping turns say when both talked.
"""

from collections.abc import Sequence

from callscope.conversation import spans
from callscope.types import ChannelLayout, Diarization, Span, Turn, Utterance

__all__ = ["Speech", "speech"]

Speech = tuple[Span, ...]
"""The stretches in which an utterance was spoken, in order."""

BRIDGE = 0.4
"""Gaps between words up to this many seconds are part of talking (articulation, breath)."""

REACH = 1.5
"""Seconds from an utterance's words within which overlapping talk is counted to it."""


def speech(utterances: Sequence[Utterance], diarization: Diarization) -> list[Speech]:
    """For each utterance the stretches in which it was spoken."""
    spoken = [
        spans.union((Span(word.start, word.end) for word in utterance.words), BRIDGE)
        for utterance in utterances
    ]
    if diarization.layout is ChannelLayout.TWO_PARTY:
        return spoken
    speakers = {turn.speaker for turn in diarization.turns}
    turns = {speaker: _Turns(speaker, diarization.turns) for speaker in speakers}
    return [
        spans.union((*words, *turns[utterance.speaker].overlaps(utterance)), BRIDGE)
        if utterance.speaker in turns
        else words
        for utterance, words in zip(utterances, spoken, strict=True)
    ]


class _Turns:
    """One speaker's turns, and the parts of them in which another talks as well."""

    def __init__(self, speaker: str, turns: Sequence[Turn]) -> None:
        self._own = spans.union(Span(t.start, t.end) for t in turns if t.speaker == speaker)
        others = spans.union(Span(t.start, t.end) for t in turns if t.speaker != speaker)
        self._shared = spans.intersection(self._own, others)

    def overlaps(self, utterance: Utterance) -> list[Span]:
        """The overlapping talk near the utterance, in turns that the utterance was spoken in."""
        return [
            shared
            for turn in spans.touching(self._own, utterance.start, utterance.end)
            for shared in spans.touching(
                self._shared,
                max(turn.start, utterance.start - REACH),
                min(turn.end, utterance.end + REACH),
            )
        ]
