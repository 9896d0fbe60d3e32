"""When each utterance was spoken, to the tenth of a second, overlaps included.

A recognizer's word times are rough at the edges of talk, and where speakers share a channel it
writes down one voice at a time, so that words never overlap. The diarizer's turns know better when
a voice began and ended, but hear voices in music and noise as well. So an utterance was spoken
in the turns around its words, as far as they reach a little beyond the words and no further; where
there are no such turns, where its words are.
"""

from collections.abc import Sequence

from callscope.conversation import spans
from callscope.types import Diarization, Span, Turn, Utterance

__all__ = ["Speech", "spoken"]

Speech = tuple[Span, ...]
"""The stretches in which an utterance was spoken, in order."""

BRIDGE = 0.4
"""Gaps between words up to this many seconds are part of talking (articulation, breath)."""

COVERED = 0.6
"""Turns that cover this share of an utterance's words are believed instead of the words' times."""

REACH = 1.0
"""A turn counts as far as this many seconds from the utterance's words."""


def spoken(utterances: Sequence[Utterance], diarization: Diarization) -> list[Speech]:
    """For each utterance the stretches in which it was spoken."""
    by_speaker: dict[str, list[Turn]] = {}
    for turn in diarization.turns:
        by_speaker.setdefault(turn.speaker, []).append(turn)
    own = {
        speaker: spans.union(Span(turn.start, turn.end) for turn in turns)
        for speaker, turns in by_speaker.items()
    }
    return [_spoken(utterance, own.get(utterance.speaker, ())) for utterance in utterances]


def _spoken(utterance: Utterance, turns: Sequence[Span]) -> Speech:
    words = spans.union((Span(word.start, word.end) for word in utterance.words), BRIDGE)
    heard = spans.union(
        (
            Span(max(turn.start, utterance.start - REACH), min(turn.end, utterance.end + REACH))
            for turn in spans.touching(turns, utterance.start, utterance.end)
        ),
        BRIDGE,
    )
    covered = spans.total(spans.intersection(words, heard)) >= COVERED * spans.total(words)
    return heard if heard and covered else spans.union((*words, *heard), BRIDGE)
