"""The field's tables, over fifths: `python -m bench.field TABLES > bench/results/field.json`.

TABLES is a folder with `epitome.csv` and `annomi.csv`. Measures whatever `training.train` has
finished in `build/training` on the fifth of the table that it left out, which no dialogue and no
post shares with the rest: macro-F1 of each label in every fifth, the mean of seeds, and the mean of
the fifths with the interval that their differences leave (95%, Student's t). `alone` is what each
network reaches without the other.
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from scipy import stats

from callscope.models import ModelStore
from training.evaluate import of_table
from training.field import FIELD
from training.train import BUILD, THREADS

# What RoBERTa-size models reach, as far as we were told; the bar that the project set itself.
GOALS = {"ER": 0.75, "IP": 0.62, "EX": 0.70, "main": 0.78, "question": 0.80, "reflection": 0.62}
SURE = 0.95

Figures = dict[str, Any]
Fifths = Mapping[int, Sequence[Figures]]


def main() -> None:
    """Measure, and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("--models", type=Path, default=Path(".models"))
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    models = ModelStore(options.models)
    figures = {task: _task(models, task, options.tables / f"{task}.csv") for task in FIELD}
    print(json.dumps(figures, indent=2))


def _task(models: ModelStore, task: str, table: Path) -> Figures:
    fifths = defaultdict[int, list[Figures]](list)
    for path in sorted(BUILD.glob(f"{task}-*.pt")):
        kept = torch.load(path, weights_only=True)
        if kept["part"] is not None:
            fifths[kept["part"]].append(of_table(models, task, kept, table, held_out=True))
    return {
        "fifths": fifths,
        "macro_f1": {label: _label(label, fifths) for label in FIELD[task].labels if fifths},
    }


def _label(label: str, fifths: Fifths) -> Figures:
    means = [_mean(run[label]["macro_f1"] for run in runs) for _, runs in sorted(fifths.items())]
    alone = [each for runs in fifths.values() for run in runs for each in run[label]["alone"]]
    return {
        "mean": _mean(means),
        **_interval(means),
        "fifths": means,
        "worst_alone": min(alone),
        "best_alone": max(alone),
        "goal": GOALS[label],
    }


def _interval(means: Sequence[float]) -> Figures:
    """Of the mean; of a single fifth nothing is known."""
    if len(means) < 2:
        return {"low": None, "high": None}
    error = statistics.stdev(means) / len(means) ** 0.5
    low, high = stats.t.interval(SURE, len(means) - 1, statistics.mean(means), error)
    return {"low": round(float(low), 4), "high": round(float(high), 4)}


def _mean(values: Iterable[float]) -> float:
    return round(statistics.mean(values), 4)


if __name__ == "__main__":
    main()
