"""Measure a model on a file: `python -m training.evaluate --task T --model M --data FILE`.

Prints one JSON object. Every row of FILE is measured, so give a file that was not trained on;
`--held-out` keeps to the rows that training left out.

- `acts`: M is a weights file of the score service, by default the one that ships. FILE is either a
  TSV with the columns `ctx` (the customer), `text` (the agent) and any of `emp` (0, 1), `refl`
  (none or the kind) and `q` (none, open, closed), or a file in the format of `training/corpus`.
  Each is read as written and without punctuation and case.
- `epitome`, `annomi`: M is what `training.train` kept. FILE is a CSV with the table's columns.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from callscope.acts import AgentAct
from callscope.models import ModelStore
from services.score.heads import SHIPPED
from services.score.reading import FOUND
from training import corpus, field, loop, metrics, train
from training.corpus import ACTS, Item, Part
from training.examples import bare
from training.finder import ActFinder
from training.states import Lower, Pair
from training.train import ENCODER, THREADS

__all__ = [
    "EMPATHY",
    "QUESTION",
    "REFLECTION",
    "main",
    "of_file",
    "of_items",
    "of_table",
]

EMPATHY = (
    AgentAct.EMOTIONAL_ACKNOWLEDGEMENT,
    AgentAct.UNDERSTANDING,
    AgentAct.APOLOGY,
    AgentAct.REASSURANCE,
)
QUESTION = (AgentAct.OPEN_QUESTION, AgentAct.CLOSED_QUESTION)
REFLECTION = (AgentAct.REFLECTION, AgentAct.COMPLEX_REFLECTION)
GROUPS = {"any_empathy": EMPATHY, "any_question": QUESTION, "any_reflection": REFLECTION}

Floats = npt.NDArray[np.float64]
Figures = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Print the metrics as JSON."""
    options = _options(arguments)
    torch.set_num_threads(THREADS)
    models = ModelStore(options.models)
    if options.task == "acts":
        finder = ActFinder.of(models, options.model or SHIPPED)
        figures = of_file(finder, options.data, options.held_out)
    else:
        kept = torch.load(options.model, weights_only=True)
        figures = of_table(
            models, options.task, kept, options.data, options.held_out, options.encoder
        )
    print(json.dumps({"task": options.task, "data": options.data.name, **figures}, indent=2))


def of_file(finder: ActFinder, path: Path, held_out: bool = False) -> Figures:
    """The metrics of a file of utterances, or of a file in the corpus's format.

    Raises:
        ValueError: nothing was left out, as of calls.
    """
    if path.suffix == ".txt":
        items = [*corpus.parse(path.read_text(encoding="utf-8"), path.stem)]
        if held_out:
            items = [each for each in items if corpus.part_of(each) is Part.TEST]
            if not items:
                raise ValueError("training left none of it out: measure it on another file")
        return of_items(finder, items)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {"items": len(rows)} | _both_ways(lambda change: _columns(finder, rows, change))


def of_items(finder: ActFinder, items: Sequence[Item]) -> Figures:
    """The metrics of labeled items."""
    return {"items": len(items)} | _both_ways(lambda change: _each_act(finder, items, change))


def _both_ways(measure: Callable[[Callable[[str], str]], Figures]) -> Figures:
    return {"as_written": measure(str), "without_punctuation": measure(bare)}


def _columns(
    finder: ActFinder, rows: Sequence[dict[str, str]], change: Callable[[str], str]
) -> Figures:
    """The metrics of whatever columns the rows have."""
    pairs = [Pair(change(row["ctx"]), change(row["text"])) for row in rows]
    found = finder.probabilities(pairs)

    def of(acts: Iterable[str]) -> Floats:
        values: Floats = found[:, [ACTS.index(act) for act in acts]].max(axis=1)
        return values

    measured: dict[str, tuple[list[bool], Floats]] = {}
    columns = rows[0].keys()
    if "emp" in columns:
        measured["empathy"] = [row["emp"] == "1" for row in rows], of(EMPATHY)
    if "q" in columns:
        measured["question"] = [row["q"] != "none" for row in rows], of(QUESTION)
        for kind, act in zip(("open", "closed"), QUESTION, strict=True):
            measured[f"{kind}_question"] = [row["q"] == kind for row in rows], of([act])
    if "refl" in columns:
        measured["reflection"] = [row["refl"] != "none" for row in rows], of(REFLECTION)
        complex_one = of([AgentAct.COMPLEX_REFLECTION])
        truth = [row["refl"] == "complex" for row in rows]
        measured["complex_reflection"] = truth, complex_one
    return {name: _measures(truth, values) for name, (truth, values) in measured.items()}


def _each_act(finder: ActFinder, items: Sequence[Item], change: Callable[[str], str]) -> Figures:
    """The metrics of every act that the items decide, and of all together."""
    pairs = [Pair(change(item.customer), change(item.text)) for item in items]
    found = finder.probabilities(pairs)
    labels = np.array([item.labels for item in items])
    known = ~np.isnan(labels)
    figures: Figures = {}
    for place, act in enumerate(ACTS):
        mine = known[:, place]
        if (labels[mine, place] == 1).any():
            figures[act] = _measures(labels[mine, place] == 1, found[mine, place])
    for name, acts in GROUPS.items():
        places = [ACTS.index(act) for act in acts]
        mine = known[:, places].all(axis=1)
        truth = (labels[mine][:, places] == 1).any(axis=1)
        figures[name] = _measures(truth, found[mine][:, places].max(axis=1))
    figures["all"] = _measures(labels[known] == 1, found[known])
    return figures


def _measures(truth: Sequence[bool] | npt.NDArray[np.bool_], values: Floats) -> Figures:
    right = np.asarray(truth, dtype=bool)
    low, high = metrics.interval(
        lambda rows: metrics.f1(right[rows], values[rows] >= FOUND)["f1"], len(right)
    )
    figures = metrics.f1(right, values >= FOUND)
    figures |= {"f1_low": low, "f1_high": high, "ece": metrics.calibration_error(right, values)}
    return {name: round(value, 4) for name, value in figures.items()}


def of_table(
    models: ModelStore,
    task: str,
    kept: Mapping[str, Any],
    data: Path,
    held_out: bool,
    encoder: str = ENCODER,
) -> Figures:
    """The metrics, on a table of the field, of what `training.train` kept.

    `held_out` keeps to the rows that it left out. `alone` is macro-F1 of each network without the
    others, with the words.

    Raises:
        ValueError: nothing was left out.
    """
    if held_out and kept["part"] is None:
        raise ValueError("it was trained on every row: measure it on another file")
    columns = field.FIELD[task]
    lower = Lower(models.locate(encoder).folder)
    table = field.read(columns, data)
    parts = [kept["part"]] if held_out else range(field.PARTS)
    rows = [i for i, place in enumerate(table.part.tolist()) if place in parts]
    pairs = [table.pairs[i] for i in rows]
    states = lower.states(pairs, columns.lengths)
    found = [loop.predict(network, states) for network in train.networks(kept, columns, lower)]
    finder = ActFinder.of(models)
    words = train.read_words(kept, columns, finder, pairs)
    together, *alone = (field.blended(columns, each, words) for each in (found, *zip(found)))
    groups = [table.groups[i] for i in rows]
    figures: Figures = {"items": len(rows)}
    start = 0
    for place, (label, values) in enumerate(columns.labels.items()):
        mine, truth = slice(start, start + len(values)), table.targets[rows, place].numpy()
        figures[label] = _class_measures(together[:, mine], truth, groups) | {
            "alone": [round(_macro_f1(each[:, mine], truth), 4) for each in alone]
        }
        start += len(values)
    return figures


def _macro_f1(logits: torch.Tensor, truth: npt.NDArray[np.int64]) -> float:
    return metrics.macro_f1(truth, logits.argmax(dim=1).numpy())


def _class_measures(
    logits: torch.Tensor, truth: npt.NDArray[np.int64], groups: Sequence[str]
) -> Figures:
    found = logits.argmax(dim=1).numpy()
    sure = logits.softmax(dim=1).max(dim=1).values.numpy()
    low, high = metrics.interval(
        lambda rows: metrics.macro_f1(truth[rows], found[rows]), len(truth), groups=groups
    )
    figures = {
        "macro_f1": metrics.macro_f1(truth, found),
        "macro_f1_low": low,
        "macro_f1_high": high,
        "accuracy": float((truth == found).mean()),
        "ece": metrics.calibration_error(truth == found, sure),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a model on a file; prints JSON.")
    parser.add_argument("--task", choices=["acts", *field.FIELD], required=True)
    parser.add_argument("--model", type=Path, help="by default, of acts, what ships")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--held-out", action="store_true", help="only rows not trained on")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER, help="of epitome and annomi")
    options = parser.parse_args(arguments)
    if options.task != "acts" and options.model is None:
        parser.error(f"--task {options.task} needs --model FILE")
    return options


if __name__ == "__main__":
    main()
