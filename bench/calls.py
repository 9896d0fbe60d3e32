"""How well labeled calls are judged: `python -m bench.calls FOLDER > bench/results/calls.json`.

Each YAML file of the folder is a call: its `rubric`, `turns` (`agent: words` or `customer: words`),
`outcomes` by behavior, and `disclosures` with their status (`late` is delivered, but not in time).
A call that is only written has no times: words get them at an ordinary pace, each party its own
channel, as in a two-channel recording that was heard without a mistake.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.fairness import Remembering
from bench.judged import Conversation, agreement, conversation, mistake, review, share
from callscope.models import ModelStore
from callscope.pipeline import RubricSource
from callscope.types import (
    DisclosureResult,
    DisclosureStatus,
    Metrics,
    Scorecard,
    Turn,
    Utterance,
    Word,
)
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary
from training import metrics as measures

__all__ = ["Call", "figures", "main", "read"]

PACE = 2.7  # words a second
PAUSE = 0.4  # seconds between two turns
SPOKEN = 0.9  # of a word's time
SURE = 0.95  # probability of a word
CHANNELS = {"agent": 0, "customer": 1}
LATE = "late"
# Names that people who have not read a rubric give to its disclosures.
SAME = {
    "payment_authorization": "payment_auth",
    "cancellation_right": "cancellation",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A labeled call: what was said, and what is expected by behavior and by disclosure."""

    name: str
    rubric: str
    utterances: tuple[Utterance, ...]
    metrics: Metrics
    outcomes: Mapping[str, str]
    disclosures: Mapping[str, str]


def main() -> None:
    """Measure, and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of YAML files, a call each")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    options = parser.parse_args()
    engine = ScoreEngine(
        ModelStore(options.models), RubricLibrary(), "cpu", threads=1, encoder=Remembering
    )
    calls = [read(path) for path in sorted(options.folder.glob("*.yaml"))]
    if not calls:
        parser.error(f"no YAML files in {options.folder}")
    print(json.dumps(figures(calls, [_judged(call, engine) for call in calls]), indent=2))


def read(path: Path) -> Call:
    """The call of a file.

    Raises:
        KeyError: a part is missing, or someone else than agent and customer speaks.
    """
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    utterances, metrics = _heard(told["turns"])
    return Call(
        path.stem,
        told["rubric"],
        utterances,
        metrics,
        told["outcomes"],
        {SAME.get(name, name): status for name, status in told["disclosures"].items()},
    )


def _heard(told: Sequence[Mapping[str, str]]) -> Conversation:
    """The conversation that turns make, each `{speaker: words}`, one after the other."""
    words: list[Word] = []
    turns: list[Turn] = []
    at = 0.0
    for each in told:
        ((speaker, text),) = each.items()
        channel, begun = CHANNELS[speaker], at
        for word in text.split():
            words.append(Word(word, round(at, 3), round(at + SPOKEN / PACE, 3), SURE, channel))
            at += 1 / PACE
        turns.append(Turn(f"channel_{channel}", round(begun, 3), round(at, 3), channel))
        at += PAUSE
    return conversation(words, turns, at)


def _judged(call: Call, engine: ScoreEngine) -> Scorecard:
    source = RubricSource(name=call.rubric)
    return engine.score(call.utterances, call.metrics, source, lambda _: None)


def figures(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    """How well the scorecards agree with what is expected, and how sure they are of it."""
    return {
        "calls": len(calls),
        "behaviors": _behaviors(calls, cards),
        "disclosures": _disclosures(calls, cards),
        "review": _review(calls, cards),
    }


def _behaviors(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    rows = [
        (each.behavior, call.name, call.outcomes[each.behavior], each.outcome.value, each)
        for call, card in zip(calls, cards, strict=True)
        for each in card.behaviors
        if each.behavior in call.outcomes
    ]
    names = list(dict.fromkeys(row[0] for row in rows))
    table = {name: [row for row in rows if row[0] == name] for name in names} | {"all": rows}
    return {
        name: {
            **_agreement([(row[2], row[3]) for row in mine]),
            **_calibration([(row[2] == row[3], row[4].confidence) for row in mine]),
            **(
                {}
                if name == "all"
                else {"wrong": [mistake(*row[1:4]) for row in mine if row[2] != row[3]]}
            ),
        }
        for name, mine in table.items()
    }


def _agreement(pairs: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """As `agreement`, with Cohen's kappa."""
    kappa = measures.kappa([a for a, _ in pairs], [b for _, b in pairs])
    return {"judged": len(pairs), **agreement(pairs), "kappa": round(kappa, 3)}


def _calibration(judged: Sequence[tuple[bool, float]]) -> dict[str, Any]:
    """The expected calibration error, and what it would be if each confidence were right."""
    right, sure = zip(*judged, strict=True)
    mean, high = measures.calibration_by_chance(sure)
    return {
        "ece": round(measures.calibration_error(right, sure), 3),
        "ece_by_chance": [round(mean, 3), round(high, 3)],
    }


def _disclosures(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    """Status of what the labels name, and what else was found to be required."""
    rows, unexpected = [], Counter[str]()
    for call, card in zip(calls, cards, strict=True):
        found = {each.disclosure: each for each in card.disclosures}
        for name, expected in call.disclosures.items():
            if name in found:  # a rubric that does not ask for it cannot judge it
                rows.append((f"{call.name} {name}", expected, _status(found[name])))
        for name in found.keys() - call.disclosures.keys():
            if found[name].status is not DisclosureStatus.NOT_REQUIRED:
                unexpected[f"{call.name} {name}: {_status(found[name])}"] += 1
    right = sum(expected == status for _, expected, status in rows)
    return {
        "expected": len(rows),
        "status_right": share(right, len(rows)),
        "wrong": [mistake(*row) for row in rows if row[1] != row[2]],
        "not_expected": sorted(unexpected),
    }


def _status(result: DisclosureResult) -> str:
    late = result.status is DisclosureStatus.DELIVERED and result.on_time is False
    return LATE if late else result.status.value


def _review(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    """How many calls go to a person, and how right what is above and below the line is."""
    judged = [
        (each.confidence, each.outcome.value == call.outcomes[each.behavior])
        for call, card in zip(calls, cards, strict=True)
        for each in card.behaviors
        if each.behavior in call.outcomes
    ]
    return {
        **review(cards),
        "right_by_confidence": {
            f"{low:.1f} to {high:.1f}": [
                share(sum(right for _, right in mine), len(mine)),
                len(mine),
            ]
            for low, high in (
                (0.0, 0.5),
                (0.5, 0.6),
                (0.6, 0.7),
                (0.7, 0.8),
                (0.8, 0.9),
                (0.9, 1.0),
            )
            if (mine := [e for e in judged if low <= e[0] < high or e[0] == high == 1.0])
        },
    }


if __name__ == "__main__":
    main()
