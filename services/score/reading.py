"""A conversation as the models read it: sentences, their vectors, and the acts in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from callscope.acts import AgentAct, Cue, CustomerAct
from callscope.dialogue import live_start
from callscope.pipeline import Progress
from callscope.types import Role, Utterance
from services.score import lexicon, names, uptake
from services.score.boundaries import Boundaries
from services.score.encoder import Encoder
from services.score.formulas import announces_recap, is_filler, is_hedged, is_stock_phrase, was_said
from services.score.heads import Customer, Heads, Said, Speaker
from services.score.rereading import Lines
from services.score.sentences import Sentence, runs, split

__all__ = ["FOUND", "Exchange", "Finding", "Reader", "Reading", "settled"]

FOUND = 0.5
"""From this probability an act counts as found: where training placed each head's decision."""

EMPTY = 0.1  # what is left of an act in words that only keep the line alive
SENTENCE = 3  # words below which an agent is not accused of anything
RULED = 0.95  # the rules for names and stock phrases are rarely wrong
DECIMALS = 4  # below what differs between machines

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence and the probability of each act its speaker can do; none for other roles."""

    sentence: Sentence
    probabilities: Mapping[str, float]

    def best(self, acts: Iterable[str], unless: Iterable[str] = ()) -> tuple[str, float]:
        """The likeliest of `acts` here, less likely where one of `unless` is."""
        act, most = self._likeliest(acts)
        _, other = self._likeliest(unless)
        return act, most * (1 - other)

    def _likeliest(self, acts: Iterable[str]) -> tuple[str, float]:
        # A loop, since it is asked tens of thousands of times a call.
        found, act, most = self.probabilities, "", -1.0
        for each in acts:
            probability = found.get(each, 0.0)
            if probability > most:
                act, most = each, probability
        return str(act), max(most, 0.0)


Exchange = tuple[tuple[Finding, ...], tuple[Finding, ...]]
"""What the customer said until the agent spoke, and what the agent said in that turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """`findings` and the rows of `vectors` go together; both in the conversation's order."""

    utterances: tuple[Utterance, ...]
    findings: tuple[Finding, ...]
    vectors: Floats

    @property
    def agent_start(self) -> float | None:
        """Start of the agent's first live words; None where no agent was heard."""
        return live_start(self.utterances)

    @property
    def customer_heard(self) -> bool:
        """Whether a customer said anything beyond backchannels."""
        return live_start(self.utterances, Role.CUSTOMER) is not None

    @property
    def end(self) -> float:
        """End of the last words."""
        return max((utterance.end for utterance in self.utterances), default=0.0)

    def by(self, role: Role) -> tuple[Finding, ...]:
        """What one role said, backchannels apart."""
        return tuple(
            finding
            for finding in self.findings
            if finding.sentence.role is role and not finding.sentence.backchannel
        )

    def exchanges(self) -> Iterator[Exchange]:
        """What the customer said, and the agent's next turn, backchannels and others apart."""
        live = (each for each in self.findings if not each.sentence.backchannel)
        asked: tuple[Finding, ...] = ()
        for role, said in groupby(live, lambda finding: finding.sentence.role):
            if role is Role.CUSTOMER:
                asked += tuple(said)
            elif role is Role.AGENT and asked:
                yield asked, tuple(said)
                asked = ()


class Reader:
    """Reads conversations with an encoder, and the heads and the boundaries trained on it."""

    def __init__(self, encoder: Encoder, heads: Heads, boundaries: Boundaries) -> None:
        self._encoder = encoder
        self._heads = heads
        self._boundaries = boundaries
        self._branch = encoder.branch(heads.changes).in_eight_bits()
        self._cues = [i for i, act in enumerate(heads.groups["agent"].acts) if act in {*Cue}]

    def read(self, utterances: Sequence[Utterance], progress: Progress) -> Reading:
        """Split, embed, and find the acts."""
        sentences = split(utterances, self._boundaries.ends)
        spoken = {
            speaker: [i for i, each in enumerate(sentences) if _headed(each, role)]
            for role, speaker in _HEADED
        }
        agents = {*spoken["agent"]}
        joined = [run for run in runs(sentences) if run.start in agents]
        texts = [_read_as(sentence) for sentence in sentences]
        texts += [" ".join(texts[i] for i in run) for run in joined]
        starts = [*range(len(sentences)), *(run.start for run in joined)]
        vectors, tuned = self._encoder.encode_both(texts, self._branch, progress)
        customers, nobody = _customers(sentences, texts, vectors), ("", vectors[:0])
        found: dict[Speaker, Array] = {}
        for speaker, said in spoken.items():
            rows = [*said, *range(len(sentences), len(texts))] if speaker == "agent" else said
            heard = Said.after(
                [texts[i] for i in rows],
                vectors[rows],
                tuned[rows],
                [customers.get(starts[i], nobody) for i in rows],
            )
            group = self._heads.groups[speaker]
            found[speaker] = np.zeros((len(texts), len(group.acts)))
            found[speaker][rows] = group.probabilities(heard)
        found["agent"] = _shared(found["agent"], joined, self._cues)
        live = sorted([*spoken["agent"], *spoken["customer"]])
        found["agent"][spoken["agent"]] = self._heads.correction(
            Lines(
                [i in agents for i in live],
                [texts[i] for i in live],
                vectors[live],
                found["agent"][live],
                found["customer"][live],
            )
        )
        probabilities: list[dict[str, float]] = [{} for _ in sentences]
        for speaker, rows in spoken.items():
            acts = self._heads.groups[speaker].acts
            for row in rows:
                shown = dict(zip(acts, map(float, found[speaker][row]), strict=True))
                probabilities[row] = settled(shown, texts[row])
        _add_ruled(sentences, probabilities)
        findings = tuple(map(Finding, sentences, probabilities))
        return Reading(tuple(utterances), findings, vectors[: len(sentences)])


_HURTING = frozenset({AgentAct.DISMISSIVE, AgentAct.BLAMING})
_HELPING = frozenset(
    {
        AgentAct.EMOTIONAL_ACKNOWLEDGEMENT,
        AgentAct.UNDERSTANDING,
        AgentAct.REASSURANCE,
        AgentAct.OWNERSHIP,
        AgentAct.RAPPORT,
        AgentAct.PROPOSAL,
        AgentAct.NEXT_STEPS,
    }
)

_HEADED: tuple[tuple[Role, Speaker], ...] = ((Role.AGENT, "agent"), (Role.CUSTOMER, "customer"))


def _read_as(sentence: Sentence) -> str:
    """The text that is judged: a customer's manners must not change what is said of the agent."""
    if sentence.role is not Role.CUSTOMER:
        return sentence.text
    return _bluntly(sentence) or sentence.text


def _bluntly(sentence: Sentence) -> str:
    """The text without courtesies; "" where there is nothing else."""
    bare = " ".join(lexicon.COURTESY.sub(" ", sentence.text).split()).strip(" ,")
    return bare if any(map(str.isalnum, bare)) else ""


def _headed(sentence: Sentence, role: Role) -> bool:
    return sentence.role is role and not sentence.backchannel


def settled(found: dict[str, float], text: str) -> dict[str, float]:
    """A sentence that helps does not hurt: of two contrary acts the likelier rules the other out.

    "I understand, but that's the policy" is not understanding; "waiting is no fun" is no brush-off.
    A word or two ("No.", "Yeah, again.") accuse nobody by themselves: they are halved. "I see" and
    its like hold the line, and show nothing.
    """
    if is_filler(text):
        found = {act: EMPTY * p if act in _HELPING else p for act, p in found.items()}
    if len(text.split()) < SENTENCE:
        found = {act: p / 2 if act in _HURTING else p for act, p in found.items()}
    sides = (_HELPING, _HURTING)
    helps, hurts = (max((found.get(act, 0.0) for act in side), default=0.0) for side in sides)
    weaker, stronger = (_HURTING, helps) if helps > hurts else (_HELPING, hurts)
    return {
        act: round(p * (1 - stronger) if act in weaker else p, DECIMALS) for act, p in found.items()
    }


def _shared(found: Array, joined: Sequence[range], cues: Sequence[int]) -> Array:
    """Cues that sentences show together, in the one of them that shows each most.

    The rows of `found` are those of the sentences and then of what is `joined` of them. A statement
    cut in two by mistake is heard all the same; acts that are counted are not counted twice.
    """
    shared = found[: len(found) - len(joined)].copy()
    for run, together in zip(joined, found[len(shared) :], strict=True):
        for cue in cues:
            row = max(run, key=lambda each: float(found[each, cue]))
            shared[row, cue] = max(shared[row, cue], together[cue])
    return shared


def _customers(
    sentences: Sequence[Sentence], texts: Sequence[str], vectors: Floats
) -> dict[int, Customer]:
    """By the agent's sentences, the customer's last turn before, mere courtesies left out.

    One value for all the sentences that a turn comes before: it may be as long as the call.
    """
    before: dict[int, Customer] = {}
    said: list[int] = []
    turn: Customer = "", vectors[:0]
    for row, sentence in enumerate(sentences):
        if _headed(sentence, Role.CUSTOMER):
            said.append(row)
        elif _headed(sentence, Role.AGENT):
            if said:
                kept = [each for each in said if _bluntly(sentences[each])]
                turn = " ".join(texts[each] for each in kept), vectors[kept]
                said = []
            before[row] = turn
    return before


def _add_ruled(sentences: Sequence[Sentence], probabilities: list[dict[str, float]]) -> None:
    """The acts that rules find rather than heads."""
    known, introduced = names.customer_names(sentences), names.introductions(sentences)
    again, taken = uptake.said_again(sentences), uptake.taken_up(sentences)
    for row, (sentence, found) in enumerate(zip(sentences, probabilities, strict=True)):
        if _headed(sentence, Role.CUSTOMER):
            found[CustomerAct.NAME_GIVEN] = RULED if row in introduced else 0.0
            found[CustomerAct.SAID_BEFORE] = RULED if was_said(sentence.text) else 0.0
            found[CustomerAct.SAID_AGAIN] = again.get(row, 0.0)
        if _headed(sentence, Role.AGENT):
            found[AgentAct.NAME_USE] = RULED if names.uses_name(sentence.text, known) else 0.0
            found[AgentAct.STOCK_PHRASE] = RULED if is_stock_phrase(sentence.text) else 0.0
            found[AgentAct.UPTAKE] = taken.get(row, 0.0)
            found[AgentAct.HEDGE] = RULED if is_hedged(sentence.text) else 0.0
            if announces_recap(sentence.text):
                found[AgentAct.RECAP] = max(found[AgentAct.RECAP], RULED)
