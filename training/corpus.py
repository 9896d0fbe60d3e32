"""The labeled sentences that the classifiers of acts learn from.

`training/corpus/*.txt` are written or labeled sentence by sentence, every act decided. A line that
starts with `>` is what the customer said, with the codes of their acts; the lines under it are
what an agent might say to that, each with the codes of its acts, `-` for none:

    >RE I've waited in all day and nobody came.
    ea I'm so sorry, a whole day of your time.

`?` in place of codes says that nobody has labeled it. Files that begin with `# complete` tell of
cues as well, which follow the codes: `c/nam,prf Your name and postcode?`. In the others a sentence
lacks a cue if it has none of the words without which nobody gives it; else that is not decided.
`# call:` begins a whole call, whose lines follow each other as they were said.
`training/acts/*.yaml` are lists of examples
for and against one act each, where most other acts are undecided: see `training.examples`.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from callscope.acts import AgentAct, Cue, CustomerAct
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
    "A": AgentAct.ACTION_TAKEN,
    "I": AgentAct.INFORMATION,
}
CUSTOMER_CODES = {
    "E": CustomerAct.EMOTION,
    "R": CustomerAct.PROBLEM,
    "Q": CustomerAct.QUESTION,
    "V": CustomerAct.VULNERABILITY,
}
CUE_CODES = {
    "rec": Cue.RECORDING_NOTICE,
    "why": Cue.RECORDING_PURPOSE,
    "nam": Cue.NAME_ASKED,
    "prf": Cue.PROOF_ASKED,
    "att": Cue.COLLECTION_ATTEMPT,
    "use": Cue.INFORMATION_USE,
    "col": Cue.COLLECTOR_NAMED,
    "aut": Cue.CHARGE_CONSENT,
    "amt": Cue.CHARGE_AMOUNT,
    "can": Cue.CANCELLATION_RIGHT,
    "per": Cue.CANCELLATION_PERIOD,
    "apr": Cue.INTEREST_RATE,
    "var": Cue.RATE_KIND,
    "deb": Cue.DEBT_RAISED,
    "con": Cue.CONTRACT_MADE,
    "crd": Cue.CREDIT_OFFERED,
    "acc": Cue.OWN_BUSINESS,
    "pay": Cue.CARD_PAYMENT,
    "fra": Cue.FRAUD,
}
BY_ANYONE = ("acc", "pay", "fra")
CALL = "# call:"
COMPLETE = "# complete"
LATER = frozenset({AgentAct.ACTION_TAKEN, AgentAct.INFORMATION, Cue.OWN_BUSINESS})
"""What only complete files decide."""

ACTS_OF: Mapping[str, Mapping[str, str]] = {"agent": AGENT_CODES, "customer": CUSTOMER_CODES}
CUES_OF: Mapping[str, Mapping[str, str]] = {
    "agent": CUE_CODES,
    "customer": {code: CUE_CODES[code] for code in BY_ANYONE},
}
"""What each speaker's sentences may show, by its code."""

# Without any of these words nobody gives the cue.
NEEDED: Mapping[str, re.Pattern[str]] = {
    cue: re.compile(rf"\b(?:{words})", re.IGNORECASE)
    for cue, words in {
        Cue.RECORDING_NOTICE: "record|monitor|tap(?:e|ing)|listen|log",
        Cue.RECORDING_PURPOSE: (
            "record|monitor|tap(?:e|ing)|quality|train|check|case|improve|coach"
        ),
        Cue.NAME_ASKED: "name|surname|who|speak|talking|mr|mrs|ms|miss|you are|call",
        Cue.PROOF_ASKED: (
            "number|date|birth|born|address|post|zip|code|account|digits|password|word|reference"
            "|email|e-mail|policy|plate|registration|confirm|verify|security|details|street|phone"
        ),
        Cue.COLLECTION_ATTEMPT: "debt|collect|owe|owed|recover",
        Cue.INFORMATION_USE: "use|used|information|anything|whatever|what you",
        Cue.COLLECTOR_NAMED: "collect|agency|debt|recover",
        Cue.CHARGE_CONSENT: "card|charge|pay|authori|permission|consent|ok|happy|alright|agree",
        Cue.CHARGE_AMOUNT: "card|charge|pay|dollar|pound|quid|euro|cent|total|amount|[$]|\\d",
        Cue.CANCELLATION_RIGHT: "cancel|mind|withdraw|back out|out of it|heart|undo|stop",
        Cue.CANCELLATION_PERIOD: "day|week|fortnight|month|hour|year|anytime|any time",
        Cue.INTEREST_RATE: "interest|apr|rate|percent|%",
        Cue.RATE_KIND: "rate|interest|apr|percent|fix|vari|credit|approv",
        Cue.DEBT_RAISED: "debt|ow(?:e|ing)|overdue|due|behind|arrears|balance|outstanding|pay|miss",
        Cue.CONTRACT_MADE: (
            "contract|sign|plan|member|subscri|cover|enrol|agree|ahead|start|set|switch|approved|down"
            "|join|in|order"
        ),
        Cue.CREDIT_OFFERED: "loan|credit|card|financ|borrow|lend|instal|monthly",
        Cue.CARD_PAYMENT: "card|pay|paid|visa|master|amex|debit|charge|digits|expir|code",
        Cue.FRAUD: (
            "fraud|scam|stole|hack|card|account|transaction|payment|charge|money|password|code"
            "|identity|somebody|someone|bank|spent|bought"
        ),
    }.items()
}
IMPLIED: Mapping[str, str] = {
    AgentAct.COMPLEX_REFLECTION: AgentAct.REFLECTION,
    AgentAct.FOLLOW_UP: AgentAct.DISCOVERY_QUESTION,
}

ACTS: tuple[str, ...] = (
    *map(str, AGENT_CODES.values()),
    *map(str, CUSTOMER_CODES.values()),
    *map(str, CUE_CODES.values()),
)
"""All that is learned. Name use is found by a rule instead."""

PLACES: Mapping[str, tuple[int, ...]] = {
    speaker: tuple(ACTS.index(act) for act in (*acts.values(), *CUES_OF[speaker].values()))
    for speaker, acts in ACTS_OF.items()
}
"""Which of `ACTS` each speaker's sentences may show."""

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
    is). `customer` is what the customer said before, "" for none; `call` names the whole call that
    it is said in, "" for none, and `line` its place there.
    """

    text: str
    customer: str
    labels: tuple[float, ...]
    source: str
    call: str = ""
    line: int = 0

    @property
    def by_agent(self) -> bool:
        """Whether an agent says it."""
        return not all(map(math.isnan, self.labels[: len(AGENT_CODES)]))


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
    customer, complete, calls = "", text.startswith(COMPLETE), 0
    for place, line in enumerate(text.splitlines()):
        if line.startswith(CALL):
            customer, calls = "", calls + 1
        if not line or line.startswith("#"):
            continue
        origin = (source, f"{source} {calls}" if calls else "", place)
        codes, _, said = line.removeprefix(">").partition(" ")
        if line.startswith(">"):
            customer = said
            if said and codes != UNKNOWN:
                yield Item(said, "", _labels("customer", codes, said, complete), *origin)
        elif said:
            yield Item(said, customer, _labels("agent", codes, said, complete), *origin)
        else:
            raise ValueError(f"no text after the codes: {line!r}")


def part_of(item: Item) -> Part:
    """By the customer's words; where there are none, by the item's own. Lists and calls train."""
    if item.source == "acts" or item.call:
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


def _labels(speaker: str, codes: str, said: str, complete: bool) -> tuple[float, ...]:
    """A sentence's labels: 1 for what its codes name, NaN for what they leave open, else 0."""
    letters, _, names = codes.partition("/")
    acts, cues = {*letters} - {"-"}, {*names.split(",")} - {""}
    unknown = (acts - {*ACTS_OF[speaker]}) | (cues - {*CUES_OF[speaker]})
    if unknown or not letters:
        raise ValueError(f"unknown codes {' '.join(sorted(unknown))!r} in {f'{codes} {said}'!r}")
    shown = {ACTS_OF[speaker][code] for code in acts} | {CUES_OF[speaker][code] for code in cues}
    shown |= {IMPLIED[act] for act in shown if act in IMPLIED}
    labels = [math.nan] * len(ACTS)
    for place in PLACES[speaker]:
        if complete or _told(ACTS[place], said):
            labels[place] = float(ACTS[place] in shown)
    return tuple(labels)


def _told(act: str, said: str) -> bool:
    """Whether a line that names no cues decides an act, or that a cue is not there."""
    return act not in LATER and (act not in NEEDED or NEEDED[act].search(said) is None)


def _listed() -> Iterator[Item]:
    for speaker in ("agent", "customer"):
        loaded = examples.load(speaker)
        for each in loaded.examples:
            known = dict(zip(loaded.acts, each.labels, strict=True))
            labels = tuple(known.get(act, math.nan) for act in ACTS)
            yield Item(each.text, each.customer, labels, "acts")
