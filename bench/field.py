"""The field's tables, over seeds: `python -m bench.field TABLES > bench/results/field.json`.

TABLES is a folder with `epitome.csv` and `annomi.csv`. Measures whatever `training.train` has
finished in `build/training` on the fifth of the table that it left out, which no dialogue and no
post shares with the rest; macro-F1 of each label, of every seed and their mean.
"""

import argparse
import json
import re
import statistics
from pathlib import Path
from typing import Any

import torch

from callscope.models import ModelStore
from training.evaluate import of_table
from training.field import FIELD
from training.train import BUILD, THREADS, finished

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
    runs = [path for path in sorted(BUILD.glob(f"{task}-*.pt")) if finished(path)]
    seeds = {
        re.sub(r"\D", "", path.stem): of_table(models, task, path, table, part=0) for path in runs
    }
    return {"seeds": seeds, "macro_f1": {} if not seeds else _means(task, [*seeds.values()])}


def _means(task: str, runs: list[Figures]) -> Figures:
    return {
        label: {
            "mean": round(statistics.mean(run[label]["macro_f1"] for run in runs), 4),
            "goal": GOALS[label],
        }
        for label in FIELD[task].labels
    }


if __name__ == "__main__":
    main()
