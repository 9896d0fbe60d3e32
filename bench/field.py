"""The field's tables, over seeds: `python -m bench.field TABLES > bench/results/field.json`.

TABLES is a folder with `epitome.csv` and `annomi.csv`. Measures whatever `training.train` has
finished in `build/training` on the fifth of the table that it left out, which no dialogue and no
post shares with the rest; macro-F1 of each label, of every seed and their mean, with 95% intervals
over dialogues or posts, and what each network reaches without the other.
"""

import argparse
import json
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from callscope.models import ModelStore
from training.evaluate import of_table
from training.field import FIELD
from training.train import BUILD, THREADS

# What RoBERTa-size models reach, as far as we were told; the bar that the project set itself.
GOALS = {"ER": 0.75, "IP": 0.62, "EX": 0.70, "main": 0.78, "question": 0.80, "reflection": 0.62}

Figures = dict[str, Any]


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
    runs = sorted(BUILD.glob(f"{task}-*.pt"))
    seeds = {
        re.sub(r"\D", "", path.stem): of_table(models, task, path, table, part=0) for path in runs
    }
    return {"seeds": seeds, "macro_f1": {} if not seeds else _means(task, [*seeds.values()])}


def _means(task: str, runs: list[Figures]) -> Figures:
    return {
        label: {
            "mean": _mean(run[label]["macro_f1"] for run in runs),
            "low": _mean(run[label]["macro_f1_low"] for run in runs),
            "high": _mean(run[label]["macro_f1_high"] for run in runs),
            "worst_alone": min(min(run[label]["alone"]) for run in runs),
            "best_alone": max(max(run[label]["alone"]) for run in runs),
            "goal": GOALS[label],
        }
        for label in FIELD[task].labels
    }


def _mean(values: Iterable[float]) -> float:
    return round(statistics.mean(values), 4)


if __name__ == "__main__":
    main()
