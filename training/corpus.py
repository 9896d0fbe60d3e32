"""The labeled sentences that the classifiers of acts learn from.

`training/corpus/*.txt` are written or labeled sentence by sentence, every act decided. A line that
starts with `>` is what the customer said, with the codes of their acts; the lines under it are
what an agent might say to that, each with the codes of its acts, `-` for none:

    >RE I've waited in all day and nobody came.
    ea I'm so sorry, a whole day of your time.

`?` in place of codes says that nobody has labeled it. `training/acts/*.yaml` are lists of examples
for and against one act each, where most other acts are undecided: see `training.examples`.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from callscope.acts import AgentAct, CustomerAct
from training import examples

__all__ = [
    "ACTS",
    "AGENT_CODES",
    "CUSTOMER_CODES",
    "FOLDER",
    "Item",
    "Part",
    "digest",
    "load",
    "parse",
    "part_of",
]

FOLDER = Path(__file__).parent / "corpus"

AGENT_CODES = {
    "e": AgentAct.EMOTIONAL_ACKNOWLEDGEMENT,
    "u": AgentAct.UNDERSTANDING,
    "a": AgentAct.APOLOGY,
    "r": AgentAct.REASSURANCE,
    "w": AgentAct.OWNERSHIP,
    "f": AgentAct.REFLECTION,
    "F": AgentAct.COMPLEX_REFLECTION,
    "p": AgentAct.PARAPHRASE_CHECK,
    "o": AgentAct.OPEN_QUESTION,
    "c": AgentAct.CLOSED_QUESTION,
    "d": AgentAct.DISCOVERY_QUESTION,
    "l": AgentAct.FOLLOW_UP,
    "x": AgentAct.EXPLORATION,
    "g": AgentAct.GREETING_NAME,
    "t": AgentAct.RAPPORT,
    "P": AgentAct.PROPOSAL,
    "n": AgentAct.NEXT_STEPS,
    "k": AgentAct.CONFIRM_RESOLVED,
    "s": AgentAct.RECAP,
    "D": AgentAct.DISMISSIVE,
    "B": AgentAct.BLAMING,
}
CUSTOMER_CODES = {
    "E": CustomerAct.EMOTION,
    "R": CustomerAct.PROBLEM,
    "Q": CustomerAct.QUESTION,
    "V": CustomerAct.VULNERABILITY,
}
IMPLIED: Mapping[str, str] = {
    AgentAct.COMPLEX_REFLECTION: AgentAct.REFLECTION,
    AgentAct.FOLLOW_UP: AgentAct.DISCOVERY_QUESTION,
}

ACTS: tuple[str, ...] = (*map(str, AGENT_CODES.values()), *map(str, CUSTOMER_CODES.values()))
"""Every act that is learned, the agent's first. Name use is found by a rule instead."""

PARTS = 20  # of these, three test and three calibrate
UNKNOWN = "?"


class Part(StrEnum):
    """What an item is for. Items said to the same words of a customer share a part."""

    TRAIN = "train"
    CALIBRATE = "calibrate"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Item:
    """A sentence or turn and what is known of it.

    `labels` follow `ACTS`: 1 shown, 0 not shown, NaN not decided (every act of the other speaker
    is). `customer` is what the customer said before, "" for none.
    """

    text: str
    customer: str
    labels: tuple[float, ...]
    source: str

    @property
    def by_agent(self) -> bool:
        """Whether an agent says it."""
        return any(not math.isnan(label) for label in self.labels[: len(AGENT_CODES)])


def load(folder: Path = FOLDER) -> tuple[Item, ...]:
    """The whole corpus, the lists of `training/acts` included."""
    files = sorted(folder.glob("*.txt"))
    read = [item for path in files for item in parse(path.read_text(encoding="utf-8"), path.stem)]
    return (*read, *_listed())


def parse(text: str, source: str) -> Iterator[Item]:
    """The items of one file of the corpus.

    Raises:
        ValueError: a line cannot be read; it is quoted.
    """
    customer = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        codes, _, said = line.removeprefix(">").partition(" ")
        if line.startswith(">"):
            customer = said
            if said and codes != UNKNOWN:
                yield Item(said, "", _decided(codes, CUSTOMER_CODES, line), source)
        elif said:
            yield Item(said, customer, _decided(codes, AGENT_CODES, line), source)
        else:
            raise ValueError(f"no text after the codes: {line!r}")


def part_of(item: Item) -> Part:
    """By the customer's words; where there are none, by the item's own. Lists train."""
    if item.source == "acts":
        return Part.TRAIN
    key = item.customer or item.text
    place = hashlib.sha256(key.lower().encode()).digest()[0] % PARTS
    return Part.TEST if place < 3 else Part.CALIBRATE if place < 6 else Part.TRAIN


def digest(folder: Path = FOLDER) -> str:
    """SHA-256 over all files of the corpus, names included."""
    sha = hashlib.sha256(examples.digest().encode())
    for path in sorted(folder.glob("*.txt")):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def _decided(codes: str, known: Mapping[str, str], line: str) -> tuple[float, ...]:
    unknown = set(codes) - set(known) - {"-"}
    if unknown or not codes:
        raise ValueError(f"unknown codes {''.join(sorted(unknown))!r} in {line!r}")
    shown = {known[code] for code in codes if code != "-"}
    shown |= {IMPLIED[act] for act in shown if act in IMPLIED}
    mine = set(map(str, known.values()))
    return tuple(float(act in shown) if act in mine else math.nan for act in ACTS)


def _listed() -> Iterator[Item]:
    for speaker in ("agent", "customer"):
        loaded = examples.load(speaker)
        for each in loaded.examples:
            known = dict(zip(loaded.acts, each.labels, strict=True))
            labels = tuple(known.get(act, math.nan) for act in ACTS)
            yield Item(each.text, each.customer, labels, "acts")
