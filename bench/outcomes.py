"""Disclosures and outcomes against truth: `python -m bench.outcomes > bench/results/outcomes.json`.

The calls of `../shared/data/synth` are judged from their true words and times, and again with one
word in ten misheard; with `--records FILE` (JSON lines that `callscope analyze --json FILE` wrote)
from what the recognizer really heard as well. Real agent turns that make none of the statements
(`../shared/data/text`) say how often a disclosure is found where there is none.
"""

import argparse
import csv
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from bench.fairness import Remembering
from bench.judged import Conversation, agreement, conversation, mistake, review, share
from callscope.conversation.talk import measure
from callscope.models import ModelStore
from callscope.pipeline import RubricSource
from callscope.record import from_json
from callscope.types import (
    BehaviorScore,
    DisclosureStatus,
    Outcome,
    Role,
    Scorecard,
    Span,
    Turn,
    Utterance,
    Word,
)
from services.score.engine import ScoreEngine
from services.score.library import RubricLibrary

SEED = 7
WORD_ERRORS = 0.10
SEEDS = 10  # of the word errors
TURNS = 2000  # agent turns searched for false alarms
STATEMENTS = tuple(
    f"statements{part}" for part in ("", "_held", "_last", "_long", "_unseen", "_occasions")
)
GENERAL = RubricSource(name="general")
STATUS = {"verbatim": "delivered", "partial": "partial", "missing": "missing"}
GRADE = {"good": 2, "middling": 1, "poor": 0}
GRADED = {"good": "delivered", "middling": "partial", "poor": "missed"}
# The writer's labels of whole calls, and the behaviors that they answer to.
LABELED = {"active_listening": "listening", "rapport": "empathy_overall"}
GIVEN = {"verbatim": 1.0, "partial": 0.5, "missing": 0.0}
# Asking who calls is an identity check, and real agents do it in their first turn.
REALLY_SAID = frozenset({"identity"})


@dataclass(frozen=True)
class Call:
    """A synthetic call: its truth, and the conversation its true words and times make."""

    name: str
    truth: dict[str, Any]
    conversation: Conversation


def main() -> None:
    """Measure, and print as JSON."""
    options = _options()
    models = ModelStore(options.models)
    engine = ScoreEngine(models, RubricLibrary(), "cpu", threads=1, encoder=Remembering)
    calls = [_call(path) for path in sorted((options.data / "synth").glob("*/truth.json"))]
    figures: dict[str, Any] = {"true_words": _figures(calls, engine)}
    misheard = [each for seed in range(SEEDS) for each in _misheard(calls, seed)]
    figures["one_word_in_ten_misheard"] = _disclosures(misheard, _judge(misheard, engine))
    if options.records is not None:
        figures["recognized_words"] = _figures(_recognized(calls, options.records), engine)
    for name in STATEMENTS:
        figures[name] = _statements(name, engine)
    if options.turns:
        figures["false_alarms"] = _false_alarms(options.data / "text", options.turns, engine)
    print(json.dumps(figures, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--records", type=Path)
    parser.add_argument("--turns", type=int, default=TURNS)
    return parser.parse_args()


# ------------------------------------------------------------------------------------------ calls


def _call(path: Path) -> Call:
    truth = json.loads(path.read_text(encoding="utf-8"))
    words = [
        Word(word["w"], word["start"], word["end"], 0.95, turn["channel"])
        for turn in truth["turns"]
        for word in turn["words"]
    ]
    turns = [
        Turn(f"channel_{each['channel']}", each["start"], each["end"], each["channel"])
        for each in truth["turns"]
    ]
    made = conversation(words, turns, truth["duration_s"])
    return Call(path.parent.name, truth, made)


def _misheard(calls: Sequence[Call], seed: int) -> Iterator[Call]:
    """The calls with one word in ten wrong: half of them replaced, the rest lost or added."""
    for call in calls:
        utterances, metrics = call.conversation
        chance = random.Random(f"{SEED}/{seed}/{call.name}")
        spoken = sorted({word.text for each in utterances for word in each.words})
        wrong = tuple(replace(u, words=_wrong(u.words, spoken, chance)) for u in utterances)
        yield replace(call, conversation=(wrong, metrics))


def _wrong(words: Sequence[Word], spoken: Sequence[str], chance: random.Random) -> tuple[Word, ...]:
    heard: list[Word] = []
    for word in words:
        match chance.random() / WORD_ERRORS:
            case draw if draw < 0.5:
                heard.append(replace(word, text=chance.choice(spoken), probability=0.5))
            case draw if draw < 0.75:
                pass
            case draw if draw < 1:
                heard += [word, replace(word, text=chance.choice(spoken), probability=0.4)]
            case _:
                heard.append(word)
    return tuple(heard) or tuple(words[:1])


def _recognized(calls: Sequence[Call], records: Path) -> list[Call]:
    lines = records.read_text(encoding="utf-8").splitlines()
    heard = {}
    for record in map(from_json, lines):
        name = (record.recording.uri or "").split("/")[-2]
        heard[name] = (record.utterances, record.metrics)
    return [replace(call, conversation=heard[call.name]) for call in calls if call.name in heard]


def _judge(calls: Iterable[Call], engine: ScoreEngine) -> list[Scorecard]:
    return [engine.score(*each.conversation, GENERAL, _quiet) for each in calls]


# ---------------------------------------------------------------------------------------- figures


def _figures(calls: Sequence[Call], engine: ScoreEngine) -> dict[str, Any]:
    cards = _judge(calls, engine)
    return {
        "calls": len(calls),
        "disclosures": _disclosures(calls, cards),
        "behaviors": _behaviors(calls, cards),
        "quotes_not_in_transcript": sum(map(_unfounded, calls, cards)),
        "review": review(cards),
    }


def _disclosures(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    """Status of the disclosures that the truth requires, and of those it does not."""
    right, wrong, uncalled = 0, Counter[str](), Counter[str]()
    said, found, claimed = 0, 0, 0
    for call, card in zip(calls, cards, strict=True):
        expected = {
            name: STATUS[each["status"]] for name, each in call.truth["disclosures"].items()
        }
        for result in card.disclosures:
            status, name = result.status.value, result.disclosure
            if name in expected:
                right += status == expected[name]
                said += expected[name] != "missing"
                found += expected[name] != "missing" and status in ("delivered", "partial")
                claimed += expected[name] == "missing" and status in ("delivered", "partial")
                if status != expected[name]:
                    wrong[mistake(f"{call.name} {name}", expected[name], status)] += 1
            elif result.status is not DisclosureStatus.NOT_REQUIRED and name not in REALLY_SAID:
                uncalled[f"{call.name} {name}: {status}"] += 1
    return {
        "expected": right + sum(wrong.values()),
        "status_right": share(right, right + sum(wrong.values())),
        "recall": share(found, said),
        "claimed_though_missing": claimed,
        "wrong": dict(wrong),
        "not_expected": dict(uncalled),
    }


def _behaviors(calls: Sequence[Call], cards: Sequence[Scorecard]) -> dict[str, Any]:
    """Outcomes beside the writer's labels, and how often two calls are ranked as labeled."""
    scored = [{each.behavior: each for each in card.behaviors} for card in cards]
    labels = [call.truth["labels"] for call in calls]
    rows = {
        call.name: {
            "labels": [label["empathy_overall"], label["listening"], _early(call)],
            **{name: [each.outcome.value, each.score] for name, each in card.items()},
        }
        for call, label, card in zip(calls, labels, scored, strict=True)
    }
    early = [
        (card["empathy_opening"].outcome in (Outcome.DELIVERED, Outcome.PARTIAL), _early(call) > 0)
        for call, card in zip(calls, scored, strict=True)
    ]
    return {
        "empathy_opening_right": share(sum(a == b for a, b in early), len(early)),
        "outcomes": _outcomes(calls, scored),
        "concordance": {
            name: _concordance(
                [GRADE[label[of]] for label in labels],
                [card[name].score for card in scored],
            )
            for name, of in (
                ("active_listening", "listening"),
                ("empathy_opening", "empathy_overall"),
                ("rapport", "empathy_overall"),
            )
        },
        "calls": rows,
    }


def _outcomes(
    calls: Sequence[Call], scored: Sequence[dict[str, BehaviorScore]]
) -> dict[str, dict[str, Any]]:
    """For each behavior, F1 of shown (delivered or partial) against not, and exact outcomes."""
    rated = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    figures: dict[str, dict[str, Any]] = {}
    for name in scored[0]:
        pairs = [
            (_expected(name, call, rated), card[name].outcome.value)
            for call, card in zip(calls, scored, strict=True)
        ]
        figures[name] = {
            **agreement(pairs),
            "wrong": [
                mistake(call.name, expected, found)
                for call, (expected, found) in zip(calls, pairs, strict=True)
                if expected != found
            ],
        }
    return figures


def _expected(behavior: str, call: Call, rated: dict[str, dict[str, str]]) -> str:
    """By the rater, by the writer's label of the call, or by the share of each statement made."""
    if behavior in rated:
        return rated[behavior][call.name]
    if behavior in LABELED:
        return GRADED[call.truth["labels"][LABELED[behavior]]]
    made = [GIVEN[each["status"]] for each in call.truth["disclosures"].values()]
    share = sum(made) / len(made)
    return "delivered" if share >= 0.7 else "partial" if share >= 0.35 else "missed"


def _early(call: Call) -> int:
    """Acts of empathy in the first 30 seconds of the agent's live speech."""
    begun = min(turn["start"] for turn in call.truth["turns"] if turn["speaker"] == "agent")
    return sum(
        act["type"] == "empathy" and act["start"] < begun + 30 for act in call.truth["behaviours"]
    )


def _concordance(grades: Sequence[int], scores: Sequence[float | None]) -> float | None:
    """Share of pairs with different labels whose scores are in that order; ties count half."""
    known = [(g, s) for g, s in zip(grades, scores, strict=True) if s is not None]
    pairs = [(b - a) * (y - x) for a, x in known for b, y in known if a < b]
    return share(sum(0.5 * (p == 0) + (p > 0) for p in pairs), len(pairs))


def _unfounded(call: Call, card: Scorecard) -> int:
    """Quotes that are not in the transcript at their seconds."""
    said = {each.index: each for each in call.conversation[0]}
    evidence = [e for behavior in card.behaviors for e in behavior.evidence]
    evidence += [e for disclosure in card.disclosures for e in disclosure.evidence]
    return sum(
        e.quote
        != " ".join(
            w.text
            for w in said[e.utterance].words
            if (e.start or 0.0) <= w.start and w.end <= (e.end or 0.0)
        )
        for e in evidence
    )


def _statements(file: str, engine: ScoreEngine) -> dict[str, Any]:
    """The statements of a file, each in each of its contexts."""
    told = yaml.safe_load(Path(__file__).with_name(f"{file}.yaml").read_text(encoding="utf-8"))
    right, wrong = 0, []
    for name, case in told.items():
        for expected in ("delivered", "partial", "missing"):
            for said, context in product(case.get(expected, ()), case["contexts"]):
                lines = [line.format(said=said) for line in context]
                card = engine.score(*_told(lines), GENERAL, _quiet)
                status = next(d.status.value for d in card.disclosures if d.disclosure == name)
                right += status == expected
                if status != expected:
                    wrong.append(f"{name}: {expected} judged {status}: {' / '.join(lines)}")
    return {
        "cases": right + len(wrong),
        "status_right": share(right, right + len(wrong)),
        "wrong": wrong,
    }


def _quiet(_: float) -> None:
    """Progress that nobody watches."""


def _false_alarms(folder: Path, turns: int, engine: ScoreEngine) -> dict[str, Any]:
    """Disclosures found in real agent turns, each a conversation with the customer's turn."""
    rows: list[tuple[str, str]] = []
    for name in ("star_agent_turns.tsv", "taskmaster_abcd_agent_turns.tsv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows += [(r["ctx"], r["text"]) for r in csv.DictReader(file, delimiter="\t")]
    chosen = random.Random(SEED).sample(sorted({row for row in rows if row[1].strip()}), turns)
    alarms: list[str] = []
    for customer, agent in chosen:
        card = engine.score(*_told([f"> {customer}", agent]), GENERAL, _quiet)
        alarms += [
            f"{each.disclosure} {each.status}: {agent}"
            for each in card.disclosures
            if each.disclosure not in REALLY_SAID
            and each.status in (DisclosureStatus.DELIVERED, DisclosureStatus.PARTIAL)
        ]
    return {"turns": turns, "per_1000": share(1000 * len(alarms), turns), "alarms": alarms}


def _told(lines: Sequence[str]) -> Conversation:
    """A conversation of the agent's lines, and of the customer's, which begin with `>`."""
    utterances: list[Utterance] = []
    at = 0.0
    for line in lines:
        role = Role.CUSTOMER if line.startswith("> ") else Role.AGENT
        words = tuple(
            Word(word, at + 0.3 * place, at + 0.3 * place + 0.25, 0.95, 0)
            for place, word in enumerate(line.removeprefix("> ").split())
        )
        if words:
            at = words[-1].end + 0.5
            place = len(utterances)
            utterances.append(
                Utterance(place, role, role, 1.0, words[0].start, words[-1].end, words)
            )
    speech = [(Span(each.start, each.end),) for each in utterances]
    return tuple(utterances), measure(utterances, speech, at, ())


if __name__ == "__main__":
    main()
