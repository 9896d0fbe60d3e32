"""From words and turns to a conversation: utterances by role, and the metrics of the talk."""

from dataclasses import dataclass

from callscope.types import (
    ChannelReport,
    Diarization,
    Metrics,
    Participant,
    Transcript,
    Utterance,
)

__all__ = ["Conversation", "build"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What the dialogue stage says of a call.

    `channels` are the diarizer's reports, with a swapped channel map added where the words
    suggest it. `doubts` are reasons for a person to look at the call, one sentence each.
    """

    participants: tuple[Participant, ...]
    utterances: tuple[Utterance, ...]
    metrics: Metrics
    channels: tuple[ChannelReport, ...]
    doubts: tuple[str, ...]


def build(
    transcript: Transcript,
    diarization: Diarization,
    duration: float,
    agent_channel: int | None = None,
) -> Conversation:
    """Build the conversation."""
    raise NotImplementedError
