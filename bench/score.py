"""How well acts are found, how sure that is, and what it costs: `python -m bench.score`.

    python -m bench.score acts [--synth ../shared/data/synth]    > bench/results/score.json
    python -m bench.score field annomi build/training/annomi-*.pt --data annomi.csv

`acts` measures the classifier that ships on the corpus's test part, on utterances by other hands
(`tests/data/acts`) and, where they are, on the true text of synthesized calls; it also times it and
draws `bench/results/reliability.svg`. `field` takes one trained network a seed, measures each on
the rows that training held out, and prints mean and spread.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from callscope.models import ModelStore
from services.score.classifier import ActClassifier, Pair
from services.score.reading import FOUND
from training import corpus, metrics
from training.corpus import Part
from training.evaluate import act_probabilities
from training.examples import bare

RESULTS = Path(__file__).parent / "results"
OTHER_HANDS = Path("tests/data/acts/contact_centre.tsv")
THREADS = 2
# The synthesized calls' names of behaviors, and the acts that they answer to.
SAME = {
    "empathy": ("emotional_acknowledgement", "understanding", "apology", "reassurance"),
    "reflection": ("reflection",),
    "open_question": ("open_question",),
    "closed_question": ("closed_question",),
    "dismissive": ("dismissive", "blaming"),
    "next_steps": ("next_steps",),
    "greeting": ("greeting_name",),
    "ownership": ("ownership",),
}

Floats = npt.NDArray[np.float64]
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the classifier of acts.")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    commands = parser.add_subparsers(dest="command", required=True)
    acts = commands.add_parser("acts")
    acts.add_argument("--synth", type=Path, help="folder of synthesized calls with truth.json")
    field = commands.add_parser("field")
    field.add_argument("task", choices=["epitome", "annomi"])
    field.add_argument("networks", type=Path, nargs="+", help="one a seed")
    field.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    figures = _field(options) if options.command == "field" else _acts(options)
    print(json.dumps(figures, indent=2))


def _acts(options: argparse.Namespace) -> Figures:
    classifier = ActClassifier(ModelStore(options.models))
    items = [item for item in corpus.load() if corpus.part_of(item) is Part.TEST]
    pairs = [Pair(item.customer, item.text) for item in items]
    labels = np.array([item.labels for item in items])
    written, plain = (
        act_probabilities(classifier, [Pair(change(p.before), change(p.text)) for p in pairs])
        for change in (str, bare)
    )
    known = ~np.isnan(labels)
    truth, likely = (
        np.concatenate([labels[known], labels[known]]) == 1,
        np.concatenate([written[known], plain[known]]),
    )
    RESULTS.joinpath("reliability.svg").write_text(_plot(metrics.reliability(truth, likely)))
    figures: Figures = {
        "weights": classifier.model.digest,
        "test_part": {
            "items": len(items),
            "ece": round(metrics.calibration_error(truth, likely), 4),
            "acts": {
                act: {
                    "true": int((labels[known[:, i], i] == 1).sum()),
                    "f1": _f1(labels[known[:, i], i] == 1, written[known[:, i], i]),
                    "f1_without_punctuation": _f1(
                        labels[known[:, i], i] == 1, plain[known[:, i], i]
                    ),
                }
                for i, act in enumerate(corpus.ACTS)
            },
        },
        "other_hands": _evaluated(options.models),
        "cost": _cost(classifier, pairs),
    }
    if options.synth is not None:
        figures["synthesized_calls"] = _synthesized(classifier, options.synth)
    return figures


def _evaluated(models: Path) -> Figures:
    """What `training.evaluate` prints of the file by other hands."""
    command = ["-m", "training.evaluate", "--task", "acts", "--models", str(models)]
    printed = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, *command, "--data", str(OTHER_HANDS)],
        check=True,
        capture_output=True,
        text=True,
    )
    figures: Figures = json.loads(printed.stdout)
    return figures


def _f1(truth: npt.NDArray[np.bool_], values: Floats) -> float:
    return round(metrics.f1(truth, values >= FOUND)["f1"], 3)


def _cost(classifier: ActClassifier, pairs: Sequence[Pair]) -> Figures:
    """Utterances a second at the length they have here, the best of three runs."""
    classifier.probabilities(pairs[:64])
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        classifier.probabilities(pairs)
        seconds.append(time.perf_counter() - started)
    return {
        "threads": torch.get_num_threads(),
        "words_an_utterance": round(statistics.mean(len(p.text.split()) for p in pairs), 1),
        "utterances_per_second": round(len(pairs) / min(seconds)),
    }


def _synthesized(classifier: ActClassifier, folder: Path) -> Figures:
    """Behaviors of the agent by turn against the writer's marks, from the true text."""
    pairs: list[Pair] = []
    marked: list[set[str]] = []
    for path in sorted(folder.glob("*/truth.json")):
        for pair, marks in _turns(json.loads(path.read_text(encoding="utf-8"))):
            pairs.append(pair)
            marked.append(marks)
    found = act_probabilities(classifier, pairs)
    figures: Figures = {"agent_turns": len(pairs)}
    for name, acts in SAME.items():
        truth = np.array([name in marks for marks in marked])
        places = [classifier.acts.index(act) for act in acts]
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


def _field(options: argparse.Namespace) -> Figures:
    runs = []
    for network in options.networks:
        command = ["-m", "training.evaluate", "--task", options.task, "--model", str(network)]
        printed = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, *command, "--data", str(options.data), "--held-out"],
            check=True,
            capture_output=True,
            text=True,
        )
        runs.append(json.loads(printed.stdout))
    labels = [name for name, value in runs[0].items() if isinstance(value, dict)]
    return {
        "task": options.task,
        "seeds": len(runs),
        "items": runs[0]["items"],
        **{label: _spread([run[label] for run in runs]) for label in labels},
    }


def _spread(runs: Sequence[dict[str, float]]) -> Figures:
    """Mean over seeds, the lowest and highest seed, and the widest bootstrap interval."""
    values = [run["macro_f1"] for run in runs]
    return {
        "macro_f1": round(statistics.mean(values), 3),
        "seeds": [min(values), max(values)],
        "interval": [min(r["macro_f1_low"] for r in runs), max(r["macro_f1_high"] for r in runs)],
        "accuracy": round(statistics.mean(run["accuracy"] for run in runs), 3),
        "ece": round(statistics.mean(run["ece"] for run in runs), 3),
    }


def _plot(rows: Sequence[tuple[float, float, int]]) -> str:
    """A reliability diagram: said against true, the size of a point by how many there are."""
    most = max(count for _, _, count in rows)
    points = [(60 + 300 * x, 330 - 300 * y, n) for x, y, n in rows]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 5 * (n / most) ** 0.25:.1f}"/>'
        f'<text x="{x + 10:.1f}" y="{y + 14:.1f}" class="n">{n}</text>'
        for x, y, n in points
    )
    ticks = "".join(
        f'<text x="{60 + 300 * t:.0f}" y="348" text-anchor="middle">{t:g}</text>'
        f'<text x="52" y="{334 - 300 * t:.0f}" text-anchor="end">{t:g}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="385" font-family="sans-serif"'
        ' font-size="11"><style>circle{fill:#2563eb}.n{fill:#6b7280;font-size:9px}</style>'
        '<rect width="400" height="385" fill="#fff"/>'
        '<rect x="60" y="30" width="300" height="300" fill="none" stroke="#d1d5db"/>'
        '<line x1="60" y1="330" x2="360" y2="30" stroke="#9ca3af" stroke-dasharray="4"/>'
        f'<polyline points="{line}" fill="none" stroke="#2563eb"/>{dots}{ticks}'
        '<text x="210" y="372" text-anchor="middle">probability given</text>'
        '<text transform="translate(16 180) rotate(-90)" text-anchor="middle">share true</text>'
        '<text x="60" y="20">Acts of the test part, all together</text></svg>\n'
    )


if __name__ == "__main__":
    main()
