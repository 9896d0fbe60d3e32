"""Who is the agent, who the customer: told from what they say.

Each speaker's words are searched for the cues of `callscope.conversation.cues`. The weights of
those found add up to log-odds of being the agent (naive Bayes: the cues are taken as independent,
which overstates long calls; the slope below takes some of it back). The speakers are then judged
together, given that a call has at least one agent and at least one customer; a transfer may have
two agents. Where no role reaches `DECIDED`, it is UNKNOWN rather than a guess.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from callscope.conversation.cues import cues, normalize
from callscope.conversation.passages import Passage
from callscope.types import Role

__all__ = ["DECIDED", "Casting", "agent_evidence", "infer"]

DECIDED = 0.85
"""The least probability at which a role is named."""

MOST_CERTAIN = 0.99
"""Words alone never make a role certain: 1.0 is for roles that were given."""

PERSON_WORDS = 25
"""A voice with this many live words is a person's, whatever was announced on its channel."""

SLOPE = 0.7
"""Probability is the logistic of the log-odds times this."""


@dataclass(frozen=True, slots=True)
class Casting:
    """A role and the probability that it is right; for UNKNOWN, that of the likelier role."""

    role: Role
    confidence: float


def infer(
    passages: Sequence[Passage],
    announced: Set[int] = frozenset(),
    silent: Iterable[str] = (),
) -> Mapping[str, Casting]:
    """The role of every speaker.

    Args:
        passages: what was said.
        announced: indices of the passages that are no live speech.
        silent: labels of speakers who said nothing; they get the role that the others leave.
    """
    live: dict[str, list[str]] = {speaker: [] for speaker in silent}
    words: dict[str, list[int]] = {}  # by speaker: how many are live, how many announced
    for i, passage in enumerate(passages):
        live.setdefault(passage.speaker, [])
        words.setdefault(passage.speaker, [0, 0])[i in announced] += len(passage.words)
        if i not in announced:
            live[passage.speaker].append(passage.text)
    machines = {
        speaker: said / (own + said)
        for speaker, (own, said) in words.items()
        if said > own and own < PERSON_WORDS
    }
    evidence = {s: agent_evidence(texts) for s, texts in live.items() if s not in machines}
    return {s: _ivr(share) for s, share in machines.items()} | _cast(evidence)


def agent_evidence(texts: Sequence[str]) -> float:
    """Log-odds (nats) that a person who said these passages is the agent.

    A cue's second hearing counts half as much as its first, the third a quarter, and so on.
    """
    text = " . ".join(normalize(text) for text in texts)
    evidence = 0.0
    for cue in cues(Role.AGENT, Role.CUSTOMER):
        heard = cue.heard(text)
        if heard:
            sign = 1 if cue.role is Role.AGENT else -1
            evidence += sign * cue.weight * (2.0 - 2.0 ** (1 - heard))
    return evidence


def _cast(evidence: Mapping[str, float]) -> dict[str, Casting]:
    alone = {speaker: _logistic(SLOPE * odds) for speaker, odds in evidence.items()}
    if len(alone) < 2:
        return {speaker: _decide(agent) for speaker, agent in alone.items()}
    all_agents = math.prod(alone.values())
    all_customers = math.prod(1.0 - agent for agent in alone.values())
    possible = 1.0 - all_agents - all_customers
    return {speaker: _decide((agent - all_agents) / possible) for speaker, agent in alone.items()}


def _decide(agent: float) -> Casting:
    """From the probability of being the agent to a role."""
    role, probability = (Role.AGENT, agent) if agent >= 0.5 else (Role.CUSTOMER, 1.0 - agent)
    probability = min(probability, MOST_CERTAIN)
    return Casting(role if probability >= DECIDED else Role.UNKNOWN, probability)


def _ivr(share: float) -> Casting:
    return Casting(Role.IVR, min(share, MOST_CERTAIN))


def _logistic(odds: float) -> float:
    # Bounded: beyond, products of several probabilities lose their last digits.
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, odds))))
