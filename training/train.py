"""Train an encoder on a table of the field: `python -m training.train --task epitome|annomi`.

    python -m training.train --task annomi --data annomi.csv --seed 2 [--minutes 5]

For benchmarks alone: what ships is fitted by `training.heads`. What was reached is kept in
`build/training/TASK-SEED.pt`; when the minutes are over, the same command goes on from there. Rows
that are held out are left out, unless `--all` says that another file will test it.
"""

import argparse
import math
from pathlib import Path

import torch

from callscope.models import ModelStore
from training import field, loop
from training.loop import Data, Recipe
from training.network import Network, tokenizer
from training.words import WordModel

__all__ = ["BUILD", "ENCODER", "THREADS", "finished", "main"]

ENCODER = "minilm-l6"
BUILD = Path("build/training")
THREADS = 1  # threads that wait for each other on shared cores cost more than they give


def main(arguments: list[str] | None = None) -> None:
    """Train, or go on training, and say whether it is done."""
    options = _options(arguments)
    torch.set_num_threads(THREADS)
    task = field.FIELD[options.task]
    folder = ModelStore(options.models).locate(options.encoder).folder
    torch.manual_seed(options.seed)
    network = Network(folder, task.outputs, len(task.marks))
    data = _learned(field.read(task, options.data), None if options.all else options.part)
    recipe = Recipe(task.epochs, 1e-4, 1e-3, 32, task.lengths, options.seed)
    objective = field.balanced_loss(task, data.targets)
    checkpoint = options.out or BUILD / f"{options.task}-{options.seed}.pt"
    minutes = options.minutes
    done = loop.run(network, tokenizer(folder), data, objective, recipe, checkpoint, minutes)
    if done:
        _add(checkpoint, WordModel.fit(data.pairs, data.targets, task.outputs, objective))
    print(f"{checkpoint}: {'done' if done else 'not done yet; run the same command again'}")


def finished(checkpoint: Path) -> bool:
    """Whether a run has taken all its steps."""
    kept = torch.load(checkpoint, weights_only=True)
    return "words" in kept


def _add(checkpoint: Path, words: WordModel) -> None:
    """Keep the word model beside the network."""
    kept = torch.load(checkpoint, weights_only=True)
    torch.save(kept | {"words": words.state()}, checkpoint)


def _learned(table: field.Table, left_out: int | None) -> Data:
    kept = [i for i, part in enumerate(table.part.tolist()) if part != left_out]
    return Data([table.pairs[i] for i in kept], table.targets[kept])


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train an encoder on a table of the field.")
    parser.add_argument("--task", choices=list(field.FIELD), required=True)
    parser.add_argument("--data", type=Path, required=True, help="the table, as CSV")
    parser.add_argument("--all", action="store_true", help="learn from the held out rows too")
    parser.add_argument("--part", type=int, default=0, help="which fifth is held out")
    parser.add_argument("--models", type=Path, default=Path(".models"))
    parser.add_argument("--encoder", default=ENCODER, help="any encoder of the model store")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so many")
    parser.add_argument("--out", type=Path, help="where the progress is kept")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
