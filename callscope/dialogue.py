"""From words and turns to a conversation: utterances by role, and the metrics of the talk.

Pure functions. The parts are in `callscope.conversation`, in the order in which they are used.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from callscope.conversation import ivr, lines, roles, talk
from callscope.conversation.attribution import attribute
from callscope.conversation.passages import Passage, cut
from callscope.conversation.roles import Casting
from callscope.conversation.speech import spoken
from callscope.errors import UnknownChannel
from callscope.types import (
    ChannelFinding,
    ChannelLayout,
    ChannelReport,
    Diarization,
    Metrics,
    Participant,
    Role,
    Span,
    TextConversation,
    Transcript,
    Utterance,
)

__all__ = ["Conversation", "build", "live_start", "read"]

SWAPPED_FROM = 0.95
"""Probability that the other channel is the agent's, from which the given map is doubted."""

SURE_FROM = 0.9
"""Probability below which an inferred role is doubted."""

WORDS_TO_DOUBT = 5
"""Speakers with fewer words than this are splinters of a diarizer; their roles matter little."""

ANNOUNCEMENT = 0.9
"""Confidence that a passage found by its phrases is an announcement."""


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
    """Build the conversation of a call.

    Args:
        transcript: the words of all channels.
        diarization: the turns, and how the parties lie on the channels.
        duration: of the recording, in seconds.
        agent_channel: the channel that carries the agent, if known. Where both parties share a
            channel it says nothing; the roles are then inferred, with a doubt.

    Raises:
        UnknownChannel: the recording has no such channel.
    """
    _check_channel(agent_channel, diarization)
    passages = cut(attribute(transcript.words, diarization))
    announced = ivr.announcements(passages)
    by_channel = _speakers_by_channel(diarization)
    inferred = roles.infer(passages, announced, by_channel.values())
    given = _given(agent_channel, by_channel)
    cast = {**inferred, **given}
    utterances = _utterances(passages, announced, cast)
    channels = diarization.channels
    if _is_swapped(given, inferred):
        channels = tuple(_add_finding(report, ChannelFinding.SWAPPED) for report in channels)
    return Conversation(
        participants=_participants(passages, cast, by_channel),
        utterances=utterances,
        metrics=talk.measure(
            utterances,
            spoken(utterances, diarization),
            duration,
            {casting.role for casting in cast.values()},
        ),
        channels=channels,
        doubts=(
            *transcript.doubts,
            *_channel_doubts(channels, agent_channel, given),
            *(_role_doubts(utterances, cast) if utterances else ("No speech was recognized.",)),
        ),
    )


def read(text: TextConversation) -> Conversation:
    """Build the conversation that was sent as text; roles that it does not give are inferred."""
    passages = lines.said(text)
    known = {each.speaker: each for each in text.participants}
    given = {
        speaker: Casting(each.role, 1.0) for speaker, each in known.items() if each.role is not None
    }
    announced = frozenset(
        at for at in ivr.announcements(passages) if passages[at].speaker not in given
    )
    cast = {**roles.infer(passages, announced, known), **given}
    utterances = _utterances(passages, announced, cast)
    bots = {speaker: each.bot for speaker, each in known.items()}
    return Conversation(
        participants=tuple(
            replace(each, bot=bots.get(each.speaker))
            for each in _participants(passages, cast, {}, known)
        ),
        utterances=utterances,
        metrics=_metrics(utterances, text, {casting.role for casting in cast.values()}),
        channels=(),
        doubts=tuple(_role_doubts(utterances, cast)),
    )


def _metrics(
    utterances: Sequence[Utterance], text: TextConversation, present: Set[Role]
) -> Metrics:
    if text.duration is None:
        return talk.count(utterances, present)
    spoken_in = [(Span(each.start, each.end),) for each in utterances]
    measured = talk.measure(utterances, spoken_in, text.duration, present)
    return replace(measured, timing=text.timing)


def live_start(utterances: Sequence[Utterance], role: Role = Role.AGENT) -> float | None:
    """When a role's live speech starts: recorded voices and back channels do not count."""
    starts = (each.start for each in utterances if each.role is role and not each.backchannel)
    return min(starts, default=None)


def _check_channel(agent_channel: int | None, diarization: Diarization) -> None:
    known = len(diarization.channels)
    if agent_channel is not None and not 0 <= agent_channel < known:
        raise UnknownChannel(
            f"the agent's channel was given as {agent_channel}, but the recording has "
            f"{known} channel{'' if known == 1 else 's'}"
        )


def _speakers_by_channel(diarization: Diarization) -> dict[int, str]:
    """The label of each channel's speaker; empty where speakers share a channel."""
    if diarization.layout is not ChannelLayout.TWO_PARTY:
        return {}
    named = {turn.channel: turn.speaker for turn in diarization.turns if turn.channel is not None}
    return {
        report.channel: named.get(report.channel, f"channel_{report.channel}")
        for report in diarization.channels
    }


def _given(agent_channel: int | None, by_channel: Mapping[int, str]) -> dict[str, Casting]:
    if agent_channel is None:
        return {}
    return {
        speaker: Casting(Role.AGENT if channel == agent_channel else Role.CUSTOMER, 1.0)
        for channel, speaker in by_channel.items()
    }


def _is_swapped(given: Mapping[str, Casting], inferred: Mapping[str, Casting]) -> bool:
    """Whether the words say, with little doubt, the opposite of the channel map."""
    return bool(given) and all(
        {inferred[speaker].role, casting.role} == {Role.AGENT, Role.CUSTOMER}
        and inferred[speaker].confidence >= SWAPPED_FROM
        for speaker, casting in given.items()
    )


def _add_finding(report: ChannelReport, finding: ChannelFinding) -> ChannelReport:
    return replace(report, findings=(*report.findings, finding))


def _utterances(
    passages: Sequence[Passage], announced: Set[int], cast: Mapping[str, Casting]
) -> tuple[Utterance, ...]:
    castings = (
        Casting(Role.IVR, max(ANNOUNCEMENT, _confidence_as(Role.IVR, cast[passage.speaker])))
        if i in announced
        else cast[passage.speaker]
        for i, passage in enumerate(passages)
    )
    return tuple(
        Utterance(
            index=i,
            speaker=passage.speaker,
            role=casting.role,
            role_confidence=casting.confidence,
            start=passage.start,
            end=passage.end,
            words=passage.words,
            backchannel=passage.backchannel,
        )
        for i, (passage, casting) in enumerate(zip(passages, castings, strict=True))
    )


def _confidence_as(role: Role, casting: Casting) -> float:
    return casting.confidence if casting.role is role else 0.0


def _participants(
    passages: Sequence[Passage],
    cast: Mapping[str, Casting],
    by_channel: Mapping[int, str],
    named: Iterable[str] = (),
) -> tuple[Participant, ...]:
    """By channel where each party has one, else as named, else in order of first words."""
    channels = {speaker: channel for channel, speaker in by_channel.items()}
    talking = (passage.speaker for passage in passages)
    order = dict.fromkeys((*by_channel.values(), *named, *talking))
    return tuple(
        Participant(speaker, cast[speaker].role, cast[speaker].confidence, channels.get(speaker))
        for speaker in order
    )


def _channel_doubts(
    channels: Sequence[ChannelReport],
    agent_channel: int | None,
    given: Mapping[str, Casting],
) -> Iterator[str]:
    for report in channels:
        if ChannelFinding.DEAD in report.findings:
            yield f"Channel {report.channel} is dead, so a party may be missing."
        if ChannelFinding.LEAKING in report.findings:
            yield f"Channel {report.channel} carries the other party's voice as well."
    if any(ChannelFinding.SWAPPED in report.findings for report in channels):
        yield f"The words suggest that channel {agent_channel} is the customer's, not the agent's."
    if agent_channel is not None and not given:
        yield (
            "The agent's channel was given, but the parties share a channel; "
            "the roles were told from the words."
        )


def _role_doubts(utterances: Sequence[Utterance], cast: Mapping[str, Casting]) -> Iterator[str]:
    spoken = Counter[str]()
    for utterance in utterances:
        spoken[utterance.speaker] += len(utterance.words)
    for speaker, words in spoken.items():
        casting = cast[speaker]
        if casting.confidence < SURE_FROM and words >= WORDS_TO_DOUBT:
            yield (
                f"It is unclear whether {speaker} is the agent or the customer "
                f"({casting.confidence:.0%} sure)."
            )
