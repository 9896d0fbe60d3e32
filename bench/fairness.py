"""Judgements that flip for no reason: `python -m bench.fairness > bench/results/fairness.json`.

`python -m bench.fairness --gate` is the part of it that `make check` runs: the general rubric, few
names, both speakers changed at once. It fails where more than 1% flip, or any for a name or for
an agent's history, and says which.

Each call of `fairness.yaml` is told again: with first names and surnames from other groups, with
dialect, with accents as recognizers spell them, politer or blunter, and with another agent's label
and history; with names once more as a recognizer without capitals writes all of it. A flip is a
behavior's outcome or a disclosure's status that changes. The change is made to the customer's
words, to the agent's, or to both; politeness to the customer's alone, since the agent's is part of
what is judged.
"""

import argparse
import json
import math
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml

from callscope.models import ModelStore
from callscope.pipeline import Progress, RubricSource
from callscope.types import Metrics, ParticipantMetrics, Role, Scorecard, Utterance, Word
from services.score.branch import Branch
from services.score.encoder import Encoder
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from training.examples import bare

__all__ = [
    "BOTH",
    "Flips",
    "Remembering",
    "calls",
    "complaints",
    "count",
    "interval",
    "measured",
    "without_capitals",
]

SEED = 11
TURN = 6.0  # seconds of every turn
GATE = 0.01
"""Share of judgements that may flip."""

BARE_NAME = "name without capitals"
NEVER = ("history", "name", BARE_NAME)  # kinds of change for which none may
EXAMPLES = 5  # of flips, in the results
GATE_NAMES = 2
GATE_RUBRICS = ("general",)

NAMES = (  # first names and surnames frequent in different groups of the United States' population
    *(("Emily", "Walsh"), ("Greg", "Baker"), ("Lakisha", "Washington"), ("Jamal", "Jefferson")),
    *(("Maria", "Hernandez"), ("Jose", "Rodriguez"), ("Priya", "Patel"), ("Arjun", "Singh")),
    *(("Mei", "Chen"), ("Hiroshi", "Tanaka"), ("Fatima", "Hussein"), ("Mohammed", "Khan")),
    *(("Olga", "Ivanova"), ("Nguyen", "Tran"), ("Oluwaseun", "Adeyemi"), ("Shanice", "Booker")),
)
STANDARD = (("Laura", "Bennett"), "Marcus")

DIALECT = {  # as recognizers write them down
    "southern": {
        "going to": "gonna",
        "want to": "wanna",
        "you all": "y'all",
        "isn't": "ain't",
        "am not": "ain't",
        "something": "somethin'",
        "nothing": "nothin'",
        "everything": "everythin'",
        "because": "'cause",
        "calling": "callin'",
        "them": "'em",
    },
    "african_american": {
        "isn't": "ain't",
        "have not": "ain't",
        "did not": "ain't",
        "I'm": "I'm",
        "that is": "that",
        "they are": "they",
        "going to": "gon'",
        "ask": "ax",
        "nothing": "nothin'",
        "with": "wit",
        "because": "cuz",
    },
    "british": {
        "my": "me",
        "isn't": "in't",
        "nothing": "nowt",
        "something": "summat",
        "cancelled": "cancelled",
        "okay": "right",
        "mother": "mum",
        "really": "proper",
    },
}
ACCENTS = {
    "indian": {"very": "wery", "will": "vill", "was": "vas", "with": "wit", "three": "tree"},
    "spanish": {"is": "ees", "this": "dis", "school": "eschool", "very": "bery", "it": "eet"},
    "german": {"the": "ze", "that": "zat", "with": "wiz", "what": "vat", "this": "zis"},
    "caribbean": {"the": "de", "that": "dat", "them": "dem", "three": "tree", "there": "dere"},
    "east_asian": {"the": "", "a": "", "an": "", "really": "leally", "are": ""},
}
NOT_REQUIRED = "not_required"  # in both tellings it is no judgement, and would flatter the rate
RUBRICS = ("general", "collections", "sales")

BOTH = frozenset({Role.CUSTOMER, Role.AGENT})
WHOSE = (frozenset({Role.CUSTOMER}), frozenset({Role.AGENT}), BOTH)

Swap = Callable[[str], str]
Floats = npt.NDArray[np.float32]
Lines = Sequence[tuple[Role, str]]


class Remembering(Encoder):
    """An encoder that encodes a text once: most of a call is the same in every telling."""

    def __init__(self, folder: Path, device: Literal["auto", "cpu", "cuda"]) -> None:
        super().__init__(folder, device)
        self._known: dict[str, Floats] = {}
        self._both: dict[str, tuple[Floats, Floats]] = {}

    def encode(self, texts: Sequence[str], progress: Progress) -> Floats:
        """Unit vectors, one row a text: (texts, dimensions)."""
        unknown = sorted(set(texts) - self._known.keys())
        self._known.update(zip(unknown, super().encode(unknown, progress), strict=True))
        return self._rows([self._known[text] for text in texts])

    def encode_both(
        self, texts: Sequence[str], branch: Branch, progress: Progress
    ) -> tuple[Floats, Floats]:
        """The same, and the vectors of the branch, of which there is only one."""
        unknown = sorted(set(texts) - self._both.keys())
        both = zip(*super().encode_both(unknown, branch, progress), strict=True)
        self._both.update(zip(unknown, both, strict=True))
        plain, tuned = ([self._both[text][place] for text in texts] for place in (0, 1))
        return self._rows(plain), self._rows(tuned)

    def _rows(self, vectors: Sequence[Floats]) -> Floats:
        return np.array(vectors, dtype=np.float32).reshape(len(vectors), self.dimensions)


@dataclass(frozen=True)
class Telling:
    """One way to tell a call: what changed, how, and the call."""

    kind: str
    change: str
    utterances: tuple[Utterance, ...]


@dataclass(frozen=True)
class Flips:
    """How many judgements were compared, and which flipped."""

    compared: int
    pairs: tuple[str, ...] = ()

    @property
    def flipped(self) -> int:
        """How many flipped."""
        return len(self.pairs)

    @property
    def rate(self) -> float:
        """Share of judgements that flipped."""
        return self.flipped / self.compared if self.compared else 0.0


def main() -> None:
    """Measure, and print as JSON; or hold the gate."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--names", type=int, default=len(NAMES))
    parser.add_argument("--rubric", action="append", dest="rubrics")
    parser.add_argument("--gate", action="store_true", help="fail where too many flip")
    options = parser.parse_args()
    models = ModelStore(options.models)
    engine = ScoreEngine(models, RubricLibrary(), "cpu", threads=1, encoder=Remembering)
    if options.gate:
        by_kind = measured(engine, GATE_NAMES, GATE_RUBRICS, (BOTH,))
        complaint = complaints(by_kind)
        print(_told(_all(by_kind)))
        sys.exit("\n".join(complaint) if complaint else 0)
    by_kind = measured(engine, options.names, options.rubrics or RUBRICS, WHOSE)
    rows = {"all": _all(by_kind), **by_kind}
    print(json.dumps({kind: _row(each) for kind, each in rows.items()}, indent=2))


def measured(
    engine: ScoreEngine, names: int, rubrics: Sequence[str], whose: Sequence[Set[Role]]
) -> Mapping[str, Flips]:
    """Flips by kind of change, and by name in the same calls without marks and capitals."""
    told = calls()
    bared = count(engine, told, names, rubrics, whose=(), spelled=without_capitals)
    return {**count(engine, told, names, rubrics, whose), BARE_NAME: bared["name"]}


def complaints(by_kind: Mapping[str, Flips]) -> list[str]:
    """Why the gate stays shut, and every pair that flips; nothing where it opens."""
    everything = _all(by_kind)
    why = []
    if everything.rate > GATE:
        why.append(f"More than {GATE:.0%} of judgements flip:")
    why += [f"A judgement flips for {kind}:" for kind in NEVER if by_kind[kind].flipped]
    return [*why, *(f"  {pair}" for pair in everything.pairs)] if why else []


def _all(by_kind: Mapping[str, Flips]) -> Flips:
    return Flips(
        sum(each.compared for each in by_kind.values()),
        tuple(pair for each in by_kind.values() for pair in each.pairs),
    )


def _told(flips: Flips) -> str:
    return f"Fairness: {flips.flipped} of {flips.compared} judgements flip ({flips.rate:.1%})."


def _row(flips: Flips) -> dict[str, Any]:
    return {
        "judgements": flips.compared,
        "flips": flips.flipped,
        "rate": round(flips.rate, 4),
        "interval_95": [round(each, 4) for each in interval(flips)],
        "changes": dict(Counter(pair.partition(":")[0] for pair in flips.pairs).most_common()),
        "examples": flips.pairs[:EXAMPLES],
    }


def interval(flips: Flips, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of the rate."""
    n, p = flips.compared, flips.rate
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), (middle + half) / (1 + z * z / n)


def count(
    engine: ScoreEngine,
    told: Sequence[Sequence[str]],
    names: int = len(NAMES),
    rubrics: Sequence[str] = RUBRICS,
    whose: Sequence[Set[Role]] = WHOSE,
    spelled: Callable[[Telling], Telling] = lambda telling: telling,
) -> Mapping[str, Flips]:
    """Flips by kind of change, over all calls and rubrics; `whose` words change spelling.

    All tellings are `spelled` in that way.
    """
    compared, flipped = Counter[str](), defaultdict[str, list[str]](list)
    for number, lines in enumerate(told):
        for rubric in rubrics:
            first, *others = map(spelled, _tellings(lines, names, whose))
            base = _verdicts(engine, first, rubric)
            for other in others:
                for judged, verdict in _verdicts(engine, other, rubric).items():
                    compared[other.kind] += {base[judged], verdict} != {NOT_REQUIRED}
                    if verdict != base[judged]:
                        flipped[other.kind].append(
                            f"{other.change}: call {number}, {rubric}, {judged}: "
                            f"{base[judged]} to {verdict}"
                        )
    return {kind: Flips(compared[kind], tuple(flipped[kind])) for kind in sorted(compared)}


def calls() -> list[list[str]]:
    """The lines of each call."""
    path = Path(__file__).with_suffix(".yaml")
    told: list[list[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told


def _verdicts(engine: ScoreEngine, telling: Telling, rubric: str) -> dict[str, str]:
    card: Scorecard = engine.score(
        telling.utterances, _metrics(), RubricSource(name=rubric), lambda _: None
    )
    return {each.behavior: each.outcome.value for each in card.behaviors} | {
        each.disclosure: each.status.value for each in card.disclosures
    }


# --------------------------------------------------------------------------------------- tellings


def _tellings(lines: Sequence[str], names: int, whose: Sequence[Set[Role]]) -> Iterator[Telling]:
    """The call as it stands, then each change of it."""
    base = _lines(lines, *STANDARD)
    yield Telling("base", "as it stands", _utterances(base))
    chance = random.Random(SEED)
    for customer in chance.sample(NAMES, min(names, len(NAMES))):
        agent = chance.choice(NAMES)[0]
        change = f"customer {' '.join(customer)}, agent {agent}"
        yield Telling("name", change, _utterances(_lines(lines, customer, agent)))
    for kind, spelled in (("dialect", DIALECT), ("accent", ACCENTS)):
        for name, table in spelled.items():
            for roles in whose:
                change = f"{name} {kind} of {' and '.join(sorted(roles))}"
                yield Telling(kind, change, _utterances(_swapped(base, roles, _swap(table))))
    for change, swap in (("politer", _politer), ("blunter", _blunter)):
        changed = _swapped(base, {Role.CUSTOMER}, swap)
        yield Telling("politeness", f"{change} customer", _utterances(changed))
    for label in ("agent-0007, written warning", "trainee", "employee of the month"):
        told = _utterances(base)
        yield Telling(
            "history",
            f"agent labeled {label}",
            tuple(replace(u, speaker=label) if u.role is Role.AGENT else u for u in told),
        )


def without_capitals(telling: Telling) -> Telling:
    """As a recognizer without punctuation and capitals writes it."""
    spoken = tuple(
        replace(each, words=tuple(replace(word, text=bare(word.text)) for word in each.words))
        for each in telling.utterances
    )
    return replace(telling, utterances=spoken)


def _lines(lines: Sequence[str], customer: tuple[str, str], agent: str) -> Lines:
    return [
        (
            Role.CUSTOMER if line.startswith("> ") else Role.AGENT,
            line.removeprefix("> ").format(customer=customer[0], surname=customer[1], agent=agent),
        )
        for line in lines
    ]


def _swapped(lines: Lines, roles: Set[Role], swap: Swap) -> Lines:
    return [(role, swap(text) if role in roles else text) for role, text in lines]


def _swap(table: Mapping[str, str]) -> Swap:
    words = re.compile(rf"\b(?:{'|'.join(map(re.escape, table))})\b", re.IGNORECASE)

    def other(match: re.Match[str]) -> str:
        spelled = table[next(key for key in table if key.lower() == match[0].lower())]
        return spelled.capitalize() if match[0][:1].isupper() else spelled

    return lambda text: " ".join(words.sub(other, text).split())


def _politer(text: str) -> str:
    return f"Excuse me, {text[0].lower()}{text[1:-1]}, please{text[-1]}"


def _blunter(text: str) -> str:
    return (
        " ".join(
            re.sub(
                r"\b(?:please|thank you so much|thank you|hi|hello)\b[,.]?", "", text, flags=re.I
            ).split()
        )
        or "Yes."
    )


def _utterances(lines: Lines) -> tuple[Utterance, ...]:
    """A turn a line. A turn lasts as long however it is spelled, so that only words change."""
    utterances: list[Utterance] = []
    at = 0.0
    for role, text in lines:
        spoken, length = text.split(), TURN
        step = length / len(spoken)
        words = tuple(
            Word(word, round(at + i * step, 3), round(at + (i + 0.9) * step, 3), 0.9, 0)
            for i, word in enumerate(spoken)
        )
        utterances.append(Utterance(len(utterances), role.value, role, 1.0, at, at + length, words))
        at += length + 0.5
    return tuple(utterances)


def _metrics() -> Metrics:
    def of(role: Role) -> ParticipantMetrics:
        return ParticipantMetrics(role, 60.0, 0.5, 150, 150.0, 20.0, 0.5, 0, 1)

    return Metrics((of(Role.AGENT), of(Role.CUSTOMER)), 1.0, 0.01, 0.0, 0.0, (), (), (), ())


if __name__ == "__main__":
    main()
