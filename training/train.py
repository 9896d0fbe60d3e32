"""Train a model: `python -m training.train --task acts|epitome|annomi [--minutes M]`.

    python -m training.train --task acts
    python -m training.train --task annomi --data ../shared/data/text/annomi.csv --seed 2

What was reached is kept in `build/training/TASK-SEED.pt`; when the minutes are over, the same
command goes on from there. Rows of the field's tables that are held out are left out of training,
unless `--all` says that another file will test it.
"""

import argparse
import math
from pathlib import Path

import torch

from callscope.models import ModelStore
from services.score.classifier import LENGTHS
from training import acts, corpus, field, loop
from training.corpus import Part
from training.loop import Data, Recipe
from training.network import Network, Pair, tokenizer

__all__ = ["BUILD", "ENCODER", "build", "main"]

ENCODER = "minilm-l6"
BUILD = Path("build/training")
THREADS = 1  # threads that wait for each other on shared cores cost more than they give
EPOCHS = {"acts": 3, "epitome": 3, "annomi": 3}


def main(arguments: list[str] | None = None) -> None:
    """Train, or go on training, and say whether it is done."""
    options = _options(arguments)
    torch.set_num_threads(THREADS)
    folder = ModelStore(options.models).locate(options.encoder).folder
    torch.manual_seed(options.seed)
    network, tokens = build(options.task, folder), tokenizer(folder)
    checkpoint = options.out or BUILD / f"{options.task}-{options.seed}.pt"
    if options.task == "acts":
        items = [item for item in corpus.load() if corpus.part_of(item) is Part.TRAIN]
        recipe = Recipe(EPOCHS["acts"], 1.5e-3, 3e-3, 32, LENGTHS, options.seed)
        examples = acts.ActExamples.of(items)
        done = loop.run(network, tokens, examples, acts.loss, recipe, checkpoint, options.minutes)
    else:
        task = field.FIELD[options.task]
        data = _learned(field.read(task, options.data), options.all)
        recipe = Recipe(EPOCHS[options.task], 1e-4, 1e-3, 32, task.lengths, options.seed)
        objective = field.balanced_loss(task, data.targets)
        done = loop.run(network, tokens, data, objective, recipe, checkpoint, options.minutes)
    print(f"{checkpoint}: {'done' if done else 'not done yet; run the same command again'}")


def build(task: str, folder: Path) -> Network:
    """An untrained network for `task`: low-rank updates for acts, which ship, else all weights."""
    if task == "acts":
        return Network(folder, len(corpus.ACTS), lora=True)
    return Network(folder, field.FIELD[task].outputs, lora=False)


def _learned(table: field.Table, everything: bool) -> Data:
    kept = [i for i in range(len(table.pairs)) if everything or not table.held_out[i]]
    pairs: list[Pair] = [table.pairs[i] for i in kept]
    return Data(pairs, table.targets[kept])


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a model of acts or of a field's table.")
    parser.add_argument("--task", choices=["acts", *field.FIELD], required=True)
    parser.add_argument("--data", type=Path, help="the table, for epitome and annomi")
    parser.add_argument("--all", action="store_true", help="learn from the held out rows too")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER, help="any encoder of the model store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--out", type=Path, help="where the progress is kept")
    options = parser.parse_args(arguments)
    if options.task != "acts" and options.data is None:
        parser.error(f"--task {options.task} needs --data FILE")
    return options


if __name__ == "__main__":
    main()
