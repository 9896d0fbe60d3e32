"""How well acts are found, how sure that is, and what it costs: `python -m bench.score`.

    python -m bench.score [--synth ../shared/data/synth] > bench/results/score.json

Measures the heads that ship on the corpus's test part, on utterances by other hands
(`tests/data/acts`) and, where they are, on the true text of synthesized calls; none of them
trained the heads or placed their decisions. A minute on one core.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from callscope.models import ModelStore
from services.score.reading import FOUND
from training import corpus, evaluate, metrics
from training.corpus import ACTS, Part
from training.evaluate import EMPATHY, REFLECTION
from training.finder import ActFinder
from training.states import Pair

OTHER_HANDS = Path("tests/data/acts/contact_centre.tsv")
THREADS = 1
# The synthesized calls' names of behaviors, and the acts that they answer to.
SAME: dict[str, tuple[str, ...]] = {
    "empathy": EMPATHY,
    "reflection": REFLECTION,
    "open_question": ("open_question",),
    "closed_question": ("closed_question",),
    "dismissive": ("dismissive", "blaming"),
    "next_steps": ("next_steps",),
    "greeting": ("greeting_name",),
    "ownership": ("ownership",),
}

Figures = dict[str, Any]


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Measure the heads of acts.")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--synth", type=Path, help="folder of synthesized calls with truth.json")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    finder = ActFinder.of(ModelStore(options.models))
    items = [item for item in corpus.load() if corpus.part_of(item) is Part.TEST]
    figures: Figures = {
        "weights": finder.heads.model.digest,
        "test_part": evaluate.of_items(finder, items),
        "other_hands": evaluate.of_file(finder, OTHER_HANDS),
        "cost": _cost(finder, [Pair(item.customer, item.text) for item in items]),
    }
    if options.synth is not None:
        figures["synthesized_calls"] = _synthesized(finder, options.synth)
    print(json.dumps(figures, indent=2))


def _cost(finder: ActFinder, pairs: Sequence[Pair]) -> Figures:
    """Utterances a second at the length they have here, the best of three runs."""
    finder.probabilities(pairs[:64])
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        finder.probabilities(pairs)
        seconds.append(time.perf_counter() - started)
    return {
        "threads": torch.get_num_threads(),
        "words_an_utterance": round(statistics.mean(len(p.text.split()) for p in pairs), 1),
        "utterances_per_second": round(len(pairs) / min(seconds)),
    }


def _synthesized(finder: ActFinder, folder: Path) -> Figures:
    """Behaviors of the agent by turn against the writer's marks, from the true text."""
    pairs: list[Pair] = []
    marked: list[set[str]] = []
    for path in sorted(folder.glob("*/truth.json")):
        for pair, marks in _turns(json.loads(path.read_text(encoding="utf-8"))):
            pairs.append(pair)
            marked.append(marks)
    found = finder.probabilities(pairs)
    figures: Figures = {"agent_turns": len(pairs)}
    for name, acts in SAME.items():
        truth = np.array([name in marks for marks in marked])
        places = [ACTS.index(act) for act in acts]
        each = metrics.f1(truth, found[:, places].max(axis=1) >= FOUND)
        figures[name] = {key: round(value, 3) for key, value in each.items()}
    return figures


def _turns(truth: Figures) -> Iterator[tuple[Pair, set[str]]]:
    """Each turn of the agent with what the customer said before, and its marks."""
    before = ""
    for place, turn in enumerate(truth["turns"]):
        if turn.get("backchannel"):
            continue
        if turn["speaker"] != "agent":
            before = turn["text"]
            continue
        marks = {each["type"] for each in truth["behaviours"] if each["turn"] == place}
        yield Pair(before, turn["text"]), marks


if __name__ == "__main__":
    main()
